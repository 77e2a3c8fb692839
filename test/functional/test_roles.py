"""Every route of the API description × every kind of caller, against the oracle test/data/access.txt: nobody, the four roles,
a removed member, somebody of another organisation, a revoked session, a whole and a narrowed API token, and the AI."""
import itertools
import re

import pytest

from support import EVERYONE_FOUNDS, OWNER, REPO, Api, Control, entries, problem

ROLES = {"O": "owner", "A": "admin", "M": "member", "V": "viewer"}
IDS = {"servers": "srv_", "operations": "opr_", "conversations": "cnv_", "approvals": "apr_", "plans": "pln_", "members": "usr_", "sessions": "ses_", "devices": "dev_",
       "identities": "idt_", "factors": "fac_", "secrets": "sec_", "enrolments": "enr_", "invitations": "inv_", "tokens": "tok_", "sites": "site_",
       "channels": "nch_", "deliveries": "dlv_"}
BODIES = {name: {"type": name, "unit": "nginx.service"} for name in ("unit.status", "journal.read", "unit.start", "unit.stop", "unit.restart", "unit.reload", "unit.enable", "unit.disable")}
BODIES |= {name: {"type": name} for name in ("process.list", "socket.list", "disk.list", "server.reboot")}
BODIES |= {kind: {"kind": kind, "name": "ORACLE"} | ({} if kind == "ssh_key" else {"value": "v"})
           for kind in ("env_value", "cloud_key", "ssh_key", "notification", "ai_provider")}


class Row:
    """Who gets in: "open" for anybody; roles by letter; T a token with all that tokens may carry, t also one narrowed to
    server.view; P the AI of somebody who gets in."""

    def __init__(self, words):
        self.open = words == ["open"]
        roles, programs, pilot = ("OAMV", "Tt", "P") if self.open else words
        self.roles = {ROLES[c] for c in roles if c != "-"}
        self.token, self.narrow, self.pilot = "T" in programs, "t" in programs, pilot == "P"


def oracle():
    table = {}
    for line in (REPO / "test/data/access.txt").read_text().splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        method, path, *more = words
        who = 1 if more[-1] == "open" else 3
        body, row = more[:-who], more[-who:]
        key = (method, path, body[0] if body else None)
        assert key not in table and len(body) < 2, f"not clear in access.txt: {line}"
        table[key] = Row(row)
    return table


ORACLE = oracle()
EVERY = pytest.mark.parametrize("row", ORACLE, ids=lambda row: " ".join(filter(None, row)))
# What ends the caller's own session, or their membership: a caller of their own each time.
ENDS = {("DELETE", "/api/v1/session"), ("POST", "/api/v1/organization/leave")}


@pytest.fixture(scope="module")
def control(tmp_path_factory):
    control = Control(tmp_path_factory.mktemp("control"), settings='trusted_proxies = ["127.0.0.1"]\n' + EVERYONE_FOUNDS).start()
    control.set_up()
    yield control
    control.stop()


def fill(path):
    """Well-formed ids of things that do not exist."""
    path = path.replace("{level}", "0").replace("{tile}", "000.p/1").replace("{index}", "0")
    return re.sub(r"/([a-z_-]+)/\{[^}]+\}", lambda m: f"/{m[1]}/{IDS[m[1]]}{'0' * 26}", path)


_knocks = itertools.count()


def knock(api, method, path, body):
    """One request; for a stream, its head. Each comes from a network of its own: what is open is limited by the minute for each."""
    url = api.control.url + fill(path)
    number = next(_knocks)
    headers = ({"X-Forwarded-For": f"10.{number >> 8 & 255}.{number & 255}.1"} if path.startswith("/api/") else {}) | ({"Idempotency-Key": f'"knock-{body}"'} if method == "POST" else {})
    with api.http.stream(method, url, json=BODIES.get(body, {}) if method != "GET" else None, headers=headers) as answer:
        if "event-stream" not in answer.headers.get("content-type", ""):
            answer.read()
        return answer


def gets_in(answer, row):
    assert answer.status_code < 500 or answer.json()["code"] == "unavailable", answer.text  # this installation sends no mail
    assert answer.status_code != 403, answer.text
    assert answer.status_code != 401 or row[1].endswith("/sessions/refresh"), answer.text


def program(owner, scopes, name):
    answer = owner.post("/tokens", {"name": name, "days": 1, "scopes": scopes})
    assert answer.status_code == 201, answer.text
    return Api(owner.control, answer.json()["token"])


@pytest.fixture(scope="module")
def matrix(owner):
    return {row["permission"]: row for row in owner.data("/roles")}


@pytest.fixture(scope="module")
def programs(owner, matrix):
    return {"whole": program(owner, [name for name, row in matrix.items() if row["token"]], "whole"), "narrow": program(owner, ["server.view"], "narrow")}


@pytest.fixture(scope="module")
def dead(control, owner):
    """Callers whose token was good a moment ago: a member who was removed, a session that was ended, a revoked API token."""
    removed = control.member(owner, "admin", email="removed@example.org")
    row = next(m for m in owner.data("/members") if m["email"] == "removed@example.org")
    token = program(removed, ["server.view"], "of a removed member")
    assert owner.call("DELETE", f"/members/{row['id']}", headers={"If-Match": f'"{row["version"]}"'}).status_code == 200
    ended = control.sign_in()
    assert ended.call("DELETE", "/session").status_code == 204
    revoked = program(owner, ["server.view"], "revoked")
    mine = next(t["id"] for t in owner.data("/tokens") if t["name"] == "revoked")
    assert owner.call("DELETE", f"/tokens/{mine}").status_code == 204
    return {"removed member": removed, "token of a removed member": token, "revoked session": ended, "revoked token": revoked}


@pytest.fixture(scope="module")
def elsewhere(control, owner):
    """The Owner of another organisation, and ids of things of the first one."""
    stranger = control.member(owner, "viewer", email="stranger@example.org")
    me = next(m for m in owner.data("/members") if m["email"] == "stranger@example.org")
    other = stranger.post("/organizations", {"name": "Other"}).json()["id"]
    switched = stranger.post("/session/organization", {"organization_id": other}, key=False).json()
    assert owner.call("DELETE", f"/members/{me['id']}", headers={"If-Match": f'"{me["version"]}"'}).status_code == 200
    assert owner.post("/ai/start").status_code == 200  # the token of a test before stopped it
    talk = owner.post("/pilot/conversations").json()["id"]
    assert owner.post(f"/pilot/conversations/{talk}/messages", {"text": "which servers are there?"}).status_code == 202
    theirs = {"members": owner.data("/members")[0]["id"], "conversations": talk,
              "secrets": owner.post("/secrets", {"kind": "env_value", "name": "THEIRS", "value": "v"}).json()["id"],
              "invitations": owner.post("/invitations", {"email": "guest@example.org", "role": "viewer"}).json()["id"],
              "tokens": owner.post("/tokens", {"name": "theirs", "days": 1, "scopes": ["server.view"]}).json()["id"]}
    return Api(control, switched["access_token"]), theirs


def test_s05_every_route_has_its_line_and_every_line_its_route(control):
    description = control.anonymous().get("/openapi.json").json()
    assert description["openapi"].startswith("3.1")
    routes = {(method.upper(), path) for path, methods in description["paths"].items() for method in methods}
    assert {(method, path) for method, path, _ in ORACLE} == routes


@EVERY
def test_nobody(control, row):
    answer = knock(control.anonymous(), *row)
    assert answer.status_code < 500, answer.text
    if not ORACLE[row].open:
        problem(answer, 401, "unauthenticated")


@pytest.mark.parametrize("role", ROLES.values())
@EVERY
def test_a_role(control, people, row, role):
    caller = people[role]
    if row[:2] in ENDS:
        caller = control.member(people["owner"], role, email=f"ends-{len(row[1])}-{role}@example.org")
    answer = knock(caller, *row)
    if role in ORACLE[row].roles:
        gets_in(answer, row)
    else:
        problem(answer, 403, "forbidden")


@pytest.mark.parametrize("kind", ("whole", "narrow"))
@EVERY
def test_an_api_token(programs, row, kind):
    answer = knock(programs[kind], *row)
    if ORACLE[row].token if kind == "whole" else ORACLE[row].narrow:
        gets_in(answer, row)
    else:
        problem(answer, 403, "forbidden")


@EVERY
def test_who_was_let_in_a_moment_ago(dead, row):
    """Removed, revoked, ended: nobody, from the next request on."""
    if not ORACLE[row].open:
        for who, caller in dead.items():
            answer = knock(caller, *row)
            assert answer.status_code == 401, (who, answer.text)


@EVERY
def test_another_organisation(elsewhere, row):
    """Its Owner may do everything there, and meets nothing of the first one: its ids are a 404."""
    caller, theirs = elsewhere
    method, path, body = row
    kind = re.search(r"/([a-z]+)/\{id\}", path)
    if not kind or kind[1] not in theirs:
        return
    real = path.replace("{id}", theirs[kind[1]]).removeprefix("/api/v1")
    answer = caller.call(method, real, BODIES.get(body, SPOKEN.get((method, path), {})) if method not in ("GET", "DELETE") else None,
                         headers={"If-Match": '"1"'} if method in ("PATCH", "PUT", "DELETE") or path.endswith(("/ownership", "/disable", "/enable")) else {})
    problem(answer, 404, "not_found")


SPOKEN = {("PATCH", "/api/v1/members/{id}"): {"role": "viewer"}, ("PUT", "/api/v1/secrets/{id}"): {"value": "w"},
          ("POST", "/api/v1/pilot/conversations/{id}/messages"): {"text": "go on"}, ("PUT", "/api/v1/pilot/conversations/{id}/mode"): {"mode": "ask"},
          ("POST", "/api/v1/servers/{id}/env"): {"user": "www-data", "secrets": ["sec_" + "0" * 26]}, ("POST", "/api/v1/servers/{id}/env/removals"): {"user": "www-data"}}


def test_lists_of_another_organisation_have_nothing_of_this_one(elsewhere):
    caller, theirs = elsewhere
    for name in ("members", "secrets", "invitations", "tokens?all=true", "enrolments", "servers", "approvals", "pilot/conversations"):
        text = caller.get(f"/{name}").text
        assert not [one for one in theirs.values() if one in text], name
    me = caller.get("/session").json()["user"]["id"]
    assert {e["entry"]["actor"]["id"] for e in entries(caller)} == {me}  # ids that they tried are in their own log


@EVERY
def test_the_ai(control, matrix, row):
    """It comes in by no route; what it may do by itself is its human's, of the rows of the matrix that say so, and none of it acts."""
    method, path, body = row
    if ORACLE[row].open:
        return
    described = control.anonymous().get("/openapi.json").json()["paths"][path][method.lower()]
    looks = {"unit.status": "unit.view", "journal.read": "journal.read", **dict.fromkeys(("process.list", "socket.list", "disk.list"), "machine.view")}
    permission = looks.get(body, described["x-permission"])
    reads = method == "GET" or body in looks or path == "/api/v1/sites/{id}/checks"  # asks a server what it has
    assert ORACLE[row].pilot == (reads and matrix[permission]["pilot"])


def test_the_description_says_of_each_route_which_roles_and_whether_tokens_get_in(control):
    paths = control.anonymous().get("/openapi.json").json()["paths"]
    for (method, path, body), row in ORACLE.items():
        if row.open or body:  # of several kinds of one route, the route's own permission is the least
            continue
        described = paths[path][method.lower()]
        assert set(described["x-roles"]) == row.roles, (method, path)
        assert described["x-api-token"] == row.token, (method, path)


def test_a_forged_session_gets_nothing(control):
    api = control.anonymous()
    api.http.headers["Authorization"] = "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1c3JfMCJ9."
    for row in ORACLE:
        if not ORACLE[row].open:
            problem(knock(api, *row), 401)


@pytest.mark.parametrize("role", ("member", "viewer"))
def test_members_and_enrolments_are_for_admins(people, role):
    problem(people[role].post("/members", {"email": f"x-{role}@example.org", "role": "viewer", "password": "a long enough password"}),
            403, "forbidden")
    problem(people[role].post("/enrolments", {"name": f"by-{role}"}), 403, "forbidden")


def test_an_admin_makes_no_owner(people):
    answer = people["admin"].post("/members", {"email": "second@example.org", "role": "owner", "password": "a long enough password"})
    problem(answer, 403, "forbidden")


def test_refusals_are_in_the_log(people):
    problem(people["viewer"].post("/enrolments", {"name": "viewer-made-this"}), 403)
    newest = entries(people["owner"], "enrolment.create")[0]["entry"]
    assert newest["result"] == "blocked" and newest["actor"]["kind"] == "user"


def test_s17_another_site_acts_on_no_route(people):
    """With the Owner's own session, from a page of another origin: nothing that is not a GET."""
    api = people["owner"]
    for method, path, _ in ORACLE:
        if method == "GET":
            continue
        headers = {"Sec-Fetch-Site": "cross-site"} | ({"Idempotency-Key": '"x"'} if method == "POST" else {})
        problem(api.http.request(method, api.control.url + fill(path), json={}, headers=headers), 403, "csrf")
