"""`make run`, as a new user has it: web-1 boots, the link makes the Owner, web-1 enrols itself with the product's
install command, Ctrl-C takes everything away, and a second run goes on where the first one ended."""
import os
import re
import signal
import socket
import subprocess
import sys
import threading

import pytest

from support import OWNER, REPO, Api, context, free_port, wait_for

class Demo:
    """tools/demo on a port and a data folder of its own."""

    def __init__(self, folder, port):
        self.data, self.port, self.said = folder / "var", port, []
        self.url, self.tls = f"https://localhost:{port}", context()

    def start(self):
        self.process = subprocess.Popen([sys.executable, REPO / "tools/demo"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                        start_new_session=True, env={**os.environ, "CAIP_PORT": str(self.port), "CAIP_DATA": str(self.data)})
        self.said = []
        threading.Thread(target=lambda: self.said.extend(self.process.stdout), daemon=True).start()
        wait_for(lambda: "Ctrl-C stops" in "".join(self.said) or self.process.poll() is not None, 240)
        assert self.process.poll() is None, "".join(self.said)
        return "".join(self.said)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(60)

    def api(self, token=None):
        return Api(self, token)

    def sign_in(self):
        answer = self.api().post("/sessions", {"email": OWNER[0], "password": OWNER[1], "client": "cli"})
        assert answer.status_code == 201, answer.text
        return self.api(answer.json()["access_token"])


def leftovers(demo):
    net = (demo.data / "web-1" / "net").read_text() if (demo.data / "web-1" / "net").exists() else "77"
    namespaces = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    return re.findall(rf"caip-web-1-{net}\b|caip{net}\b", namespaces + links)


@pytest.fixture
def demo(tmp_path):
    demo = Demo(tmp_path, free_port())
    yield demo
    demo.stop()


@pytest.mark.timeout(600)
def test_make_run_twice(demo):
    said = demo.start()
    link = re.search(r"https://localhost:\d+/setup#token=(\S+)", said)
    assert link and f":{demo.port}/" in link[0], said
    done = demo.api().post("/setup", {"token": link[1], "email": OWNER[0], "password": OWNER[1], "organization": "Example"})
    assert done.status_code == 201, done.text
    owner = demo.sign_in()
    server = wait_for(lambda: next((s for s in owner.data("/servers") if s["online"]), None), 120)
    assert server["name"] == "web-1" and server["channel"]["group"] == "X25519MLKEM768"
    assert wait_for(lambda: any("web-1 is enrolled" in line for line in demo.said), 30)
    # What web-1 says does not look like this machine: its own address stands in the log.
    enrolled = next(e["entry"] for e in owner.data("/audit/entries?action=server.enrol"))
    net = (demo.data / "web-1" / "net").read_text()
    assert enrolled["address"] == f"10.203.{net}.2", enrolled
    # A second one with the same data takes nothing from the first.
    other = subprocess.run([sys.executable, REPO / "tools/demo"], capture_output=True, text=True, timeout=120, check=False,
                           env={**os.environ, "CAIP_PORT": str(free_port()), "CAIP_DATA": str(demo.data)})
    assert other.returncode == 1 and "Another make run uses" in other.stdout, other.stdout
    operation = owner.post(f"/servers/{server['id']}/actions", {"type": "unit.restart", "unit": "nginx.service"}).json()
    assert wait_for(lambda: owner.get(f"/operations/{operation['id']}").json()["status"] == "succeeded", 20)
    demo.stop()
    assert demo.process.returncode == 0 and leftovers(demo) == []

    said = demo.start()
    assert "setup#token" not in said  # there is an Owner
    owner = demo.sign_in()
    again = wait_for(lambda: next((s for s in owner.data("/servers") if s["online"]), None), 60)
    assert again["id"] == server["id"]
    assert (demo.data / "caip.db").exists()


@pytest.mark.timeout(600)
def test_make_run_ends_cleanly_when_its_port_is_taken(demo, tmp_path):
    with socket.create_server(("127.0.0.1", demo.port)):
        done = subprocess.run([sys.executable, REPO / "tools/demo"], capture_output=True, text=True, timeout=120, check=False,
                              env={**os.environ, "CAIP_PORT": str(demo.port), "CAIP_DATA": str(demo.data)})
    assert done.returncode == 1 and f"Port {demo.port} is taken" in done.stdout, done.stdout
    demo.process = subprocess.Popen(["true"])
    demo.process.wait()
    assert not (demo.data / "web-1").exists()
