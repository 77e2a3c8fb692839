"""`make run` in a fresh clone, as a new user has it: web-1 boots, the link makes the Owner, web-1 enrols itself with the product's
install command, Ctrl-C takes everything away, and a second run goes on where the first one ended."""
import concurrent.futures
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from support import OWNER, REPO, Api, context, free_port, wait_for

RUNNING = re.compile(r"CloudAIPilot is running on (https://localhost:\d+)")


class MakeRun:
    """`make run` in a folder, with the terminal's Ctrl-C."""

    def __init__(self, folder):
        self.folder, self.said, self.process = folder, [], None
        self.url, self.tls = None, context()

    def start(self, *before, seconds, **variables):
        """Until it says how it is stopped. `before` is a command that the whole of it runs under."""
        self.begin(*before, until="Ctrl-C stops", seconds=seconds, **variables)
        self.url = RUNNING.search(self.text())[1]
        return self.text()

    def begin(self, *before, until, seconds, **variables):
        self.said = []
        settings = [f"{name}={value}" for name, value in variables.items()]
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("CAIP_", "MAKE"))}
        environment |= {k: os.environ[k] for k in ("CAIP_CACHE", "CAIP_IN_ROOT") if k in os.environ}  # of the machine, not of the run
        self.process = subprocess.Popen([*before, "make", "run", *settings], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        text=True, start_new_session=True, env=environment)
        threading.Thread(target=lambda: self.said.extend(self.process.stdout), daemon=True).start()
        wait_for(lambda: until in self.text() or self.process.poll() is not None, seconds, 0.02)
        assert self.process.poll() is None, self.text()[-4000:]

    def text(self):
        return "".join(self.said)

    def stop(self):
        """What a terminal does: everyone in the foreground hears it."""
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
            self.process.wait(60)

    def api(self, token=None):
        return Api(self, token)

    def sign_in(self):
        answer = self.api().post("/sessions", {"email": OWNER[0], "password": OWNER[1], "client": "cli"})
        assert answer.status_code == 201, answer.text
        return self.api(answer.json()["access_token"])

    def net(self):
        return (self.folder / "var" / "web-1" / "net").read_text()

    def leftovers(self):
        net = self.net()
        namespaces = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
        links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
        processes = subprocess.run(["pgrep", "-f", str(self.folder)], capture_output=True, text=True, check=False).stdout
        mounts = [line.split()[0] for line in Path("/proc/self/mounts").read_text().splitlines() if str(self.folder) in line]
        return re.findall(rf"caip-web-1-{net}\b|caip{net}\b", namespaces + links) + processes.split() + mounts


@pytest.fixture
def fresh_clone(tmp_path):
    """What a new user has: the commit, and nothing that was built."""
    subprocess.run(["git", "-c", "safe.directory=*", "clone", "-q", REPO, tmp_path / "clone"], check=True)
    run = MakeRun(tmp_path / "clone")
    yield run
    run.stop()


def sees_web_1(owner):
    return wait_for(lambda: next((s for s in owner.data("/servers") if s["online"]), None), 120)


# A network of its own: there nobody else can have port 8443.
IN_A_NETWORK = ("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")


def there(run, what):
    """what(), called by a thread in the network that `run` is in; its connections are made there."""
    def enter():
        with open(f"/proc/{run.process.pid}/ns/net", "rb") as network:
            os.setns(network.fileno(), os.CLONE_NEWNET)
    with concurrent.futures.ThreadPoolExecutor(1, initializer=enter) as thread:
        return thread.submit(what).result()


def ends_cleanly(run):
    run.stop()
    assert "Stopping" in run.text() and "Traceback" not in run.text() and run.leftovers() == [], (run.text()[-2000:], run.leftovers())


@pytest.mark.timeout(1800)
def test_make_run_in_a_fresh_clone_and_again(fresh_clone):
    run = fresh_clone
    # Whoever changes their mind is left with nothing.
    run.begin(until="== configure", seconds=300, CAIP_PORT=free_port())
    assert "== user interface: packages" in run.text() and "== user interface: build" in run.text()
    ends_cleanly(run)
    # Whoever waits sees that something goes on: each part, and how far the longest one is.
    run.begin(until="== web-1: booting", seconds=1500, CAIP_PORT=free_port())
    said, steps = run.text(), ["== configure", "== build", "== web-1: booting"]
    assert [s for s in steps if s not in said] == [] and sorted(steps, key=said.index) == steps, said[-4000:]
    assert re.search(r"\[\d+/\d+\]", said), said[-4000:]
    ends_cleanly(run)
    said = run.start(seconds=300, CAIP_PORT=free_port())
    assert "Your browser warns" in said and re.search(r"SHA-256 of that authority.*: [0-9a-f]{64}\n", said), said[-2000:]
    assert f"{run.url}/setup#token=" in said, said[-2000:]
    ends_cleanly(run)

    # Without settings it is port 8443. There is nothing to build: on an idle machine this is web-1's boot.
    said = run.start(*IN_A_NETWORK, seconds=120)
    assert run.url == "https://localhost:8443", said
    assert "== user interface" not in said and not re.search(r"Building CXX|Linking", said), said
    server = there(run, lambda: first_use(run, said))
    ends_cleanly(run)

    said = run.start(*IN_A_NETWORK, seconds=120)
    assert "setup#token" not in said, said  # there is an Owner
    assert there(run, lambda: sees_web_1(run.sign_in()))["id"] == server
    assert (run.folder / "var" / "caip.db").exists()
    ends_cleanly(run)


def first_use(run, said):
    """From the link to a service that was restarted; the server's id."""
    link = re.search(r"https://localhost:8443/setup#token=(\S+)", said)
    done = run.api().post("/setup", {"token": link[1], "email": OWNER[0], "password": OWNER[1], "organization": "Example"})
    assert done.status_code == 201, done.text
    owner = run.sign_in()
    server = sees_web_1(owner)
    assert server["name"] == "web-1" and server["channel"]["group"] == "X25519MLKEM768"
    assert wait_for(lambda: "web-1 is enrolled" in run.text(), 30)
    # The main job: asked for a change, the Pilot answers with a card.
    talk = owner.post("/pilot/conversations").json()["id"]
    assert owner.post(f"/pilot/conversations/{talk}/messages", {"text": "restart nginx on web-1"}).status_code == 202
    card = wait_for(lambda: next(iter(owner.data("/approvals?state=pending")), None), 30)
    assert owner.post(f"/approvals/{card['id']}/deny", {"digest": card["digest"], "reason": "test"}).status_code == 200
    # What web-1 says does not look like this machine: its own address stands in the log.
    enrolled = next(e["entry"] for e in owner.data("/audit/entries?action=server.enrol"))
    assert enrolled["address"] == f"10.203.{run.net()}.2", enrolled
    # A second one with the same data takes nothing from the first.
    other = subprocess.run([sys.executable, run.folder / "tools/demo"], capture_output=True, text=True, timeout=120, check=False,
                           env={**os.environ, "CAIP_PORT": str(free_port()), "CAIP_DATA": str(run.folder / "var")})
    assert other.returncode == 1 and "Another make run uses" in other.stdout, other.stdout
    operation = owner.post(f"/servers/{server['id']}/actions", {"type": "unit.restart", "unit": "nginx.service"}).json()
    assert wait_for(lambda: owner.get(f"/operations/{operation['id']}").json()["status"] == "succeeded", 20)
    return server["id"]


def test_make_run_ends_cleanly_when_its_port_is_taken(tmp_path):
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        done = subprocess.run([sys.executable, REPO / "tools/demo"], capture_output=True, text=True, timeout=120, check=False,
                              env={**os.environ, "CAIP_PORT": str(port), "CAIP_DATA": str(tmp_path / "var")})
    assert done.returncode == 1 and f"Port {port} is taken" in done.stdout, done.stdout
    assert not (tmp_path / "var").exists()
