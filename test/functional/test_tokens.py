"""API tokens: less than their maker may do, never the human's part, gone when the maker is."""
import threading

import pytest

from support import Api, entries, problem, wait_for


def make(api, scopes, status=201, **more):
    answer = api.post("/tokens", {"name": "ci", "days": 1, "scopes": scopes, **more})
    assert answer.status_code == status, answer.text
    return answer.json()


@pytest.fixture
def team(fresh):
    fresh.set_up()
    fresh.owner = fresh.sign_in()
    return fresh


def test_a_token_does_what_its_scopes_say(team):
    made = make(team.owner, ["server.view", "server.enrol"])
    assert made["token"].startswith("caip_pat_") and "token" not in team.owner.data("/tokens")[0]
    program = Api(team, made["token"])
    assert program.get("/servers").status_code == 200
    assert program.post("/enrolments", {"name": "by-program"}).status_code == 201
    for path in ("/members", "/audit/entries", "/secrets", "/tokens", "/invitations"):
        problem(program.get(path), 403, "forbidden")
    assert set(program.get("/session").json()["permissions"]) == {"session.own", "server.view", "server.enrol"}
    entry = entries(team.owner, "enrolment.create")[0]["entry"]
    assert entry["source"] == "api_token" and entry["actor"]["id"] == team.owner.session["user"]["id"]
    assert entries(team.owner, "token.use")[0]["entry"]["params"] == {"token": made["id"]}
    assert team.owner.data("/tokens")[0]["last_used_at"]


def test_scopes_only_narrow(team):
    admin = team.member(team.owner, "admin")
    viewer = team.member(team.owner, "viewer")
    for scope in ("audit.export", "member.remove", "approval.decide", "key.rotate", "session.own", "token.own", "pilot.use", "secret.env"):
        problem(admin.post("/tokens", {"name": "more", "days": 1, "scopes": [scope]}), 403, "forbidden")
    problem(admin.post("/tokens", {"name": "more", "days": 1, "scopes": ["no.such"]}), 422)
    problem(admin.post("/tokens", {"name": "none", "days": 1, "scopes": []}), 403)
    problem(viewer.post("/tokens", {"name": "x", "days": 1, "scopes": ["server.view"]}), 403, "forbidden")
    problem(admin.post("/tokens", {"name": "long", "days": 366, "scopes": ["server.view"]}), 422)


def test_s14_a_token_of_a_removed_member_is_dead_and_one_of_a_lowered_member_shrinks(team):
    admin = team.member(team.owner, "admin")
    program = Api(team, make(admin, ["server.view", "audit.view"])["token"])
    assert program.get("/audit/entries").status_code == 200
    row = next(m for m in team.owner.data("/members") if m["role"] == "admin")
    answer = team.owner.call("PATCH", f"/members/{row['id']}", {"role": "member"}, headers={"If-Match": f'"{row["version"]}"'})
    problem(program.get("/audit/entries"), 403, "forbidden")
    assert program.get("/servers").status_code == 200
    version = answer.json()["version"]
    assert team.owner.call("DELETE", f"/members/{row['id']}", headers={"If-Match": f'"{version}"'}).status_code == 200
    problem(program.get("/servers"), 401, "unauthenticated")


def test_a_token_never_decides_and_never_handles_people_tokens_or_sessions(team):
    scopes = [r["permission"] for r in team.owner.data("/roles") if r["token"]]
    program = Api(team, make(team.owner, scopes)["token"])
    nothing = "0" * 26
    for method, path, body in [
            ("POST", f"/approvals/apr_{nothing}/approve", {"digest": "0" * 64}), ("POST", f"/approvals/apr_{nothing}/deny", {"digest": "0" * 64}),
            ("POST", "/members", {"email": "x@example.org", "role": "viewer", "password": "a long enough password"}),
            ("POST", "/invitations", {"email": "x@example.org", "role": "viewer"}), ("POST", "/tokens", {"name": "x", "days": 1, "scopes": ["server.view"]}),
            ("DELETE", f"/tokens/tok_{nothing}", None), ("DELETE", "/session", None), ("POST", "/organizations", {"name": "x"}),
            ("POST", "/session/organization", {"organization_id": f"org_{nothing}"}), ("POST", "/organization/leave", {"organization_id": f"org_{nothing}"}),
            ("PATCH", "/organization", {"name": "x"}), ("POST", "/secrets", {"kind": "env_value", "name": "X", "value": "v"}),
            ("POST", "/secrets/rotations", {"key": "root"}), ("POST", "/pilot/conversations", {})]:
        problem(program.call(method, path, body), 403, "forbidden")
    assert len(team.owner.data("/members")) == 1 and len(team.owner.data("/tokens")) == 1


def test_a_token_from_another_network_is_none(team):
    program = Api(team, make(team.owner, ["server.view"], networks=["192.0.2.0/24"])["token"])
    problem(program.get("/servers"), 401, "unauthenticated")
    assert Api(team, make(team.owner, ["server.view"], networks=["127.0.0.0/8"])["token"]).get("/servers").status_code == 200
    problem(team.owner.post("/tokens", {"name": "x", "days": 1, "scopes": ["server.view"], "networks": ["192.0.2.1/24"]}), 422)


def test_s19_a_token_in_a_url_or_cookie_form_is_nothing(team):
    text = make(team.owner, ["server.view"])["token"]
    problem(team.anonymous().get(f"/servers?token={text}"), 401, "unauthenticated")
    problem(team.anonymous().get(f"/servers?access_token={text}"), 401, "unauthenticated")
    problem(team.owner.get(f"/servers?token={text}"), 400, "unknown_member")
    assert text not in team.log.read_text()


def test_revoked_by_its_maker_and_by_the_owner(team):
    member = team.member(team.owner, "member")
    one, two = make(member, ["server.view"]), make(member, ["server.view"])
    hers = make(team.owner, ["server.view"])
    problem(member.call("DELETE", f"/tokens/{hers['id']}"), 404, "not_found")
    problem(member.get("/tokens?all=true"), 403, "forbidden")
    assert {t["id"] for t in team.owner.data("/tokens?all=true")} == {one["id"], two["id"], hers["id"]}
    assert member.call("DELETE", f"/tokens/{one['id']}").status_code == 204
    assert team.owner.call("DELETE", f"/tokens/{two['id']}").status_code == 204
    for made in (one, two):
        problem(Api(team, made["token"]).get("/servers"), 401)
    assert {e["entry"]["action"] for e in entries(team.owner)} >= {"token.create", "token.revoke", "token.revoke_any"}


def test_s18_a_stream_of_a_token_ends_with_it(team):
    import threading
    import time
    made = make(team.owner, ["server.view"])
    program = Api(team, made["token"])
    opened, ended = threading.Event(), []

    def read():
        with program.http.stream("GET", "/events", timeout=30) as stream:
            opened.set()
            for _ in stream.iter_bytes():
                pass
        ended.append(time.monotonic())

    reader = threading.Thread(target=read)
    reader.start()
    assert opened.wait(10)
    assert team.owner.call("DELETE", f"/tokens/{made['id']}").status_code == 204
    revoked = time.monotonic()
    reader.join(10)
    assert ended and ended[0] - revoked < 1


def test_the_stream_of_a_token_tells_nothing_of_its_makers_own(team):
    """The Pilot's answers and personal notices are the person's; the token may see servers."""
    lines, opened = {"program": [], "person": []}, threading.Barrier(3)

    def listen(name, api):
        with api.http.stream("GET", "/events", timeout=30) as stream:
            opened.wait(10)
            for line in stream.iter_lines():
                if line.startswith("event:"):
                    lines[name].append(line)

    program = Api(team, make(team.owner, ["server.view", "audit.view"])["token"])
    for name, api in (("program", program), ("person", team.owner)):
        threading.Thread(target=listen, args=(name, api), daemon=True).start()
    opened.wait(10)
    talk = team.owner.post("/pilot/conversations").json()["id"]
    assert team.owner.post(f"/pilot/conversations/{talk}/messages", {"text": "which servers are there?"}).status_code == 202
    wait_for(lambda: "event: pilot.message" in lines["person"])
    asked = len(entries(team.owner))
    wait_for(lambda: "event: audit.appended" in lines["program"] and asked)  # it does hear what it may
    assert not [line for line in lines["program"] if "pilot" in line or "notice" in line]
