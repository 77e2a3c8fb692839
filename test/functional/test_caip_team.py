"""caip org, member, invitation, token, role: the same as the pages, and nothing secret as an argument."""
import json
import re
import stat

import pytest

from agent_wire import Identity
from support import NOT_ALLOWED, NOT_FOUND, OK, OWNER, USAGE, Shell, problem
from test_factors import App

CONFLICT = 5


@pytest.fixture
def shell(fresh, tmp_path):
    fresh.set_up()
    home = tmp_path / "home"
    home.mkdir()
    shell = Shell(home).login(fresh)
    shell.control = fresh
    return shell


def fine(shell, *words, **more):
    done = shell.caip(*words, **more)
    assert done.returncode == OK, done.stdout + done.stderr
    return done.stdout


def test_organisations(shell):
    fine(shell, "org", "create", "Second")
    assert {o["name"]: o["current"] for o in json.loads(fine(shell, "org", "list", "--json"))["data"]} == {"Example": True, "Second": False}
    fine(shell, "org", "switch", "Second")
    assert json.loads(fine(shell, "whoami", "--json"))["organization"]["name"] == "Second"
    fine(shell, "org", "rename", "Renamed")
    assert "Renamed" in fine(shell, "org", "list")
    assert shell.caip("org", "switch", "nowhere").returncode == NOT_FOUND


def test_members(shell):
    fine(shell, "member", "add", "her@example.org", "member", "--password-stdin", stdin="a long password for her\n")
    fine(shell, "member", "role", "her@example.org", "viewer")
    assert {m["email"]: m["role"] for m in json.loads(fine(shell, "member", "list", "--json"))["data"]} == {OWNER[0]: "owner", "her@example.org": "viewer"}
    assert shell.caip("member", "remove", "her@example.org", "--confirm", "another").returncode == USAGE
    done = shell.caip("member", "remove", "her@example.org", "--confirm", "her@example.org")
    assert done.returncode == OK and "Look after by hand" in done.stderr
    assert shell.caip("member", "remove", "her@example.org", "--confirm", "her@example.org").returncode == NOT_FOUND
    assert shell.caip("member", "leave", "--confirm", "Example").returncode == CONFLICT  # the last Owner
    assert shell.caip("member", "role", "her@example.org", "king").returncode == USAGE


def test_disabling_and_enabling(shell, tmp_path):
    fine(shell, "member", "add", "her@example.org", "member", "--password-stdin", stdin="a long password for her\n")
    home = tmp_path / "hers"
    home.mkdir()
    hers = Shell(home).login(shell.control, "her@example.org", "a long password for her")
    assert shell.caip("member", "disable", "her@example.org", "--confirm", "another").returncode == USAGE
    fine(shell, "member", "disable", "her@example.org", "--confirm", "her@example.org")
    assert hers.caip("server", "list").returncode == NOT_ALLOWED
    assert json.loads(fine(shell, "member", "list", "--json"))["data"][1]["disabled_at"]
    assert shell.caip("member", "disable", "her@example.org", "--confirm", "her@example.org").returncode == CONFLICT
    fine(shell, "member", "enable", "her@example.org")
    hers.login(shell.control, "her@example.org", "a long password for her")
    assert hers.caip("member", "disable", OWNER[0], "--confirm", OWNER[0]).returncode == NOT_ALLOWED
    assert shell.caip("member", "disable", OWNER[0], "--confirm", OWNER[0]).returncode == NOT_ALLOWED  # oneself


def test_somebodys_lost_factors_are_reset_once_their_address_is_repeated(shell):
    fine(shell, "member", "add", "her@example.org", "member", "--password-stdin", stdin="a long password for her\n")
    hers = shell.control.sign_in("her@example.org", "a long password for her")
    app = App(hers.post("/account/factors/totp-offers").json()["secret"])
    assert hers.post("/account/factors/totp", {"code": app.code()}).status_code == 201
    assert shell.caip("member", "reset-factors", "her@example.org", "--confirm", "another").returncode == USAGE
    assert hers.get("/account/factors").json()["totp"]
    assert json.loads(fine(shell, "member", "reset-factors", "her@example.org", "--confirm", "her@example.org", "--json")) == {"reset": "her@example.org"}
    problem(hers.get("/session"), 401)
    again = shell.control.sign_in("her@example.org", "a long password for her")  # by the password alone
    assert again.get("/account/factors").json() == {"totp": None, "passkeys": [], "recovery_codes": 0}
    assert shell.caip("member", "reset-factors", "nobody@example.org", "--confirm", "nobody@example.org").returncode == NOT_FOUND


def test_ownership(shell):
    fine(shell, "member", "add", "heir@example.org", "admin", "--password-stdin", stdin="a long password for heir\n")
    fine(shell, "member", "owner", "heir@example.org", "--confirm", "heir@example.org")
    assert shell.caip("member", "list").returncode == NOT_ALLOWED  # the session ended with the role
    shell.login(shell.control)
    assert json.loads(fine(shell, "whoami", "--json"))["role"] == "admin"


def test_invitations(shell):
    made = fine(shell, "invitation", "create", "new@example.org", "member", "--days", "1")
    assert made.strip().startswith("https://") and "/invitation#token=" in made
    again = fine(shell, "invitation", "resend", "new@example.org")
    assert again != made
    answer = shell.control.anonymous().post("/invitations/look", {"token": again.strip().partition("#token=")[2]}, key=False)
    assert answer.json()["email"] == "new@example.org"
    fine(shell, "invitation", "revoke", "new@example.org")
    assert [i["state"] for i in json.loads(fine(shell, "invitation", "list", "--json"))["data"]] == ["revoked"]
    problem(shell.control.anonymous().post("/invitations/look", {"token": again.strip().partition("#token=")[2]}, key=False), 410)


def test_a_token_from_a_file_takes_the_place_of_a_session(shell, tmp_path):
    text = fine(shell, "token", "create", "ci", "--scope", "server.view", "--scope", "role.view", "--days", "1").strip()
    file = tmp_path / "token"
    file.write_text(text + "\n")
    home = tmp_path / "program"
    home.mkdir()
    program = Shell(home)
    done = program.caip("login", "--url", shell.control.url, "--ca", shell.control.data.parent / "ca.pem", "--token-file", file)
    assert done.returncode == OK, done.stderr
    kept = home / "state/caip/session.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert json.loads(fine(program, "server", "list", "--json"))["data"] == []
    assert "server.view" in fine(program, "role", "list", "--format", "csv")
    assert program.caip("member", "list").returncode == NOT_ALLOWED
    assert program.caip("token", "list").returncode == NOT_ALLOWED
    assert [t["name"] for t in json.loads(fine(shell, "token", "list", "--json"))["data"]] == ["ci"]
    fine(shell, "token", "revoke", "ci")
    done = program.caip("server", "list")
    assert done.returncode == NOT_ALLOWED and "not valid" in done.stderr


def test_an_install_command_is_revoked_and_lets_no_machine_in(shell):
    made = json.loads(fine(shell, "server", "add", "web-7", "--json"))
    token = re.search(r"printf '%s' '([A-Za-z0-9_-]{43})'", made["install_command"])[1]
    enrol = lambda: shell.control.anonymous().post("/agent/enrol", {"token": token, "csr": "x", "hostname": "web-7"}, key=False)  # noqa: E731
    assert enrol().json()["code"] != "bad_credentials", "the token is right, the request is not"
    assert "web-7" in fine(shell, "enrolment", "list")
    fine(shell, "enrolment", "revoke", made["id"])
    problem(enrol(), 401, "bad_credentials")
    assert shell.caip("enrolment", "revoke", made["id"]).returncode == CONFLICT
    assert shell.caip("enrolment", "revoke", "enr_" + "0" * 26).returncode == NOT_FOUND


def test_who_can_do_what_on_a_server_names_tokens_to_who_may_see_them(shell, tmp_path):
    """Everybody's to an Owner, one's own to a Member, none to a Viewer; with scopes, network and maker."""
    control = shell.control
    owner = control.sign_in()
    server = Identity(control, owner, tmp_path, "web-1").server
    member, viewer = control.member(owner, "member"), control.member(owner, "viewer")
    for api, name, scopes in ((owner, "deploy", ["unit.start", "server.view"]), (member, "mine", ["unit.stop"]), (owner, "elsewhere", ["audit.view"])):
        answer = api.post("/tokens", {"name": name, "days": 1, "scopes": scopes, "networks": ["192.0.2.0/24"] if name == "deploy" else []})
        assert answer.status_code == 201, answer.text

    def seen(api):
        return {t["name"]: t for p in api.data(f"/servers/{server}/access") for t in p["tokens"]}
    assert set(seen(owner)) == {"deploy", "mine"} and set(seen(member)) == {"mine"} and seen(viewer) == {}
    deploy = seen(owner)["deploy"]
    assert {m["permission"] for m in deploy["may"]} == {"unit.start", "server.view"} and deploy["networks"] == ["192.0.2.0/24"]
    assert {m["because"] for m in deploy["may"]} == {"scope of the token, and role owner"}
    assert f"token deploy of {OWNER[0]}, from 192.0.2.0/24" in fine(shell, "server", "access", "web-1")
