"""A compromised server: it holds a good certificate and says what it likes. The others do not notice."""
import os
import socket
import ssl
import threading
import time

import pytest

from agent_wire import Identity, hello, result
from support import entries, problem, wait_for

NOBODYS_ORDER = "opr_0123456789abcdefghjkmnpqrs"


def resident(control):
    with open(f"/proc/{control.process.pid}/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def online(owner, server):
    return owner.get(f"/servers/{server}").json()["online"]


@pytest.fixture(scope="module")
def pair(control, owner, tmp_path_factory):
    folder = tmp_path_factory.mktemp("agents")
    return Identity(control, owner, folder, "hostile"), Identity(control, owner, folder, "honest")


def closed(connection, seconds=20):
    """The other end closed it; pings and the like may come before."""
    connection.settimeout(seconds)
    try:
        while connection.recv(65536):
            pass
    except TimeoutError:
        return False
    except (ssl.SSLError, OSError):
        pass
    return True


def blocked(owner):
    return [e for e in entries(owner) if e["entry"]["action"] == "operation.finish" and e["entry"]["result"] == "blocked"]


def test_100_000_results_nobody_asked_for(control, owner, pair):
    hostile, honest = pair
    before, noted = resident(control), len(blocked(owner))
    connection = hostile.connect()
    connection.sendall(hello("hostile"))
    wait_for(lambda: online(owner, hostile.server))

    def pour():
        try:
            for _ in range(1000):
                connection.sendall(result(NOBODYS_ORDER, b"x" * 1000) * 100)
        except (ssl.SSLError, OSError):
            pass

    pours = threading.Thread(target=pour)
    pours.start()
    other = honest.connect()
    began = time.monotonic()
    other.sendall(hello("honest"))
    wait_for(lambda: online(owner, honest.server), every=0.02)
    assert time.monotonic() - began < 1 + 0.5  # half a second is the looking
    pours.join(60)
    assert not pours.is_alive()
    assert resident(control) - before < 32 * 1024 * 1024
    assert len(blocked(owner)) == noted + 1
    wait_for(lambda: not online(owner, hostile.server))  # and it is out
    assert online(owner, honest.server)
    other.close()


def test_of_100_connections_with_one_key_that_say_no_hello_the_newest_is_kept(control, owner, pair):
    _, honest = pair
    wait_for(lambda: not online(owner, honest.server))
    held = []
    for _ in range(100):
        try:
            held.append(honest.connect())
        except (ssl.SSLError, OSError):
            pass
    time.sleep(0.5)
    kept = [c for c in held if not closed(c, 0.05)]
    assert len(kept) == 1
    began = time.monotonic()
    assert all(closed(c, 20) for c in kept)  # no hello
    assert time.monotonic() - began < 15
    back = honest.connect()
    back.sendall(hello("honest"))
    wait_for(lambda: online(owner, honest.server))
    back.close()


def test_a_length_without_its_bytes_is_no_memory(control, owner, pair):
    _, honest = pair
    wait_for(lambda: not online(owner, honest.server))
    connection = honest.connect()
    connection.sendall(hello("honest"))
    wait_for(lambda: online(owner, honest.server))
    connection.sendall(b"\x00\x10\x00\x00" + b"x" * 100)
    assert not closed(connection, 1)
    connection.close()


@pytest.mark.parametrize("frame, said", [(b"\xff\xff\xff\xff", "frame"), (b"\x00\x00\x00\x00", "frame"), (b"\x00\x00\x00\x04\xff\xff\xff\xff", "no message"),
                                         (b"\x00\x08\x00\x00", "too large for a hello")], ids=["oversized", "empty", "nonsense", "no hello"])
def test_a_frame_that_is_none_ends_the_connection_and_the_reason_is_said(control, owner, frame, said, tmp_path_factory, request):
    server = Identity(control, owner, tmp_path_factory.mktemp("bad"), "bad-" + request.node.callspec.id.replace(" ", "-"))
    connection = server.connect()
    before = control.log.stat().st_size
    connection.sendall(frame)
    assert closed(connection)
    told = wait_for(lambda: [line for line in control.log.read_text()[before:].splitlines() if server.server in line and "must not" in line])
    assert said in told[-1], told
    assert not online(owner, server.server)


def test_the_first_machine_is_out_when_a_second_takes_its_name(control, owner, pair, tmp_path):
    hostile, _ = pair
    wait_for(lambda: not online(owner, hostile.server))
    def in_again():
        connection = hostile.connect()
        connection.sendall(hello("first"))
        return connection if not closed(connection, 1) else None
    first = wait_for(in_again, 30)  # it was barred for a moment
    wait_for(lambda: online(owner, hostile.server))
    act = owner.post(f"/servers/{hostile.server}/actions", {"type": "unit.restart", "unit": "nginx.service"})
    assert act.status_code == 202, act.text
    second = Identity(control, owner, tmp_path, "hostile", replace=True)
    assert second.server == hostile.server
    assert closed(first)
    over = wait_for(lambda: (o := owner.get(f"/operations/{act.json()['id']}").json())["status"] == "expired" and o)
    assert "enrolled anew" in over["error"]
    assert not online(owner, hostile.server)


@pytest.mark.parametrize("unit", ["poweroff.target", "rescue.target", "multi-user.target", "system.slice", "init.scope", "debug-shell.service",
                                  "emergency.service", "caip-agent.service", "dbus.service", "dbus.socket", "systemd-poweroff.service",
                                  "systemd-logind.service", "getty@tty1.service", "serial-getty@ttyS0.service", "user@0.service"])
def test_no_unit_that_carries_the_machine_is_controlled(owner, pair, unit):
    for verb in ("unit.start", "unit.stop", "unit.restart", "unit.reload", "unit.enable", "unit.disable"):
        answer = owner.post(f"/servers/{pair[1].server}/actions", {"type": verb, "unit": unit})
        said = problem(answer, 422, "invalid")
        assert unit in said["detail"], said


def test_a_member_does_not_stop_what_lets_people_in(people, pair):
    body = {"type": "unit.stop", "unit": "ssh.service"}
    problem(people["member"].post(f"/servers/{pair[1].server}/actions", body), 403, "forbidden")
    # Allowed, and then: the server is not there.
    problem(people["admin"].post(f"/servers/{pair[1].server}/actions", body), 503, "server_offline")
    problem(people["member"].post(f"/servers/{pair[1].server}/actions", {**body, "unit": "nginx.service"}), 503, "server_offline")
