"""The two authorities: the one that browsers and the command line trust, and the post-quantum one of the agents' channel; and another in
the place of each, on a real server, while everything goes on."""
import json
import subprocess

import httpx
import pytest

from support import Shell, context, entries, problem, wait_for
from test_agent_keys import Server
from test_enrol_crash import bare  # noqa: F401


def pem(control, name):
    return httpx.get(f"{control.url}/{name}", verify=context(control.data.parent / "ca.pem"), trust_env=False).text


def held(owner, name):
    return next(k for k in owner.get("/secrets/inventory").json()["keys"] if k["key"] == name)


def handshake(control, authority):
    """What somebody sees who trusts this authority alone and speaks the agents' protocol."""
    return subprocess.run(["openssl", "s_client", "-connect", f"{control.address}:{control.port}", "-servername", "control.caip.internal",
                           "-verify_hostname", "control.caip.internal", "-alpn", "caip-agent/1", "-groups", "X25519MLKEM768",
                           "-CAfile", authority, "-verify_return_error"], input="", capture_output=True, text=True, timeout=20, check=False).stdout


def rotate(owner, key):
    answer = owner.post("/secrets/rotations", {"key": key})
    assert answer.status_code == 202, answer.text


@pytest.mark.timeout(500)
def test_another_authority_takes_the_agents_channel_over_while_a_server_is_there_and_while_it_is_away(bare, tmp_path):  # noqa: F811
    control, machine = bare
    server = Server(control, machine)
    owner = server.owner
    problem(control.member(owner, "admin").post("/secrets/rotations", {"key": "agent_ca"}), 403, "forbidden")
    first = tmp_path / "first.pem"
    first.write_text(pem(control, "agent-ca.pem"))
    said = handshake(control, first)
    assert "Verify return code: 0 (ok)" in said and "mldsa65" in said.lower() and "X25519MLKEM768" in said, said
    assert "Verify return code: 0 (ok)" not in handshake(control, control.data.parent / "ca.pem")  # the classical one counts for nothing there
    assert held(owner, "agent_ca")["servers_waiting"] == 0 and held(owner, "agent_ca")["algorithm"] == "ML-DSA-65"

    rotate(owner, "agent_ca")
    assert held(owner, "agent_ca")["generation"] == 2
    second = pem(control, "agent-ca.pem")
    assert second != first.read_text()
    assert "Verify return code: 0 (ok)" in handshake(control, first)  # over the link
    wait_for(lambda: held(owner, "agent_ca")["servers_waiting"] == 0, 60)
    server.online()
    server.works()
    kept = json.loads(machine.run(["cat", "/var/lib/caip-helper/identity"]).stdout)
    assert kept["authority"] == second, kept["authority"]

    # Away during two of them, with caipd killed right after each: it comes back by itself, over both links.
    machine.run(["systemctl", "stop", "caip-agent"])
    for generation in (3, 4):
        rotate(owner, "agent_ca")
        control.kill()
        server.restart_control()
        owner = server.owner
        assert held(owner, "agent_ca")["generation"] == generation
    assert held(owner, "agent_ca")["servers_waiting"] == 1
    machine.run(["systemctl", "start", "caip-agent"])
    server.online()
    wait_for(lambda: held(owner, "agent_ca")["servers_waiting"] == 0, 60)
    server.online()
    server.works()
    machine.run(["systemctl", "restart", "caip-agent"])
    server.online()
    ended = [e["entry"]["params"] for e in entries(owner, "key.destroy") if e["entry"]["params"]["key"] == "agent_ca"]
    assert [e["generation"] for e in ended] == [3, 2, 1], ended


@pytest.mark.timeout(300)
def test_another_authority_for_browsers_and_the_command_line_and_who_trusts_the_one_before_goes_on(bare, tmp_path):  # noqa: F811
    control, machine = bare
    owner = control.sign_in()
    shell = Shell(tmp_path).login(control)  # pins the authority of now
    before = control.data.parent / "ca.pem"
    old = before.read_text()
    rotate(owner, "ca")
    new = tmp_path / "new.pem"
    new.write_text(pem(control, "ca.pem"))
    assert new.read_text() != old and held(owner, "ca")["generation"] == 2
    for trusted in (before, new):
        assert httpx.get(control.url + "/readyz", verify=context(trusted), trust_env=False).status_code == 200
    assert owner.get("/servers").status_code == 200
    listed = shell.caip("server", "list")
    assert listed.returncode == 0, listed.stderr
    assert "agent_ca" in shell.caip("secrets", "inventory").stdout
    server = Server(control, machine)  # an install command of now
    server.works()
    control.kill()
    server.restart_control()
    assert pem(control, "ca.pem") == new.read_text()
    server.online()
