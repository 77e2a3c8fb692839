"""A fake agent: enrols like a real one, then says what a test wants it to say. The few messages of
src/channel/wire.proto that it needs are written by hand."""
import re
import socket
import ssl
import struct
import subprocess


def varint(n):
    out = b""
    while n > 0x7F:
        out, n = out + bytes([n & 0x7F | 0x80]), n >> 7
    return out + bytes([n])


def member(number, body):
    return varint(number << 3 | 2) + varint(len(body)) + body


def framed(body):
    return struct.pack(">I", len(body)) + body


def hello(name):
    return framed(member(1, member(1, name.encode())))


def result(order, *lines):
    return framed(member(3, member(1, order.encode()) + b"\x10\x01" + b"".join(member(5, line) for line in lines)))


def report(load1):
    """Metrics with nothing but the load in them."""
    return framed(member(2, member(1, varint(8 << 3 | 1) + struct.pack("<d", load1))))


class Identity:
    """What `caip-agent enrol` would leave in /etc/caip."""

    def __init__(self, control, owner, folder, name, replace=False, command=None):
        self.control, self.key, self.certificate = control, folder / f"{name}.key", folder / f"{name}.crt"
        command = command or owner.post("/enrolments", {"name": name, "replace": replace}).json()["install_command"]
        token = re.search(r"printf '%s' '([A-Za-z0-9_-]{43})'", command).group(1)
        csr = subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                              "-keyout", self.key, "-subj", f"/CN={name}"], capture_output=True, text=True, check=True).stdout
        answer = control.anonymous().post("/agent/enrol", {"token": token, "csr": csr, "hostname": name})
        assert answer.status_code == 200, f"{answer.text} with {command}"
        self.server = answer.json()["server_id"]
        self.certificate.write_text(answer.json()["certificate"])

    def connect(self):
        tls = ssl.create_default_context(cafile=str(self.control.data.parent / "agent-ca.pem"))
        tls.minimum_version = ssl.TLSVersion.TLSv1_3
        tls.set_alpn_protocols(["caip-agent/1"])
        tls.load_cert_chain(self.certificate, self.key)
        raw = socket.create_connection(("127.0.0.1", self.control.port), timeout=20)
        return tls.wrap_socket(raw, server_hostname="localhost")
