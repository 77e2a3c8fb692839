"""A control plane that is not ours. The real `caip-agent enrol` and the real install command meet
servers that are almost right; each time nothing is written and the token does not leave the machine.
The rogue is `openssl s_server`, which shows every byte that it was sent."""
import hashlib
import re
import ssl
import subprocess
import time

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from certificates import CONTROL_NAME, Authority
from support import BIN, free_port, problem, wait_for

TOKEN = "tok_this-must-never-reach-a-rogue-7f3a9c"


class Rogue:
    """`openssl s_server` on a port. What it is sent comes out of heard()."""

    def __init__(self, folder, made, *arguments, address="127.0.0.1"):
        self.port, self.out = free_port(address), folder / "heard"
        (folder / "rogue.pem").write_text(made.chain)
        (folder / "rogue.key").write_text(made.key)
        self.log = open(self.out, "wb")
        # Its standard input stays open: at the end of that it would leave.
        self.process = subprocess.Popen(
            ["openssl", "s_server", "-accept", f"{address}:{self.port}", "-cert", folder / "rogue.pem", "-cert_chain", folder / "rogue.pem",
             "-key", folder / "rogue.key", *arguments], stdin=subprocess.PIPE, stdout=self.log, stderr=self.log)
        wait_for(lambda: b"ACCEPT" in self.out.read_bytes(), 10, 0.02)

    def heard(self):
        return self.out.read_bytes()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.log.close()


@pytest.fixture(scope="module")
def ours():
    """The authority that the install command told the agent to trust. Here its key is known."""
    return Authority("the right authority")


@pytest.fixture(scope="module")
def theirs():
    return Authority("another authority")


RIGHT = ("-tls1_3", "-groups", "X25519MLKEM768", "-alpn", "http/1.1")


def fingerprint(pem):
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def enrol(folder, port, ca):
    """(exit code, words, files that it left)"""
    (folder / "ca.pem").write_text(ca.pem)
    done = subprocess.run([BIN / "caip-agent", "enrol", "--server", f"localhost:{port}", "--ca", folder / "ca.pem", "--agent-ca", folder / "ca.pem", "--agent-ca-sha256", fingerprint(ca.pem), "--token-stdin",
                           "--config", folder / "etc"], input=TOKEN, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr, [p.name for p in (folder / "etc").rglob("*")]


def test_the_harness_would_see_the_token(tmp_path, ours):
    """With everything right the agent does send it: what the others show is the agent's doing."""
    (tmp_path / "ca.pem").write_text(ours.pem)
    with Rogue(tmp_path, ours.server(CONTROL_NAME), *RIGHT) as rogue:
        agent = subprocess.Popen([BIN / "caip-agent", "enrol", "--server", f"localhost:{rogue.port}", "--ca", tmp_path / "ca.pem", "--agent-ca", tmp_path / "ca.pem", "--agent-ca-sha256", fingerprint(ours.pem),
                                  "--token-stdin", "--config", tmp_path / "etc"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        agent.stdin.write(TOKEN.encode())
        agent.stdin.close()
        try:
            wait_for(lambda: TOKEN.encode() in rogue.heard(), 15)
        finally:
            agent.kill()
            agent.wait()


CASES = {
    "another authority": (lambda ours, theirs: theirs.server(CONTROL_NAME), RIGHT),
    "another authority, ours shown beside it": (lambda ours, theirs: with_chain(theirs.server(CONTROL_NAME), ours), RIGHT),
    "another name": (lambda ours, theirs: ours.server("elsewhere.example"), RIGHT),
    "a wildcard": (lambda ours, theirs: ours.server("*"), RIGHT),
    "an enrolled server's certificate": (
        lambda ours, theirs: ours.server(CONTROL_NAME, usage=ExtendedKeyUsageOID.CLIENT_AUTH), RIGHT),
    "expired": (lambda ours, theirs: ours.server(CONTROL_NAME, days=(-30, -1)), RIGHT),
    "not valid yet": (lambda ours, theirs: ours.server(CONTROL_NAME, days=(2, 30)), RIGHT),
    "classical key exchange": (lambda ours, theirs: ours.server(CONTROL_NAME),
                               ("-tls1_3", "-groups", "X25519:P-256", "-alpn", "http/1.1")),
    "another post-quantum group": (lambda ours, theirs: ours.server(CONTROL_NAME),
                                   ("-tls1_3", "-groups", "MLKEM768:SecP256r1MLKEM768", "-alpn", "http/1.1")),
    "TLS 1.2": (lambda ours, theirs: ours.server(CONTROL_NAME), ("-tls1_2", "-alpn", "http/1.1")),
    "another protocol": (lambda ours, theirs: ours.server(CONTROL_NAME),
                         ("-tls1_3", "-groups", "X25519MLKEM768", "-alpn", "caip-agent/1")),
    "no protocol": (lambda ours, theirs: ours.server(CONTROL_NAME), ("-tls1_3", "-groups", "X25519MLKEM768")),
}


def with_chain(made, other):
    made.chain += other.pem
    return made


@pytest.mark.parametrize("case", CASES)
def test_an_agent_tells_a_rogue_nothing(tmp_path, ours, theirs, case):
    make, arguments = CASES[case]
    with Rogue(tmp_path, make(ours, theirs), *arguments) as rogue:
        started = time.monotonic()
        code, said, files = enrol(tmp_path, rogue.port, ours)
        assert code == 1 and said.startswith("caip-agent: "), (code, said)
        assert not files, files
        assert time.monotonic() - started < 15, "it waited for an answer"
        heard = rogue.heard()
    assert TOKEN.encode() not in heard and b"POST" not in heard, heard[-500:]


@pytest.fixture
def command(world):
    """A fresh install command, taken apart: what it says, its token, and where it goes."""
    answer = world.owner.post("/enrolments", {"name": "not-to-be"})
    assert answer.status_code == 201, answer.text
    text = answer.json()["install_command"]
    tokens = re.findall(r"(?<![0-9A-Za-z_-])[0-9A-Za-z_-]{43}(?![0-9A-Za-z_-])", text)
    fingerprints = re.findall(r"\b[0-9a-f]{64}\b", text)
    assert len(tokens) == 1 and len(set(fingerprints)) == 2, text
    return type("Command", (), {"text": text, "token": tokens[0], "fingerprint": fingerprints[0], "agents": fingerprints[-1],
                                "at": f"{world.control.address}:{world.control.port}"})


def agent_files(world):
    found = world.machine.run(["sh", "-c", "cd / && find etc/caip usr/local/lib/caip -type f -exec sha256sum {} +; systemctl is-active caip-agent"])
    return found.stdout


def refused_by_command(world, text):
    before = agent_files(world)
    done = world.machine.run(["sh", "-c", text], check=False, timeout=90)
    assert done.returncode != 0, done.stdout + done.stderr
    assert agent_files(world) == before
    return done.stdout + done.stderr


def test_the_install_command_checks_the_fingerprint_first(world, command, tmp_path, theirs):
    """A rogue in the control plane's place: it is not even asked for the script."""
    made = theirs.server(world.control.address, CONTROL_NAME)
    with Rogue(tmp_path, made, "-tls1_3", address=world.control.address) as rogue:
        said = refused_by_command(world, command.text.replace(command.at, f"{world.control.address}:{rogue.port}"))
        heard = rogue.heard()
    assert "did not prove who it is" in said, said
    assert command.token.encode() not in heard and b"GET" not in heard, heard[-500:]


def test_showing_our_authority_is_not_being_it(world, command, tmp_path, theirs):
    """The authority's certificate is public. Who shows it beside a certificate of another is still refused."""
    made = theirs.server(world.control.address, CONTROL_NAME)
    made.chain += (world.control.data.parent / "ca.pem").read_text()
    with Rogue(tmp_path, made, "-tls1_3", address=world.control.address) as rogue:
        refused_by_command(world, command.text.replace(command.at, f"{world.control.address}:{rogue.port}"))
        heard = rogue.heard()
    assert command.token.encode() not in heard and b"GET" not in heard and b"POST" not in heard, heard[-500:]


def test_a_wrong_fingerprint_stops_the_install_command(world, command):
    wrong = ("0" if command.fingerprint[0] != "0" else "1") + command.fingerprint[1:]
    said = refused_by_command(world, command.text.replace(command.fingerprint, wrong))
    assert "did not prove who it is" in said, said
    # The token was not used up: it is good for one enrolment still, which a malformed request does not take.
    answer = world.control.anonymous().post("/agent/enrol", {"token": command.token, "csr": "nonsense", "hostname": "x"}, key=False)
    problem(answer, answer.status_code)
    assert answer.status_code in (400, 422), answer.text


def test_another_authority_of_the_agents_channel_than_the_command_names_is_not_believed(world, command):
    """Whoever can forge the first, classical authority (a quantum computer, later) still is not whom the agent goes by."""
    wrong = ("0" if command.agents[0] != "0" else "1") + command.agents[1:]
    said = refused_by_command(world, command.text.replace(command.agents, wrong))
    assert "another authority of the agents' channel" in said, said
