"""TLS: 1.3 alone, post-quantum when the other side can, verified against our own authority."""
import re
import socket
import ssl
import subprocess

import pytest


def s_client(control, *arguments):
    return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{control.port}", "-servername", "localhost",
                           "-CAfile", control.data.parent / "ca.pem", *arguments],
                          input="", capture_output=True, text=True, timeout=20, check=False)


def test_only_tls_1_3(control):
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        with socket.create_connection(("127.0.0.1", control.port)) as raw:
            old.wrap_socket(raw, server_hostname="localhost")


def test_post_quantum_is_preferred(control):
    # The client's own first choice is X25519; the server asks for the hybrid group.
    said = s_client(control, "-groups", "X25519:X25519MLKEM768").stdout
    assert "TLSv1.3" in said
    assert "X25519MLKEM768" in said, said[-1500:]


def test_certificate_chains_to_our_authority(control):
    said = s_client(control, "-verify_return_error", "-verify_hostname", "localhost")
    assert "Verify return code: 0 (ok)" in said.stdout, said.stdout[-1500:] + said.stderr


def test_agent_door_needs_a_certificate(control):
    said = s_client(control, "-alpn", "caip-agent/1", "-groups", "X25519MLKEM768", "-ign_eof")
    assert said.returncode != 0 or "alert" in said.stderr.lower(), said.stdout[-500:] + said.stderr[-500:]


@pytest.mark.parametrize("path", ["/", "/servers", "/setup", "/index.html"])
def test_strict_headers(control, path):
    headers = control.anonymous().http.get(control.url + path).headers
    policy = {words[0]: words[1:] for words in (part.split() for part in headers["content-security-policy"].split(";")) if words}
    # Nothing inline, nothing evaluated, nothing from elsewhere: not for styles either.
    for directive in ("default-src", "script-src", "style-src", "connect-src"):
        assert policy[directive] == ["'self'"], policy
    assert not [w for words in policy.values() for w in words if w.startswith(("'unsafe", "'nonce", "'sha", "*", "http"))], policy
    assert policy["object-src"] == policy["base-uri"] == policy["frame-ancestors"] == ["'none'"] and policy["form-action"] == ["'self'"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    age = re.fullmatch(r"max-age=(\d+)(; includeSubDomains)?", headers["strict-transport-security"])
    assert age and int(age[1]) >= 31536000, headers["strict-transport-security"]
