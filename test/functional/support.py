"""Drives the real caipd over HTTPS. Everything a test needs stands here; the tests say what
they expect and nothing else."""
import contextlib
import os
import random
import re
import signal
import socket
import sqlite3
import ssl
import subprocess
import time
import uuid
from pathlib import Path

import httpx

from described import watch

REPO = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("CAIP_BIN", REPO / "build" / "dev" / "bin"))
OWNER = ("owner@example.org", "correct horse battery staple")


def free_port(address="127.0.0.1"):
    """Below the range that outgoing connections are given: nobody takes it while a server restarts."""
    while True:
        port = random.randrange(15000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind((address, port))
                return port
            except OSError:
                pass


def context(ca_file=None):
    tls = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    tls.minimum_version = ssl.TLSVersion.TLSv1_3
    if ca_file is None:
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    return tls


class Api:
    """One caller. Bearer token or nobody; adds the idempotency key that POSTs need."""

    def __init__(self, control, token=None, password=None):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.control, self.token, self.password = control, token, password
        self.http = httpx.Client(base_url=control.url + "/api/v1", verify=control.tls, headers=headers, timeout=30,
                                 trust_env=False, event_hooks=watch(control.url))

    def call(self, method, path, body=None, key=True, **kwargs):
        headers = dict(kwargs.pop("headers", {}))
        if method == "POST" and key:
            headers.setdefault("Idempotency-Key", f'"{uuid.uuid4()}"')
        answer = self.http.request(method, path, json=body, headers=headers, **kwargs)
        if self.password and answer.status_code == 403 and answer.json()["code"] == "step_up_needed":
            self.step_up()
            answer = self.http.request(method, path, json=body, headers=headers, **kwargs)
        return answer

    def step_up(self, password=None):
        """What clients do when the sign-in is more than five minutes ago."""
        answer = self.http.post("/session/step-up", json={"password": password or self.password})
        assert password or answer.status_code == 200, answer.text
        return answer

    def get(self, path, **kwargs):
        return self.call("GET", path, **kwargs)

    def post(self, path, body=None, **kwargs):
        return self.call("POST", path, {} if body is None else body, **kwargs)

    def data(self, path):
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]


EVERYONE_FOUNDS = '[organizations]\nfounders = "everyone"\n'


class Control:
    """One caipd with its own data folder."""

    def __init__(self, folder, address="127.0.0.1", arguments=(), settings=""):
        self.data, self.address, self.arguments = Path(folder) / "data", address, list(arguments)
        self.data.mkdir(mode=0o700, exist_ok=True, parents=True)
        self.log = Path(folder) / "caipd.log"
        if settings:
            config = Path(folder) / "caipd.toml"
            config.write_text(settings)
            self.arguments += ["--config", config]
        self.port = free_port(address)
        self.url = f"https://{'localhost' if address == '127.0.0.1' else address}:{self.port}"
        if address != "127.0.0.1":
            self.arguments += ["--agent-url", self.url]
        self.tls = context()
        self.programs, self.process = BIN, None
        self.devices = {}  # what each person got at their last sign-in here, as a browser keeps it

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "caipd", "--data", self.data, "--listen", f"{self.address}:{self.port}", *self.arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"caipd stopped at its start:\n{self.log.read_text()[-2000:]}"
            try:
                if httpx.get(self.url + "/readyz", verify=context(), timeout=2, trust_env=False).status_code == 200:
                    break
            except httpx.HTTPError:
                time.sleep(0.05)
        else:
            raise AssertionError(f"caipd was not ready in 30 s:\n{self.log.read_text()[-2000:]}")
        # The first look is unauthenticated, like a user's; from here on the authority is pinned.
        ca = self.data.parent / "ca.pem"
        ca.write_text(httpx.get(self.url + "/ca.pem", verify=context(), trust_env=False).text)
        (self.data.parent / "agent-ca.pem").write_text(httpx.get(self.url + "/agent-ca.pem", verify=context(), trust_env=False).text)
        self.tls = context(ca)
        return self

    def kill(self):
        """kill -9, with everything that caipd started."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError("caipd did not stop in 15 s after SIGTERM")
        return self.process.returncode if self.process else 0

    def setup_token(self):
        return (self.data / "setup-token").read_text().strip()

    def anonymous(self):
        return Api(self)

    def set_up(self):
        answer = self.anonymous().post("/setup", {"token": self.setup_token(), "email": OWNER[0], "password": OWNER[1],
                                                  "organization": "Example"})
        assert answer.status_code == 201, answer.text
        return answer

    def sign_in(self, email=OWNER[0], password=OWNER[1], device=None):
        device = device or self.devices.get(email)
        known = {"device_token": device} if device else {}
        answer = self.anonymous().post("/sessions", {"email": email, "password": password, "client": "cli"} | known)
        assert answer.status_code == 201, answer.text
        api = Api(self, answer.json()["access_token"], password)
        api.session = answer.json()
        self.devices[email] = api.session.get("device_token")
        return api

    def member(self, owner, role, email=None):
        email, password = email or f"{role}@example.org", f"a long password for {role}"
        answer = owner.post("/members", {"email": email, "role": role, "password": password})
        assert answer.status_code == 201, answer.text
        return self.sign_in(email, password)

    def stale(self):
        """All sessions as they are six minutes after their sign-in. Stops and starts caipd."""
        self.stop()
        with contextlib.closing(sqlite3.connect(self.data / "caip.db")) as db, db:
            db.execute("UPDATE sessions SET stepped_up = stepped_up - 360000000")
        self.start()

    def verify(self, *more):
        """caip audit verify: (exit code, what it said). Needs no running server."""
        done = subprocess.run([BIN / "caip", "audit", "verify", "--data", self.data, *more], capture_output=True,
                              text=True, timeout=60, check=False)
        return done.returncode, done.stdout + done.stderr


def problem(answer, status, code=None):
    """The answer is the problem document (RFC 9457) that it should be."""
    assert answer.status_code == status, f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}"
    assert answer.headers["content-type"].startswith("application/problem+json"), answer.headers
    body = answer.json()
    assert body["status"] == status and body["title"] and re.fullmatch(r"[a-z_]+", body["code"]), body
    assert body["request_id"].startswith("req_"), body
    if code:
        assert body["code"] == code, body
    return body


def wait_for(what, seconds=20, every=0.1):
    """Calls `what` until it gives something true, and returns that."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := what():
            return value
        time.sleep(every)
    raise AssertionError(f"did not happen in {seconds} s: {what}")


def classify(api, server, environment):
    """What a server is for; the answer of the API."""
    version = api.get(f"/servers/{server}").json()["version"]
    return api.call("PUT", f"/servers/{server}/environment", {"environment": environment}, headers={"If-Match": f'"{version}"'})


def open_to_ai(api, server):
    """A new server is unknown, which counts as production, and the AI may only look at it."""
    for answer in (classify(api, server, "development"), api.call("PUT", f"/servers/{server}/ai-access", {"access": "full"})):
        assert answer.status_code == 200, answer.text


def entries(api, action=None):
    """The whole log, newest first, page by page."""
    found, cursor = [], None
    while True:
        query = "?limit=100" + (f"&cursor={cursor}" if cursor else "") + (f"&action={action}" if action else "")
        answer = api.get("/audit/entries" + query)
        assert answer.status_code == 200, answer.text
        found += answer.json()["data"]
        cursor = answer.json()["next_cursor"]
        if not cursor:
            return found


OK, FAILURE, USAGE, NOT_FOUND, NOT_ALLOWED = 0, 1, 2, 3, 4  # of caip


class Shell:
    """caip with XDG folders of its own."""

    def __init__(self, home):
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8",
                            "XDG_CONFIG_HOME": str(home / "config"), "XDG_STATE_HOME": str(home / "state")}

    def caip(self, *arguments, stdin=""):
        return subprocess.run([BIN / "caip", *map(str, arguments)], input=stdin, capture_output=True, text=True, timeout=60,
                              env=self.environment, check=False)

    def login(self, control, email=OWNER[0], password=OWNER[1]):
        done = self.caip("login", "--url", control.url, "--email", email, "--password-stdin", "--ca", control.data.parent / "ca.pem",
                         stdin=password + "\n")
        assert done.returncode == OK, done.stdout + done.stderr
        return self
