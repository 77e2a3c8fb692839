"""People in several organisations: joining, switching, leaving, being removed, handing over."""
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import EVERYONE_FOUNDS, OWNER, Api, Control, entries, problem, wait_for
from test_events import Listener

LONG = "a long enough password"


def founded(api, name):
    answer = api.post("/organizations", {"name": name})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def switch(api, organization):
    """The same person, acting there."""
    answer = api.post("/session/organization", {"organization_id": organization}, key=False)
    assert answer.status_code == 200, answer.text
    other = type(api)(api.control, answer.json()["access_token"])
    other.session = answer.json()
    return other


def leave(api):
    return api.post("/organization/leave", {"organization_id": api.get("/session").json()["organization"]["id"]})


def of(api, email):
    return next(m for m in api.data("/members") if m["email"] == email)


def versioned(api, method, path, version, body=None):
    return api.call(method, path, body, headers={"If-Match": f'"{version}"'})


@pytest.fixture
def team(tmp_path):
    control = Control(tmp_path, settings=EVERYONE_FOUNDS).start()
    control.set_up()
    control.owner = control.sign_in()
    yield control
    control.stop()


def test_a_person_acts_in_one_organisation_at_a_time(team):
    first = team.owner.session["organization"]["id"]
    second = founded(team.owner, "Second")
    there = switch(team.owner, second)
    assert there.get("/session").json()["organization"] == {"id": second, "name": "Second"}
    problem(team.owner.get("/session"), 401)
    assert {o["id"]: o["current"] for o in there.data("/organizations")} == {first: False, second: True}
    assert team.sign_in().session["organization"]["id"] == second  # the last one used
    back = switch(there, first)
    assert [e["entry"]["params"]["organization"] for e in entries(back, "session.switch_organization")] == [first]
    problem(back.post("/session/organization", {"organization_id": "org_" + "0" * 26}, key=False), 404, "not_found")


def test_a_browser_gets_its_new_tokens_in_cookies_alone(team):
    second = founded(team.owner, "Second")
    browser = team.anonymous()
    browser.http.headers["Origin"] = team.url
    assert browser.post("/sessions", {"email": OWNER[0], "password": OWNER[1]}).status_code == 201
    answer = browser.post("/session/organization", {"organization_id": second}, key=False)
    assert answer.status_code == 200 and "access_token" not in answer.json()
    assert all("HttpOnly" in c and "Secure" in c for c in answer.headers.get_list("set-cookie"))
    assert browser.get("/session").json()["organization"]["id"] == second


def test_s07_ids_of_another_organisation_are_not_there(team):
    """For each read and write that names something: another organisation's id is a 404, and nothing changes."""
    team.member(team.owner, "member")
    member = of(team.owner, "member@example.org")
    secret = team.owner.post("/secrets", {"kind": "env_value", "name": "HERS", "value": "v"}).json()
    there = switch(team.owner, founded(team.owner, "Second"))
    for method, path, body, version in [
            ("PATCH", f"/members/{member['id']}", {"role": "viewer"}, 1), ("DELETE", f"/members/{member['id']}", None, 1),
            ("POST", f"/members/{member['id']}/ownership", {}, 1), ("GET", f"/secrets/{secret['id']}", None, None),
            ("PUT", f"/secrets/{secret['id']}", {"value": "w"}, 1), ("DELETE", f"/secrets/{secret['id']}", None, 1)]:
        answer = there.call(method, path, body, headers={"If-Match": f'"{version}"'} if version else {})
        problem(answer, 404, "not_found")
    assert [m["email"] for m in there.data("/members")] == [OWNER[0]]
    assert there.data("/secrets") == []
    assert not {e["entry"]["action"] for e in entries(there)} & {"secret.create", "member.add", "owner.create"}
    back = switch(there, team.owner.session["organization"]["id"])
    assert of(back, "member@example.org") == member
    assert back.get(f"/secrets/{secret['id']}").json() == secret


def test_s14_removal_ends_sessions_and_streams_at_once(team):
    member = team.member(team.owner, "member")
    row = of(team.owner, "member@example.org")
    opened, ended = threading.Event(), []

    def read():
        with member.http.stream("GET", "/events", timeout=30) as stream:
            opened.set()
            for _ in stream.iter_bytes():
                pass
        ended.append(time.monotonic())

    reader = threading.Thread(target=read)
    reader.start()
    assert opened.wait(10)
    member.post("/secrets", {"kind": "env_value", "name": "TYPED_IN", "value": "v"})
    answer = versioned(team.owner, "DELETE", f"/members/{row['id']}", row["version"])
    removed = time.monotonic()
    assert answer.status_code == 200, answer.text
    problem(member.get("/session"), 401)
    problem(team.anonymous().post("/sessions/refresh", {"refresh_token": member.session["refresh_token"]}), 401)
    reader.join(10)
    assert ended and ended[0] - removed < 1, "the stream outlived its session"
    held = answer.json()["still_held"]
    assert [s["name"] for s in held["secrets"]] == ["TYPED_IN"] and held["by_hand"]
    problem(team.anonymous().post("/sessions", {"email": "member@example.org", "password": "a long password for member"}), 403)
    assert entries(team.owner, "member.remove")[0]["entry"]["params"] == {"user": row["id"]}
    assert [n["text"] for n in team.owner.data("/notifications/inbox") if n["event"] == "member.removed"] == [
        "Not in the organisation any more: member@example.org (removed)."]


def test_s07_a_stream_of_another_organisation_hears_nothing_of_this_one(team):
    """Members, roles, secrets, the log: whatever happens here, a stream that is open there is silent, and is not dead."""
    neighbour = team.member(team.owner, "admin", "neighbour@example.org")
    there = switch(neighbour, founded(neighbour, "There"))
    heard, here = Listener(there), Listener(team.owner)
    member = team.member(team.owner, "member", "silent@example.org")
    row = of(team.owner, "silent@example.org")
    assert versioned(team.owner, "PATCH", f"/members/{row['id']}", row["version"], {"role": "viewer"}).status_code == 200
    assert team.owner.post("/secrets", {"kind": "env_value", "name": "HERE", "value": "v"}).status_code == 201
    problem(member.get("/session"), 401)
    row = of(team.owner, "silent@example.org")
    assert versioned(team.owner, "DELETE", f"/members/{row['id']}", row["version"]).status_code == 200
    wait_for(lambda: {"audit.appended", "notice.created"} <= here.names())
    assert there.post("/secrets", {"kind": "env_value", "name": "THERE", "value": "v"}).status_code == 201
    heard.wait("audit.appended")  # its own entry: what came before it would be here by now
    assert [name for name, _ in heard.events] == ["audit.appended"], heard.events


def test_s14_a_disabled_member_is_let_in_by_no_door_until_enabled(team):
    """Password, access token, refresh, step-up, API token, switching; open streams end within a second; all of it over HTTP."""
    her, password = "admin@example.org", "a long password for admin"
    admin = team.member(team.owner, "admin")
    theirs = founded(admin, "Theirs")
    text = admin.post("/tokens", {"name": "ci", "days": 1, "scopes": ["server.view"]}).json()["token"]
    token = Api(team, text)
    assert token.get("/servers").status_code == 200
    streams = Listener(admin), Listener(token)
    row = of(team.owner, her)
    path = f"/members/{row['id']}"
    problem(versioned(admin, "POST", path + "/disable", row["version"], {}), 403, "forbidden")
    problem(versioned(team.owner, "POST", f"/members/{of(team.owner, OWNER[0])['id']}/disable", 1, {}), 403, "forbidden")  # oneself
    problem(team.owner.post(path + "/disable"), 428)
    answer = versioned(team.owner, "POST", path + "/disable", row["version"], {})
    done = time.monotonic()
    assert answer.status_code == 200 and answer.json()["disabled_at"], answer.text
    problem(admin.get("/session"), 401)
    problem(admin.post("/session/step-up", {"password": password}, key=False), 401)
    problem(team.anonymous().post("/sessions/refresh", {"refresh_token": admin.session["refresh_token"]}), 401)
    problem(token.get("/servers"), 401)
    for stream in streams:
        assert stream.wait_end(10) and stream.ended - done < 1, "a stream outlived its session"
    other = team.sign_in(her, password)
    assert other.session["organization"]["id"] == theirs  # where they are let in
    assert [o["id"] for o in other.data("/organizations")] == [theirs]
    here = team.owner.session["organization"]["id"]
    refused = problem(other.post("/session/organization", {"organization_id": here}, key=False), 403, "forbidden")
    assert "disabled" in refused["detail"]
    assert "switch_organization" in str(entries(team.owner)) or [e for e in entries(other, "session.switch_organization") if e["entry"]["result"] == "blocked"]
    row = of(team.owner, her)
    problem(versioned(team.owner, "POST", f"{path}/ownership", row["version"], {}), 409, "conflict")
    assert versioned(team.owner, "POST", path + "/enable", row["version"], {}).json()["disabled_at"] is None
    assert token.get("/servers").status_code == 200
    problem(admin.get("/session"), 401)  # what ended stays ended
    assert switch(other, here).session["role"] == "admin"
    assert [e["entry"]["params"] for e in entries(team.owner, "member.disable") if e["entry"]["result"] == "completed"] == [{"user": row["id"]}]
    notices = [n["text"] for n in team.owner.data("/notifications/inbox") if n["event"] == "member.disabled"]
    assert notices == ["admin@example.org is enabled again.", "admin@example.org is disabled."]


def test_who_is_disabled_everywhere_is_told_so_and_only_with_the_right_password(team):
    team.member(team.owner, "member")
    row = of(team.owner, "member@example.org")
    assert versioned(team.owner, "POST", f"/members/{row['id']}/disable", row["version"], {}).status_code == 200
    answer = team.anonymous().post("/sessions", {"email": "member@example.org", "password": "a long password for member"})
    assert "disabled" in problem(answer, 403, "forbidden")["detail"]
    problem(team.anonymous().post("/sessions", {"email": "member@example.org", "password": "another long password"}), 401, "bad_credentials")
    blocked = [e["entry"] for e in entries(team.owner, "session.sign_in") if e["entry"]["result"] == "blocked"]
    assert {e["detail"]["reason"] for e in blocked} == {"disabled", "wrong password"}


def test_removal_here_leaves_the_person_elsewhere(team):
    member = team.member(team.owner, "member")
    theirs = founded(member, "Theirs")
    member = switch(member, theirs)
    row = of(team.owner, "member@example.org")
    assert versioned(team.owner, "DELETE", f"/members/{row['id']}", row["version"]).status_code == 200
    assert member.get("/session").json()["organization"]["id"] == theirs
    assert [o["id"] for o in member.data("/organizations")] == [theirs]


def test_leaving_and_the_last_owner(team):
    problem(leave(team.owner), 409, "conflict")
    second = team.member(team.owner, "owner", email="second@example.org")
    answer = leave(team.owner)
    assert answer.status_code == 200 and answer.json()["still_held"]["by_hand"]
    problem(team.owner.get("/session"), 401)
    me = of(second, "second@example.org")
    problem(leave(second), 409, "conflict")
    problem(versioned(second, "PATCH", f"/members/{me['id']}", me["version"], {"role": "admin"}), 409, "conflict")


def test_ownership_is_handed_over(team):
    heir = team.member(team.owner, "admin")
    row = of(team.owner, "admin@example.org")
    path = f"/members/{row['id']}/ownership"
    problem(team.owner.post(path), 428)
    problem(versioned(heir, "POST", path, row["version"], {}), 403, "forbidden")
    assert versioned(team.owner, "POST", path, row["version"], {}).json()["role"] == "owner"
    for stale in (team.owner, heir):
        problem(stale.get("/session"), 401)
    assert team.sign_in().session["role"] == "admin"
    assert team.sign_in("admin@example.org", "a long password for admin").session["role"] == "owner"


def test_s09_nobody_sets_what_is_not_theirs_to_set(team):
    """Mass assignment: members of a body that the route does not know are a 400, and change nothing."""
    for extra in ({"organization_id": "org_" + "0" * 26}, {"role": "owner"}, {"created_at": "2020-01-01T00:00:00Z"}, {"id": "org_" + "0" * 26}):
        problem(team.owner.post("/organizations", {"name": "More", **extra}), 400, "unknown_member")
        answer = team.owner.post("/members", {"email": "x@example.org", "role": "viewer", "password": LONG,
                                              **{k: v for k, v in extra.items() if k != "role"}, "is_admin": True})
        problem(answer, 400, "unknown_member")
    assert len(team.owner.data("/organizations")) == 1 and len(team.owner.data("/members")) == 1


def test_renaming_is_for_owner_and_admin(team):
    admin = team.member(team.owner, "admin")
    assert admin.call("PATCH", "/organization", {"name": "Renamed"}).json()["name"] == "Renamed"
    assert team.owner.get("/session").json()["organization"]["name"] == "Renamed"


def test_another_tab_does_nothing_in_the_name_of_the_organisation_it_shows(team):
    """A browser's session goes to B in one tab; the other still shows A."""
    first = team.owner.get("/session").json()["organization"]["id"]
    second = founded(team.owner, "Second")
    there = switch(team.owner, second)
    for method, path, body in (("POST", "/members", {"email": "x@example.org", "role": "owner", "password": LONG}), ("PATCH", "/organization", {"name": "x"}),
                               ("GET", "/members", None)):
        stale = problem(there.call(method, path, body, headers={"Caip-Organization": first}), 412, "precondition_failed")
        assert "another organisation" in stale["detail"]
    problem(there.post("/organization/leave", {"organization_id": first}), 409, "conflict")
    assert there.call("GET", "/members", headers={"Caip-Organization": second}).status_code == 200
    assert len(there.data("/members")) == 1 and there.get("/session").json()["organization"]["name"] == "Second"


def test_what_belongs_to_no_organisation_is_in_the_log_of_the_one_that_runs_the_installation(team):
    second = founded(team.owner, "Second")
    problem(team.anonymous().post("/sessions", {"email": "stranger@example.org", "password": LONG}), 401)
    named = lambda api: [e for e in entries(api, "session.sign_in") if e["entry"]["params"].get("email") == "stranger@example.org"]  # noqa: E731
    assert named(team.owner)
    assert not named(switch(team.owner, second))


def test_an_install_command_ends_with_the_membership_or_the_token_of_its_maker(team):
    admin = team.member(team.owner, "admin")
    made = admin.post("/tokens", {"name": "ci", "days": 1, "scopes": ["server.enrol", "enrolment.view"]}).json()
    program = type(admin)(team, made["token"])
    token = lambda api, name: api.post("/enrolments", {"name": name}).json()["install_command"].split("printf '%s' '")[1][:43]  # noqa: E731
    csr = subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "/dev/null", "-subj", "/CN=x"],
                         capture_output=True, text=True, check=True).stdout
    enrol = lambda t: team.anonymous().post("/agent/enrol", {"token": t, "csr": csr, "hostname": "x"}, key=False)  # noqa: E731
    assert enrol(token(program, "web-1")).status_code == 200
    theirs, the_programs = token(admin, "web-2"), token(program, "web-3")
    assert admin.call("DELETE", f"/tokens/{made['id']}").status_code == 204
    problem(enrol(the_programs), 401, "bad_credentials")
    row = of(team.owner, "admin@example.org")
    assert versioned(team.owner, "DELETE", f"/members/{row['id']}", row["version"]).status_code == 200
    problem(enrol(theirs), 401, "bad_credentials")
    assert [s["name"] for s in team.owner.data("/servers")] == ["web-1"]


def test_s14_what_waits_in_line_when_its_author_is_removed_does_not_happen(team):
    """Making an account hashes a password, and hashes stand in line: an Owner has it waiting and is removed meanwhile."""
    def guess(n):
        body = {"email": f"nobody{n}@example.org", "password": "not the password at all", "client": "cli"}
        team.anonymous().post("/sessions", body, key=False)

    for attempt in range(10):
        second = team.member(team.owner, "owner", email=f"second{attempt}@example.org")
        row = of(team.owner, f"second{attempt}@example.org")
        with ThreadPoolExecutor(8) as pool:
            line = [pool.submit(guess, attempt)]  # one is hashed, theirs is next
            late = pool.submit(second.post, "/members", {"email": "late@example.org", "role": "owner", "password": LONG})
            time.sleep(attempt * 0.02)  # another moment at each try: theirs has to be in line by then, and not through
            assert versioned(team.owner, "DELETE", f"/members/{row['id']}", row["version"]).status_code == 200
            answer = late.result()
            [one.result() for one in line]
        if answer.status_code == 201:  # it was through before the removal: once more
            late_row = of(team.owner, "late@example.org")
            versioned(team.owner, "DELETE", f"/members/{late_row['id']}", late_row["version"])
            continue
        problem(answer, 401)
        assert "late@example.org" not in [m["email"] for m in team.owner.data("/members")]
        if [e for e in entries(team.owner, "member.add") if e["entry"]["detail"].get("reason") == "they may not any more"]:
            return
    pytest.fail("in ten tries none was caught in line")
