"""A control plane that came back from an old backup has rolled its log back: a real server notices, says so, runs nothing out of it, and
keeps the proof; root on the server decides what comes next."""
import secrets as random
import shutil

import pytest

from conftest import new_world
from support import entries, wait_for
from test_server import finished


@pytest.fixture
def own_world(tmp_path):
    with new_world(tmp_path, "web-2") as made:
        yield made


def witnessed(world):
    """The size that the server's helper remembers, from its own disk."""
    note = world.machine.run(["cat", "/var/lib/caip-helper/witness"], check=False).stdout
    return int(note.splitlines()[1]) if note else 0


def logged(owner):
    """How many entries the newest checkpoint has."""
    return int(owner.get("/audit/checkpoint").text.splitlines()[1])


def restart(world):
    return world.owner.post(f"/servers/{world.server}/actions", {"type": "unit.restart", "unit": "nginx.service"})


def main_pid(world):
    return world.machine.run(["systemctl", "show", "-p", "ExecMainPID", "nginx"]).stdout


def test_a_server_notices_that_the_log_was_rolled_back_and_runs_nothing_until_root_enrols_it_again(own_world):
    world, control = own_world, own_world.control
    control.stop()
    shutil.copytree(control.data, control.data.parent / "backup")
    control.start()
    world.owner = control.sign_in()
    for n in range(5):
        assert world.owner.post("/enrolments", {"name": f"later-{n}"}).status_code == 201
    since = logged(world.owner)  # what the backup has not
    seen = wait_for(lambda: (size := witnessed(world)) >= since and size, 60)
    control.stop()
    shutil.rmtree(control.data)
    shutil.copytree(control.data.parent / "backup", control.data)
    control.start()
    world.owner = control.sign_in()
    accused = wait_for(lambda: entries(world.owner, "log.contradict"), 60)
    assert accused[-1]["entry"]["target"] == world.server and accused[-1]["entry"]["result"] == "failed", accused
    mine = next(w for w in world.owner.get("/audit/witnesses").json()["data"] if w["server_id"] == world.server)
    assert mine["contradicted_at"], mine
    # Also when the other log has grown past what the server saw.
    while logged(world.owner) <= seen + 2:
        assert world.owner.post("/enrolments", {"name": f"other-{random.token_hex(4)}"}).status_code == 201
    wait_for(lambda: world.owner.get(f"/servers/{world.server}").json()["online"], 60)
    started = main_pid(world)
    done = finished(world, restart(world).json()["id"])
    assert done["status"] == "failed", done
    assert main_pid(world) == started
    assert witnessed(world) == seen  # it goes by what it knows
    notes = world.machine.run(["cat", "/var/lib/caip-helper/contradiction"]).stdout.split("cloudaipilot.local/log\n")[1:]
    assert len(notes) == 2 and notes[0].splitlines()[:2] != notes[1].splitlines()[:2], notes  # size and root of both
    assert "CONTRADICTS ITSELF" in world.machine.run(["journalctl", "--no-pager", "-u", "caip-agent", "-o", "cat"]).stdout
    # The way back.
    again = world.owner.post("/enrolments", {"name": "web-1", "replace": True})
    assert again.status_code == 201, again.text
    world.machine.run(["sh", "-c", again.json()["install_command"]])
    wait_for(lambda: world.owner.get(f"/servers/{world.server}").json()["online"], 60)
    done = finished(world, restart(world).json()["id"])
    assert done["status"] == "succeeded", done
    assert main_pid(world) != started
