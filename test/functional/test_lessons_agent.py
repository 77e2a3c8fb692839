"""What other products' agents, installers, helpers and front doors let through (lessons S23 to S26), tried at ours with the
programs of somebody who attacks: `openssl s_client` with any certificate, raw sockets, and the install command itself."""
import re
import socket
import ssl
import subprocess
import threading
import time
from datetime import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from agent_wire import Identity, hello
from certificates import Authority
from support import REPO, problem, wait_for

PQ = ("-tls1_3", "-groups", "X25519MLKEM768")


def says_hello(control, certificate, key, *arguments):
    """An s_client that connects and says hello as an agent does. Whoever is let in stays connected; it is ended here."""
    process = subprocess.Popen(
        ["openssl", "s_client", "-connect", f"localhost:{control.port}", "-servername", "localhost", "-alpn", "caip-agent/1", "-quiet",
         "-CAfile", control.data.parent / "agent-ca.pem", "-cert", certificate, "-key", key, *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    process.stdin.write(hello("somebody"))
    process.stdin.flush()
    return process


def online(owner, server):
    return owner.get(f"/servers/{server}").json()["online"]


@pytest.fixture(scope="module")
def web(control, owner, tmp_path_factory):
    return Identity(control, owner, tmp_path_factory.mktemp("web"), "web")


@pytest.fixture(scope="module")
def other(control, owner, tmp_path_factory):
    return Identity(control, owner, tmp_path_factory.mktemp("other"), "other")


def forged(folder, server, issuer, *, days=(-1, 30)):
    """A certificate that says it is this server's, from an authority that is not ours."""
    key = ec.generate_private_key(ec.SECP256R1())
    made = (issuer._builder(x509.Name([]), key.public_key(), days)
            .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"caip:server:{server}")]), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .sign(issuer.key, hashes.SHA256()))
    (folder / "forged.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM) + issuer.pem.encode())
    (folder / "forged.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return folder / "forged.crt", folder / "forged.key"


def ends(process):
    process.wait(20)
    process.stdin.close()
    return process.stderr.read().decode()


def test_s23_a_certificate_of_another_authority_is_no_identity(control, owner, web, tmp_path):
    """The right name inside does not help: it is who signed it that counts."""
    ours = (control.data.parent / "agent-ca.pem").read_text()
    subject = x509.load_pem_x509_certificate(ours.encode()).subject
    twin = Authority("any")
    twin.name = subject  # even one that bears our authority's name
    for issuer in (Authority("self-made"), twin):
        said = ends(says_hello(control, *forged(tmp_path, web.server, issuer), *PQ))
        assert "alert" in said, said
        assert not online(owner, web.server)
    said = ends(says_hello(control, *forged(tmp_path, web.server, Authority("x"), days=(-30, -1)), *PQ))
    assert "alert" in said, said


def test_s23_less_than_the_post_quantum_group_is_refused_with_the_right_certificate_too(control, owner, web):
    good = says_hello(control, web.certificate, web.key, *PQ)  # the others fail for what they lack, not for how they are sent
    try:
        wait_for(lambda: online(owner, web.server))
    finally:
        good.kill()
        good.wait()
    wait_for(lambda: not online(owner, web.server))
    for less in (("-tls1_3", "-groups", "X25519"), ("-tls1_3", "-groups", "P-256"), ("-tls1_2",), ("-tls1_3", "-groups", "SecP256r1MLKEM768")):
        said = ends(says_hello(control, web.certificate, web.key, *less))
        assert "alert" in said or "error" in said, (less, said)
        assert not online(owner, web.server), less


def test_s23_one_server_is_never_another_and_a_retired_one_is_cut_off_at_once(control, owner, web, other, tmp_path):
    connection = other.connect()
    connection.sendall(hello("web"))  # the name it gives itself is text
    wait_for(lambda: online(owner, other.server))
    assert not online(owner, web.server)
    before = time.monotonic()
    Identity(control, owner, tmp_path, "other", replace=True)
    connection.settimeout(10)
    with pytest.raises((ssl.SSLError, OSError, EOFError)):
        while True:
            if not connection.recv(65536):
                raise EOFError
    assert time.monotonic() - before < 5
    wait_for(lambda: not online(owner, other.server))
    again = says_hello(control, other.certificate, other.key, *PQ)  # its certificate has not expired; it ended
    again.wait(20)
    assert not online(owner, other.server)


def test_s23_what_an_agent_says_reaches_no_command():
    """There is no way to one: nothing in the product runs a shell, and the control plane starts fixed programs of its own."""
    shell = re.compile(r"\b(system|popen|execl[pe]?|execvp?e?|wordexp)\s*\(")
    sources = [p for p in (REPO / "src").rglob("*.cpp") if "_test" not in p.name and "_fuzz" not in p.name]
    assert len(sources) > 100
    assert [str(p) for p in sources if shell.search(p.read_text())] == []


def test_s24_a_token_enrols_once_for_its_server_and_not_for_long(control, owner, tmp_path):
    made = owner.post("/enrolments", {"name": "once"}).json()
    token = re.search(r"printf '%s' '([A-Za-z0-9_-]{43})'", made["install_command"])[1]
    listed = next(e for e in owner.data("/enrolments") if e["name"] == "once")
    assert token not in str(listed)
    csr = subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", tmp_path / "k",
                          "-subj", "/CN=x"], capture_output=True, text=True, check=True).stdout
    answers = []

    def enrol():
        answers.append(control.anonymous().post("/agent/enrol", {"token": token, "csr": csr, "hostname": "not-once"}, key=False))
    together = [threading.Thread(target=enrol) for _ in range(8)]
    for t in together:
        t.start()
    for t in together:
        t.join()
    codes = sorted(a.status_code for a in answers)
    assert codes[0] == 200 and codes[1] >= 400, codes
    let_in = next(a for a in answers if a.status_code == 200).json()
    server = owner.get(f"/servers/{let_in['server_id']}").json()
    assert server["name"] == "once"  # the record that the token was made for, whatever the machine calls itself
    assert len([s for s in owner.data("/servers") if s["name"] == "once"]) == 1
    minutes = (made_at(listed["expires_at"]) - made_at(listed["created_at"])) / 60
    assert 0 < minutes <= 30


def made_at(text):
    return datetime.fromisoformat(text).timestamp()


def test_s24_nothing_in_the_tree_switches_verification_off():
    """In what is installed, shown to users, or run by `make`: tests alone talk to whoever they like."""
    off = re.compile(r"--insecure\b|\bcurl\b[^\n|;]*\s-[a-jl-zA-Z]*k[a-zA-Z]*\s|--no-check-certificate|set_verify\([^)]*SSL_VERIFY_NONE|CURLOPT_SSL_VERIFY(PEER|HOST), 0|StrictHostKeyChecking=no|verify=False")
    places = [REPO / "README.md", *(REPO / "packaging").rglob("*.sh"), *(REPO / "packaging").glob("*.service"), *(REPO / "doc").rglob("*.md"),
              *(p for p in (REPO / "src").rglob("*") if p.suffix in (".cpp", ".h") and "_test" not in p.name and "_bench" not in p.name)]
    assert len(places) > 200
    found = {str(p.relative_to(REPO)): m[0] for p in places if (m := off.search(p.read_text()))}
    # presented_chain(): the CLI shows whoever is there before somebody trusts them; nothing is sent.
    assert found == {"src/cli/http.cpp": "CURLOPT_SSL_VERIFYPEER, 0"}, found


def test_s25_the_root_half_runs_nothing_and_takes_nothing_from_its_surroundings(world):
    """Fixed verbs over D-Bus: no PATH to put a program into, no environment, no setuid file, and execve ends in a signal."""
    pid = world.machine.run(["pgrep", "-x", "caip-helper"]).stdout.strip()
    environment = world.machine.run(["cat", f"/proc/{pid}/environ"]).stdout
    assert environment == "", environment
    assert world.machine.run(["readlink", f"/proc/{pid}/exe"]).stdout.strip() == "/usr/local/lib/caip/caip-helper"
    files = world.machine.run(["sh", "-c", "stat -c '%n %U %a' /usr/local/lib/caip /usr/local/lib/caip/* /etc/systemd/system/caip-agent.service"]).stdout.split("\n")
    for line in filter(None, files):
        name, user, mode = line.split()
        assert user == "root" and len(mode) == 3 and int(mode, 8) & 0o022 == 0, line  # no setuid, nobody else writes
    unit = world.machine.run(["systemctl", "show", "caip-agent", "-P", "SystemCallFilter"]).stdout
    assert unit.strip() and not re.search(r"\bexecve\b", world.machine.run(["systemctl", "show", "caip-helper", "-P", "SystemCallFilter"]).stdout)
    assert [p for p in (REPO / "src/agent").glob("*.cpp") if "_test" not in p.name and re.search(r"getenv\(|PATH", p.read_text())] == []


def raw(control):
    tls = ssl.create_default_context(cafile=str(control.data.parent / "ca.pem"))
    tls.set_alpn_protocols(["http/1.1"])
    return tls.wrap_socket(socket.create_connection(("127.0.0.1", control.port), timeout=30), server_hostname="localhost")


def answer_to(control, *pieces):
    with raw(control) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
            got = b""
            while more := connection.recv(65536):
                got += more
            return got
        except (ssl.SSLError, OSError):
            return got if "got" in locals() else b""


HEAD = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize("flood", [b"X: " + b"a" * 20_000 + b"\r\n", b"".join(b"X%d: a\r\n" % n for n in range(4000)), b"X" * 20_000 + b": a\r\n"],
                         ids=["one long header", "many headers", "a long name"])
def test_s26_headers_have_a_limit(control, flood):
    got = answer_to(control, HEAD + flood + b"\r\n")
    assert got.startswith(b"HTTP/1.1 431"), got[:80]


def test_s26_bodies_have_a_limit_before_they_are_read(control):
    got = answer_to(control, b"POST /api/v1/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 413"), got[:80]
    chunks = b"POST /api/v1/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    got = answer_to(control, chunks, *[b"1000\r\n" + b"a" * 4096 + b"\r\n"] * 100)
    assert not got.startswith(b"HTTP/1.1 2"), got[:80]


def test_s26_json_has_a_depth(control):
    for deep in ("[" * 5000, '{"a":' * 5000):
        answer = control.anonymous().http.post("/sessions", content=deep, headers={"Content-Type": "application/json"})
        problem(answer, answer.status_code)
        assert answer.status_code in (400, 422), answer.text


def test_s26_a_slow_client_is_cut_off_and_holds_up_nobody(control):
    """One byte of a request every half second: it has so long for all of its headers, however often it says something."""
    slow = [raw(control) for _ in range(20)]
    began, alive = time.monotonic(), set(range(len(slow)))
    for connection in slow:
        connection.sendall(HEAD)
        connection.settimeout(0.01)
    while alive and time.monotonic() - began < 40:
        for n in list(alive):
            try:
                slow[n].sendall(b"X")
                if not slow[n].recv(4096):
                    alive.discard(n)
            except TimeoutError:
                pass
            except (ssl.SSLError, OSError):
                alive.discard(n)
        assert control.anonymous().get("/setup").status_code == 200
        time.sleep(0.3)  # what it means to be slow
    assert not alive, f"{len(alive)} of {len(slow)} are still connected after {time.monotonic() - began:.0f} s"


def test_s26_one_address_holds_so_many_connections_and_another_comes_in(control):
    held = []
    try:
        for _ in range(300):
            try:
                held.append(raw(control))
            except (ssl.SSLError, OSError):
                pass
        assert 100 < len(held) <= 256, len(held)
        with socket.create_connection(("127.0.0.1", control.port), timeout=10, source_address=("127.0.0.9", 0)) as elsewhere:
            tls = ssl.create_default_context(cafile=str(control.data.parent / "ca.pem"))
            with tls.wrap_socket(elsewhere, server_hostname="localhost") as connection:
                connection.sendall(HEAD + b"Connection: close\r\n\r\n")
                assert connection.recv(64).startswith(b"HTTP/1.1 200")
    finally:
        for connection in held:
            connection.close()


def test_s26_event_streams_have_a_number(control, owner):
    streams, refused = [], None
    try:
        for _ in range(200):
            connection = raw(control)
            connection.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + owner.token.encode() + b"\r\n\r\n")
            first = connection.recv(64)
            streams.append(connection)
            if not first.startswith(b"HTTP/1.1 200"):
                refused = first
                break
        assert refused and refused.startswith(b"HTTP/1.1 429"), (len(streams), refused)
        assert owner.get("/session").status_code == 200
    finally:
        for connection in streams:
            connection.close()
