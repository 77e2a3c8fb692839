"""A sign-in on a device or at a place that a person has not been at before: told at once, in the app and by letter, through
every door; and "this was not me". Addresses come by X-Forwarded-For from a proxy that the configuration names."""
import ipaddress
import json
import shutil
import sqlite3
import subprocess
import time

import pytest

from receivers import MailServer
from support import BIN, OK, OWNER, Api, Shell, entries, problem, wait_for
from test_letters import NEW, configured, letter, letters, link, look, redeem

HOME, AWAY = "193.0.6.139", "8.8.8.8"  # in the Netherlands and in the United States, as the shipped database has them


@pytest.fixture(scope="module")
def mail(tmp_path_factory):
    server = MailServer(tmp_path_factory.mktemp("mail")).start()
    yield server
    server.stop()


@pytest.fixture
def post(tmp_path, mail):
    control = configured(tmp_path, mail, more='trusted_proxies = ["127.0.0.1"]\n').start()
    control.set_up()
    control.mail, control.seen = mail, len(mail.letters())
    yield control
    control.stop()


def sign_in(control, address=HOME, device=None, password=OWNER[1], email=OWNER[0], agent="Firefox/130 Linux"):
    body = {"email": email, "password": password, "client": "cli"} | ({"device_token": device} if device else {})
    answer = control.anonymous().post("/sessions", body, key=False, headers={"X-Forwarded-For": address, "User-Agent": agent})
    assert answer.status_code == 201, answer.text
    api = Api(control, answer.json()["access_token"], password)
    api.device = answer.json()["device_token"]
    return api


def notices(api):
    return [n["text"] for n in api.data("/notifications/inbox") if n["event"] == "account.new_sign_in"]


def queued(control):
    with sqlite3.connect(control.data / "caip.db") as db:
        return [row[0] for row in db.execute("SELECT subject FROM letters WHERE kind = 'new_sign_in' ORDER BY created")]


def test_s14_an_unknown_device_or_place_is_told_at_once_and_a_known_one_is_not(post):
    first = sign_in(post)
    assert notices(first) == [] and queued(post) == []
    assert notices(sign_in(post, device=first.device)) == []
    other = sign_in(post)  # no token: another device
    assert len(notices(other)) == 1 and "Firefox on Linux" in notices(other)[0] and HOME in notices(other)[0]
    away = sign_in(post, AWAY, first.device)
    assert len(notices(away)) == 2 and "(US, 8.8.0.0/16)" in notices(away)[0]
    assert notices(sign_in(post, "8.8.77.1", first.device)) == notices(away), "the same network is the same place"
    assert len(notices(sign_in(post, device=first.device, agent="Chrome/130 Windows"))) == 3, "the token of another program's cookies"
    newest = entries(away, "session.sign_in")[0]["entry"]["detail"]
    assert newest["new_device"] is True and newest["place"] == "NL, 193.0.0.0/16"


def test_the_letter_is_queued_in_two_seconds_and_arrives(post):
    """Queued in the transaction of the sign-in: it is there when the sign-in is answered."""
    sign_in(post)
    begin = time.monotonic()
    sign_in(post, AWAY)
    assert len(queued(post)) == 1 and time.monotonic() - begin < 2
    text = letter(post, OWNER[0], "New sign-in to your account").get_payload(decode=True).decode()
    assert AWAY in text and "Firefox on Linux" in text and "US" in text


def test_a_sign_in_and_its_notice_are_durable_together(post):
    """Killed right after the answer: the letter comes."""
    sign_in(post)
    sign_in(post, AWAY)
    post.kill()
    post.start()
    assert letter(post, OWNER[0], "New sign-in to your account")


def test_p3_this_was_not_me(post):
    mine = sign_in(post)
    thief = sign_in(post, AWAY)
    assert thief.post("/tokens", {"name": "thief", "days": 1, "scopes": ["server.view"]}).status_code == 201
    assert thief.post("/account/factors/totp-offers", key=False).status_code == 201
    url, token = link(letter(post, OWNER[0], "New sign-in to your account"))
    assert url.endswith("/not-me")
    seen = look(post, "sign-ins", token).json()
    assert (seen["device"], seen["address"]) == ("Firefox on Linux", AWAY)
    post.anonymous().http.get(f"{post.url}/not-me?token={token}")
    assert thief.get("/session").status_code == 200, "looking changes nothing"
    assert post.anonymous().post("/sign-ins/disown", {"token": token}, key=False).status_code == 204
    for api in (mine, thief):
        problem(api.get("/session"), 401)
    for device in (mine.device, thief.device):
        problem(post.anonymous().post("/sessions", {"email": OWNER[0], "password": OWNER[1], "device_token": device}, key=False), 401, "bad_credentials")
    problem(post.anonymous().post("/sign-ins/disown", {"token": token}, key=False), 410, "expired")
    assert redeem(post, link(letter(post, OWNER[0], "Choose a new password"))[1]).status_code == 204
    back = sign_in(post, device=mine.device, password=NEW)
    assert back.data("/tokens") == []
    told = [n for n in back.data("/notifications/inbox") if n["event"] == "member.disabled"]
    assert "was not them" in told[0]["text"]
    done = next(e["entry"] for e in entries(back, "account.disown_sign_in") if e["entry"]["result"] == "completed")
    assert done["detail"]["method"] == "password" and done["detail"]["ended_sessions"] == 2
    count = len(notices(back))
    again = sign_in(post, AWAY, thief.device, NEW)
    assert len(notices(again)) == count + 1, "the thief's device and place are not known"
    assert post.verify()[0] == 0


def test_this_was_not_me_said_in_the_app(post):
    """Without mail too: nothing here waits for a letter."""
    mine = sign_in(post)
    thief = sign_in(post, AWAY)
    mine.password = None  # it steps up by itself otherwise
    other = post.member(mine, "admin")
    assert thief.post("/tokens", {"name": "thief", "days": 1, "scopes": ["server.view"]}).status_code == 201
    notice = next(n for n in mine.data("/notifications/inbox") if n["event"] == "account.new_sign_in")
    assert notice["link"] in {s["id"] for s in mine.data("/sessions") if s["address"] == AWAY}
    here = next(s["id"] for s in mine.data("/sessions") if s["current"])
    disown = lambda api, session, **body: api.post(f"/sessions/{session}/disown", body, key=False)  # noqa: E731
    problem(disown(mine, here, password=NEW), 403, "forbidden")
    problem(disown(other, notice["link"], password=NEW), 404, "not_found")
    for bad in ({}, {"password": "short"}, {"password": OWNER[1]}):
        problem(disown(mine, notice["link"], **bad), 422, "invalid")
    assert thief.get("/session").status_code == 200
    gone = disown(mine, notice["link"], password=NEW)
    assert gone.status_code == 204 and "__Host-caip_session=;" in str(gone.headers.get_list("set-cookie")).replace('""', "")
    for api in (mine, thief):
        problem(api.get("/session"), 401)
    problem(post.anonymous().post("/sessions", {"email": OWNER[0], "password": OWNER[1]}, key=False), 401, "bad_credentials")
    back = sign_in(post, device=mine.device, password=NEW)
    assert back.data("/tokens") == []
    assert any(n["event"] == "member.disabled" and "was not them" in n["text"] for n in other.data("/notifications/inbox"))
    done = [e["entry"] for e in entries(back, "session.disown")]
    assert [d["result"] for d in done].count("completed") == 1 and done[0]["detail"]["ended_sessions"] == 2 and done[0]["detail"]["new_password"] is True
    assert "disowned by whoever was signed in" in letter(post, OWNER[0], "Your account was changed").get_payload(decode=True).decode()
    assert not letters(post, OWNER[0], "Choose a new password")
    assert post.verify()[0] == 0


def test_disowning_in_the_app_asks_for_a_step_up(post):
    mine = sign_in(post)
    thief = sign_in(post, AWAY)
    mine.password = None
    session = next(s["id"] for s in mine.data("/sessions") if not s["current"])
    post.stale()
    problem(mine.post(f"/sessions/{session}/disown", {"password": NEW}, key=False), 403, "step_up_needed")
    assert thief.get("/session").status_code == 200


def test_caip_disowns_a_session(post, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    thief = sign_in(post, AWAY)
    shell = Shell(home).login(post)
    session = next(s["id"] for s in json.loads(shell.caip("session", "list", "--json").stdout)["data"] if s["address"] == AWAY)
    done = shell.caip("session", "disown", session, "--password-stdin", stdin=NEW + "\n")
    assert done.returncode == OK, done.stderr
    problem(thief.get("/session"), 401)
    assert shell.caip("whoami").returncode != OK
    assert sign_in(post, password=NEW)


def test_the_first_sign_in_of_an_account_that_somebody_else_made_is_told(post):
    owner = sign_in(post)
    answer = owner.post("/members", {"email": "new@example.org", "role": "viewer", "password": "a long password for the new one"})
    assert answer.status_code == 201, answer.text
    theirs = sign_in(post, AWAY, email="new@example.org", password="a long password for the new one")
    assert len(notices(theirs)) == 1 and AWAY in letter(post, "new@example.org", "New sign-in to your account").get_payload(decode=True).decode()
    assert len(notices(sign_in(post, AWAY, theirs.device, "a long password for the new one", "new@example.org"))) == 1


def test_sessions_are_listed_with_country_and_network(post, tmp_path):
    here = sign_in(post)
    sign_in(post, AWAY)
    listed = {s["address"]: (s["country"], s["network"]) for s in here.data("/sessions")}
    assert listed == {HOME: ("NL", "193.0.0.0/16"), AWAY: ("US", "8.8.0.0/16")}
    home = tmp_path / "home"
    home.mkdir()
    assert "193.0.0.0/16" in Shell(home).login(post).caip("session", "list").stdout


@pytest.mark.parametrize("which", ["country_database", "network_database"])
def test_a_database_that_is_named_and_is_none_stops_the_start(tmp_path, which):
    bad = tmp_path / "bad.toml"
    bad.write_text(f'[places]\n{which} = "/etc/hostname"\n')
    done = subprocess.run([BIN / "caipd", "--data", tmp_path / "other", "--config", bad], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode != OK and "database of places" in done.stderr


def test_without_a_database_the_network_alone_tells_places_apart(tmp_path, mail):
    control = configured(tmp_path, mail, more='trusted_proxies = ["127.0.0.1"]\n')
    control.programs = tmp_path / "programs"  # away from the database that is shipped beside them
    shutil.copytree(BIN, control.programs)
    control.start()
    try:
        control.set_up()
        mine = sign_in(control)
        assert notices(sign_in(control, "193.0.7.1", mine.device)) == []
        assert {(s["country"], s["network"]) for s in mine.data("/sessions")} == {(None, "193.0.0.0/16")}
        away = sign_in(control, AWAY, mine.device)
        assert len(notices(away)) == 1 and "(8.8.0.0/16)" in notices(away)[0]
    finally:
        control.stop()


def write_networks(file, networks):
    """A database in MaxMind's format (its version 2.0): a binary tree of prefixes, 24 bits a branch, then what each is called."""
    nodes, named = [[None, None]], []
    for prefix, number in networks.items():
        network, at = ipaddress.ip_network(prefix), 0
        bits = f"{int(network.network_address):032b}"[:network.prefixlen]
        for bit in map(int, bits[:-1]):
            if nodes[at][bit] is None:
                nodes[at][bit] = len(nodes)
                nodes.append([None, None])
            at = nodes[at][bit]
        nodes[at][int(bits[-1])] = -len(named) - 1
        named.append(number)
    text = lambda s: bytes([0x40 | len(s)]) + s.encode()  # noqa: E731
    small = lambda n: b"\xa2" + n.to_bytes(2, "big")  # noqa: E731
    whole = lambda n: b"\xc4" + n.to_bytes(4, "big")  # noqa: E731
    records = [b"\xe1" + text("autonomous_system_number") + whole(n) for n in named]
    starts = [sum(map(len, records[:n])) for n in range(len(records))]
    branch = lambda n: len(nodes) if n is None else n if n >= 0 else len(nodes) + 16 + starts[-n - 1]  # noqa: E731
    tree = b"".join(branch(n).to_bytes(3, "big") for node in nodes for n in node)
    about = (b"\xe9" + text("node_count") + whole(len(nodes)) + text("record_size") + small(24) + text("ip_version") + small(4) + text("database_type") + text("Networks")
             + text("languages") + b"\x00\x04" + text("binary_format_major_version") + small(2) + text("binary_format_minor_version") + small(0)
             + text("build_epoch") + b"\x01\x02\x01" + text("description") + b"\xe0")
    file.write_bytes(tree + bytes(16) + b"".join(records) + b"\xab\xcd\xefMaxMind.com" + about)
    return file


def test_with_a_database_of_networks_a_provider_is_one_place_whatever_its_prefixes(tmp_path, mail):
    """Over the country database that is shipped: HOME and another prefix are one AS, and a third prefix of the same country is not."""
    file = write_networks(tmp_path / "networks.mmdb", {"193.0.0.0/20": 3333, "31.3.104.0/21": 3333, "145.0.0.0/11": 1103})
    control = configured(tmp_path, mail, more=f'trusted_proxies = ["127.0.0.1"]\n[places]\nnetwork_database = "{file}"\n').start()
    try:
        control.set_up()
        mine = sign_in(control)
        assert notices(sign_in(control, "31.3.105.9", mine.device)) == [], "another prefix of the same network"
        other = sign_in(control, "145.1.2.3", mine.device)
        assert len(notices(other)) == 1 and "AS1103" in notices(other)[0]
        assert {s["address"]: s["network"] for s in mine.data("/sessions")} == {HOME: "AS3333", "31.3.105.9": "AS3333", "145.1.2.3": "AS1103"}
    finally:
        control.stop()


def test_caip_disowns_too(post, tmp_path):
    sign_in(post)
    sign_in(post, AWAY)
    home = tmp_path / "home"
    home.mkdir()
    shell = Shell(home).login(post)
    url, token = link(letter(post, OWNER[0], "New sign-in to your account"))
    done = shell.caip("account", "disown-sign-in", "--link-stdin", stdin=f"{url}#token={token}\n")
    assert done.returncode == OK, done.stderr
    assert shell.caip("whoami").returncode != OK
