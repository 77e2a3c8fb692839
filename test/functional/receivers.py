"""What notifications go to: an HTTP receiver that answers as a test wants, and a real SMTP server."""
import contextlib
import email
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from certificates import Authority
from support import REPO, free_port, wait_for

NETWORK = '[outbound]\nallow_networks = ["127.0.0.0/8"]\n'
RESET = "reset"    # the connection is cut in the middle of an answer
SILENT = "silent"  # no answer until the other side gives up


class Receiver:
    """Keeps every request; `answer(request)` gives (status, body, headers), RESET or SILENT."""

    def __init__(self, answer=lambda request: (200, b"ok", {}), port=0):
        self.seen, self.answer, self.lock = [], answer, threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                request = {"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}, "body": body}
                with outer.lock:
                    outer.seen.append(request)
                answer = outer.answer(request)
                if answer == SILENT:
                    self.connection.settimeout(30)
                    self.connection.recv(1)
                    self.close_connection = True
                elif answer == RESET:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Le")
                    self.wfile.flush()
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.connection.close()
                    self.close_connection = True
                else:
                    status, text, headers = answer
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(text)))
                    self.end_headers()
                    self.wfile.write(text)

            def handle(self):
                try:
                    super().handle()
                except OSError:
                    pass

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def bodies(self):
        with self.lock:
            return [json.loads(r["body"]) for r in self.seen]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def official_verdicts(requests):
    """What the verifier of npm `standardwebhooks` says about each (secret, headers, body)."""
    lines = "".join(json.dumps({"secret": secret, "headers": headers, "body": body}) + "\n" for secret, headers, body in requests)
    done = subprocess.run(["node", Path(__file__).parent / "webhook_verifier.mjs"], input=lines, capture_output=True, text=True, timeout=60, check=True,
                          cwd=REPO)
    return done.stdout.splitlines()


class Forward:
    """A port that leads to another one: for a server that comes up late."""

    def __init__(self, port, to):
        self.to, self.door = to, socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                here, _ = self.door.accept()
            except OSError:
                return
            there = socket.create_connection(("127.0.0.1", self.to))
            for a, b in ((here, there), (there, here)):
                threading.Thread(target=self.copy, args=(a, b), daemon=True).start()

    @staticmethod
    def copy(source, sink):
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)

    def stop(self):
        self.door.close()


class MailServer:
    """OpenSMTPD with STARTTLS on one port and TLS on another, a user, and a Maildir."""

    USER, PASSWORD = "caip", "canary-mail-password"

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.starttls, self.tls = free_port(), free_port()
        self.authority = Authority("test mail")
        self.ca = self.folder / "ca.pem"
        self.process = None

    def configure(self):
        made = self.authority.server("localhost")
        self.ca.write_text(self.authority.pem)
        (self.folder / "cert.pem").write_text(made.chain)
        (self.folder / "key.pem").write_text(made.key)
        (self.folder / "key.pem").chmod(0o600)
        hashed = subprocess.run(["smtpctl", "encrypt", self.PASSWORD], capture_output=True, text=True, timeout=20, check=True).stdout.strip()
        (self.folder / "users").write_text(f"{self.USER} {hashed}\n")
        # smtpd delivers as another user, and pytest shuts its own folders to others again with each run that begins.
        self.mail = Path(tempfile.mkdtemp(prefix="caip-mail-"))
        self.mail.chmod(0o777)
        (self.folder / "smtpd.conf").write_text(f'''
pki test cert "{self.folder}/cert.pem"
pki test key "{self.folder}/key.pem"
table users file:{self.folder}/users
queue ttl 1h
listen on 127.0.0.1 port {self.starttls} tls-require pki test auth <users> hostname localhost
listen on 127.0.0.1 port {self.tls} smtps pki test auth <users> hostname localhost
action "keep" maildir "{self.mail}" user nobody virtual {{ "@" = nobody }}
match auth from any for any action "keep"
''')

    def start(self):
        self.configure()
        self.log = self.folder / "smtpd.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(["smtpd", "-d", "-f", self.folder / "smtpd.conf"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

        def listening():
            assert self.process.poll() is None, self.log.read_text()
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.starttls)) == 0
        wait_for(listening, 20)
        return self

    def stop(self):
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(10)
        if self.process:
            shutil.rmtree(self.mail)

    def letters(self):
        """Every message in the Maildir, parsed, as they came: within a second their names are in no order."""
        return [email.message_from_bytes(path.read_bytes()) for path in sorted(self.mail.glob("new/*"), key=lambda path: path.stat().st_mtime_ns)]
