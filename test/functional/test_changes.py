"""Whatever changes how an account is signed in to is told to its person: in the app and by a letter, with the change itself."""
import subprocess

import pytest

from receivers import MailServer
from support import BIN, OWNER, problem, wait_for
from test_factors import App
from test_letters import configured, letter, letters

CHANGED = "Your account was changed"


@pytest.fixture(scope="module")
def mail(tmp_path_factory):
    server = MailServer(tmp_path_factory.mktemp("mail")).start()
    yield server
    server.stop()


@pytest.fixture
def post(tmp_path, mail):
    control = configured(tmp_path, mail).start()
    control.set_up()
    control.mail, control.seen = mail, len(mail.letters())
    yield control
    control.stop()


def told(api):
    return [n["text"] for n in api.data("/notifications/inbox") if n["event"] == "account.credential_changed"]


def test_s14_each_change_of_a_way_in_is_told(post):
    owner = post.sign_in()

    def check(words, count):
        assert len(told(owner)) == count and words in told(owner)[0], told(owner)
        assert words in letter(post, OWNER[0], CHANGED, count).get_payload(decode=True).decode() or \
            wait_for(lambda: any(words in m.get_payload(decode=True).decode() for m in letters(post, OWNER[0], CHANGED)))

    app = App(owner.post("/account/factors/totp-offers", key=False).json()["secret"])
    assert owner.post("/account/factors/totp", {"code": app.code()}, key=False).status_code == 201
    check("an authenticator app was added", 1)
    assert owner.post("/account/factors/recovery-codes", key=False).status_code == 201
    check("new recovery codes", 2)
    factor = owner.get("/account/factors").json()["totp"]["id"]
    assert owner.call("DELETE", f"/account/factors/{factor}").status_code == 204
    check("an authenticator app was removed", 3)
    assert owner.call("PUT", "/account/password", {"password": "quite another password of theirs"}).status_code == 204
    check("the password was changed", 4)
    problem(owner.call("PUT", "/account/password", {"password": "short"}), 422)
    assert len(told(owner)) == 4, "what did not happen is not told"


def test_who_is_reset_by_others_hears_of_it_and_nobody_else_sees_it_in_the_app(post):
    owner = post.sign_in()
    post.member(owner, "member", "her@example.org")
    her = next(m for m in owner.data("/members") if m["email"] == "her@example.org")
    assert owner.call("DELETE", f"/members/{her['id']}/factors").status_code == 204
    assert "all second factors" in told(post.sign_in("her@example.org", "a long password for member"))[0]
    assert told(owner) == []
    assert "all second factors" in letter(post, "her@example.org", CHANGED).get_payload(decode=True).decode()


def test_a_reset_on_the_machine_is_told_too(post):
    post.sign_in()
    post.stop()
    done = subprocess.run([BIN / "caipd", "--data", post.data, *map(str, post.arguments), "--reset-factors", OWNER[0]], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    post.start()
    assert "on the machine" in letter(post, OWNER[0], CHANGED).get_payload(decode=True).decode()
    assert "on the machine" in told(post.sign_in())[0]
