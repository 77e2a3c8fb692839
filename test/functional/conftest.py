import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "tools")]
from machine import Machine, free_net  # noqa: E402
from support import Control, wait_for  # noqa: E402


@pytest.fixture
def fresh(tmp_path):
    """A caipd that nobody has set up."""
    control = Control(tmp_path).start()
    yield control
    control.stop()


@pytest.fixture(scope="module")
def control(tmp_path_factory):
    """One caipd with an Owner, for the tests of one file."""
    control = Control(tmp_path_factory.mktemp("control")).start()
    control.set_up()
    yield control
    control.stop()


@pytest.fixture(scope="module")
def owner(control):
    return control.sign_in()


@pytest.fixture(scope="module")
def people(control, owner):
    """A caller of each kind, by role."""
    return {"owner": owner, **{role: control.member(owner, role) for role in ("admin", "member", "viewer")},
            "anonymous": control.anonymous()}


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """A control plane with an Owner and people, and web-1, enrolled as any user would. One for all
    files: a test leaves nginx running, the agent connected and nothing waiting for a decision."""
    folder = tmp_path_factory.mktemp("world")
    machine = Machine("web-1", free_net(), folder / "web-1.log")
    machine.make_network()
    control = Control(folder, address=machine.host)
    try:
        machine.start()
        control.start()
        control.set_up()
        owner = control.sign_in()
        machine.wait_running()
        enrolment = owner.post("/enrolments", {"name": "web-1"}).json()
        done = machine.run(["sh", "-c", enrolment["install_command"]], check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        server = wait_for(lambda: next((s for s in owner.data("/servers") if s["online"]), None), 30)
        yield type("World", (), {"machine": machine, "control": control, "owner": owner, "server": server["id"],
                                 "command": enrolment["install_command"],
                                 "member": control.member(owner, "member"), "viewer": control.member(owner, "viewer"),
                                 "admin": control.member(owner, "admin")})
    finally:
        control.stop()
        machine.stop()
