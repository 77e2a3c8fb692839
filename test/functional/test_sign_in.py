"""Signing in with other services: GitHub by a stand-in that speaks as it does, OpenID Connect by a real
provider in a real browser. What each token and callback must look like stands in src/federation's tests."""
import contextlib
import os
import sqlite3
import subprocess
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from github import CLIENT, SECRET, Github
from support import OWNER, REPO, Control, entries, free_port, problem
from test_ui import chromium

OPENID_SECRET = "openid-client-secret-77aa"


class OpenId:
    """oidc-provider (npm), which has pages of its own."""

    def __init__(self, control, port, algorithm, auth):
        self.process = subprocess.Popen(
            ["node", REPO / "ui/test/openid.mjs", str(port), f"{control.url}/sign-in/callback/acme", algorithm], cwd=REPO / "ui",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, "CLIENT_SECRET": OPENID_SECRET, "CLIENT_AUTH": auth})
        self.wait_for("ready")

    def wait_for(self, word):
        for line in self.process.stdout:  # it warns besides that it is for tests only
            if line.strip() == word:
                return
        raise AssertionError(f"the provider never said {word}")

    def rotate(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.wait_for("rotated")

    def stop(self):
        self.process.terminate()
        self.process.wait()


def configured(folder, openid_port, github_port):
    for name, secret in (("acme", OPENID_SECRET), ("github", SECRET)):
        (folder / name).write_text(secret + "\n")
        (folder / name).chmod(0o600)
    config = folder / "caipd.toml"
    config.write_text(f"""
[outbound]
allow_networks = ["127.0.0.1"]
[sign_in.acme]
label = "Acme"
issuer = "http://127.0.0.1:{openid_port}"
client_id = "caip"
client_secret_file = "{folder}/acme"
[sign_in.github]
kind = "github"
label = "GitHub"
client_id = "{CLIENT}"
client_secret_file = "{folder}/github"
web = "http://127.0.0.1:{github_port}"
api = "http://127.0.0.1:{github_port}/api/v3"
""")
    return ["--config", str(config)]


@pytest.fixture(scope="module")
def ports():
    return free_port(), free_port()


@pytest.fixture(scope="module")
def control(tmp_path_factory, ports):
    folder = tmp_path_factory.mktemp("sign-in")
    control = Control(folder, arguments=configured(folder, *ports)).start()
    control.set_up()
    yield control
    control.stop()


@pytest.fixture(scope="module")
def owner(control):
    return control.sign_in()


@pytest.fixture
def github(ports):
    github = Github(ports[1])
    yield github
    github.stop()


class Browser:
    """One browser without a session: its cookies, and where it stands."""

    def __init__(self, control):
        self.control, self.api = control, control.anonymous()
        self.api.http.headers["Origin"] = control.url

    def post(self, path, body, **kwargs):
        return self.api.call("POST", path, body, key=False, **kwargs)

    def leave(self, provider="github", path="/sign-in/attempts", **body):
        """To the provider, and what it sends back in the address."""
        begun = self.post(path, {"provider": provider, **body})
        assert begun.status_code == 201, begun.text
        away = httpx.get(begun.json()["location"], trust_env=False)
        assert away.status_code == 302, away.text
        back = urlsplit(away.headers["location"])
        assert f"{back.scheme}://{back.netloc}{back.path}" == f"{self.control.url}/sign-in/callback/{provider}"
        said = {k: v[0] for k, v in parse_qs(back.query).items() if k in ("code", "state", "error", "iss")}
        return {"provider": provider, **said}

    def sign_in(self, **body):
        return self.post("/sign-in/callbacks", self.leave(**body))


class Linking(Browser):
    """The same, of somebody who is signed in."""

    def __init__(self, control, who):
        super().__init__(control)
        self.api.http.headers["Authorization"] = f"Bearer {who.token}"

    def link(self):
        return self.post("/account/identities", self.leave(path="/account/identities/attempts", next="/account"))


@pytest.fixture
def linked(control, owner, github):
    """The Owner, linked with the GitHub account 583231; unlinked afterwards."""
    answer = Linking(control, owner).link()
    assert answer.status_code == 201, answer.text
    yield answer.json()["id"]
    owner.call("DELETE", f"/account/identities/{answer.json()['id']}")


def test_only_what_is_configured_is_offered(control, fresh):
    assert control.anonymous().get("/sign-in/methods").json() == {
        "password": True, "password_reset": False, "providers": [{"id": "acme", "label": "Acme"}, {"id": "github", "label": "GitHub"}]}
    assert fresh.anonymous().get("/sign-in/methods").json() == {"password": True, "password_reset": False, "providers": []}
    problem(fresh.anonymous().post("/sign-in/attempts", {"provider": "acme"}), 404, "not_found")


def test_s28_an_unknown_account_is_refused_whatever_its_address_is(control, owner, github):
    github.emails = [{"email": OWNER[0], "primary": True, "verified": True, "visibility": None}]  # the Owner's own
    refused = problem(Browser(control).sign_in(), 403, "forbidden")
    assert "not linked" in refused["detail"] and "administrator" in refused["detail"]
    newest = entries(owner, "session.sign_in_with")[0]["entry"]
    assert newest["result"] == "blocked" and newest["params"] == {"provider": "github", "subject": "583231"}
    assert len(owner.data("/members")) == 1


def test_a_linked_account_signs_in_and_unlinking_ends_that(control, owner, github):
    linking = Linking(control, owner).link()
    assert linking.status_code == 201 and linking.json()["next"] == "/account"
    browser = Browser(control)
    answer = browser.post("/sign-in/callbacks", browser.leave(next="/audit"))
    assert answer.status_code == 201, answer.text
    assert answer.json()["next"] == "/audit" and answer.json()["user"]["email"] == OWNER[0] and "access_token" not in answer.json()
    assert browser.api.get("/session").status_code == 200
    entry = entries(owner, "session.sign_in_with")[0]["entry"]
    assert entry["result"] == "completed" and entry["actor"]["id"] == owner.session["user"]["id"]

    mine = owner.get("/account/identities").json()
    assert mine["password"] and [(i["provider"], i["shown"]) for i in mine["identities"]] == [("github", "octocat")]
    assert mine["identities"][0]["used_at"]
    assert owner.call("DELETE", f"/account/identities/{linking.json()['id']}").status_code == 204
    problem(Browser(control).sign_in(), 403, "forbidden")
    assert [e["entry"]["action"] for e in entries(owner)][:3] == ["session.sign_in_with", "identity.unlink", "session.sign_in_with"]


def test_s28_the_account_is_the_number_not_the_name_nor_the_address(control, linked, github):
    github.login, github.emails = "renamed", [{"email": "new@example.org", "primary": True, "verified": True, "visibility": None}]
    assert Browser(control).sign_in().status_code == 201
    github.id, github.login = 999, "octocat"  # the old name in other hands
    problem(Browser(control).sign_in(), 403, "forbidden")


def test_s28_an_account_is_linked_to_one_person(control, owner, linked, github):
    other = control.member(owner, "viewer")
    problem(Linking(control, other).link(), 409, "conflict")
    problem(Linking(control, owner).link(), 409, "conflict")
    problem(other.call("DELETE", f"/account/identities/{linked}"), 404, "not_found")
    assert Browser(control).sign_in().json()["user"]["email"] == OWNER[0]


def test_s28_state_is_for_this_browser_and_for_once(control, linked, github):
    mine, other = Browser(control), Browser(control)
    back = mine.leave()
    other.leave()
    problem(other.post("/sign-in/callbacks", back), 403, "forbidden")  # session fixation, login CSRF
    problem(control.anonymous().post("/sign-in/callbacks", back), 403, "forbidden")
    problem(mine.post("/sign-in/callbacks", {**back, "state": "x" * 43}), 403, "forbidden")
    problem(mine.post("/sign-in/callbacks", {**back, "provider": "acme"}), 403, "forbidden")  # used up by now
    problem(mine.post("/sign-in/callbacks", back), 403, "forbidden")
    assert Browser(control).sign_in().status_code == 201


def test_s28_a_sign_in_cannot_be_made_a_linking(control, owner, github):
    linking = Linking(control, owner)
    problem(linking.post("/account/identities", linking.leave()), 403, "forbidden")
    back = linking.leave(path="/account/identities/attempts")
    problem(linking.post("/sign-in/callbacks", back), 403, "forbidden")
    assert owner.get("/account/identities").json()["identities"] == []


def test_s28_what_github_may_answer_and_what_becomes_of_it(control, owner, linked, github):
    browser = Browser(control)
    github.denies = True
    assert "cancelled" in problem(browser.sign_in(), 403)["detail"]
    github.denies = False
    for instead, status in (((500, {}), 503), ((200, b"<html>", "text/html"), 503), ((200, b"{" * 300_000), 503), ((302, b"", "text/html"), 503),
                            ((200, {"error": "bad_verification_code", "access_token": github.token}), 403)):
        github.instead = instead
        said = problem(browser.sign_in(), status)
        assert "alert" not in said["detail"] and github.token not in said["detail"]
    github.instead = None
    back = browser.leave()
    problem(browser.post("/sign-in/callbacks", {**back, "code": "another"}), 403)  # bad_verification_code with 200
    github.scope = "read:user"
    problem(browser.sign_in(), 403)
    github.scope = "read:user,user:email"
    assert browser.sign_in().status_code == 201
    reasons = {e["entry"]["detail"].get("reason") for e in entries(owner, "session.sign_in_with") if e["entry"]["result"] == "blocked"}
    assert {"it was cancelled at the provider", "GitHub refused the code"} <= reasons, reasons


def test_s28_next_is_a_path_of_ours(control):
    for bad in ("//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", ""):
        problem(Browser(control).post("/sign-in/attempts", {"provider": "github", "next": bad}), 422, "invalid")


def test_s17_no_get_signs_anybody_in(control, linked, github):
    browser = Browser(control)
    back = browser.leave()
    page = browser.api.http.get(f"{control.url}/sign-in/callback/github", params={k: back[k] for k in ("code", "state")})
    assert page.status_code == 200 and "set-cookie" not in page.headers  # the user interface
    problem(browser.post("/sign-in/callbacks", back, headers={"Origin": "https://evil.example"}), 403, "csrf")
    problem(browser.api.get("/session"), 401)
    assert "__Host-caip_session" not in browser.api.http.cookies
    assert browser.post("/sign-in/callbacks", back).status_code == 201
    assert "__Host-caip_session" in browser.api.http.cookies  # so it would have been seen above


def test_the_cookie_of_an_attempt(control, github):
    begun = Browser(control).post("/sign-in/attempts", {"provider": "github"})
    cookie, = begun.headers.get_list("set-cookie")
    assert cookie.startswith("__Host-caip_attempt=")
    assert all(a in cookie for a in ("HttpOnly", "Secure", "SameSite=Strict", "Path=/", "Max-Age=600")) and "Domain" not in cookie


def test_no_secret_of_a_provider_is_anywhere(control, owner, linked, github):
    Browser(control).sign_in()
    # The newest writes are in the file beside it.
    files = [f.read_bytes().decode("latin-1") for f in sorted(control.data.glob("caip.db*"))]
    assert len(files) > 1 and any("583231" in f for f in files)
    everything = control.log.read_text() + str(entries(owner)) + "".join(files)
    for secret in (SECRET, OPENID_SECRET, github.token):
        assert secret not in everything


GOOD = '[sign_in.acme]\nissuer = "https://id.example.com"\nclient_id = "c"\nclient_secret_file = "FILE"'


@pytest.mark.parametrize("wrong, said", [
    ('[sign_in.acme]\nissuer = "http://id.example.com"\nclient_id = "c"\nclient_secret_file = "FILE"', "issuer is an https address"),
    ('[sign_in.acme]\nissuer = "https://id.example.com"\nclient_secret_file = "FILE"', "client_id is missing"),
    ('[sign_in.acme]\nissuer = "https://id.example.com"\nclient_id = "c"\nclient_secret_file = "OPEN"', "open to everybody"),
    ('[sign_in.acme]\nissuer = "https://id.example.com"\nclient_id = "c"\nclient_secret = "s"', "unknown setting sign_in.acme.client_secret"),
    ('public_url = "http://panel.example"\n' + GOOD, "public_url is https://HOST"),
    ('public_url = "https://panel.example/panel"\n' + GOOD, "public_url is https://HOST"),
    ('public_url = "https://me@panel.example"\n' + GOOD, "public_url is https://HOST"),
    ('public_url = "https://panel.example:0"\n' + GOOD, "public_url is https://HOST"),
    ('[sign_in."A/b"]\nclient_id = "c"', "a provider's name"),
    ('[sign_in.acme]\nkind = "saml"', "openid")])
def test_a_wrong_setting_stops_the_start(tmp_path, wrong, said):
    for name, mode in (("FILE", 0o600), ("OPEN", 0o644)):
        (tmp_path / name).write_text("secret\n")
        (tmp_path / name).chmod(mode)
        wrong = wrong.replace(f'"{name}"', f'"{tmp_path / name}"')
    (tmp_path / "caipd.toml").write_text(wrong)
    from support import BIN
    done = subprocess.run([BIN / "caipd", "--config", tmp_path / "caipd.toml", "--data", tmp_path / "data"], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2 and said in done.stderr, done.stderr


class SteppingUp(Linking):
    def step_up(self, **body):
        return self.post("/session/step-up/callbacks", self.leave(path="/session/step-up/attempts", next="/secrets", **body))


def test_s28_a_step_up_elsewhere_is_bound_to_its_session_and_its_person(control, owner, linked, github):
    """GitHub cannot say that somebody signed in anew: it counts for those alone who have neither password nor passkey."""
    mine = SteppingUp(control, owner)
    assert owner.get("/session/step-up").json() == {"password": True, "passkey": False, "code": False, "app": False, "providers": []}
    refused = problem(mine.step_up(), 403, "forbidden")
    assert "use your password or a passkey" in refused["detail"]
    other_session = SteppingUp(control, control.sign_in())
    back = mine.leave(path="/session/step-up/attempts")
    other_session.api.http.cookies = mine.api.http.cookies  # the same browser, so that the session alone is another one
    problem(other_session.post("/session/step-up/callbacks", back), 403, "forbidden")  # begun by another session
    problem(mine.post("/session/step-up/callbacks", mine.leave()), 403, "forbidden")  # begun as a sign-in
    problem(mine.post("/account/identities", mine.leave(path="/session/step-up/attempts")), 403, "forbidden")
    github.id = 999  # somebody else's account there
    assert "not an account that is linked to you" in problem(mine.step_up(), 403, "forbidden")["detail"]
    github.id = 583231
    blocked = [e["entry"]["detail"]["reason"] for e in entries(owner, "session.step_up") if e["entry"]["result"] == "blocked"]
    assert blocked == ["not an account of theirs at github", "the sign-in was begun for something else", "the sign-in was begun for something else",
                       "github did not say that they signed in anew"]


def test_who_has_no_password_steps_up_by_the_account_they_sign_in_with(control, owner, linked, github):
    control.stop()
    with contextlib.closing(sqlite3.connect(control.data / "caip.db")) as db, db:
        before = db.execute("SELECT password FROM users").fetchall()
        db.execute("UPDATE users SET password = '' WHERE email = ?", (OWNER[0],))
        db.execute("UPDATE sessions SET stepped_up = stepped_up - 360000000")
    control.start()
    try:
        mine = SteppingUp(control, owner)
        body = {"kind": "env_value", "name": "BY_GITHUB", "value": "v"}
        problem(mine.api.post("/secrets", body), 403, "step_up_needed")
        assert mine.api.get("/session/step-up").json() == {"password": False, "passkey": False, "code": False, "app": False, "providers": [{"id": "github", "label": "GitHub"}]}
        answer = mine.step_up()
        assert answer.json() == {"valid_seconds": 300, "next": "/secrets"}, answer.text
        assert mine.api.post("/secrets", body).status_code == 201
        assert entries(owner, "session.step_up")[0]["entry"]["detail"] == {"factor": "provider", "provider": "github"}
    finally:
        control.stop()
        with contextlib.closing(sqlite3.connect(control.data / "caip.db")) as db, db:
            db.execute("UPDATE users SET password = ? WHERE email = ?", (before[0][0], OWNER[0]))
        control.start()


class Invited(Browser):
    """One browser with the link of an invitation."""

    def __init__(self, control, owner, email, role="member"):
        super().__init__(control)
        made = owner.post("/invitations", {"email": email, "role": role})
        assert made.status_code == 201, made.text
        self.link = made.json()["link"].partition("#token=")[2]

    def accept(self, **body):
        return self.post("/invitations/callbacks", self.leave(path="/invitations/attempts", token=self.link, **body))


def removed(owner, email):
    member = next(m for m in owner.data("/members") if m["email"] == email)
    assert owner.call("DELETE", f"/members/{member['id']}", headers={"If-Match": f'"{member["version"]}"'}).status_code == 200


def verified(address):
    return [{"email": address, "primary": True, "verified": True, "visibility": None}]


def test_s28_an_invitation_is_accepted_with_github_by_who_has_no_account(control, owner, github):
    github.id, github.login, github.emails = 4711, "newcomer", verified("Newcomer@example.org")
    invited, other = Invited(control, owner, "newcomer@example.org", "admin"), Browser(control)
    back = other.leave(path="/invitations/attempts", token=invited.link)
    theirs = github.code, github.asked
    answer = invited.accept()
    assert answer.status_code == 201, answer.text
    assert answer.json()["user"]["email"] == "newcomer@example.org" and answer.json()["role"] == "admin" and "access_token" not in answer.json()
    assert invited.api.get("/account/identities").json()["password"] is False
    accepted, entered = entries(owner, "invitation.accept")[0]["entry"], entries(owner, "session.sign_in_with")[0]["entry"]
    assert accepted["detail"]["new_account"] is True and accepted["detail"]["subject"] == "4711" and entered["detail"]["session"]
    assert accepted["actor"]["id"] == entered["actor"]["id"] == answer.json()["user"]["id"]
    github.code, github.asked = theirs
    problem(other.post("/invitations/callbacks", back), 410, "expired")  # begun in time, and too late
    problem(other.post("/invitations/attempts", {"provider": "github", "token": invited.link}), 410, "expired")
    github.emails = verified("renamed@example.org")
    assert Browser(control).sign_in().json()["user"]["email"] == "newcomer@example.org"
    for secret in (invited.link, github.token):
        assert secret not in str(entries(owner)) + control.log.read_text()


def test_s28_the_address_has_to_be_the_invited_one_and_verified_there(control, owner, github):
    github.id, members = 4712, len(owner.data("/members"))
    invited = Invited(control, owner, "wanted@example.org")
    for emails in (verified("other@example.org"), [], [{**verified("wanted@example.org")[0], "verified": False}], [{**verified("wanted@example.org")[0], "primary": False}]):
        github.emails = emails
        assert "does not confirm" in problem(invited.accept(), 403, "forbidden")["detail"]
        assert entries(owner, "invitation.accept")[0]["entry"]["result"] == "blocked"
    assert len(owner.data("/members")) == members
    github.denies = True
    assert "cancelled" in problem(invited.accept(), 403, "forbidden")["detail"]
    github.denies, github.emails = False, verified("wanted@example.org")
    assert invited.accept().status_code == 201


def test_s28_an_account_that_is_here_accepts_when_it_is_linked_and_not_by_its_address(control, owner, github):
    github.id = 4713
    member = control.member(owner, "viewer", "linked@example.org")
    removed(owner, "linked@example.org")
    github.emails = verified("linked@example.org")
    invited = Invited(control, owner, "linked@example.org")
    assert "has an account here" in problem(invited.accept(), 403, "forbidden")["detail"]
    assert invited.post("/invitations/accept", {"token": invited.link, "password": member.password}).status_code == 201
    again = control.sign_in("linked@example.org", member.password)
    assert Linking(control, again).link().status_code == 201
    removed(owner, "linked@example.org")
    invited = Invited(control, owner, "linked@example.org", "admin")
    assert invited.accept().json()["role"] == "admin"
    assert entries(owner, "invitation.accept")[0]["entry"]["detail"]["new_account"] is False


def test_s28_an_acceptance_is_this_browsers_and_nothing_else(control, owner, github):
    github.id, github.emails = 4714, verified("bound@example.org")
    invited, other = Invited(control, owner, "bound@example.org"), Browser(control)
    back = invited.leave(path="/invitations/attempts", token=invited.link)
    problem(other.post("/invitations/callbacks", back), 403, "forbidden")
    problem(invited.post("/sign-in/callbacks", back), 403, "forbidden")
    problem(other.post("/invitations/callbacks", other.leave()), 403, "forbidden")
    problem(other.post("/invitations/attempts", {"provider": "github", "token": "x" * 43}), 410, "expired")
    assert invited.accept().status_code == 201


@pytest.mark.parametrize("algorithm, auth", [("RS256", "client_secret_basic"), ("ES256", "client_secret_post"), ("EdDSA", "client_secret_basic")])
def test_openid_connect_in_a_browser(tmp_path, algorithm, auth):
    port = free_port()
    control = Control(tmp_path, arguments=configured(tmp_path, port, free_port())).start()
    provider = OpenId(control, port, algorithm, auth)
    try:
        control.set_up()
        chromium(control, "openid-link")
        provider.rotate()
        chromium(control, "openid")
        owner = control.sign_in()
        assert {e["entry"]["params"]["subject"] for e in entries(owner, "session.sign_in_with")} == {"mara", "mallory", ""}
        chromium(control, "openid-step-up")
        said = [(e["entry"]["result"], e["entry"]["detail"].get("reason")) for e in entries(owner, "session.step_up")]
        assert said == [("blocked", "the provider does not say that they signed in anew"), ("blocked", "not an account of theirs at acme"), ("completed", None)]
        invitation = Invited(control, owner, "nina@example.org").link
        chromium(control, "openid-invitation", INVITATION=invitation)
        nina, = (m for m in owner.data("/members") if m["email"] == "nina@example.org")
        assert {e["entry"]["params"]["subject"] for e in entries(owner, "session.sign_in_with")} >= {"nina"} and nina["role"] == "member"
    finally:
        provider.stop()
        control.stop()


def test_github_in_a_browser_links_signs_in_and_is_denied(tmp_path):
    port = free_port()
    control = Control(tmp_path, arguments=configured(tmp_path, free_port(), port)).start()
    stand_in = Github(port)
    try:
        control.set_up()
        chromium(control, "github")
        owner = control.sign_in()
        assert [e["entry"]["result"] for e in entries(owner, "identity.link")] == ["completed"]
        assert [e["entry"]["result"] for e in entries(owner, "session.sign_in_with")] == ["completed", "blocked"]
    finally:
        stand_in.stop()
        control.stop()
