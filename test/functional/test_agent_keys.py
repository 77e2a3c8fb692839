"""A server's own key on a real server: renewed, replaced and revoked, with either side killed in between, and clocks that are off."""
import random
import socket
import ssl
import time

import pytest

from agent_wire import hello
from support import entries, problem, wait_for
from test_clock import set_clock  # noqa: F401
from test_enrol_crash import bare  # noqa: F401

HOUR = 3600


class Server:
    def __init__(self, control, machine):
        self.control, self.machine = control, machine
        self.owner = control.sign_in()
        self.install(replace=False)

    def install(self, replace=True):
        command = self.owner.post("/enrolments", {"name": "bare", "replace": replace}).json()["install_command"]
        done = self.machine.run(["sh", "-c", command], check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        self.id = self.online()["id"]

    def online(self, within=60):
        return wait_for(lambda: next((s for s in self.owner.data("/servers") if s["name"] == "bare" and s["online"]), None), within)

    def key(self):
        return self.owner.get(f"/servers/{self.id}/key").json()

    def rotate(self):
        answer = self.owner.post(f"/servers/{self.id}/key/rotate")
        assert answer.status_code == 200 and answer.json()["rotation_asked"], answer.text

    def works(self):
        """An order reaches it and is answered."""
        operation = self.owner.post(f"/servers/{self.id}/actions", {"type": "unit.status", "unit": "ssh.service"}).json()
        done = wait_for(lambda: (o := self.owner.get(f"/operations/{operation['id']}").json())["status"] not in ("pending", "running") and o, 30)
        assert done["status"] == "succeeded", done

    def restart_control(self):
        self.control.start()
        self.owner = self.control.sign_in()


@pytest.fixture
def server(bare):  # noqa: F811
    return Server(*bare)


@pytest.mark.timeout(400)
def test_a_key_is_replaced_whatever_is_killed_meanwhile_and_the_one_before_is_let_in_no_more(server):
    first = server.key()
    assert first["signature"] == "mldsa65" and first["state"] == "good" and first["renews"] and not first["next_key"], first
    machine, control = server.machine, server.control
    machine.run(["cp", "-a", "/etc/caip", "/root/stolen"])  # by whoever had a look at the disk
    server.rotate()
    second = wait_for(lambda: (k := server.key())["key"] != first["key"] and k, 30)
    assert not second["rotation_asked"] and not second["next_key"], second
    server.online()
    server.works()
    for n, victim in enumerate(["caip-helper", "caip-agent", "caipd", "caip-helper", "caip-agent", "caipd"]):
        before = server.key()["key"]
        server.rotate()
        time.sleep(random.random() * 1.5)  # where in the steps it is killed is left to chance
        if victim == "caipd":
            control.kill()
            server.restart_control()
        else:
            machine.run(["pkill", "-KILL", "-x", victim], check=False)
        wait_for(lambda: server.key()["key"] != before and server.online(), 90)
        server.works()
        assert len(entries(server.owner, "server.adopt_key")) == n + 2
    # The enrolment's own files are of the first key, which is worth nothing by now: as an agent from before, or a thief, has it.
    machine.run(["systemctl", "stop", "caip-agent"])
    machine.run(["mv", "/var/lib/caip-helper/identity", "/root/kept"])
    blocked = len(entries(server.owner, "server.connect"))
    machine.run(["systemctl", "start", "caip-agent"])
    wait_for(lambda: len(entries(server.owner, "server.connect")) > blocked, 60)
    assert not server.owner.get(f"/servers/{server.id}").json()["online"]
    refused = entries(server.owner, "server.connect")[0]["entry"]
    assert refused["result"] == "blocked" and refused["params"]["key"] == first["key"], refused
    machine.run(["systemctl", "stop", "caip-agent"])
    machine.run(["mv", "/root/kept", "/var/lib/caip-helper/identity"])
    machine.run(["systemctl", "start", "caip-agent"])
    server.online()


@pytest.mark.timeout(300)
def test_a_revoked_key_is_out_within_five_seconds_and_an_install_command_is_the_way_back(server):
    machine, owner = server.machine, server.owner
    admin = server.control.member(owner, "admin")
    viewer = server.control.member(owner, "viewer")
    problem(viewer.post(f"/servers/{server.id}/key/revoke"), 403, "forbidden")
    problem(viewer.post(f"/servers/{server.id}/key/rotate"), 403, "forbidden")
    assert viewer.get(f"/servers/{server.id}/key").status_code == 200
    began = time.monotonic()
    answer = admin.post(f"/servers/{server.id}/key/revoke")
    assert answer.status_code == 200 and answer.json()["state"] == "revoked", answer.text
    port = server.control.port
    connected = ["sh", "-c", f"ss -Htn state established dport = :{port} | grep -q ."]
    wait_for(lambda: machine.run(connected, check=False).returncode != 0, 5, 0.1)
    assert time.monotonic() - began < 5
    assert not owner.get(f"/servers/{server.id}").json()["online"]
    wait_for(lambda: entries(owner, "server.connect"), 60)  # it dials on, in vain
    assert not owner.get(f"/servers/{server.id}").json()["online"]
    problem(admin.post(f"/servers/{server.id}/key/revoke"), 409, "conflict")
    problem(admin.post(f"/servers/{server.id}/key/rotate"), 409, "conflict")
    assert any("was revoked" in n["text"] for n in owner.data("/notifications/inbox") if n["event"] == "server.key_changed")
    server.install()
    assert server.key()["state"] == "good"
    server.works()


def steal(server, folder):
    """A copy of the server's key."""
    for name in ("agent.key", "agent.crt"):
        (folder / name).write_text(server.machine.run(["cat", f"/etc/caip/{name}"]).stdout)


def thief(server, folder):
    """Whoever has the copy, connected as the server."""
    tls = ssl.create_default_context(cafile=str(server.control.data.parent / "agent-ca.pem"))
    tls.set_alpn_protocols(["caip-agent/1"])
    tls.check_hostname = False
    tls.load_cert_chain(folder / "agent.crt", folder / "agent.key")
    stream = tls.wrap_socket(socket.create_connection((server.control.address, server.control.port), timeout=20))
    stream.sendall(hello("bare"))
    return stream


@pytest.mark.timeout(300)
def test_two_live_holders_are_both_thrown_out_and_a_check_shows_who_is_there(server, tmp_path):
    owner = server.owner
    viewer = server.control.member(owner, "viewer")
    problem(viewer.post(f"/servers/{server.id}/key/check"), 403, "forbidden")

    def checked():
        answer = owner.post(f"/servers/{server.id}/key/check")
        assert answer.status_code == 202 and answer.json()["check"]["state"] == "running", answer.text
        return wait_for(lambda: (c := server.key()["check"])["state"] != "running" and c, 25)
    done = checked()
    assert done["state"] == "passed" and done["signature"] == "mldsa65" and done["group"] == "X25519MLKEM768" and done["key"] == server.key()["key"], done
    assert [e["entry"]["result"] for e in entries(owner, "server.check_channel")] == ["completed", "blocked"]
    server.works()

    steal(server, tmp_path)
    copy = thief(server, tmp_path)
    wait_for(lambda: server.key()["state"] == "quarantined", 10, 0.1)
    copy.settimeout(10)
    while copy.recv(4096):  # a ping or a question may have been on its way
        pass
    assert not owner.get(f"/servers/{server.id}").json()["online"]
    said = [n for n in owner.data("/notifications/inbox") if n["event"] == "server.quarantined"]
    assert len(said) == 1 and said[0]["severity"] == "critical" and "at the same time" in said[0]["text"], said
    entry = entries(owner, "server.quarantine")[0]["entry"]
    assert entry["result"] == "completed" and len(entry["detail"]["addresses"]) == 2, entry
    wait_for(lambda: [e for e in entries(owner, "server.connect") if "quarantined" in e["entry"]["detail"]["reason"]], 60)
    problem(owner.post(f"/servers/{server.id}/key/check"), 503, "server_offline")
    server.install()
    server.works()
    with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
        late = thief(server, tmp_path)
        assert late.recv(4096)
    assert server.key()["state"] == "good"
    server.works()


@pytest.mark.timeout(300)
def test_a_second_agent_on_one_machine_does_not_start(server):
    done = server.machine.run(["/usr/local/lib/caip/caip-agent", "run"], check=False)
    assert done.returncode == 1 and "running here already" in done.stdout + done.stderr, done
    assert server.key()["state"] == "good"


@pytest.mark.timeout(400)
@pytest.mark.parametrize("ahead", [24, -24])
def test_clocks_that_are_a_day_apart_keep_nobody_from_renewing(bare, set_clock, ahead):  # noqa: F811
    control, machine = bare
    control.stop()
    set_clock(ahead * HOUR)
    control.start()
    server = Server(control, machine)
    begun = server.key()
    for hours in (13, 40):  # past the half of its day; and long after its end
        control.stop()
        set_clock((max(ahead, 0) + hours) * HOUR)  # its time goes on from the log's newest entry, which is of before the clock was set back
        server.restart_control()
        server.online()
        fresh = wait_for(lambda: (k := server.key())["certificate_from"] > begun["certificate_from"] and k, 60)  # noqa: B023
        assert fresh["key"] == begun["key"], "renewing changed the key"
        begun = fresh
        server.online()
    assert any("came back after its certificate had ended" in n["text"] for n in server.owner.data("/notifications/inbox"))
    done = [e["entry"]["detail"]["lapsed"] for e in entries(server.owner, "server.renew_certificate")]
    assert True in done and False in done, done
