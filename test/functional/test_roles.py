"""Every route of the API description × every role × nobody, against the oracle test/data/access.txt."""
import re

import pytest

from support import OWNER, REPO, entries, problem

ROLES = {"O": "owner", "A": "admin", "M": "member", "V": "viewer"}
IDS = {"servers": "srv_", "operations": "opr_", "conversations": "cnv_", "approvals": "apr_", "members": "usr_", "sessions": "ses_",
       "identities": "idt_", "factors": "fac_", "secrets": "sec_", "enrolments": "enr_", "channels": "nch_", "deliveries": "dlv_"}
BODIES = {name: {"type": name, "unit": "nginx.service"} for name in ("unit.status", "journal.read", "unit.start", "unit.stop", "unit.restart")}
BODIES |= {kind: {"kind": kind, "name": "ORACLE"} | ({} if kind == "ssh_key" else {"value": "v"})
           for kind in ("env_value", "cloud_key", "ssh_key", "notification", "ai_provider")}


def oracle():
    """(method, path, body) -> the roles that get in, or "open"."""
    table = {}
    for line in (REPO / "test/data/access.txt").read_text().splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        method, path, *body, who = words
        key = (method, path, body[0] if body else None)
        assert key not in table, f"twice in access.txt: {line}"
        table[key] = who if who == "open" else {ROLES[c] for c in who if c != "-"}
    return table


ORACLE = oracle()


def fill(path):
    """Well-formed ids of things that do not exist."""
    path = path.replace("{level}", "0").replace("{index}", "0")
    return re.sub(r"/([a-z_-]+)/\{[^}]+\}", lambda m: f"/{m[1]}/{IDS[m[1]]}{'0' * 26}", path)


def knock(api, method, path, body):
    """One request; for a stream, its head."""
    url = api.control.url + fill(path)
    headers = {"Idempotency-Key": f'"knock-{body}"'} if method == "POST" else {}
    with api.http.stream(method, url, json=BODIES.get(body, {}) if method != "GET" else None, headers=headers) as answer:
        if "event-stream" not in answer.headers.get("content-type", ""):
            answer.read()
        return answer


def test_every_route_has_its_line_and_every_line_its_route(control):
    description = control.anonymous().get("/openapi.json").json()
    assert description["openapi"].startswith("3.1")
    routes = {(method.upper(), path) for path, methods in description["paths"].items() for method in methods}
    assert {(method, path) for method, path, _ in ORACLE} == routes


@pytest.mark.parametrize("row", ORACLE, ids=lambda row: " ".join(filter(None, row)))
def test_nobody(control, row):
    answer = knock(control.anonymous(), *row)
    assert answer.status_code < 500, answer.text
    if ORACLE[row] != "open":
        problem(answer, 401, "unauthenticated")


@pytest.mark.parametrize("role", ROLES.values())
@pytest.mark.parametrize("row", ORACLE, ids=lambda row: " ".join(filter(None, row)))
def test_a_role(control, people, row, role):
    # Signing out ends the session that the other rows need.
    caller = control.sign_in(f"{role}@example.org", f"a long password for {role}" if role != "owner" else OWNER[1]) \
        if row[:2] == ("DELETE", "/api/v1/session") else people[role]
    answer = knock(caller, *row)
    assert answer.status_code < 500, answer.text
    if ORACLE[row] == "open" or role in ORACLE[row]:
        assert answer.status_code != 403, answer.text
        assert answer.status_code != 401 or row[1].endswith("/sessions/refresh"), answer.text
    else:
        problem(answer, 403, "forbidden")


def test_a_forged_session_gets_nothing(control):
    api = control.anonymous()
    api.http.headers["Authorization"] = "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1c3JfMCJ9."
    for row in ORACLE:
        if ORACLE[row] != "open":
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
