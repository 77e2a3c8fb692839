"""The end of an organisation: a date, taking it back, and what is left of it afterwards."""
import contextlib
import sqlite3

import pytest

from agent_wire import Identity, hello
from support import OWNER, Api, Control, Shell, entries, problem, wait_for
from test_team import founded, switch

SETTINGS = '[organizations]\nfounders = "everyone"\nrestorable_seconds = {}\n'
CANARY = "value-that-must-not-outlive-its-organisation"
# What stays with the organisation's id on it: the log, its tombstone, that no key of it may exist, and that nothing is told of it.
STAYS = {"log_entries", "orgs", "ended_orgs", "told_no_more"}


def started(folder, seconds):
    control = Control(folder, settings=SETTINGS.format(seconds)).start()
    control.set_up()
    return control


@pytest.fixture
def patient(tmp_path):
    control = started(tmp_path, 604800)
    yield control
    control.stop()


def plan(api, name, org=None):
    return api.post("/organization/deletion", {"organization_id": org or api.get("/session").json()["organization"]["id"], "name": name})


def rows_with(control, word):
    """Tables in which a text has this word."""
    found = {}
    with contextlib.closing(sqlite3.connect(f"file:{control.data / 'caip.db'}?mode=ro", uri=True)) as db:
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            columns = [c[1] for c in db.execute(f"PRAGMA table_info({table})")]
            clause = " OR ".join(f"instr(CAST(\"{c}\" AS TEXT), :w) > 0" for c in columns)
            count = db.execute(f"SELECT count(*) FROM {table} WHERE {clause}", {"w": word}).fetchone()[0]
            if count:
                found[table] = count
    return found


def keyring_of(control):
    return (control.data / "keys" / "keyring").read_text()


def test_an_organisation_gets_a_date_says_what_goes_and_is_restored_with_one_click(patient):
    owner = patient.sign_in()
    there = switch(owner, founded(owner, "Second"))
    assert there.post("/secrets", {"kind": "env_value", "name": "A", "value": "v"}).status_code == 201
    goes = there.get("/organization/deletion").json()
    assert goes == {"ends": None, "grace_seconds": 604800, "members": 1, "invitations": 0, "tokens": 0, "servers": 0, "secrets": 1}
    problem(plan(there, "second"), 422, "invalid")
    planned = plan(there, "Second")
    assert planned.status_code == 201 and planned.json()["ends"]
    problem(plan(there, "Second"), 409, "conflict")
    assert {o["name"]: o["ends"] for o in there.data("/organizations")}["Second"] == planned.json()["ends"]
    assert there.data("/secrets")[0]["name"] == "A"  # everything goes on
    assert there.call("DELETE", "/organization/deletion").status_code == 204
    problem(there.call("DELETE", "/organization/deletion"), 409, "conflict")
    assert there.get("/organization/deletion").json()["ends"] is None
    kinds = [n["event"] for n in there.data("/notifications/inbox")]
    assert kinds.count("organization.deletion") == 2
    assert [(e["entry"]["action"], e["entry"]["result"]) for e in entries(there) if e["entry"]["action"].startswith("organization.") and e["entry"]["action"] != "organization.create"] \
        == [("organization.restore", "blocked"), ("organization.restore", "completed"), ("organization.delete", "blocked"), ("organization.delete", "completed"), ("organization.delete", "blocked")]


def test_deleting_asks_for_a_fresh_proof_and_the_organisation_that_runs_the_installation_stays(patient):
    owner = patient.sign_in()
    there = switch(owner, founded(owner, "Second"))
    patient.stale()
    bare = Api(patient, there.token)
    problem(plan(bare, "Second"), 403, "step_up_needed")
    first = patient.sign_in()
    first = switch(first, next(o["id"] for o in first.data("/organizations") if o["name"] != "Second"))
    name = first.get("/session").json()["organization"]["name"]
    problem(plan(first, name), 409, "conflict")
    refused = [e["entry"] for e in entries(first, "organization.delete")]
    assert [e["result"] for e in refused] == ["blocked"]


@pytest.mark.parametrize("killed", [False, True], ids=["running", "killed on the day"])
def test_when_its_day_has_come_nothing_of_it_is_left_but_the_log(tmp_path, killed):
    control = started(tmp_path, 3)
    try:
        owner = control.sign_in()
        second = founded(owner, "Second")
        there = switch(owner, second)
        control.member(there, "member")
        assert there.post("/secrets", {"kind": "env_value", "name": "CANARY", "value": CANARY}).status_code == 201
        assert there.post("/notifications/channels", {"kind": "webhook", "name": "x", "target": {"url": "https://example.org/"}}).status_code == 201
        token = there.post("/tokens", {"name": "ci", "days": 1, "scopes": ["server.view"]}).json()["token"]
        there.post("/invitations", {"email": "guest@example.org", "role": "viewer"})
        conversation = there.post("/pilot/conversations", {}).json()["id"]
        there.post(f"/pilot/conversations/{conversation}/messages", {"text": "which servers are there?"})
        machine = Identity(control, there, tmp_path, "web-9")
        agent = machine.connect()
        agent.sendall(hello("web-9"))
        wait_for(lambda: there.data("/servers")[0]["online"])
        assert second in keyring_of(control)
        assert plan(there, "Second").status_code == 201
        if killed:
            control.kill()
            control.start()
        wait_for(lambda: not STAYS.symmetric_difference(rows_with(control, second)), 20)
        wait_for(lambda: second not in keyring_of(control), 20)
        problem(there.get("/session"), 401)
        problem(Api(control, token).get("/servers"), 401)
        problem(control.anonymous().post("/sessions", {"email": "member@example.org", "password": "a long password for member"}), 403)
        if not killed:
            agent.settimeout(10)
            while agent.recv(4096):  # what was on its way, and then the end
                pass
        again = control.sign_in()
        assert [o["name"] for o in again.data("/organizations")] != [] and "Second" not in str(again.data("/organizations"))
        control.stop()
        code, said = control.verify()
        assert code == 0, said
    finally:
        control.stop()


def test_the_command_line_says_what_goes_asks_for_the_name_and_restores(patient, tmp_path):
    owner = patient.sign_in()
    founded(owner, "Second")
    shell = Shell(tmp_path / "home")
    shell.login(patient)
    assert shell.caip("org", "switch", "Second").returncode == 0
    no = shell.caip("org", "delete", "--confirm", "Other")
    assert no.returncode != 0 and "nothing was changed" in no.stderr
    yes = shell.caip("org", "delete", "--confirm", "Second")
    assert yes.returncode == 0 and "caip org restore" in yes.stderr, yes.stderr
    assert "DELETED ON" in shell.caip("org", "list").stdout
    assert shell.caip("org", "restore").returncode == 0
    assert shell.caip("org", "restore").returncode != 0
    assert OWNER[0] not in no.stderr
