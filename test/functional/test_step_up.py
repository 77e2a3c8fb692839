"""Step-up: what is risky asks a session that is more than five minutes old for the password again."""
import pytest

from support import NOT_ALLOWED, OK, OWNER, Control, Shell, entries, problem
from test_factors import App


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """A caipd whose Owner signed in six minutes ago."""
    control = Control(tmp_path_factory.mktemp("old")).start()
    control.set_up()
    control.owner = control.sign_in()
    control.viewer = control.member(control.owner, "viewer")
    control.secret = control.owner.post("/secrets", {"kind": "env_value", "name": "OLD", "value": "v"}).json()
    control.stale()
    yield control
    control.stop()


@pytest.fixture
def session(old):
    """The Owner's session, which enters no password by itself."""
    old.stale()
    api = old.anonymous()
    api.http.headers["Authorization"] = old.sign_in().http.headers["Authorization"]
    old.stale()
    return api


RISKY = {
    "member.add": ("POST", "/members", {"email": "new@example.org", "role": "viewer", "password": "a long password for new"}),
    "member.change_role": ("PATCH", "/members/{viewer}", {"role": "member"}),
    "factor.reset": ("DELETE", "/members/{viewer}/factors", None),
    "secret.create": ("POST", "/secrets", {"kind": "env_value", "name": "NEW", "value": "v"}),
    "secret.replace": ("PUT", "/secrets/{secret}", {"value": "w"}),
    "secret.delete": ("DELETE", "/secrets/{secret}", None),
    "key.rotate": ("POST", "/secrets/rotations", {"key": "jwt"}),
    "env.remove": ("POST", "/servers/srv_" + "0" * 26 + "/env/removals", {"user": "www-data"}),
    "ai.start": ("POST", "/ai/start", {}),
    "ai.allow_writes": ("POST", "/ai/allow-writes", {}),
    "ai.unprotect_production": ("POST", "/ai/unprotect-production", {"minutes": 5, "reason": "a test"}),
    "ai.set_limit": ("PUT", "/ai/limits", {"limit": "steps_per_run", "value": 1000}),
    "ai.set_provider": ("PUT", "/ai/provider", {"provider": "anthropic", "model": "m"}),
    "ai.remove_provider": ("DELETE", "/ai/provider", None),
    "ai.test_provider": ("POST", "/ai/provider/test", {"provider": "anthropic"}),
    "ai.set_operation": ("PUT", "/ai/operations", {"operation": "unit", "on": True}),
}


def knock(old, api, name):
    method, path, body = RISKY[name]
    viewer = next(m["id"] for m in old.owner.data("/members") if m["role"] == "viewer")
    return api.call(method, path.format(viewer=viewer, secret=old.secret["id"]), body, headers={"If-Match": '"1"'})


@pytest.mark.parametrize("name", RISKY)
def test_risky_acts_ask_for_the_password_and_the_refusal_is_in_the_log(old, session, name):
    problem(knock(old, session, name), 403, "step_up_needed")
    newest = entries(old.owner, name)[0]["entry"]
    assert newest["result"] == "blocked" and "five minutes" in newest["detail"]["reason"]


# Everybody's own, so that a stolen session neither adds the thief's nor removes its owner's.
OWN = {
    "an app": ("factor.add", "POST", "/account/factors/totp", {"code": "000000"}),
    "a passkey": ("factor.add", "POST", "/account/factors/passkeys", {"name": "mine", "client_data": "e30", "attestation": "oA"}),
    "a factor less": ("factor.remove", "DELETE", "/account/factors/fac_" + "0" * 26, None),
    "new codes": ("factor.renew_recovery_codes", "POST", "/account/factors/recovery-codes", None),
    "an account less": ("identity.unlink", "DELETE", "/account/identities/idt_" + "0" * 26, None),
}


@pytest.mark.parametrize("what", OWN)
def test_s14_the_ways_to_sign_in_are_not_changed_by_a_session_alone(old, session, what):
    name, method, path, body = OWN[what]
    problem(session.call(method, path, body), 403, "step_up_needed")
    assert entries(old.owner, name)[0]["entry"]["result"] == "blocked"
    assert session.step_up(OWNER[1]).status_code == 200
    assert session.call(method, path, body).json()["code"] != "step_up_needed"


@pytest.mark.parametrize("name", RISKY)
def test_who_may_not_do_it_anyway_is_not_asked(old, name):
    problem(knock(old, old.sign_in("viewer@example.org", "a long password for viewer"), name), 403, "forbidden")


def test_what_lets_people_in_asks_before_the_server_is_even_looked_for(session):
    stop = {"type": "unit.stop", "unit": "ssh.service"}
    path = "/servers/srv_" + "0" * 26 + "/actions"
    problem(session.post(path, stop), 403, "step_up_needed")
    problem(session.post(path, stop | {"unit": "nginx.service"}), 404, "not_found")
    assert session.step_up(OWNER[1]).status_code == 200
    problem(session.post(path, stop), 404, "not_found")


def test_the_password_opens_five_minutes_for_this_session_alone(old, session):
    body = {"kind": "env_value", "name": "AFTER_STEP_UP", "value": "v"}
    key = {"Idempotency-Key": '"the-same-key"'}
    problem(session.post("/secrets", body, headers=key), 403, "step_up_needed")
    wrong = problem(session.step_up("not the password"), 422, "invalid")
    assert "password is wrong" in wrong["detail"]
    problem(session.post("/secrets", body, headers=key), 403, "step_up_needed")
    assert session.step_up(OWNER[1]).json() == {"valid_seconds": 300}
    assert session.post("/secrets", body, headers=key).status_code == 201
    said = [(e["entry"]["result"], e["entry"]["detail"]) for e in entries(old.owner, "session.step_up")[:2]]
    assert said == [("completed", {"factor": "password"}), ("blocked", {"code": "invalid", "reason": "wrong password"})]
    old.stale()
    problem(session.post("/secrets", body | {"name": "LATER"}), 403, "step_up_needed")


def test_a_fresh_sign_in_counts_and_a_refresh_does_not(old):
    fresh = old.sign_in()
    fresh.password = None
    assert knock(old, fresh, "key.rotate").status_code in (202, 409)
    old.stale()
    renewed = old.anonymous().post("/sessions/refresh", {"refresh_token": fresh.session["refresh_token"]}).json()
    again = old.anonymous()
    again.http.headers["Authorization"] = f"Bearer {renewed['access_token']}"
    problem(knock(old, again, "key.rotate"), 403, "step_up_needed")


def test_the_stamp_is_no_member_of_any_request(session):
    problem(session.post("/session/step-up", {"password": OWNER[1], "stepped_up": 1}), 400, "unknown_member")
    problem(session.post("/session/step-up", {}), 400)


def test_caip_takes_the_password_from_a_file_and_says_so_without_one(old, tmp_path):
    shell = Shell(tmp_path).login(old)
    old.stale()
    without = shell.caip("secrets", "set", "env_value", "FROM_CAIP", "--stdin", stdin="v")
    assert without.returncode == NOT_ALLOWED and "--password-file" in without.stderr
    file = tmp_path / "password"
    file.write_text(OWNER[1] + "\n")
    done = shell.caip("secrets", "set", "env_value", "FROM_CAIP", "--stdin", "--password-file", file, stdin="v")
    assert done.returncode == OK, done.stderr
    file.write_text("wrong\n")
    old.stale()
    wrong = shell.caip("secrets", "rotate", "data", "--password-file", file)
    assert wrong.returncode != OK and "the password is wrong" in wrong.stderr


@pytest.fixture
def with_app(tmp_path):
    """An Owner with an authenticator app whose sign-in is six minutes ago."""
    control = Control(tmp_path / "plane").start()
    control.set_up()
    control.owner = control.sign_in()
    control.app = App(control.owner.post("/account/factors/totp-offers").json()["secret"])
    added = control.owner.post("/account/factors/totp", {"code": control.app.code()})
    assert added.status_code == 201, added.text
    control.codes = added.json()["recovery_codes"]
    control.stale()
    control.owner.password = None  # it asks by itself otherwise
    yield control
    control.stop()


def test_s14_with_an_authenticator_app_the_password_alone_steps_nobody_up(with_app):
    owner, risky = with_app.owner, {"kind": "env_value", "name": "WITH_APP", "value": "v"}
    prove = lambda **body: owner.http.post("/session/step-up", json={"password": OWNER[1], **body})  # noqa: E731
    assert owner.get("/session/step-up").json() == {"password": True, "passkey": False, "code": True, "app": True, "providers": []}
    assert "authenticator app" in problem(prove(), 422, "invalid")["detail"]
    problem(prove(code="000000"), 422, "invalid")
    code = with_app.app.code()
    problem(prove(password="not the password", code=code), 422, "invalid")
    problem(owner.post("/secrets", risky), 403, "step_up_needed")
    assert prove(code=code).json() == {"valid_seconds": 300}
    assert owner.post("/secrets", risky).status_code == 201
    problem(prove(code=code), 422, "invalid")
    assert prove(code=with_app.codes[0]).status_code == 200
    problem(prove(code=with_app.codes[0]), 422, "invalid")
    said = [(e["entry"]["result"], e["entry"]["detail"].get("reason") or e["entry"]["detail"].get("second")) for e in entries(owner, "session.step_up")]
    assert said == [("blocked", "wrong code"), ("completed", "recovery_code"), ("blocked", "wrong code"), ("completed", "totp"), ("blocked", "wrong password"),
                    ("blocked", "wrong code"), ("blocked", "no code")]


def test_caip_takes_the_code_from_the_second_line_of_the_file(with_app, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    shell = Shell(home).login(with_app, password=f"{OWNER[1]}\n{with_app.codes[0]}")
    with_app.stale()
    file = tmp_path / "password"
    file.write_text(OWNER[1] + "\n")
    without = shell.caip("secrets", "set", "env_value", "WITH_APP", "--stdin", "--password-file", file, stdin="v")
    assert without.returncode != OK and "second line" in without.stderr
    file.write_text(f"{OWNER[1]}\n{with_app.codes[1]}\n")
    done = shell.caip("secrets", "set", "env_value", "WITH_APP", "--stdin", "--password-file", file, stdin="v")
    assert done.returncode == OK, done.stderr
