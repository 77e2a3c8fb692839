import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "tools")]
from machine import Machine, free_net  # noqa: E402
from support import Control, open_to_ai, wait_for  # noqa: E402


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


class World:
    """A control plane with an Owner and people, and web-1, enrolled as any user would."""

    def __init__(self, control, machine):
        self.control, self.machine, self.signed = control, machine, 0
        self.owner = self.admin = self.member = self.viewer = None

    def enrol(self):
        # systemd gives a unit up that starts more than five times in ten seconds; tests do.
        self.drop_in("often", "[Unit]\nStartLimitIntervalSec=0\n")
        self.owner = self.control.sign_in()
        enrolment = self.owner.post("/enrolments", {"name": "web-1"}).json()
        self.command = enrolment["install_command"]
        done = self.machine.run(["sh", "-c", self.command], check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        self.server = wait_for(lambda: next((s for s in self.owner.data("/servers") if s["online"]), None), 30)["id"]
        open_to_ai(self.owner, self.server)
        for role in ("admin", "member", "viewer"):
            setattr(self, role, self.control.member(self.owner, role))
        self.signed = time.monotonic()

    def drop_in(self, name, text):
        """A setting of nginx's unit on web-1 until the machine is gone; with None, no longer."""
        folder = "/run/systemd/system/nginx.service.d"
        if text is None:
            self.machine.run(["rm", f"{folder}/{name}.conf"])
        else:
            self.machine.run(["mkdir", "-p", folder])
            self.machine.run(["tee", f"{folder}/{name}.conf"], input=text)
        self.machine.run(["systemctl", "daemon-reload"])

    def renew(self):
        """Access tokens live for ten minutes, a run of all files longer."""
        if time.monotonic() - self.signed > 240:
            self.owner = self.control.sign_in()
            for role in ("admin", "member", "viewer"):
                setattr(self, role, self.control.sign_in(f"{role}@example.org", f"a long password for {role}"))
            self.signed = time.monotonic()


@contextmanager
def new_world(folder, name):
    machine = Machine(name, free_net(), folder / f"{name}.log")
    machine.make_network()
    control = Control(folder, address=machine.host)
    try:
        machine.start()
        control.start()
        control.set_up()
        machine.wait_running()
        world = World(control, machine)
        world.enrol()
        yield world
    finally:
        control.stop()
        machine.stop()


@pytest.fixture(scope="session")
def one_world(tmp_path_factory):
    with new_world(tmp_path_factory.mktemp("world"), "web-1") as made:
        yield made


@pytest.fixture
def slow_nginx(world):
    """nginx takes three seconds to start: time enough to see it, or to die, while the helper waits."""
    world.drop_in("slow", "[Service]\nExecStartPre=/bin/sleep 3\n")
    yield
    world.drop_in("slow", None)
    world.machine.run(["systemctl", "start", "nginx"])


@pytest.fixture
def world(one_world):
    """One for all files: a test leaves nginx running, the agent connected and nothing waiting for a
    decision. What a failed test left behind is put right here, so that it fails alone."""
    if one_world.control.process.poll() is not None:
        one_world.control.start()
    one_world.renew()
    return one_world
