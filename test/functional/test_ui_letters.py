"""The pages that letters lead to, in Chromium against a real caipd whose letters go through a real mail server. What is checked
there stands in ui/test/real-letters.mjs; here are the mailbox that it reads, and what the log says afterwards."""
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from receivers import MailServer
from support import OWNER, entries, wait_for
from test_letters import configured, letters, link
from test_ui import chromium

THIRD, MOVED, CHANNEL = "thirteen bold magpies call", "moved@example.org", "ops@example.org"


@pytest.fixture
def post(tmp_path):
    mail = MailServer(tmp_path / "mail").start()
    control = configured(tmp_path, mail).start()
    control.set_up()
    control.mail, control.seen = mail, 0
    yield control
    control.stop()
    mail.stop()


@pytest.fixture
def mailbox(post):
    """The link (for the channel, the code) of the newest of so many letters to somebody, over HTTP."""
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked = {name: words[0] for name, words in parse_qs(urlsplit(self.path).query).items()}
            try:
                message = wait_for(lambda: len(found := [m for m in letters(post, asked["to"], asked["subject"])
                                                         if asked.get("words", "") in m.get_payload(decode=True).decode()]) >= int(asked["count"]) and found[-1], 30)
                code = re.search(r"\b[0-9]{6}\b", message.get_payload(decode=True).decode())
                status, text = 200, code[0] if asked["to"] == CHANNEL else "#token=".join(link(message))
            except AssertionError:
                status, text = 404, str([(m["To"], m["Subject"]) for m in post.mail.letters()])
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_forgotten_password_this_was_not_me_and_another_address_by_the_letters_links(post, mailbox):
    server = {"host": "localhost", "port": post.mail.starttls, "user": post.mail.USER, "secret": post.mail.PASSWORD}
    chromium(post, "letters", LETTERS=mailbox, MAIL=json.dumps(server))
    owner = post.sign_in(MOVED, THIRD)
    done = {a: [e["entry"]["result"] for e in entries(owner, a) if e["entry"]["result"] == "completed"]
            for a in ("account.reset_password", "account.disown_sign_in", "account.change_email", "account.confirm_new_email")}
    assert {a: len(all_) for a, all_ in done.items()} == {"account.reset_password": 2, "account.disown_sign_in": 1, "account.change_email": 1, "account.confirm_new_email": 1}
    assert owner.get("/account").json()["email"] == MOVED != OWNER[0]
    assert post.verify()[0] == 0


def test_letters_that_were_given_up_stand_in_the_delivery_log(tmp_path):
    nobody = MailServer(tmp_path / "mail")  # is not started
    nobody.ca.write_text(nobody.authority.pem)
    control = configured(tmp_path, nobody).start()
    try:
        control.set_up()
        owner = control.sign_in()
        assert owner.post("/invitations", {"email": "new@example.org", "role": "viewer"}).json()["mailed"] is True
        wait_for(lambda: owner.data("/notifications/dead-letters"), 60, every=1)
        chromium(control, "dead-letters")
    finally:
        control.stop()
