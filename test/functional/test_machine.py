"""What a whole server says of itself, asked for by people, tokens and the Pilot; and rebooting it, for real."""
import json
import subprocess

import pytest

from conftest import World
from machine import Machine, free_net, server_tree
from provider import call, text
from support import Api, Control, entries, problem, wait_for
from test_caip import Cli
from test_pilot_model import ask, provider  # noqa: F401  the world with a model
from test_server import finished

KINDS = {"process.list": "processes", "socket.list": "sockets", "disk.list": "disks"}


def tell(world, kind, caller=None):
    answer = (caller or world.owner).post(f"/servers/{world.server}/actions", {"type": kind})
    assert answer.status_code == 202, answer.text
    assert answer.json()["unit"] is None and answer.json()["user"] is None
    done = finished(world, answer.json()["id"])
    assert done["status"] == "succeeded", done
    return done["result"]


def test_processes_are_listed_with_user_and_service_and_never_their_command_line(world):
    world.machine.run(["systemd-run", "--unit=speaks", "--property=Type=exec", "--property=User=www-data", "/bin/sleep", "4321.25"])
    try:
        result = tell(world, "process.list", world.member)
        sleeps = next(p for p in result["processes"] if p["unit"] == "speaks.service")
        assert (sleeps["name"], sleeps["user"]) == ("sleep", "www-data") and sleeps["memory"] > 0
        assert "4321.25" not in json.dumps(result)
        sizes = [p["memory"] for p in result["processes"]]
        assert sizes == sorted(sizes, reverse=True) and result["left_out"] == 0
        assert {"systemd", "nginx", "caip-helper"} <= {p["name"] for p in result["processes"]}
    finally:
        world.machine.run(["systemctl", "stop", "speaks"])
    log = entries(world.owner, "process.list")[0]["entry"]
    assert log["params"] == {"server": world.server} and log["actor"]["id"] == world.member.get("/session").json()["user"]["id"]


def test_listening_ports_are_listed_with_the_service_they_belong_to(world):
    world.machine.run(["systemctl", "start", "nginx"])
    sockets = tell(world, "socket.list")["sockets"]
    assert [s["port"] for s in sockets if s["protocol"] == "tcp"] == sorted(s["port"] for s in sockets if s["protocol"] == "tcp")
    web = [s for s in sockets if s["port"] == 80]
    assert web and all(s["protocol"] == "tcp" and s["unit"] == "nginx.service" and s["user"] == "root" for s in web), sockets
    assert {s["address"] for s in web} <= {"0.0.0.0", "::"}


def test_disks_are_listed_as_df_has_them(world):
    disk = next(d for d in tell(world, "disk.list")["disks"] if d["path"] == "/")
    size = int(world.machine.run(["stat", "-f", "-c", "%b", "/"]).stdout) * int(world.machine.run(["stat", "-f", "-c", "%S", "/"]).stdout)
    assert disk["size"] == size and 0 < disk["used"] <= size and disk["inodes_used"] <= disk["inodes"]


@pytest.mark.parametrize("kind", [*KINDS, "server.reboot"])
def test_what_is_of_the_whole_server_takes_no_unit(world, kind):
    for more in ({"unit": "nginx.service"}, {"lines": 5}):
        said = problem(world.owner.post(f"/servers/{world.server}/actions", {"type": kind, **more}), 422, "invalid")
        assert "whole server" in said["detail"]
    said = problem(world.owner.post(f"/servers/{world.server}/actions", {"type": "unit.status"}), 422, "invalid")
    assert "unit is missing" in said["detail"]


def test_the_pilot_looks_at_them_and_what_it_is_told_is_cut_to_what_a_model_needs(world, provider):  # noqa: F811
    for tool, (kind, member) in zip(("list_processes", "list_sockets", "list_disks"), KINDS.items()):
        provider.play(call(tool, {"server": "web-1"}), text(["I looked."]))
        ask(world.owner, "what is there?")
        told = json.loads([m for m in provider.requests[-1]["body"]["messages"] if m["role"] == "tool"][-1]["content"])
        assert told[member] and len(told[member]) <= 200 and told["left_out"] >= 0, told
        entry = entries(world.owner, kind)[0]["entry"]
        assert entry["source"] == "pilot" and entry["params"] == {"server": world.server}


def test_who_may_not_reboot_does_not_and_who_may_is_asked_who_they_are(world):
    problem(world.viewer.post(f"/servers/{world.server}/actions", {"type": "process.list"}), 403, "forbidden")
    for person in (world.viewer, world.member):
        problem(person.post(f"/servers/{world.server}/actions", {"type": "server.reboot"}), 403, "forbidden")
    owner = Api(world.control, world.control.sign_in().token)  # one that proves nothing by itself
    world.control.stale()
    problem(owner.post(f"/servers/{world.server}/actions", {"type": "server.reboot"}), 403, "step_up_needed")
    assert [e["entry"]["result"] for e in entries(world.owner, "server.reboot")[:3]] == ["blocked"] * 3


@pytest.fixture
def own(tmp_path):
    """A server whose tree is its own, so that it finds what it had when it comes up again."""
    tree = tmp_path / "tree"
    subprocess.run(["cp", "-a", server_tree(), tree], check=True)
    machine = Machine("web-r", free_net(), tmp_path / "web-r.log")
    machine.make_network()
    control = Control(tmp_path / "control", address=machine.host)
    try:
        machine.start(root=str(tree))
        control.start()
        control.set_up()
        machine.wait_running()
        world = World(control, machine)
        world.enrol()
        world.tree = str(tree)
        yield world
    finally:
        control.stop()
        machine.stop()


def test_a_reboot_is_answered_and_the_server_is_back_by_itself(own):
    before = own.machine.run(["cat", "/proc/1/stat"]).stdout.split()[21]
    tell(own, "server.reboot")
    assert own.machine.process.wait(60) == 133  # what systemd-nspawn says of a machine that asked to be started again
    wait_for(lambda: not own.owner.get(f"/servers/{own.server}").json()["online"], 60)
    own.machine.leader = None
    own.machine.start(root=own.tree)
    own.machine.wait_running()
    back = wait_for(lambda: own.owner.get(f"/servers/{own.server}").json()["online"], 60)
    assert back and own.machine.run(["cat", "/proc/1/stat"]).stdout.split()[21] != before
    log = entries(own.owner, "server.reboot")
    assert [e["entry"]["result"] for e in log] == ["pending"], log
    assert own.machine.run(["systemctl", "is-active", "nginx"], check=False).stdout.strip() == "active"


def test_the_command_line_shows_tables_and_asks_for_the_name_before_a_reboot(world, tmp_path):
    cli = Cli(world.control, tmp_path)
    assert cli.login()[0] == 0
    code, out, err = cli.run("server", "processes", "web-1")
    assert code == 0 and "nginx.service" in out and "MEMORY" in out, err
    code, out, err = cli.run("server", "sockets", "web-1")
    assert code == 0 and " 80 " in out and "PORT" in out, err
    code, out, err = cli.run("server", "disks", "web-1")
    assert code == 0 and "MOUNTED ON" in out and "/" in out, err
    code, _, err = cli.run("server", "reboot", "web-1", "--confirm", "another")
    assert code == 2 and "web-1" in err
