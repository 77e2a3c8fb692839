"""kill -9 of either side while a server enrols, with the real caipd and the real `caip-agent enrol`: a token
makes one server at most, what the machine was told is true, and the way on is the same command or a new one."""
import os
import random
import signal
import subprocess
import time

import pytest

from machine import Machine, free_net
from support import BIN, Control, entries, wait_for

ROUNDS = 8


class Enrolment:
    """One install command's token, and the `caip-agent enrol` that spends it."""

    def __init__(self, control, owner, folder, name):
        self.control, self.name, self.etc = control, name, folder / name
        answer = owner.post("/enrolments", {"name": name})
        assert answer.status_code == 201, answer.text
        words = answer.json()["install_command"].replace("'", " ").split()
        self.token, self.agent_ca = next(w for w in words if len(w) == 43), words[-2]

    def start(self):
        process = subprocess.Popen(
            [BIN / "caip-agent", "enrol", "--server", f"localhost:{self.control.port}", "--ca", self.control.data.parent / "ca.pem",
             "--agent-ca", self.control.data.parent / "agent-ca.pem", "--agent-ca-sha256", self.agent_ca, "--token-stdin", "--config", self.etc], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        process.stdin.write(self.token)
        process.stdin.close()
        return process

    def run(self):
        process = self.start()
        said = process.stdout.read()
        return process.wait(60), said

    def complete(self):
        """Whether the machine has all that its agent needs to start; it is written last."""
        return (self.etc / "agent.json").exists()


@pytest.fixture
def installation(tmp_path):
    control = Control(tmp_path).start()
    control.set_up()
    owner = control.sign_in()
    yield control, owner, tmp_path
    control.stop()
    code, said = control.verify()
    assert code == 0, said


def dice():
    seed = random.SystemRandom().randrange(1 << 32)
    return random.Random(seed), seed


def length_of_one(control, owner, folder):
    began = time.monotonic()
    code, said = Enrolment(control, owner, folder, "unharmed").run()
    assert code == 0, said
    return time.monotonic() - began


def one_at_most(owner, name):
    """The servers of this name: one, or none. It has its entry, and no entry is without its server."""
    def agree():  # the entry is there a moment before the list has it
        made = {e["entry"]["target"] for e in entries(owner, "server.enrol")
                if e["entry"]["result"] == "completed" and e["entry"]["detail"]["name"] == name}
        servers = {s["id"] for s in owner.data("/servers") if s["name"] == name}
        return [servers] if made == servers else None
    (servers,) = wait_for(agree)
    assert len(servers) <= 1, servers
    return servers


def goes_on(control, owner, folder, one, what):
    """After the blow: the same token works if it made nothing; if it did, that is said, and a new command works."""
    code, said = one.run()
    if code:
        assert "used" in said and len(one_at_most(owner, one.name)) == 1, f"{what}: {said}"
        one = Enrolment(control, owner, folder, one.name + "-once-more")
        code, said = one.run()
    assert code == 0 and one.complete(), f"{what}: {said}"
    assert len(one_at_most(owner, one.name)) == 1, what


def test_caipd_killed_while_a_server_enrols(installation):
    control, owner, folder = installation
    luck, seed = dice()
    span = length_of_one(control, owner, folder)
    for turn in range(ROUNDS):
        one = Enrolment(control, owner, folder, f"server-{turn}")
        process = one.start()
        time.sleep(span * (turn + luck.random()) / ROUNDS)  # the moment is what is random here
        control.kill()
        said = process.stdout.read()
        code = process.wait(60)
        control.start()
        what = f"round {turn}, seed {seed}, enrol said {code}: {said}"
        # What the machine was told is so: a success is a server, a failure left nothing here.
        assert (code == 0) == one.complete(), what
        if code == 0:
            assert len(one_at_most(owner, one.name)) == 1, what
        else:
            assert said.startswith("caip-agent: ") and not list(one.etc.glob("*")), what
            goes_on(control, owner, folder, one, what)


def test_the_agent_killed_while_it_enrols(installation):
    control, owner, folder = installation
    luck, seed = dice()
    span = length_of_one(control, owner, folder)
    for turn in range(ROUNDS):
        one = Enrolment(control, owner, folder, f"server-{turn}")
        process = one.start()
        time.sleep(span * (turn + luck.random()) / ROUNDS)
        process.kill()
        process.wait()
        what = f"round {turn}, seed {seed}"
        if one.complete():
            assert len(one_at_most(owner, one.name)) == 1, what
            assert {p.name for p in one.etc.iterdir()} >= {"agent.key", "agent.crt", "ca.pem", "agent-ca.pem", "witness.key"}, what
        else:
            goes_on(control, owner, folder, one, what)


@pytest.fixture
def bare(tmp_path):
    """A real Debian server that nobody has enrolled, and a control plane that it reaches."""
    machine = Machine("bare", free_net(), tmp_path / "bare.log")
    machine.make_network()
    control = Control(tmp_path, address=machine.host)
    try:
        machine.start()
        control.start()
        control.set_up()
        machine.wait_running()
        yield control, machine
    finally:
        control.stop()
        machine.stop()


@pytest.mark.timeout(400)
def test_the_install_command_killed_halfway_goes_on_with_the_same_or_a_new_one(bare):
    control, machine = bare
    owner, (luck, seed) = control.sign_in(), dice()

    def command():
        return owner.post("/enrolments", {"name": "bare", "replace": True}).json()["install_command"]

    def install(text):
        done = machine.run(["sh", "-c", text], check=False)
        return done.returncode, done.stdout + done.stderr
    began = time.monotonic()
    code, said = install(command())
    span = time.monotonic() - began
    assert code == 0, said
    for turn in range(6):
        text = command()
        process = subprocess.Popen(machine.command(["sh", "-c", text]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        time.sleep(span * (turn + luck.random()) / 6)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        what = f"round {turn}, seed {seed}"
        code, said = install(text)
        if code:
            assert "used" in said, f"{what}: {said}"
            code, said = install(command())
        assert code == 0, f"{what}: {said}"
        (server,) = one_at_most(owner, "bare")
        wait_for(lambda server=server: owner.get(f"/servers/{server}").json()["online"], 60)
    code, said = control.verify()
    assert code == 0, said
