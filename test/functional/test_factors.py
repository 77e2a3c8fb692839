"""Second factors over the API, with the command line and in a browser. The codes' rules stand in
src/auth/factors_test.cpp."""
import base64
import hashlib
import hmac
import struct
import subprocess
import time

import pytest

from support import BIN, OWNER, Control, Shell, entries, problem, wait_for
from test_ui import chromium


def totp(secret, step):
    mac = hmac.digest(base64.b32decode(secret), struct.pack(">Q", step), hashlib.sha1)
    at = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7fffffff) % 1_000_000:06}"


class App:
    """An authenticator app. Each code works once, so it waits for one that has not been used."""

    def __init__(self, secret):
        self.secret, self.used = secret, 0

    def code(self):
        # One step ahead is accepted, so two codes are there in every half minute.
        step = wait_for(lambda: next((s for n in (0, 1) if (s := int(time.time()) // 30 + n) > self.used), None), 60)
        self.used = step
        return totp(self.secret, step)


@pytest.fixture
def two_sessions(tmp_path):
    control = Control(tmp_path).start()
    control.set_up()
    yield control, control.sign_in(), control.sign_in()
    control.stop()


def test_s14_a_factor_that_is_added_or_removed_ends_the_other_sessions(two_sessions):
    control, owner, thief = two_sessions
    app = App(owner.post("/account/factors/totp-offers").json()["secret"])
    assert owner.post("/account/factors/totp", {"code": app.code()}).status_code == 201
    problem(thief.get("/session"), 401)
    problem(control.anonymous().post("/sessions/refresh", {"refresh_token": thief.session["refresh_token"]}), 401)
    assert owner.get("/session").status_code == 200
    assert entries(owner, "factor.add")[0]["entry"]["detail"]["ended_sessions"] == 1
    factor = owner.get("/account/factors").json()["totp"]["id"]
    pending = first_step(control).json()["pending_token"]
    other = control.anonymous().post("/sessions/second-factor", {"code": app.code(), "pending_token": pending}).json()
    bearer = {"Authorization": f"Bearer {other['access_token']}"}
    assert control.anonymous().call("GET", "/session", headers=bearer).status_code == 200
    assert owner.call("DELETE", f"/account/factors/{factor}").status_code == 204
    problem(control.anonymous().call("GET", "/session", headers=bearer), 401)


def test_s16_a_crowd_of_challenges_is_limited_though_each_is_good(two_sessions):
    control, owner, _ = two_sessions
    anonymous = control.anonymous()
    said = [anonymous.post("/sessions/passkey-challenges").status_code for _ in range(70)]
    assert said[:50] == [201] * 50 and said[-1] == 429


@pytest.fixture(scope="module")
def protected(tmp_path_factory):
    """A control plane whose Owner has an authenticator app: (control, owner, app, recovery codes)."""
    control = Control(tmp_path_factory.mktemp("factors")).start()
    control.set_up()
    owner = control.sign_in()
    app = App(owner.post("/account/factors/totp-offers").json()["secret"])
    answer = owner.post("/account/factors/totp", {"code": app.code()})
    assert answer.status_code == 201, answer.text
    yield control, owner, app, answer.json()["recovery_codes"]
    control.stop()


def first_step(control, client="cli"):
    answer = control.anonymous().post("/sessions", {"email": OWNER[0], "password": OWNER[1], "client": client}, headers={"Origin": control.url})
    assert answer.status_code == 202, answer.text
    return answer


def test_s14_a_password_alone_is_no_session_any_more(protected):
    control, owner, app, _ = protected
    first = first_step(control)
    assert set(first.json()) == {"second_factor", "expires_at", "pending_token"}
    pending = first.json()["pending_token"]
    problem(control.anonymous().call("GET", "/session", headers={"Authorization": f"Bearer {pending}"}), 401)
    problem(control.anonymous().post("/sessions/refresh", {"refresh_token": pending}), 401)
    problem(control.anonymous().post("/sessions/second-factor", {"code": "000000", "pending_token": pending}), 401, "bad_credentials")
    done = control.anonymous().post("/sessions/second-factor", {"code": app.code(), "pending_token": pending})
    assert done.status_code == 201 and done.json()["access_token"], done.text
    first = entries(owner, "session.sign_in")[0]["entry"]
    assert first["result"] == "pending" and first["detail"]["second_factor"] == "owed" and first["actor"]["id"] == owner.session["user"]["id"]
    newest, wrong = (e["entry"] for e in entries(owner, "session.second_factor")[:2])
    assert newest["result"] == "completed" and newest["detail"]["factor"] == "totp" and newest["detail"]["first"] == "session.sign_in"
    assert wrong["result"] == "blocked" and wrong["detail"]["reason"] == "wrong code"


def test_a_browser_owes_the_second_step_in_its_cookie(protected):
    control, _, app, codes = protected
    first = first_step(control, "browser")
    cookie, = first.headers.get_list("set-cookie")
    assert "pending_token" not in first.json() and cookie.startswith("__Host-caip_pending=")
    assert all(a in cookie for a in ("HttpOnly", "Secure", "SameSite=Strict", "Path=/"))
    other = control.anonymous()
    problem(other.post("/sessions/second-factor", {"code": codes[9]}, headers={"Origin": control.url}), 401)
    jar = {"Cookie": cookie.split(";")[0], "Origin": control.url}
    problem(other.post("/sessions/second-factor", {"code": codes[9]}, headers={**jar, "Origin": "https://evil.example"}), 403, "csrf")
    done = other.post("/sessions/second-factor", {"code": codes[9]}, headers=jar)
    assert done.status_code == 201 and "access_token" not in done.json(), done.text
    problem(other.post("/sessions/second-factor", {"code": codes[9]}, headers=jar), 401)  # once


def test_the_command_line_asks_for_the_code(protected, tmp_path):
    control, _, app, codes = protected
    shell = Shell(tmp_path)
    ca = control.data.parent / "ca.pem"
    arguments = ("login", "--url", control.url, "--email", OWNER[0], "--password-stdin", "--ca", ca)
    wrong = shell.caip(*arguments, stdin=f"{OWNER[1]}\n111111\n")
    assert wrong.returncode == 4 and "code is wrong" in wrong.stderr, wrong.stderr
    done = shell.caip(*arguments, stdin=f"{OWNER[1]}\n{codes[8]}\n")
    assert done.returncode == 0, done.stderr
    assert OWNER[0] in shell.caip("whoami").stdout
    said = shell.caip("login", "--help").stdout
    assert "in the browser: --browser" in said and "second line" in said


def test_no_code_and_no_secret_is_in_the_log(protected):
    control, owner, app, codes = protected
    everything = control.log.read_text() + str(entries(owner))
    for secret in (app.secret, *codes):
        assert secret not in everything


def test_an_app_is_set_up_and_used_in_a_browser(tmp_path):
    control = Control(tmp_path).start()
    try:
        control.set_up()
        chromium(control, "second-factor")
        owner = control.anonymous()
        problem(owner.get("/session"), 401)
    finally:
        control.stop()


def test_s14_a_passkey_in_a_browser(tmp_path):
    control = Control(tmp_path).start()
    try:
        control.set_up()
        chromium(control, "passkey")
        owner = control.sign_in()  # the passkey was removed at the end
        done = [e["entry"] for e in entries(owner, "session.second_factor") if e["entry"]["result"] == "completed"]
        assert len(done) == 3 and all(e["detail"]["factor"] == "passkey" for e in done)
        assert entries(owner, "session.sign_in_with")[0]["entry"]["detail"]["reason"] == "this passkey is not known here"
        stepped = [e["entry"]["detail"]["factor"] for e in entries(owner, "session.step_up") if e["entry"]["result"] == "completed"]
        assert stepped == ["passkey"]
    finally:
        control.stop()


def test_lost_factors_are_reset_by_an_owner_and_the_last_owners_on_the_machine(tmp_path):
    control = Control(tmp_path).start()
    try:
        control.set_up()
        owner = control.sign_in()
        member = control.member(owner, "member")
        for who in (member, owner):
            app = App(who.post("/account/factors/totp-offers").json()["secret"])
            assert who.post("/account/factors/totp", {"code": app.code()}).status_code == 201
        problem(member.call("DELETE", f"/members/{owner.session['user']['id']}/factors"), 403, "forbidden")
        assert owner.call("DELETE", f"/members/{member.session['user']['id']}/factors").status_code == 204
        problem(member.get("/session"), 401)
        newest = entries(owner, "factor.reset")[0]["entry"]
        assert newest["result"] == "completed" and newest["params"] == {"user": member.session["user"]["id"]}
        assert control.sign_in("member@example.org", "a long password for member").get("/account/factors").json()["totp"] is None

        first_step(control)
        running = reset_locally(control, OWNER[0])
        assert running.returncode != 0, running.stdout  # one process at a time
        control.stop()
        assert reset_locally(control, "nobody@example.org").returncode != 0
        done = reset_locally(control, OWNER[0])
        assert done.returncode == 0 and OWNER[0] in done.stdout, done.stderr
        control.start()
        again = control.sign_in()
        assert again.get("/account/factors").json() == {"totp": None, "passkeys": [], "recovery_codes": 0}
        assert entries(again, "factor.reset_locally")[0]["entry"]["actor"]["kind"] == "system"
        problem(owner.get("/session"), 401)
    finally:
        control.stop()


def reset_locally(control, email):
    return subprocess.run([BIN / "caipd", "--data", control.data, "--reset-factors", email], capture_output=True, text=True, timeout=60, check=False)
