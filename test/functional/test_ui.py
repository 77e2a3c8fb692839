"""The pages in Chromium against a real caipd and a real web-1, with axe-core. What is checked there stands
in ui/test/parts.mjs; here web-1 is put as it has to be before, and asked afterwards what really happened."""
import collections
import csv
import json
import os
import re
import subprocess

import pytest

from receivers import NETWORK, Receiver
from support import BIN, OWNER, REPO, Control, entries, problem


def chromium(control, *parts, **env):
    done = subprocess.run(["node", REPO / "ui" / "test" / "run.mjs", control.url, *parts], cwd=REPO / "ui", capture_output=True, text=True,
                          timeout=240, check=False, env={**os.environ, "CAIP_EMAIL": OWNER[0], "CAIP_PASSWORD": OWNER[1], **env})
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    said = re.fullmatch(r"(\d+) passed, 0 failed", done.stdout.strip().splitlines()[-1])
    assert said and int(said[1]) > 1, done.stdout  # something was looked at
    return done.stdout


def nginx(world):
    """Whether it is up, its run, and what systemd said of it so far."""
    active = world.machine.run(["systemctl", "is-active", "nginx"], check=False).stdout.strip()
    world.machine.run(["journalctl", "--sync"])
    lines = world.machine.run(["journalctl", "-q", "-u", "nginx", "-o", "cat"]).stdout
    return active, len(re.findall("^Started nginx", lines, re.M)), len(re.findall("^Stopped nginx", lines, re.M))


def test_first_use(fresh):
    token = fresh.setup_token()
    chromium(fresh, "first-use", SETUP_TOKEN=token)
    assert not (fresh.data / "setup-token").exists()
    problem(fresh.anonymous().post("/setup", {"token": token, "email": "second@example.org", "password": OWNER[1], "organization": "Second"}), 409)
    owner = fresh.sign_in()
    assert owner.get("/session").json()["role"] == "owner"
    # What the page showed came of an enrolment that is in the log.
    assert [e["entry"]["params"]["name"] for e in entries(owner, "enrolment.create")] == ["web-1"]


def test_first_use_by_keyboard_alone_at_360_px(fresh):
    chromium(fresh, "first-use-keyboard", SETUP_TOKEN=fresh.setup_token())
    owner = fresh.sign_in()
    assert [e["entry"]["params"]["name"] for e in entries(owner, "enrolment.create")] == ["web-1"]
    assert [e["entry"]["result"] for e in entries(owner, "session.sign_out")] == ["completed"]


def test_every_page_at_two_widths_light_and_dark_and_each_control_is_met_by_tab(world):
    chromium(world.control, "looks")


def test_the_main_job(world, slow_nginx):
    world.machine.run(["systemctl", "start", "nginx"])  # so that its stop button has something to stop
    active, started, ended = nginx(world)
    assert active == "active"
    chromium(world.control, "main-job")
    # Stopped by the button, started by the approved order, and not touched by the denied one.
    assert nginx(world) == ("active", started + 1, ended + 1)


def test_the_main_job_by_keyboard_alone_at_360_px(world):
    world.machine.run(["systemctl", "start", "nginx"])
    _, started, ended = nginx(world)
    chromium(world.control, "keyboard")
    assert nginx(world) == ("active", started + 1, ended + 1)


@pytest.fixture(scope="module")
def receiver():
    """Takes what comes, after it was broken once at /broken and refused once at /refuses."""
    first = {"/broken": (500, b"", {}), "/refuses": (400, b"", {})}
    made = Receiver(lambda request: first.pop(request["path"], (200, b"ok", {})))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    """A control plane for people alone. It sends no mail, and may reach the receiver."""
    control = Control(tmp_path_factory.mktemp("office"), settings=NETWORK + "[notifications]\nretry_seconds = [1]\n").start()
    control.set_up()
    yield control
    control.stop()


def counted(api, *actions):
    """How often each was done."""
    return {a: sum(e["entry"]["result"] == "completed" for e in entries(api, a)) for a in actions}


def test_team_and_roles(office):
    chromium(office, "team", "roles")
    owner = office.sign_in()
    assert [(m["email"], m["role"]) for m in owner.data("/members")] == [(OWNER[0], "owner"), ("otto@example.org", "admin")]
    assert counted(owner, "invitation.create", "ownership.transfer") == {"invitation.create": 2, "ownership.transfer": 2}
    once = ("invitation.resend", "invitation.revoke", "invitation.accept", "member.change_role", "member.disable", "member.enable", "member.remove", "member.add")
    assert set(counted(owner, *once).values()) == {1}


def test_account_security(office):
    vera = office.member(office.sign_in(), "admin", "vera@example.org")
    assert vera.call("DELETE", "/session").status_code == 204
    chromium(office, "account", CAIP_EMAIL="vera@example.org", CAIP_PASSWORD=vera.password)
    problem(office.anonymous().post("/sessions", {"email": "vera@example.org", "password": vera.password, "client": "cli"}), 401)
    once = ("token.create", "token.revoke", "factor.add", "factor.rename", "factor.remove", "account.change_password", "session.disown")
    assert set(counted(office.sign_in(), *once).values()) == {1}


def test_what_the_ai_may_do_on_a_server(world):
    before = len(entries(world.owner, "ai.set_access"))
    chromium(world.control, "ai-access")
    assert [e["entry"]["params"]["access"] for e in entries(world.owner, "ai.set_access")[:-before]] == ["full", "none", "read"]


def test_the_switches_of_the_ai(office):
    chromium(office, "ai")
    once = ("ai.stop", "ai.start", "ai.forbid_writes", "ai.allow_writes")
    assert set(counted(office.sign_in(), *once).values()) == {1}


def test_notification_settings_and_delivery_log(office, receiver):
    chromium(office, "channels", WEBHOOK=receiver.url)
    assert collections.Counter(r["path"] for r in receiver.seen) == {"/hook": 2, "/broken": 2, "/refuses": 2}
    assert all(r["headers"]["webhook-signature"].startswith("v1,") for r in receiver.seen)


def test_the_whole_log_is_exported_from_the_page_and_verifies(office, tmp_path):
    chromium(office, "export", EXPORTS=str(tmp_path))
    subprocess.run([BIN / "caip", "audit", "verify", "--bundle", tmp_path / "audit.bundle"], check=True, timeout=60, stdout=subprocess.DEVNULL)
    assert not any("next" in json.loads(line) for line in (tmp_path / "audit.bundle").read_text().splitlines())
    with open(tmp_path / "audit.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["index"]) for row in rows] == list(range(len(rows))) and rows[-1]["action"] == "log.export"
