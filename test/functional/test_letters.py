"""What is done by letter: a forgotten password, an address that is shown to be one's own, another address, an invitation.
A real mail server, real links, and caipd killed where it matters."""
import json
import re
import socket
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from receivers import NETWORK, Forward, MailServer
from support import OK, OWNER, Api, Control, Shell, entries, free_port, problem, wait_for
from test_factors import App
from timing import alike

NEW = "a new password, entirely another one"


@pytest.fixture(scope="module")
def mail(tmp_path_factory):
    server = MailServer(tmp_path_factory.mktemp("mail")).start()
    yield server
    server.stop()


def configured(folder, mail, more="", port=None):
    """caipd with a mail server that may be reached, and a schedule that a test can wait for."""
    secret = folder / "mail-password"
    secret.write_text(mail.PASSWORD + "\n")
    secret.chmod(0o600)
    file = folder / "caipd.toml"
    file.write_text(f'{more}{NETWORK.rstrip()}\nca_file = "{mail.ca}"\n[notifications]\nretry_seconds = [1]\n'
                    f'[mail]\nhost = "localhost"\nport = {port or mail.starttls}\nfrom = "panel@example.org"\nuser = "{mail.USER}"\npassword_file = "{secret}"\n')
    return Control(folder, arguments=["--config", str(file)])


@pytest.fixture
def post(tmp_path, mail):
    control = configured(tmp_path, mail).start()
    control.set_up()
    control.owner = control.sign_in()
    control.mail, control.seen = mail, len(mail.letters())
    yield control
    control.stop()


def letters(control, to, subject=None):
    """Those of this test, oldest first."""
    found = [m for m in control.mail.letters()[control.seen:] if m["To"] == f"<{to}>" and (subject is None or m["Subject"] == subject)]
    return sorted(found, key=lambda m: m["Date"])


def letter(control, to, subject, count=1):
    return wait_for(lambda: len(found := letters(control, to, subject)) >= count and found[-1], 30)


def link(message):
    url, _, token = re.search(r"https://\S+#token=\S+", message.get_payload(decode=True).decode())[0].partition("#token=")
    assert len(token) == 43
    return url, token


def ask_reset(control, email=OWNER[0], **more):
    return control.anonymous().post("/password-resets", {"email": email}, key=False, **more)


def reset_token(control, email=OWNER[0], count=1):
    assert ask_reset(control, email).status_code == 202
    return link(letter(control, email, "Choose a new password", count))[1]


def look(control, what, token):
    return control.anonymous().post(f"/{what}/look", {"token": token}, key=False)


def redeem(control, token, password=NEW):
    return control.anonymous().post("/password-resets/redeem", {"token": token, "password": password}, key=False)


def test_without_a_mail_server_everything_else_works_and_it_is_said(fresh):
    fresh.set_up()
    owner = fresh.sign_in()
    assert fresh.anonymous().get("/sign-in/methods").json()["password_reset"] is False
    assert owner.get("/account").json() == {"email": OWNER[0], "email_verified_at": None, "wanted_email": None, "mail": False}
    for answer in (ask_reset(fresh), owner.post("/account/verification", key=False), owner.call("PUT", "/account/email", {"email": "other@example.org"})):
        assert "[mail]" in problem(answer, 503, "unavailable")["detail"]
    assert owner.post("/invitations", {"email": "new@example.org", "role": "viewer"}).json()["mailed"] is False
    with sqlite3.connect(fresh.data / "caip.db") as db:
        assert db.execute("SELECT count(*) FROM letters").fetchone() == (0,)


def test_s13_a_reset_link_is_single_use_changes_nothing_by_a_get_and_ends_all_sessions(post):
    other = post.sign_in()
    assert ask_reset(post, headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"}).status_code == 202
    message = letter(post, OWNER[0], "Choose a new password")
    url, token = link(message)
    assert url == f"https://localhost:{post.port}/reset", "the address comes from the configuration alone"
    for path in (f"/reset?token={token}", f"/api/v1/password-resets/redeem?token={token}", f"/api/v1/password-resets?token={token}"):
        post.anonymous().http.get(post.url + path)
    for _ in range(3):
        assert look(post, "password-resets", token).json() == {"email": OWNER[0], "second_factor": False}
    assert post.owner.get("/session").status_code == 200
    problem(redeem(post, token, "short"), 422)
    assert redeem(post, token).status_code == 204
    for api in (post.owner, other):
        problem(api.get("/session"), 401)
    problem(post.anonymous().post("/sessions", {"email": OWNER[0], "password": OWNER[1]}), 401, "bad_credentials")
    owner = post.sign_in(password=NEW)
    problem(redeem(post, token), 410, "expired")
    problem(look(post, "password-resets", token), 410, "expired")
    assert owner.get("/account").json()["email_verified_at"]
    assert owner.data("/notifications/inbox")[0]["event"] == "account.credential_changed"
    assert "password was reset" in letter(post, OWNER[0], "Your account was changed").get_payload(decode=True).decode()
    log = [(e["entry"]["action"], e["entry"]["result"]) for e in entries(owner)]
    for step in (("account.request_reset", "completed"), ("mail.send", "completed"), ("mail.record", "completed"), ("account.reset_password", "completed")):
        assert step in log
    assert post.verify()[0] == 0


def test_of_two_at_once_one_resets(post):
    second = reset_token(post)
    # One person's passwords are hashed one at a time: who is told so comes again.
    once = lambda n: wait_for(lambda: (a := redeem(post, second, f"{NEW} {n}")).status_code != 429 and a.status_code)  # noqa: E731
    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(once, range(4))) == [204, 410, 410, 410]


def test_a_link_stands_nowhere_but_in_the_letter(post):
    token = reset_token(post)
    wait_for(lambda: entries(post.owner, "mail.record"))
    post.stop()
    for file in (*post.data.glob("caip.db*"), post.log):
        assert token.encode() not in file.read_bytes(), file
        assert post.mail.PASSWORD.encode() not in file.read_bytes(), file


def test_s15_known_and_unknown_accounts_get_one_answer_in_the_same_time(tmp_path, mail):
    """Each account is asked for once, so that each known one has a letter written; timing.py says how it is judged."""
    post, most = configured(tmp_path, mail, 'trusted_proxies = ["127.0.0.1"]\n').start(), 120  # each request has a network of its own
    post.set_up()
    post.stop()
    with sqlite3.connect(post.data / "caip.db") as db:  # accounts without the bcrypt that each would take
        (org,) = db.execute("SELECT id FROM orgs").fetchone()
        people = [("usr_" + f"{n:026d}", f"known{n}@example.org") for n in range(most)]
        db.executemany("INSERT INTO users (id, email, password, epoch, created) VALUES (?, ?, 'x', 1, 1)", people)
        db.executemany("INSERT INTO memberships (org, user, role, version, created, used) VALUES (?, ?, 'viewer', 1, 1, 1)", [(org, user) for user, _ in people])
    post.start()
    api, answers = post.anonymous(), set()

    def pair(n):
        took = {}
        for who in ("known", "nobody")[:: 1 if n % 2 else -1]:
            answer = api.post("/password-resets", {"email": f"{who}{n}@example.org"}, key=False, headers={"X-Forwarded-For": f"20.{n}.{len(took)}.1"})
            took[who] = answer.elapsed.total_seconds()
            answers.add((answer.status_code, answer.text))
        return took["known"], took["nobody"]
    try:
        alike(pair, 60, most)
    finally:
        post.stop()  # no more letters of it
    post.start()
    assert answers == {(202, '{"queued":true}')}
    owner = post.sign_in()
    mine = [e["entry"] for e in entries(owner, "account.request_reset") if e["entry"]["actor"]["id"]]
    assert len(mine) >= 60 and all(e["detail"]["letter"] for e in mine)
    assert all("known" in e["params"]["email"] for e in mine)
    post.stop()


def test_many_requests_write_few_letters_and_say_the_same(post):
    for _ in range(8):
        assert ask_reset(post).status_code == 202
    letter(post, OWNER[0], "Choose a new password")
    mine = [e["entry"]["detail"]["letter"] for e in entries(post.owner, "account.request_reset")]
    assert mine.count(True) == 1 and len(mine) == 8
    problem([ask_reset(post) for _ in range(70)][-1], 429, "too_many")


def test_a_second_factor_is_owed_after_a_reset_as_before(post):
    app = App(post.owner.post("/account/factors/totp-offers").json()["secret"])
    assert post.owner.post("/account/factors/totp", {"code": app.code()}).status_code == 201
    token = reset_token(post)
    assert look(post, "password-resets", token).json()["second_factor"] is True
    assert redeem(post, token, "zq7-otter-kiwi").status_code == 204  # 14 characters do with a second factor
    answer = post.anonymous().post("/sessions", {"email": OWNER[0], "password": "zq7-otter-kiwi", "client": "cli"})
    assert answer.status_code == 202 and answer.json()["second_factor"] is True
    second = {"code": app.code(), "pending_token": answer.json()["pending_token"]}
    assert post.anonymous().post("/sessions/second-factor", second, key=False).status_code == 201


def test_whoever_belongs_to_several_organisations_hears_of_it_in_each(post):
    assert post.owner.post("/organizations", {"name": "Second"}).status_code == 201
    assert redeem(post, reset_token(post)).status_code == 204
    owner = post.sign_in(password=NEW)
    for org in owner.data("/organizations"):
        switched = owner.post("/session/organization", {"organization_id": org["id"]}, key=False).json()
        owner = type(owner)(post, switched["access_token"], NEW)
        assert "account.credential_changed" in [n["event"] for n in owner.data("/notifications/inbox")], org["name"]


def test_killed_between_claim_and_send_the_letter_comes_with_a_link_that_works(tmp_path, mail):
    port = free_port()
    with socket.create_server(("127.0.0.1", port)) as hole:  # takes the connection and says nothing
        control = configured(tmp_path, mail, port=port).start()
        try:
            control.set_up()
            control.mail, control.seen = mail, len(mail.letters())
            assert ask_reset(control).status_code == 202
            connection, _ = hole.accept()
            with sqlite3.connect(control.data / "caip.db") as db:
                assert db.execute("SELECT tries, state FROM letters").fetchall() == [(1, "queued")]
                before = db.execute("SELECT hash FROM links").fetchall()
            control.kill()
            connection.close()
        except BaseException:
            control.stop()
            raise
    up = Forward(port, mail.starttls)
    try:
        control.start()
        token = link(letter(control, OWNER[0], "Choose a new password"))[1]
        with sqlite3.connect(control.data / "caip.db") as db:
            after = db.execute("SELECT hash FROM links").fetchall()
        assert len(before) == len(after) == 1 and before != after, "the one that was lost with the process works no more"
        assert redeem(control, token).status_code == 204
        assert control.sign_in(password=NEW)
        assert control.verify()[0] == 0
    finally:
        control.stop()
        up.stop()


def test_an_address_is_confirmed_by_its_link(post):
    assert post.owner.get("/account").json()["email_verified_at"] is None
    assert post.owner.post("/account/verification", key=False).status_code == 202
    url, token = link(letter(post, OWNER[0], "Confirm your e-mail address"))
    assert url.endswith("/confirm-email")
    assert look(post, "email-confirmations", token).json() == {"email": OWNER[0], "change": False, "new_password": False}
    assert post.owner.get("/account").json()["email_verified_at"] is None
    confirm = lambda: post.anonymous().post("/email-confirmations", {"token": token}, key=False)  # noqa: E731
    assert confirm().json() == {"email": OWNER[0], "change": False, "new_password": False}
    assert post.owner.get("/account").json()["email_verified_at"]
    problem(confirm(), 410, "expired")
    post.owner.post("/account/verification", key=False)
    post.owner.post("/account/verification", key=False)
    problem(post.owner.post("/account/verification", key=False), 429)


def test_whoever_made_an_account_and_has_its_person_confirm_the_address_keeps_no_way_in(post):
    """The maker knows the first password and signs in; the victim clicks the confirmation; nothing of the maker's is left."""
    maker = post.member(post.owner, "member", "vera@example.org")
    token = maker.post("/tokens", {"name": "kept", "days": 1, "scopes": ["server.view"]}).json()["token"]
    assert maker.post("/account/verification", key=False).status_code == 202
    confirmation = link(letter(post, "vera@example.org", "Confirm your e-mail address"))[1]
    said = {"email": "vera@example.org", "change": False, "new_password": True}
    assert look(post, "email-confirmations", confirmation).json() == said
    assert post.anonymous().post("/email-confirmations", {"token": confirmation}, key=False).json() == said
    problem(maker.get("/session"), 401)
    problem(Api(post, token).get("/servers"), 401)
    problem(post.anonymous().post("/sessions", {"email": "vera@example.org", "password": "a long password for member"}), 401, "bad_credentials")
    assert entries(post.owner, "account.confirm_email")[0]["entry"]["detail"] == {"emptied": True}
    own = link(letter(post, "vera@example.org", "Choose a new password"))[1]
    assert redeem(post, own).status_code == 204
    assert post.sign_in("vera@example.org", NEW).get("/account").json()["email_verified_at"]


def test_another_address_asks_for_a_step_up_and_counts_once_it_is_confirmed(post):
    post.stale()
    owner = post.sign_in()
    post.stale()
    change = lambda email: owner.http.put("/account/email", json={"email": email})  # noqa: E731
    problem(change("new@example.org"), 403, "step_up_needed")
    owner.step_up()
    assert change("new@example.org").status_code == 202
    assert "new@example.org" in letter(post, OWNER[0], "Your account was changed").get_payload(decode=True).decode(), "word to the old address"
    assert owner.get("/account").json()["wanted_email"] == "new@example.org"
    assert post.sign_in(), "the old address signs in until then"
    token = link(letter(post, "new@example.org", "Confirm your e-mail address"))[1]
    assert look(post, "email-confirmations", token).json() == {"email": "new@example.org", "change": True, "new_password": False}
    problem(post.anonymous().post("/email-confirmations", {"token": token}, key=False), 401, "unauthenticated")
    other = post.member(owner, "viewer", "other@example.org")
    problem(other.post("/account/email-confirmations", {"token": token}, key=False), 403, "forbidden")
    assert owner.get("/account").json()["email"] == OWNER[0], "whoever reads the mail there, or is somebody else, gives the account nothing"
    assert owner.post("/account/email-confirmations", {"token": token}, key=False).json() == {"email": "new@example.org", "change": True, "new_password": False}
    problem(owner.post("/account/email-confirmations", {"token": token}, key=False), 410, "expired")
    problem(post.anonymous().post("/sessions", {"email": OWNER[0], "password": OWNER[1]}), 401)
    mine = post.sign_in("new@example.org", OWNER[1])
    assert "account.credential_changed" in [n["event"] for n in mine.data("/notifications/inbox")]
    assert "New passwords are sent there, not here" in letter(post, OWNER[0], "Your account was changed", 2).get_payload(decode=True).decode()
    letter(post, "new@example.org", "Your account was changed")


def test_an_address_that_was_taken_meanwhile_is_refused_without_a_word_of_whose_it_is(post):
    change = lambda email: post.owner.call("PUT", "/account/email", {"email": email})  # noqa: E731
    assert change("wanted@example.org").status_code == 202
    token = link(letter(post, "wanted@example.org", "Confirm your e-mail address"))[1]
    post.member(post.owner, "viewer", "wanted@example.org")
    refused = problem(post.owner.post("/account/email-confirmations", {"token": token}, key=False), 409, "conflict")
    assert "wanted" not in json.dumps(refused) and "account" not in refused["detail"].lower().replace("under account", "")
    assert change("wanted@example.org").status_code == 202, "asked for when it is taken: the same answer"
    told = letter(post, "wanted@example.org", "Confirm your e-mail address", 2).get_payload(decode=True).decode()
    assert "#token=" not in told and "Nothing was changed" in told
    assert post.owner.get("/account").json()["email"] == OWNER[0]


def test_a_newer_wish_and_a_reset_end_the_link_to_another_address(post):
    change = lambda email: post.owner.call("PUT", "/account/email", {"email": email})  # noqa: E731
    confirm = lambda token, by=post.owner: by.post("/account/email-confirmations", {"token": token}, key=False)  # noqa: E731
    change("first@example.org")
    first = link(letter(post, "first@example.org", "Confirm your e-mail address"))[1]
    change("second@example.org")
    second = link(letter(post, "second@example.org", "Confirm your e-mail address"))[1]
    problem(confirm(first), 410)
    assert redeem(post, reset_token(post)).status_code == 204
    problem(confirm(second, post.sign_in(password=NEW)), 410)


def test_an_invitation_comes_by_mail_and_accepting_it_shows_the_address(post):
    invite = lambda email: post.owner.post("/invitations", {"email": email, "role": "member"}).json()  # noqa: E731
    accept = lambda email, token: post.anonymous().post("/invitations/accept", {"token": token, "password": f"a long password for {email}"}, key=False)  # noqa: E731
    made = invite("mailed@example.org")
    assert made["mailed"] is True
    url, token = link(letter(post, "mailed@example.org", "You are invited"))
    assert url.endswith("/invitation") and made["link"] is None, "the letter alone has it"
    assert accept("mailed@example.org", token).status_code == 201
    assert post.sign_in("mailed@example.org", "a long password for mailed@example.org").get("/account").json()["email_verified_at"]
    again = invite("again@example.org")
    old = link(letter(post, "again@example.org", "You are invited"))[1]
    resent = post.owner.post(f"/invitations/{again['id']}/resend").json()
    assert resent["mailed"] is True and resent["link"] is None
    fresh = link(letter(post, "again@example.org", "You are invited", 2))[1]
    problem(look(post, "invitations", old), 410)
    assert look(post, "invitations", fresh).status_code == 200


def test_a_letter_that_nobody_needs_any_more_is_not_sent(tmp_path, mail):
    port, up = free_port(), None  # nobody there at first
    control = configured(tmp_path, mail, port=port).start()
    control.mail, control.seen = mail, len(mail.letters())
    try:
        control.set_up()
        owner = control.sign_in()
        made = owner.post("/invitations", {"email": "gone@example.org", "role": "member"}).json()
        wait_for(lambda: [e for e in entries(owner, "mail.record")])
        assert owner.call("DELETE", f"/invitations/{made['id']}").status_code == 204
        up = Forward(port, mail.starttls)
        wait_for(lambda: [e for e in entries(owner, "mail.record") if e["entry"]["params"]["state"] == "dropped"], 30)
        assert not letters(control, "gone@example.org")
    finally:
        control.stop()
        if up:
            up.stop()


def test_the_same_with_caip(post, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    shell = Shell(home).login(post)

    def fine(*words, stdin=""):
        done = shell.caip(*words, stdin=stdin)
        assert done.returncode == OK, done.stdout + done.stderr
        return done.stdout

    assert "not confirmed" in fine("account", "show")
    fine("account", "verify-email")
    url, token = link(letter(post, OWNER[0], "Confirm your e-mail address"))
    assert json.loads(fine("account", "confirm-email", "--link-stdin", "--json", stdin=f"{url}#token={token}\n"))["email"] == OWNER[0]
    assert json.loads(fine("account", "show", "--json"))["email_verified_at"]
    fine("account", "forgot-password", "--email", OWNER[0])
    url, token = link(letter(post, OWNER[0], "Choose a new password"))
    fine("account", "reset-password", "--link-stdin", stdin=f"{url}#token={token}\n{NEW}\n")
    assert shell.caip("account", "show").returncode != OK, "all sessions ended"
    shell.login(post, password=NEW)
    fine("account", "change-email", "third@example.org")
    url, token = link(letter(post, "third@example.org", "Confirm your e-mail address"))
    fine("account", "confirm-email", "--link-stdin", stdin=token + "\n")
    assert "third@example.org" in fine("account", "show")


def test_caip_lists_the_letters_that_were_given_up_and_never_their_links(tmp_path):
    nobody = MailServer(tmp_path / "mail")  # is not started
    nobody.ca.write_text(nobody.authority.pem)
    control = configured(tmp_path, nobody).start()
    try:
        control.set_up()
        shell = Shell(tmp_path / "home").login(control)
        none = shell.caip("notification", "letters")
        assert none.returncode == OK and "Every letter was sent" in none.stderr, none
        assert control.sign_in().post("/invitations", {"email": "new@example.org", "role": "viewer"}).json()["mailed"] is True
        dead = wait_for(lambda: len(d := json.loads(shell.caip("notification", "letters", "--json").stdout)["data"]) == 2 and d, 60, every=1)
        assert {(d["kind"], d["address"]) for d in dead} == {("invitation", "new@example.org"), ("new_sign_in", OWNER[0])}, dead
        table = shell.caip("notification", "letters")
        assert table.returncode == OK and "new@example.org" in table.stdout
        assert "token=" not in table.stdout + str(dead) and "https://" not in table.stdout + str(dead)
    finally:
        control.stop()
