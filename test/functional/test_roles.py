"""Every route of the API description × every role × nobody. What a role may do is written here a
second time, on purpose: a change of the permission matrix must be made in both places."""
import re

import pytest

from support import entries, problem

ROLES = ("owner", "admin", "member", "viewer", "anonymous")
METHODS = ("get", "post", "put", "patch", "delete")
OPEN = {  # routes that need no session; their own checks come after
    ("get", "/setup"), ("post", "/setup"), ("post", "/sessions"), ("post", "/sessions/refresh"),
    ("post", "/agent/enrol"), ("get", "/openapi.json"),
}
# Who gets past the permission check. Routes that are not listed: everybody who is signed in.
ONLY = {
    ("get", "/members"): None, ("post", "/members"): {"owner", "admin"}, ("patch", "/members/{id}"): {"owner", "admin"},
    ("get", "/enrolments"): None, ("post", "/enrolments"): {"owner", "admin"},
    ("post", "/approvals/{id}/approve"): None, ("post", "/approvals/{id}/deny"): None,
}
ENDS_SESSION = {("delete", "/session")}
STREAMS = {("get", "/events")}
IDS = {"servers": "srv_", "operations": "opr_", "conversations": "cnv_", "approvals": "apr_", "members": "usr_"}


def routes(control):
    description = control.anonymous().get("/openapi.json").json()
    assert description["openapi"].startswith("3.1")
    for path, methods in description["paths"].items():
        for method in methods:
            if method in METHODS:
                yield method, path.removeprefix("/api/v1")


def fill(path):
    """Well-formed ids of things that do not exist."""
    return re.sub(r"/([a-z]+)/\{[^}]+\}", lambda m: f"/{m[1]}/{IDS.get(m[1], 'srv_')}{'0' * 26}", path)


def test_openapi_is_not_empty(control):
    assert len(list(routes(control))) >= 25


def test_nobody_gets_nothing(control):
    for method, path in routes(control):
        if (method, path) in OPEN or not path.startswith("/") or path in ("/install.sh",):
            continue
        if path.startswith(("/install", "/ca.pem", "/healthz", "/readyz", "/metrics")):
            continue
        answer = control.anonymous().call(method.upper(), fill(path), {} if method != "get" else None)
        problem(answer, 401, "unauthenticated")


def test_a_forged_session_gets_nothing(control):
    api = control.anonymous()
    api.http.headers["Authorization"] = "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1c3JfMCJ9."
    problem(api.get("/servers"), 401)


@pytest.mark.parametrize("role", ROLES[:-1])
def test_every_route_for_a_role(control, people, role):
    for method, path in routes(control):
        if (method, path) in OPEN | ENDS_SESSION | STREAMS or path.startswith(("/install", "/ca.pem", "/healthz", "/readyz", "/metrics")):
            continue
        answer = people[role].call(method.upper(), fill(path), {} if method != "get" else None)
        assert answer.status_code < 500, f"{role} {method} {path}: {answer.status_code} {answer.text}"
        assert answer.status_code != 401, f"{role} {method} {path}: {answer.text}"
        allowed = ONLY.get((method, path))
        if allowed and role not in allowed:
            # An empty body may be refused first; then it says nothing about the permission.
            assert answer.status_code in (400, 403, 404, 422, 428), f"{role} {method} {path}: {answer.status_code}"


@pytest.mark.parametrize("role", ("member", "viewer"))
def test_members_and_enrolments_are_for_admins(people, role):
    problem(people[role].post("/members", {"email": f"x-{role}@example.org", "role": "viewer", "password": "a long enough password"}),
            403, "forbidden")
    problem(people[role].post("/enrolments", {"name": f"by-{role}"}), 403, "forbidden")


def test_an_admin_makes_no_owner(people):
    answer = people["admin"].post("/members", {"email": "second@example.org", "role": "owner", "password": "a long enough password"})
    assert answer.status_code in (403, 422), answer.text


def test_refusals_are_in_the_log(people):
    problem(people["viewer"].post("/enrolments", {"name": "viewer-made-this"}), 403)
    newest = entries(people["owner"], "enrolment.create")[0]["entry"]
    assert newest["result"] == "blocked" and newest["actor"]["kind"] == "user"
