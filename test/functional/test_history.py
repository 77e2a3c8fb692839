"""What happened to one's own account: by the API, of every role, and by caip; and the rest of one's own security there."""
import json
import subprocess

import pytest

from support import BIN, EVERYONE_FOUNDS, OK, OWNER, Control, Shell, entries, problem
from test_factors import App


@pytest.fixture(scope="module")
def viewer(control, owner):
    return control.member(owner, "viewer")


def test_a_viewer_sees_their_own_sign_ins_failures_and_changes_and_nothing_of_anybody_else(control, owner, viewer):
    problem(viewer.get("/audit/entries"), 403, "forbidden")
    answer = control.anonymous().post("/sessions", {"email": "viewer@example.org", "password": "not the password"})
    problem(answer, 401, "bad_credentials")
    problem(control.anonymous().post("/sessions", {"email": OWNER[0], "password": "not the password"}), 401)
    me = next(m for m in owner.data("/members") if m["email"] == "viewer@example.org")
    for role in ("member", "viewer"):
        answer = owner.call("PATCH", f"/members/{me['id']}", {"role": role}, headers={"If-Match": f'"{me["version"]}"'})
        assert answer.status_code == 200, answer.text
        me = answer.json()
    viewer = control.sign_in("viewer@example.org", "a long password for viewer")
    seen = viewer.data("/account/history")
    kinds = [(e["action"], e["result"], e["by"]) for e in seen]
    assert kinds[0] == ("session.sign_in", "completed", "self")
    assert ("session.sign_in", "blocked", "anonymous") in kinds and ("member.change_role", "completed", "other") in kinds
    assert ("member.add", "completed", "other") in kinds
    failed = next(e for e in seen if e["result"] == "blocked")
    assert failed["reason"] == "wrong password" and failed["address"] == "127.0.0.1"
    assert {e["what"] for e in seen if e["action"] == "member.change_role"} == {"member", "viewer"}
    assert not [e for e in seen if e["by"] == "other" and (e["address"] or e["user_agent"])]
    # Each is an entry of the log that is about them.
    log = {e["index"]: e["entry"] for e in entries(owner)}
    for e in seen:
        entry = log[e["index"]]
        assert me["id"] in (entry["actor"]["id"], entry["params"].get("user")) or entry["params"].get("email") == me["email"]
        assert entry["params"].get("user", me["id"]) == me["id"], entry
    assert len([e for e in log.values() if e["action"] == "session.sign_in" and e["params"]["email"] == me["email"]]) == kinds.count(
        ("session.sign_in", "completed", "self")) + 1


def test_it_is_paged_and_its_cursor_is_for_this_person(owner, viewer, control):
    viewer = control.sign_in("viewer@example.org", "a long password for viewer")
    whole = [e["index"] for e in viewer.data("/account/history")]
    got, cursor = [], None
    while True:
        page = viewer.get("/account/history?limit=1" + (f"&cursor={cursor}" if cursor else "")).json()
        assert len(page["data"]) <= 1
        got += [e["index"] for e in page["data"]]
        if not (cursor := page["next_cursor"]):
            break
        problem(owner.get(f"/account/history?limit=1&cursor={cursor}"), 400)
        problem(owner.get(f"/audit/entries?limit=1&cursor={cursor}"), 400)
    assert got == whole and len(got) > 3


def test_another_organisation_is_not_in_it(tmp_path):
    control = Control(tmp_path, settings=EVERYONE_FOUNDS).start()
    control.set_up()
    person = control.member(control.sign_in(), "member")
    elsewhere = person.post("/organizations", {"name": "Elsewhere"}).json()["id"]
    there = type(person)(control, person.post("/session/organization", {"organization_id": elsewhere}, key=False).json()["access_token"])
    assert {e["action"] for e in there.data("/account/history")} == {"session.switch_organization"}
    control.stop()


def test_caip_sets_an_authenticator_app_up_and_shows_the_codes_once(fresh, tmp_path):
    fresh.set_up()
    shell = Shell(tmp_path).login(fresh)
    process = subprocess.Popen([BIN / "caip", "factor", "add-totp", "--code-stdin"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True, env=shell.environment)
    uri = process.stdout.readline().strip()
    assert uri.startswith("otpauth://totp/"), uri
    out, said = process.communicate(App(uri.partition("secret=")[2].partition("&")[0]).code() + "\n", timeout=30)
    assert process.returncode == OK, said
    codes = out.split()
    assert len(codes) == 10 and "not shown again" in said
    listed = json.loads(shell.caip("factor", "list", "--json").stdout)
    assert listed["totp"]["id"].startswith("fac_") and listed["recovery_codes"] == 10
    renewed = json.loads(shell.caip("factor", "recovery-codes", "--json").stdout)["recovery_codes"]
    assert len(renewed) == 10 and not set(renewed) & set(codes)
    assert "authenticator app" in shell.caip("factor", "list").stdout
    assert shell.caip("factor", "remove", "fac_" + "0" * 26).returncode == 3
    done = shell.caip("factor", "remove", listed["totp"]["id"])
    assert done.returncode == OK, done.stderr
    assert json.loads(shell.caip("factor", "list", "--json").stdout) == {"totp": None, "passkeys": [], "recovery_codes": 0}
    assert json.loads(shell.caip("identity", "list", "--json").stdout) == {"password": True, "identities": []}
    assert shell.caip("identity", "unlink", "idt_" + "0" * 26).returncode == 3
    history = json.loads(shell.caip("account", "history", "--json").stdout)["data"]
    assert [e["action"] for e in history if e["result"] == "completed"][:4] == ["factor.remove", "factor.renew_recovery_codes", "factor.add", "session.sign_in"]
    assert "factor.add" in shell.caip("account", "history", "--limit", "5").stdout
    for code in codes + renewed:
        assert code not in fresh.log.read_text()
