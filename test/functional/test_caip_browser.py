"""`caip login --browser`: who signs in by a passkey or another service does so in a browser, which then lets the program in.
With Chromium, the real caipd and the real caip; and what somebody else's code, verifier or session gets."""
import base64
import hashlib
import json
import re
import secrets
import socket
import subprocess
import threading

import httpx
import pytest

from support import BIN, EVERYONE_FOUNDS, NOT_FOUND, OK, Control, Shell, entries, free_port, problem, wait_for
from test_sign_in import OpenId, configured
from test_ui import chromium


class Waiting:
    """A caip that waits for its browser: to be signed in, unless it was asked for something else."""

    def __init__(self, control, shell, *more, words=()):
        self.said = []
        words = words or ("login", "--browser", "--url", control.url, "--ca", control.data.parent / "ca.pem")
        self.process = subprocess.Popen(
            [BIN / "caip", *map(str, (*words, *more))],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=shell.environment)
        self.reader = threading.Thread(target=lambda: self.said.extend(self.process.stderr), daemon=True)
        self.reader.start()
        self.page = wait_for(lambda: re.search(r"https://\S+/command-line#\S+", "".join(self.said)))[0]
        self.port = int(re.search(r"port=(\d+)", self.page)[1])

    def end(self):
        self.process.wait(20)
        self.reader.join(20)
        return self.process.returncode, self.process.stdout.read(), "".join(self.said)


@pytest.fixture
def shell(tmp_path):
    return Shell(tmp_path)


def test_the_browser_lets_the_command_line_in(control, owner, shell):
    caip = Waiting(control, shell)
    chromium(control, "command-line", PAGE=caip.page)
    code, out, err = caip.end()
    assert code == OK and "Signed in as owner@example.org, owner of Example" in out, (out, err)
    assert shell.caip("whoami").returncode == OK
    let_in, came = entries(owner, "session.hand_over")[0]["entry"], entries(owner, "session.sign_in_by_session")[0]["entry"]
    assert came["params"]["session"] == let_in["params"]["session"] == came["detail"]["by"], (let_in, came)
    assert came["detail"]["session"] != came["detail"]["by"]
    with pytest.raises(httpx.ConnectError):  # the door of the program is shut again
        httpx.get(f"http://127.0.0.1:{caip.port}/", trust_env=False)


def test_a_passkey_alone_lets_the_command_line_in_and_it_looks_after_that_passkey(fresh, shell):
    fresh.set_up()
    caip = Waiting(fresh, shell)
    chromium(fresh, "command-line-passkey", PAGE=caip.page)
    code, out, err = caip.end()
    assert code == OK and "Signed in as owner@example.org" in out, (out, err)
    held = lambda: {k["id"]: k["name"] for k in said(shell, "factor", "list")["passkeys"]}  # noqa: E731
    (passkey, name), = held().items()
    assert name == "laptop"
    assert said(shell, "factor", "rename", passkey, "blue key") == {"renamed": passkey, "name": "blue key"} and held() == {passkey: "blue key"}
    assert shell.caip("factor", "rename", "fac_" + "0" * 26, "x").returncode == NOT_FOUND


def test_a_provider_lets_the_command_line_in_and_it_unlinks_the_account_there(tmp_path, shell):
    """To the provider and back, the page still knows which program waits."""
    port = free_port()
    control = Control(tmp_path / "control", arguments=configured(tmp_path, port, free_port()))
    control.start()
    provider = OpenId(control, port, "ES256", "client_secret_basic")
    try:
        control.set_up()
        chromium(control, "openid-link")
        caip = Waiting(control, shell)
        chromium(control, "command-line-openid", PAGE=caip.page)
        code, out, err = caip.end()
        assert code == OK and "Signed in as owner@example.org" in out, (out, err)
        assert [e["entry"]["params"]["subject"] for e in entries(control.sign_in(), "session.sign_in_with")] == ["mara"]
        linked, = said(shell, "identity", "list")["identities"]
        assert linked["provider"] == "acme"
        assert said(shell, "identity", "unlink", linked["id"]) == {"unlinked": linked["id"]}
        assert said(shell, "identity", "list")["identities"] == []
        assert shell.caip("identity", "unlink", linked["id"]).returncode == NOT_FOUND
    finally:
        provider.stop()
        control.stop()


def said(shell, *words):
    done = shell.caip(*words, "--json")
    assert done.returncode == OK, done
    return json.loads(done.stdout)


def test_a_passkey_is_added_from_the_command_line_which_goes_on_in_a_session_of_its_own(fresh, shell):
    """The new passkey ends the other sessions, the program's too: the browser lets it in again."""
    fresh.set_up()
    shell.login(fresh)
    before = {s["id"] for s in said(shell, "session", "list")["data"]}
    caip = Waiting(fresh, shell, words=("factor", "add-passkey"))
    chromium(fresh, "command-line-add-passkey", PAGE=caip.page)
    code, out, err = caip.end()
    passkey, = said(shell, "factor", "list")["passkeys"]
    assert code == OK and out == f"Added the passkey laptop, {passkey['id']}. Your other sessions have ended.\n", (out, err)
    now = {s["id"] for s in said(shell, "session", "list")["data"]}
    assert len(now) == 2 and not now & before, (before, now)  # the browser's and the program's new one


def test_an_account_at_another_service_is_linked_from_the_command_line(tmp_path, shell):
    port = free_port()
    control = Control(tmp_path / "control", arguments=configured(tmp_path, port, free_port()))
    control.start()
    provider = OpenId(control, port, "ES256", "client_secret_basic")
    try:
        control.set_up()
        shell.login(control)
        caip = Waiting(control, shell, "--json", words=("identity", "link"))
        chromium(control, "command-line-link", PAGE=caip.page)
        code, out, err = caip.end()
        linked, = said(shell, "identity", "list")["identities"]
        assert code == OK and json.loads(out) == {"linked": linked} and linked["provider"] == "acme", (out, err)
        here = [s for s in said(shell, "session", "list")["data"] if s["device"].startswith("caip")]
        assert len(here) == 1, here  # the one it had is ended, not left behind
    finally:
        provider.stop()
        control.stop()


def test_adding_in_the_browser_of_somebody_else_is_said_and_one_that_is_denied_changes_nothing(fresh, shell):
    fresh.set_up()
    shell.login(fresh)
    fresh.member(fresh.sign_in(), "viewer", "other@example.org")
    caip = Waiting(fresh, shell, words=("factor", "add-passkey"))
    chromium(fresh, "command-line-denied", PAGE=caip.page)
    code, out, err = caip.end()
    assert code == 4 and "denied in the browser" in err and not out, (code, out, err)
    assert said(shell, "whoami")["user"]["email"] == "owner@example.org"
    caip = Waiting(fresh, shell, words=("factor", "add-passkey"))
    chromium(fresh, "command-line-add-passkey", PAGE=caip.page, CAIP_EMAIL="other@example.org", CAIP_PASSWORD="a long password for viewer")
    code, out, err = caip.end()
    assert code == 5 and "signed in as other@example.org" in err and not out, (code, out, err)
    assert said(shell, "whoami")["user"]["email"] == "owner@example.org" and said(shell, "factor", "list")["passkeys"] == []
    (came,) = [e["entry"] for e in entries(fresh.sign_in(), "session.sign_in_by_session")]
    assert entries(fresh.sign_in(), "session.sign_out")[0]["entry"]["params"]["session"] == came["detail"]["session"]  # theirs is not left open


def test_adding_needs_somebody_who_is_signed_in_before_any_page_is_shown(control, owner, shell, tmp_path):
    for words in (("factor", "add-passkey"), ("identity", "link")):
        done = shell.caip(*words)
        assert done.returncode != OK and "command-line#" not in done.stderr, done
    token = owner.post("/tokens", {"name": "ci", "scopes": ["server.view"], "days": 1}).json()["token"]
    file = tmp_path / "token"
    file.write_text(token)
    assert shell.caip("login", "--url", control.url, "--ca", control.data.parent / "ca.pem", "--token-file", file).returncode == OK
    for words in (("factor", "add-passkey"), ("identity", "link")):
        done = shell.caip(*words)
        assert done.returncode == 4 and "command-line#" not in done.stderr, done


def test_denied_in_the_browser_nobody_comes_in(control, owner, shell):
    before = len(entries(owner, "session.hand_over"))
    caip = Waiting(control, shell)
    chromium(control, "command-line-denied", PAGE=caip.page)
    code, out, err = caip.end()
    assert code == 4 and "denied in the browser" in err and not out, (code, out, err)
    assert len(entries(owner, "session.hand_over")) == before
    assert shell.caip("whoami").returncode != OK


def test_only_the_browser_it_waits_for_is_heard(control, shell):
    """Whoever else is on this computer knows the port, and neither the state nor a code."""
    caip = Waiting(control, shell)
    knock = f"http://127.0.0.1:{caip.port}"
    for path in ("/", "/callback", "/callback?code=abc", "/callback?code=abc&state=wrong", "/callback?error=access_denied&state=", "/favicon.ico"):
        assert httpx.get(knock + path, trust_env=False).status_code == 404, path
    with httpx.Client(trust_env=False) as client:
        assert client.post(knock + "/callback", content="x").status_code == 400
    long = httpx.get(knock + "/callback?code=" + "a" * 7000, trust_env=False)
    assert long.status_code == 404
    assert httpx.get(knock + "/callback?code=" + "a" * 20000, trust_env=False).status_code == 400
    # Who connects and says nothing keeps nobody out, however many of them there are.
    silent = [socket.create_connection(("127.0.0.1", caip.port)) for _ in range(40)]
    wait_for(lambda: answers(knock), 30)
    for connection in silent:
        connection.close()
    assert caip.process.poll() is None
    caip.process.terminate()
    caip.process.wait(10)


def answers(knock):
    try:
        return httpx.get(knock + "/", trust_env=False, timeout=2).status_code == 404
    except httpx.HTTPError:
        return False


def test_a_port_that_is_named_works_twice_in_a_row_and_a_taken_one_is_said(control, shell):
    port = free_port()
    for _ in range(2):
        caip = Waiting(control, shell, "--callback-port", port)
        assert caip.port == port and httpx.get(f"http://127.0.0.1:{port}/", trust_env=False).status_code == 404
        caip.process.terminate()
        caip.process.wait(10)
    with socket.create_server(("127.0.0.1", port)):
        done = shell.caip("login", "--browser", "--url", control.url, "--ca", control.data.parent / "ca.pem", "--callback-port", port)
        assert done.returncode == 1 and f"port {port} on 127.0.0.1" in done.stderr, done


def challenge():
    verifier = secrets.token_urlsafe(32)
    return verifier, base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def test_a_code_is_worth_nothing_without_its_verifier_and_works_once(control, owner):
    nobody = control.anonymous()
    verifier, of_it = challenge()
    stolen = owner.post("/session/hand-overs", {"challenge": of_it}, key=False).json()["code"]
    problem(nobody.post("/sessions/handed-over", {"code": stolen, "verifier": challenge()[0]}, key=False), 401, "bad_credentials")
    problem(nobody.post("/sessions/handed-over", {"code": stolen, "verifier": verifier}, key=False), 401, "bad_credentials")  # used up by the thief
    blocked = [e["entry"] for e in entries(owner, "session.sign_in_by_session") if e["entry"]["result"] == "blocked"]
    assert len(blocked) >= 2 and stolen not in str(blocked)
    code = owner.post("/session/hand-overs", {"challenge": of_it}, key=False).json()["code"]
    done = nobody.post("/sessions/handed-over", {"code": code, "verifier": verifier}, key=False)
    assert done.status_code == 201 and done.json()["user"]["email"] == "owner@example.org"
    problem(nobody.post("/sessions/handed-over", {"code": code, "verifier": verifier}, key=False), 401, "bad_credentials")
    for bad in ("", "a" * 42, of_it + "=", of_it[:-1] + "+"):
        problem(owner.post("/session/hand-overs", {"challenge": bad}, key=False), 422)


def test_a_stale_session_lets_nobody_in_before_its_person_proves_who_they_are(control, owner):
    control.stale()
    _, of_it = challenge()
    answer = owner.http.post("/session/hand-overs", json={"challenge": of_it})
    problem(answer, 403, "step_up_needed")


def test_login_says_what_goes_together(shell):
    for words in (["--callback-port", "9000"], ["--browser", "--token-file", "x"], ["--browser", "--callback-port", "80"]):
        done = shell.caip("login", *words)
        assert done.returncode == 2 and done.stderr, (words, done)
    assert "--browser" in shell.caip("login", "--help").stdout


def test_an_invitation_is_accepted_with_its_link_and_tokens_go_to_their_own_server_alone(control, owner, tmp_path, shell):
    """By somebody new with a password of theirs; by somebody who has an account as the person who is signed in here."""
    made = owner.post("/invitations", {"email": "new@example.org", "role": "viewer", "days": 1}).json()
    at = ("--url", control.url, "--ca", control.data.parent / "ca.pem")
    done = shell.caip("invitation", "accept", "--link-stdin", *at, stdin=made["link"] + "\na long password of the new one\n")
    assert done.returncode == OK and "You are a member of Example" in done.stdout and "as viewer" in done.stderr, done
    again = shell.caip("invitation", "accept", "--link-stdin", *at, stdin=made["link"] + "\na long password of the new one\n")
    assert again.returncode == 7 and again.stderr, again

    (tmp_path / "other").mkdir()
    other = Control(tmp_path / "other", settings=EVERYONE_FOUNDS).start()
    try:
        other.set_up()
        theirs = other.sign_in()
        other.member(theirs, "viewer", "friend@example.org")
        second = theirs.post("/organizations", {"name": "Second"})
        assert second.status_code == 201, second.text
        assert theirs.http.post("/session/organization", json={"organization_id": second.json()["id"]}).status_code == 200
        invited = other.sign_in().post("/invitations", {"email": "friend@example.org", "role": "member", "days": 1})
        assert invited.status_code == 201, invited.text
        accept = ("invitation", "accept", "--link-stdin", "--url", other.url, "--ca", other.data.parent / "ca.pem")
        # Signed in at one server: the other one is not shown that session, and it goes on.
        shell.login(control, "new@example.org", "a long password of the new one")
        refused = shell.caip(*accept, stdin=invited.json()["link"] + "\n")
        assert refused.returncode == 4 and "sign in as friend@example.org" in refused.stderr, refused
        assert shell.caip("whoami").returncode == OK
        shell.login(other, "friend@example.org", "a long password for viewer")
        joined = shell.caip(*accept, stdin=invited.json()["link"] + "\n")
        assert joined.returncode == OK and "act in it now" in joined.stdout, joined
        who = shell.caip("whoami")
        assert who.returncode == OK and "member of Second" in who.stdout, who
    finally:
        other.stop()
