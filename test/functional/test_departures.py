"""Servers that are let go: out at once, restored with one click, forgotten on their day; over the API, by caip, and on a real web-1."""
import pytest

from agent_wire import Identity, hello
from support import NOT_FOUND, OK, Control, Shell, entries, problem, wait_for
from test_pilot_model import ask


def started(folder, seconds):
    control = Control(folder, settings=f"[servers]\nrestorable_seconds = {seconds}\n").start()
    control.set_up()
    return control


def path(server):
    return f"/servers/{server}/disconnection"


def closed(connection, seconds=10):
    connection.settimeout(seconds)
    try:
        while connection.recv(4096):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


def online(api, server):
    return api.get(f"/servers/{server}").json()["online"]


def test_a_real_server_is_disconnected_takes_no_order_and_comes_back_by_itself(world):
    world.renew()
    owner, server = world.owner, world.server
    wait_for(lambda: online(owner, server))
    facts = world.admin.get(path(server)).json()
    assert facts == {"name": "web-1", "leaves_at": None, "grace_seconds": 604800, "orders": 0, "env_values": facts["env_values"]}
    for api in (world.member, world.viewer):
        problem(api.get(path(server)), 403, "forbidden")
        problem(api.post(path(server), {"name": "web-1"}), 403, "forbidden")
        problem(api.call("DELETE", path(server)), 403, "forbidden")
    problem(owner.post(path(server), {"name": "web-2"}), 422, "invalid")
    problem(owner.call("DELETE", path(server)), 409, "conflict")
    assert online(owner, server)
    gone = owner.post(path(server), {"name": "web-1"})
    assert gone.status_code == 201 and gone.json()["leaves_at"], gone.text
    try:
        shown = owner.get(f"/servers/{server}").json()
        assert (shown["online"], shown["channel"]["status"], shown["leaves_at"]) == (False, "disconnected", gone.json()["leaves_at"])
        problem(owner.post(path(server), {"name": "web-1"}), 409, "conflict")
        said = problem(world.member.post(f"/servers/{server}/actions", {"type": "unit.restart", "unit": "nginx.service"}), 409, "conflict")
        assert "restore it first" in said["detail"]
        answer = ask(world.member, "restart nginx on web-1")
        assert answer["approval_id"] is None and "disconnected" in answer["text"], answer
        before = world.control.log.read_text().count("an agent was refused")
        world.machine.run(["systemctl", "restart", "caip-agent"])  # it dials again, and is not let in
        wait_for(lambda: world.control.log.read_text().count("an agent was refused") > before, 60)
        assert not online(owner, server)
    finally:
        assert owner.call("DELETE", path(server)).status_code == 204
    wait_for(lambda: online(owner, server), 90)
    done = world.member.post(f"/servers/{server}/actions", {"type": "unit.status", "unit": "nginx.service"})
    assert done.status_code == 202, done.text
    wait_for(lambda: owner.get(f"/operations/{done.json()['id']}").json()["status"] == "succeeded")
    assert [e["entry"]["result"] for e in entries(owner, "server.disconnect")] == ["blocked", "completed", "blocked", "blocked", "blocked"], entries(owner, "server.disconnect")
    told = [n["text"] for n in owner.data("/notifications/inbox") if n["event"] == "server.disconnected"]
    assert "was restored" in told[0] and "will be forgotten on" in told[1]


@pytest.mark.parametrize("killed", [False, True], ids=["running", "killed on the day"])
def test_on_its_day_it_is_forgotten_and_its_certificate_is_worth_nothing(tmp_path, killed):
    control = started(tmp_path, 2)
    try:
        owner = control.sign_in()
        server = Identity(control, owner, tmp_path, "web-9")
        agent = server.connect()
        agent.sendall(hello("web-9"))
        wait_for(lambda: online(owner, server.server))
        assert owner.post(path(server.server), {"name": "web-9"}).status_code == 201
        assert closed(agent)
        if killed:
            control.kill()
            control.start()
            owner = control.sign_in()
        wait_for(lambda: owner.get(f"/servers/{server.server}").status_code == 404)
        problem(owner.call("DELETE", path(server.server)), 404, "not_found")
        assert owner.data("/servers") == []
        again = server.connect()
        again.sendall(hello("web-9"))
        assert closed(again) and owner.data("/servers") == []
        assert [e["entry"]["result"] for e in entries(owner, "server.forget")] == ["completed"]
        assert entries(owner, "server.forget")[0]["entry"]["actor"]["kind"] == "system"
        assert Identity(control, owner, tmp_path, "web-9").server != server.server, "the name is free"
        control.stop()
        code, said = control.verify()
        assert code == 0, said
    finally:
        control.stop()


def test_while_it_is_disconnected_its_agent_is_let_in_by_no_dial_and_no_restart(tmp_path):
    control = started(tmp_path, 604800)
    try:
        owner = control.sign_in()
        server = Identity(control, owner, tmp_path, "web-9")
        assert owner.post(path(server.server), {"name": "web-9"}).status_code == 201
        for _ in range(2):
            agent = server.connect()
            agent.sendall(hello("web-9"))
            assert closed(agent) and not online(owner, server.server)
            control.kill()
            control.start()
            owner = control.sign_in()
        assert owner.call("DELETE", path(server.server)).status_code == 204
        agent = wait_for(lambda: (a := server.connect()) and (a.sendall(hello("web-9")) or not closed(a, 1)) and a, 60)  # it was barred for a moment
        wait_for(lambda: online(owner, server.server))
        problem(owner.post("/enrolments", {"name": "web-9"}), 409, "conflict")
    finally:
        control.stop()


def test_caip_disconnects_after_the_name_was_said_again_and_restores(tmp_path):
    control = started(tmp_path, 604800)
    try:
        owner = control.sign_in()
        Identity(control, owner, tmp_path, "web-1")
        shell = Shell(tmp_path / "home").login(control)
        asked = shell.caip("server", "disconnect", "web-1", "--confirm", "web-2")
        assert asked.returncode != OK and "--confirm=web-1" in asked.stderr
        assert owner.data("/servers")[0]["leaves_at"] is None
        gone = shell.caip("server", "disconnect", "web-1", "--confirm", "web-1")
        assert gone.returncode == OK and "caip server restore web-1" in gone.stdout, gone.stderr
        for command in ("list", "show"):
            listed = shell.caip("server", command, *(["web-1"] if command == "show" else []))
            assert "disconnected, forgotten on" in listed.stdout, listed.stdout + listed.stderr
        assert shell.caip("server", "restore", "web-1").returncode == OK
        assert owner.data("/servers")[0]["leaves_at"] is None
        assert shell.caip("server", "disconnect", "nothing", "--confirm", "nothing").returncode == NOT_FOUND
    finally:
        control.stop()
