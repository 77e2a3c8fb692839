"""One's own sessions: listed, ended, gone with the next request and within a second on open streams; one's password."""
import contextlib
import json
import sqlite3
import threading
import time

import pytest

from support import NOT_ALLOWED, NOT_FOUND, OK, OWNER, Api, Control, Shell, entries, problem

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
NEW = "seven unlikely otters sing"


@pytest.fixture
def mine(tmp_path):
    control = Control(tmp_path).start()
    control.set_up()
    yield control
    control.stop()


def person(control, owner, name):
    """Somebody of one's own, with a password that the test may change."""
    email, password = f"{name}@example.org", f"a long password for {name}"
    assert owner.post("/members", {"email": email, "role": "member", "password": password}).status_code == 201
    return lambda: control.sign_in(email, password)


class Stream:
    """An open event stream, and when it ended."""

    def __init__(self, api):
        self.opened, self.ended = threading.Event(), None
        self.thread = threading.Thread(target=self.read, args=(api,), daemon=True)
        self.thread.start()
        assert self.opened.wait(10)

    def read(self, api):
        with api.http.stream("GET", "/events", timeout=30) as answer:
            for _ in answer.iter_lines():
                self.opened.set()
        self.ended = time.monotonic()

    def gone_within(self, began, seconds):
        self.thread.join(15)
        assert self.ended is not None, "the stream is still open"
        assert self.ended - began <= seconds, f"the stream ended after {self.ended - began:.2f} s"


def test_sessions_are_listed_with_device_and_times(control, owner):
    signs_in = person(control, owner, "lists")
    first = signs_in()
    other = control.anonymous()
    answer = other.call("POST", "/sessions", {"email": "lists@example.org", "password": "a long password for lists", "client": "cli"},
                        headers={"User-Agent": FIREFOX})
    assert answer.status_code == 201
    rows = first.data("/sessions")
    assert [(r["device"], r["current"]) for r in rows] == [("Firefox on Linux", False), ("Python", True)]
    assert all(r["address"] == "127.0.0.1" and r["created_at"] <= r["last_used_at"] < r["expires_at"] for r in rows)
    assert len(owner.data("/sessions")) == 1 or "Firefox on Linux" not in {r["device"] for r in owner.data("/sessions")}


def test_a_hostile_user_agent_is_not_shown(control, owner):
    signs_in = person(control, owner, "hostile")
    answer = control.anonymous().call("POST", "/sessions", {"email": "hostile@example.org", "password": "a long password for hostile", "client": "cli"},
                                      headers={"User-Agent": "<img src=x onerror=alert(1)>"})
    assert answer.status_code == 201
    assert {r["device"] for r in signs_in().data("/sessions")} == {"Unknown program", "Python"}


def test_ending_a_session_counts_at_once_and_within_a_second_on_its_stream(control, owner):
    signs_in = person(control, owner, "ends")
    here, there = signs_in(), signs_in()
    stream = Stream(there)
    other = next(r["id"] for r in here.data("/sessions") if not r["current"])
    began = time.monotonic()
    assert here.call("DELETE", f"/sessions/{other}").status_code == 204
    problem(there.get("/session"), 401, "unauthenticated")
    problem(control.anonymous().post("/sessions/refresh", {"refresh_token": there.session["refresh_token"]}), 401)
    stream.gone_within(began, 1)
    assert here.get("/session").status_code == 200
    assert entries(owner, "session.end")[0]["entry"]["params"] == {"session": other}


def test_ending_all_others(control, owner):
    signs_in = person(control, owner, "alone")
    here, others = signs_in(), [signs_in() for _ in range(3)]
    streams = [Stream(api) for api in others]
    began = time.monotonic()
    assert here.call("DELETE", "/sessions").json() == {"ended": 3}
    for api, stream in zip(others, streams):
        problem(api.get("/session"), 401)
        stream.gone_within(began, 1)
    assert len(here.data("/sessions")) == 1


def test_s07_another_persons_session_is_not_found_and_goes_on(control, owner):
    signs_in = person(control, owner, "victim")
    victim, thief = signs_in(), person(control, owner, "thief")()
    theirs = victim.data("/sessions")[0]["id"]
    for api in (thief, owner):  # a role is no key to other people's sessions
        problem(api.call("DELETE", f"/sessions/{theirs}"), 404, "not_found")
        assert theirs not in {r["id"] for r in api.data("/sessions")}
    assert victim.get("/session").status_code == 200
    newest = entries(owner, "session.end")[0]["entry"]
    assert newest["result"] == "blocked" and newest["params"] == {"session": theirs}


def test_s14_a_changed_role_ends_sessions_and_streams(control, owner):
    api = person(control, owner, "demoted")()
    stream = Stream(api)
    member = next(m for m in owner.data("/members") if m["email"] == "demoted@example.org")
    began = time.monotonic()
    changed = owner.call("PATCH", f"/members/{member['id']}", {"role": "viewer"}, headers={"If-Match": f'"{member["version"]}"'})
    assert changed.status_code == 200, changed.text
    problem(api.get("/session"), 401)
    stream.gone_within(began, 1)


def test_a_refresh_token_used_twice_ends_the_stream_too(control, owner):
    api = person(control, owner, "reused")()
    stream = Stream(api)
    token = api.session["refresh_token"]
    assert control.anonymous().post("/sessions/refresh", {"refresh_token": token}).status_code == 200
    began = time.monotonic()
    problem(control.anonymous().post("/sessions/refresh", {"refresh_token": token}), 401)
    stream.gone_within(began, 1)
    problem(api.get("/session"), 401)


def test_a_new_password_ends_the_other_sessions(control, owner):
    signs_in = person(control, owner, "changes-it")
    here, there = signs_in(), signs_in()
    problem(here.call("PUT", "/account/password", {"password": "too short"}), 422, "invalid")
    said = problem(here.call("PUT", "/account/password", {"password": "passwordpassword1"}), 422, "invalid")
    assert "easy to guess" in said["detail"]
    assert there.get("/session").status_code == 200
    assert here.call("PUT", "/account/password", {"password": NEW}).status_code == 204
    problem(there.get("/session"), 401)
    assert here.get("/session").status_code == 200
    old = {"email": "changes-it@example.org", "password": "a long password for changes-it", "client": "cli"}
    problem(control.anonymous().post("/sessions", old), 401, "bad_credentials")
    assert control.anonymous().post("/sessions", {**old, "password": NEW}).status_code == 201


def test_weak_passwords_are_refused_wherever_one_is_set(fresh):
    setup = {"token": fresh.setup_token(), "email": OWNER[0], "organization": "Example"}
    for weak in ("12 chars here", "password12345678", "owner@example.org", "x" * 129):
        problem(fresh.anonymous().post("/setup", {**setup, "password": weak}), 422, "invalid")
    fresh.set_up()
    owner = fresh.sign_in()
    problem(owner.post("/members", {"email": "weak@example.org", "role": "viewer", "password": "weakexampleorgweak"}), 422, "invalid")
    assert len(owner.data("/members")) == 1


def age(control, column, minutes):
    """All sessions `minutes` older, as the database has them."""
    control.stop()
    with contextlib.closing(sqlite3.connect(control.data / "caip.db")) as db, db:
        db.execute(f"UPDATE sessions SET {column} = {column} - ?", (minutes * 60_000_000,))
    control.start()


@pytest.mark.parametrize("column, minutes", [("used", 12 * 60), ("expires", 7 * 24 * 60)])
def test_idle_and_absolute_limits(mine, column, minutes):
    api = mine.sign_in()
    age(mine, column, minutes - 5)
    assert api.get("/session").status_code == 200
    age(mine, column, 6)
    problem(api.get("/session"), 401)
    problem(mine.anonymous().post("/sessions/refresh", {"refresh_token": api.session["refresh_token"]}), 401)


def test_an_organisation_shortens_its_sessions(mine):
    api, owner = mine.sign_in(), mine.sign_in()
    age(mine, "used", 40)
    assert owner.get("/organization/session-limits").json() == {"idle_minutes": 720, "lifetime_minutes": 10080}
    fresh = mine.sign_in()
    assert fresh.call("PUT", "/organization/session-limits", {"idle_minutes": 30, "lifetime_minutes": 600}).status_code == 200
    problem(api.get("/session"), 401)
    assert fresh.get("/session").status_code == 200
    problem(fresh.call("PUT", "/organization/session-limits", {"idle_minutes": 721, "lifetime_minutes": 600}), 422, "invalid")
    age(mine, "created", 601)
    problem(fresh.get("/session"), 401)


def test_caip_sessions_and_password(control, owner, tmp_path):
    signs_in = person(control, owner, "shell")
    shell = Shell(tmp_path).login(control, "shell@example.org", "a long password for shell")
    there, gone = signs_in(), signs_in()
    listed = shell.caip("session", "list")
    assert listed.returncode == OK and "caip" in listed.stdout and "this one" in listed.stdout, listed.stderr
    rows = json.loads(shell.caip("session", "list", "--json").stdout)["data"]
    newest = rows[0]["id"]
    assert shell.caip("session", "end", newest).returncode == OK
    problem(gone.get("/session"), 401)
    assert shell.caip("session", "end", newest).returncode == NOT_FOUND
    assert shell.caip("session", "end-others").returncode == OK
    problem(there.get("/session"), 401)
    changed = shell.caip("account", "password", "--password-stdin", stdin=NEW + "\n")
    assert changed.returncode == OK, changed.stderr
    assert shell.caip("whoami").returncode == OK
    assert NEW not in listed.stdout + changed.stdout + changed.stderr
    limits = shell.caip("session", "limits", "--json")
    assert limits.returncode == OK and json.loads(limits.stdout)["idle_minutes"] == 720


def enter(control, email, device=None, agent=FIREFOX):
    answer = control.anonymous().call("POST", "/sessions", {"email": email, "password": f"a long password for {email.split('@')[0]}", "client": "cli"} | ({"device_token": device} if device else {}),
                                      headers={"User-Agent": agent})
    assert answer.status_code == 201, answer.text
    api = Api(control, answer.json()["access_token"])
    api.device = answer.json()["device_token"]
    return api


def news(api):
    return len([n for n in api.data("/notifications/inbox") if n["event"] == "account.new_sign_in"])


def test_devices_are_listed_and_one_that_is_forgotten_is_signed_out_and_new_at_its_next_sign_in(control, owner):
    person(control, owner, "devices")
    here = enter(control, "devices@example.org")
    there = enter(control, "devices@example.org", agent="caip/1")
    rows = here.data("/devices")
    assert [(r["device"], r["current"], r["sessions"]) for r in rows] == [("caip", False, 1), ("Firefox on Linux", True, 1)]
    assert all(r["address"] == "127.0.0.1" and r["first_sign_in_at"] == r["last_sign_in_at"] for r in rows)
    again = enter(control, "devices@example.org", there.device, "caip/1")
    rows = here.data("/devices")
    assert [r["sessions"] for r in rows] == [2, 1] and rows[0]["first_sign_in_at"] < rows[0]["last_sign_in_at"]
    told, stream, began = news(here), Stream(again), time.monotonic()
    gone = here.call("DELETE", f"/devices/{rows[0]['id']}")
    assert gone.status_code == 200 and gone.json() == {"ended": 2}
    for api in (there, again):
        problem(api.get("/session"), 401)
    stream.gone_within(began, 1)
    assert [r["device"] for r in here.data("/devices")] == ["Firefox on Linux"] and here.get("/session").status_code == 200
    problem(here.call("DELETE", f"/devices/{rows[0]['id']}"), 404, "not_found")
    newest = entries(owner, "device.forget")
    assert [e["entry"]["result"] for e in newest[:2]] == ["blocked", "completed"] and newest[1]["entry"]["params"] == {"device": rows[0]["id"]}
    back = enter(control, "devices@example.org", there.device, "caip/1")
    assert news(here) == told + 1 and back.device != there.device
    assert "device.forget" in {e["action"] for e in here.data("/account/history")}


def test_the_device_one_is_on_is_forgotten_without_signing_out(control, owner):
    person(control, owner, "ownone")
    here = enter(control, "ownone@example.org")
    mine = here.data("/devices")[0]
    assert here.call("DELETE", f"/devices/{mine['id']}").json() == {"ended": 0}
    assert here.data("/devices") == [] and here.get("/session").status_code == 200
    assert news(enter(control, "ownone@example.org", here.device)) == news(here) > 0


def test_s07_another_persons_device_is_not_found_and_stays(control, owner):
    person(control, owner, "keeps")
    victim, thief = enter(control, "keeps@example.org"), person(control, owner, "takes")()
    theirs = victim.data("/devices")[0]["id"]
    for api in (thief, owner):
        problem(api.call("DELETE", f"/devices/{theirs}"), 404, "not_found")
        assert theirs not in {r["id"] for r in api.data("/devices")}
    assert [r["id"] for r in victim.data("/devices")] == [theirs] and victim.get("/session").status_code == 200
    problem(victim.call("DELETE", "/devices/dev_1"), 404, "not_found")


def test_a_device_without_a_sign_in_for_a_year_is_forgotten_by_itself(mine):
    owner = mine.sign_in()
    person(mine, owner, "yearly")
    device = enter(mine, "yearly@example.org").device
    told = news(enter(mine, "yearly@example.org", device))
    mine.stop()
    with contextlib.closing(sqlite3.connect(mine.data / "caip.db")) as db, db:
        db.execute("UPDATE known_devices SET since = since - ?1, last = last - ?1", (365 * 86_400_000_000,))
    mine.start()
    later = enter(mine, "yearly@example.org", device)
    assert news(later) == told + 1 and [r["current"] for r in later.data("/devices")] == [True]


def test_caip_lists_devices_and_forgets_one(control, owner, tmp_path):
    person(control, owner, "shelldevices")
    shell = Shell(tmp_path).login(control, "shelldevices@example.org", "a long password for shelldevices")
    enter(control, "shelldevices@example.org")
    listed = shell.caip("device", "list")
    assert listed.returncode == OK and "Firefox on Linux" in listed.stdout and "this one" in listed.stdout, listed.stderr
    other = next(d for d in json.loads(shell.caip("device", "list", "--json").stdout)["data"] if not d["current"])
    gone = shell.caip("device", "forget", other["id"])
    assert gone.returncode == OK and "1 session" in gone.stdout, gone.stderr
    assert shell.caip("device", "forget", other["id"]).returncode == NOT_FOUND
    assert json.loads(shell.caip("device", "list", "--json").stdout)["data"][0]["current"] is True
    assert "dev_" in shell.caip("device", "forget", "--help").stdout


def test_caip_shortens_the_sessions_of_the_organisation(mine, tmp_path):
    shell, api = Shell(tmp_path / "home").login(mine), mine.sign_in()
    limits = lambda *words: json.loads(shell.caip("session", "limits", *words, "--json").stdout)  # noqa: E731
    assert limits("--idle", "60") == {"idle_minutes": 60, "lifetime_minutes": 10080}
    assert limits("--lifetime", "600") == {"idle_minutes": 60, "lifetime_minutes": 600} == limits()
    assert api.get("/organization/session-limits").json() == limits()
    refused = shell.caip("session", "limits", "--idle", "721")
    assert refused.returncode != OK and refused.stderr and limits()["idle_minutes"] == 60
    age(mine, "used", 61)
    problem(api.get("/session"), 401)
    assert shell.caip("whoami").returncode == NOT_ALLOWED
