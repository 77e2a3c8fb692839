"""Notifications: what is raised arrives, at whom it should, signed, once; what services answer is understood; nothing that
is not public is reached."""
import json
import re
import threading
import time

import pytest

from receivers import NETWORK, RESET, SILENT, MailServer, Receiver, official_verdicts
from support import FAILURE, NOT_FOUND, OK, USAGE, Control, Shell, entries, problem, wait_for

CHAT_TOKEN = "123456:AAbbCCddEEffGGhhIIjjKKllMM"


@pytest.fixture(scope="module")
def telegram():
    receiver = Receiver(lambda r: (200, b'{"ok":true,"result":{"message_id":1}}', {"Content-Type": "application/json"}))
    yield receiver
    receiver.stop()


@pytest.fixture(scope="module")
def mail(tmp_path_factory):
    server = MailServer(tmp_path_factory.mktemp("mail")).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def control(tmp_path_factory, telegram, mail):
    """A caipd that may reach this machine, and tries again soon."""
    folder = tmp_path_factory.mktemp("notifications")
    (folder / "caipd.toml").write_text(NETWORK.rstrip() + f'\nca_file = "{mail.ca}"\n[notifications]\nretry_seconds = [1]\ntelegram_api = "{telegram.url}"\n')
    control = Control(folder, arguments=["--config", str(folder / "caipd.toml")]).start()
    control.set_up()
    yield control
    control.stop()


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.stop()


_count = iter(range(10_000))


def add(api, kind, name=None, **more):
    answer = api.post("/notifications/channels", {"kind": kind, "name": name or f"{kind} {next(_count)}", **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def remove(api, channel):
    version = api.get(f"/notifications/channels/{channel['id']}").json()["version"]
    answer = api.call("DELETE", f"/notifications/channels/{channel['id']}", headers={"If-Match": f'"{version}"'})
    assert answer.status_code == 204, answer.text


def outcome(api, queued, seconds=30):
    """The delivery once it is not queued any more."""
    assert queued.status_code == 202, queued.text
    path = "/notifications/deliveries/" + (queued.json().get("delivery_id") or queued.json()["id"])
    return wait_for(lambda: (d := api.get(path).json())["state"] != "queued" and d, seconds)


def test(api, channel):
    return outcome(api, api.post(f"/notifications/channels/{channel['id']}/test"))


test.__test__ = False


def test_a_webhook_is_what_the_official_verifier_accepts_also_while_the_secret_is_rotated(owner, receiver):
    channel = add(owner, "webhook", target={"url": receiver.url + "/hook"})
    first = channel["signing_secret"]
    assert first.startswith("whsec_") and "signing_secret" not in owner.get(f"/notifications/channels/{channel['id']}").json()
    assert test(owner, channel)["state"] == "delivered"
    rotated = owner.post(f"/notifications/channels/{channel['id']}/credential").json()
    second = rotated["signing_secret"]
    assert second != first and rotated["previous_secret_until"]
    assert test(owner, channel)["state"] == "delivered"
    before, during = receiver.seen
    assert len(before["headers"]["webhook-signature"].split()) == 1 and len(during["headers"]["webhook-signature"].split()) == 2
    ask = [(secret, r["headers"], r["body"].decode()) for r in (before, during) for secret in (first, second)]
    tampered = [(second, during["headers"], during["body"].decode() + " "), (second, {**during["headers"], "webhook-id": "dlv_other"}, during["body"].decode())]
    assert official_verdicts(ask + tampered) == ["ok", "No matching signature found", "ok", "ok", "No matching signature found", "No matching signature found"]
    body = json.loads(during["body"])
    assert body["type"] == "notification.test" and during["headers"]["webhook-id"].startswith("dlv_")
    remove(owner, channel)


def test_what_happens_is_told_to_channels_and_in_the_app_by_routing(control, owner, receiver):
    everything = add(owner, "webhook", target={"url": receiver.url + "/all"})
    only_keys = add(owner, "webhook", target={"url": receiver.url + "/keys"}, events=["key.rotated"], least_severity="info")
    critical = add(owner, "webhook", target={"url": receiver.url + "/critical"}, least_severity="critical")
    viewer = control.member(owner, "viewer", "told@example.org")
    member = next(m for m in owner.data("/members") if m["email"] == "told@example.org")
    answer = owner.call("PATCH", f"/members/{member['id']}", {"role": "member"}, headers={"If-Match": f'"{member["version"]}"'})
    assert answer.status_code == 200, answer.text
    assert owner.post("/secrets/rotations", {"key": "jwt"}).status_code == 202
    wait_for(lambda: len(receiver.seen) >= 4)
    told = sorted((r["path"], json.loads(r["body"])["type"]) for r in receiver.seen)
    assert told == [("/all", "key.rotated"), ("/all", "member.added"), ("/all", "member.role_changed"), ("/keys", "key.rotated")]
    owner = control.sign_in()
    notices = owner.data("/notifications/inbox")
    assert [n["event"] for n in notices[:3]] == ["key.rotated", "member.role_changed", "member.added"]
    assert "told@example.org" in notices[1]["text"] and not notices[0]["read"]
    for channel in (everything, only_keys, critical):
        remove(owner, channel)
    assert viewer


def test_notices_come_live_and_are_read_by_each_for_themselves(control, owner):
    control.member(owner, "member", "reader@example.org")
    reader = control.sign_in("reader@example.org", "a long password for member")
    heard = []

    def listen():
        with reader.http.stream("GET", "/events", timeout=30) as stream:
            for line in stream.iter_lines():
                heard.append(line)
                if line == "event: notice.created":
                    return
    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    wait_for(lambda: heard)
    control.member(owner, "viewer", "live@example.org")
    thread.join(10)
    assert "event: notice.created" in heard
    unread = reader.get("/notifications/inbox/unread").json()["unread"]
    assert unread > 0
    newest = reader.data("/notifications/inbox")[0]
    assert newest["event"] == "member.added"
    assert reader.call("PUT", "/notifications/inbox/read", {"up_to": newest["id"]}).status_code == 204
    assert reader.get("/notifications/inbox/unread").json()["unread"] == 0
    assert owner.get("/notifications/inbox/unread").json()["unread"] >= unread - 1
    problem(reader.call("PUT", "/notifications/inbox/read", {"up_to": "ntc_" + "0" * 26}), 404, "not_found")


# Each service's documented failures: what it answers, what becomes of the delivery, what it says.
REFUSALS = [
    ("slack", 403, b"action_prohibited", "dead", "does not let us write"),
    ("slack", 404, b"no_service", "dead", "404"),
    ("slack", 410, b"channel_is_archived", "dead", "410"),
    ("slack", 400, b"invalid_payload", "dead", "400"),
    ("discord", 401, b'{"message":"Invalid Webhook Token","code":50027}', "dead", "401"),
    ("discord", 404, b'{"message":"Unknown Webhook","code":10015}', "dead", "404"),
    ("telegram", 401, b'{"ok":false,"error_code":401,"description":"Unauthorized"}', "dead", "401"),
    ("telegram", 400, b'{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}', "dead", "400"),
    ("telegram", 403, b'{"ok":false,"error_code":403,"description":"Forbidden: bot was kicked"}', "dead", "403"),
    ("webhook", 410, b"", "dead", "410"),
]


def chat(api, kind, receiver):
    if kind == "telegram":
        return add(api, kind, target={"chat": "-1001234"}, credential=CHAT_TOKEN)
    if kind == "webhook":
        return add(api, kind, target={"url": receiver.url + "/hook"})
    return add(api, kind, credential=f"{receiver.url}/services/T/B/{kind}")


@pytest.mark.parametrize(("kind", "status", "text", "state", "said"), REFUSALS, ids=[f"{r[0]}-{r[1]}" for r in REFUSALS])
def test_a_services_documented_refusals_are_understood(owner, receiver, telegram, kind, status, text, state, said):
    target = telegram if kind == "telegram" else receiver
    usual, target.answer = target.answer, lambda r: (status, text, {})
    try:
        channel = chat(owner, kind, receiver)
        delivery = test(owner, channel)
        assert delivery["state"] == state and said in delivery["outcome"], delivery
        paused = owner.get(f"/notifications/channels/{channel['id']}").json()["paused"]
        assert (paused is not None) == (status == 410)
        remove(owner, channel)
    finally:
        target.answer = usual


LIMITS = [
    ("slack", {"Retry-After": "2"}, b"rate_limited"),
    ("discord", {"Retry-After": "2"}, b'{"message":"You are being rate limited.","retry_after":1.6,"global":false}'),
    ("telegram", {}, b'{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 2","parameters":{"retry_after":2}}'),
]


@pytest.mark.parametrize(("kind", "headers", "text"), LIMITS, ids=[limit[0] for limit in LIMITS])
def test_a_rate_limit_is_waited_out_and_uses_up_no_try(control, owner, receiver, telegram, kind, headers, text):
    target, times = (telegram if kind == "telegram" else receiver), []
    usual = target.answer

    def answer(request):
        times.append(time.monotonic())
        return (429, text, headers) if len(times) <= 2 else usual(request)
    target.answer = answer
    try:
        channel = chat(owner, kind, receiver)
        control.member(owner, "viewer", f"limit-{kind}@example.org")
        wait_for(lambda: len(times) >= 3)
        assert all(1.5 <= later - earlier < 4 for earlier, later in zip(times, times[1:])), times
        done = wait_for(lambda: (d := owner.data(f"/notifications/deliveries?channel={channel['id']}")[0])["state"] == "delivered" and d)
        assert done["tries"] == 1
        remove(owner, channel)
    finally:
        target.answer = usual


def test_chats_get_what_they_document_and_no_mention_or_mark_up_from_outside(control, owner, receiver, telegram):
    channels = [chat(owner, kind, receiver) for kind in ("slack", "discord", "telegram")]
    before = len(telegram.seen)
    assert all(test(owner, channel)["state"] == "delivered" for channel in channels)
    by_path = {r["path"]: json.loads(r["body"]) for r in receiver.seen + telegram.seen[before:]}
    assert "text" in by_path["/services/T/B/slack"]
    assert by_path["/services/T/B/discord?wait=true"]["allowed_mentions"] == {"parse": []}
    assert by_path[f"/bot{CHAT_TOKEN}/sendMessage"]["chat_id"] == "-1001234"
    for channel in channels:
        remove(owner, channel)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_by_a_real_server_is_used_after_the_code_came_back(control, owner, mail, security):
    port = mail.starttls if security == "starttls" else mail.tls
    to = f"ops-{security}@example.org"
    target = {"host": "localhost", "port": port, "security": security, "user": mail.USER, "from": "caip@example.org", "to": to}
    channel = add(owner, "email", target=target, credential=mail.PASSWORD)
    path = f"/notifications/channels/{channel['id']}"
    assert not channel["verified"]
    problem(owner.post(path + "/test"), 409, "conflict")
    assert outcome(owner, owner.post(path + "/code"))["state"] == "delivered"
    letters = lambda: [m for m in mail.letters() if m["To"] == f"<{to}>"]  # noqa: E731
    letter = wait_for(letters)[0]
    code = re.search(r"\b[0-9]{6}\b", letter.get_payload(decode=True).decode())[0]
    problem(owner.post(path + "/verify", {"code": "1" if code != "1" else "2"}), 422, "invalid")
    assert owner.post(path + "/verify", {"code": code}).json()["verified"]
    assert test(owner, channel)["state"] == "delivered"
    second = wait_for(lambda: len(letters()) == 2 and letters()[-1])
    assert {m["Subject"] for m in letters()} == {"[info] Confirm this address", "[info] Test"} and second["Auto-Submitted"] == "auto-generated"
    assert len({m["Message-ID"] for m in letters()}) == 2
    remove(owner, channel)


def test_mail_that_cannot_go_out_says_why(owner, mail):
    target = {"host": "localhost", "port": mail.starttls, "security": "starttls", "user": mail.USER, "from": "caip@example.org", "to": "ops@example.org"}
    wrong = add(owner, "email", target=target, credential="not the password")
    delivery = outcome(owner, owner.post(f"/notifications/channels/{wrong['id']}/code"))
    assert (delivery["state"], delivery["outcome"]) == ("dead", "the mail server refuses user and password")
    changed = owner.call("PATCH", f"/notifications/channels/{wrong['id']}", {"target": {**target, "host": "127.0.0.1"}}, headers={"If-Match": '"1"'})
    problem(changed, 409, "conflict")  # a stored password goes to no other server
    remove(owner, wrong)
    other_name = add(owner, "email", target={**target, "host": "127.0.0.1"}, credential=mail.PASSWORD)  # its certificate is for localhost
    assert outcome(owner, owner.post(f"/notifications/channels/{other_name['id']}/code"))["outcome"] == "the certificate is not trusted"
    remove(owner, other_name)


def test_a_receiver_that_fails_in_every_way_gets_it_in_the_end_under_one_id(control, owner, receiver):
    plan = iter([(500, b"", {}), RESET, (302, b"", {"Location": receiver.url + "/elsewhere"}), (503, b"", {"Retry-After": "1"})])
    receiver.answer = lambda r: next(plan, (204, b"", {}))
    channel = add(owner, "webhook", target={"url": receiver.url + "/hook"})
    control.member(owner, "viewer", "in-the-end@example.org")
    done = wait_for(lambda: (d := owner.data(f"/notifications/deliveries?channel={channel['id']}"))and d[0]["state"] == "delivered" and d[0], 30)
    assert {r["headers"]["webhook-id"] for r in receiver.seen} == {done["id"]} and len(receiver.seen) == 5
    assert {r["path"] for r in receiver.seen} == {"/hook"}, "a redirect was followed"
    remove(owner, channel)


def test_a_silent_receiver_holds_up_no_other(control, owner, receiver):
    silent, fast = Receiver(lambda r: SILENT), receiver
    channels = [add(owner, "webhook", target={"url": r.url + "/hook"}) for r in (silent, fast)]
    started = time.monotonic()
    control.member(owner, "viewer", "silent@example.org")
    wait_for(lambda: fast.seen, 10)
    assert time.monotonic() - started < 5
    for channel in channels:
        remove(owner, channel)
    silent.stop()


def test_without_a_network_in_the_configuration_nothing_but_public_addresses_is_reached(tmp_path, receiver):
    control = Control(tmp_path).start()
    control.set_up()
    api = control.sign_in()
    try:
        for url in (receiver.url, f"https://127.0.0.1:{receiver.port}/", f"https://[::1]:{receiver.port}/", "https://169.254.169.254/latest/", "https://0x7f.1/", "https://2130706433/",
                    "https://[::ffff:127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "file:///etc/passwd"):
            answer = api.post("/notifications/channels", {"kind": "webhook", "name": url[:60], "target": {"url": url}})
            assert answer.status_code in (403, 422), f"{url}: {answer.text}"
        # A name says nothing; the address behind it is looked at when it is connected to.
        named = add(api, "webhook", target={"url": f"https://localhost:{receiver.port}/"})
        delivery = test(api, named)
        assert delivery["state"] == "dead" and "not public" in delivery["outcome"]
        letter = add(api, "email", target={"host": "localhost", "port": 25, "security": "starttls", "from": "a@example.org", "to": "b@example.org"})
        assert "not public" in outcome(api, api.post(f"/notifications/channels/{letter['id']}/code"))["outcome"]
        assert receiver.seen == []
    finally:
        control.stop()


def test_a_replaced_credential_is_gone_with_the_old_one_and_an_answer_repeats(owner, receiver):
    channel = add(owner, "slack", credential=f"{receiver.url}/services/first")
    path, key = f"/notifications/channels/{channel['id']}", {"Idempotency-Key": '"the-same"'}
    answers = [owner.post(path + "/credential", {"credential": f"{receiver.url}/services/second"}, headers=key) for _ in range(2)]
    assert [a.status_code for a in answers] == [200, 200] and answers[0].json() == answers[1].json()
    assert len([s for s in owner.data("/secrets?kind=notification") if s["name"].startswith("channel.")]) == len([c for c in owner.data("/notifications/channels") if c["has_credential"]])
    assert test(owner, channel)["state"] == "delivered" and receiver.seen[-1]["path"] == "/services/second"
    remove(owner, channel)


def test_names_versions_and_members_are_checked(owner, receiver):
    channel = add(owner, "webhook", name="the one", target={"url": receiver.url})
    path = f"/notifications/channels/{channel['id']}"
    problem(owner.post("/notifications/channels", {"kind": "webhook", "name": "the one", "target": {"url": receiver.url}}), 409, "conflict")
    problem(owner.call("PATCH", path, {"name": "x"}), 428, "precondition_required")
    problem(owner.call("PATCH", path, {"name": "x"}, headers={"If-Match": '"9"'}), 412, "precondition_failed")
    problem(owner.call("PATCH", path, {"credential": "x"}, headers={"If-Match": '"1"'}), 400, "unknown_member")
    problem(owner.call("PATCH", path, {"events": ["no.such"]}, headers={"If-Match": '"1"'}), 422, "invalid")
    changed = owner.call("PATCH", path, {"name": "another", "events": ["key.rotated"], "least_severity": "warning", "paused": True}, headers={"If-Match": '"1"'})
    assert changed.status_code == 200, changed.text
    body = changed.json()
    assert (body["name"], body["events"], body["least_severity"], body["paused"]) == ("another", ["key.rotated"], "warning", "paused")
    for bad in ({"kind": "pager", "name": "x"}, {"kind": "slack", "name": "x"}, {"kind": "telegram", "name": "x", "target": {"chat": "1"}, "credential": "short"}):
        problem(owner.post("/notifications/channels", bad), 422, "invalid")
    remove(owner, channel)
    problem(owner.get(path), 404, "not_found")


def test_what_was_done_is_in_the_log_and_no_credential_is(owner, receiver):
    url = f"{receiver.url}/services/T/B/canary-slack-path"
    channel = add(owner, "slack", credential=url)
    assert test(owner, channel)["state"] == "delivered"
    remove(owner, channel)
    log = entries(owner)
    actions = {e["entry"]["action"] for e in log}
    assert {"notification.create_channel", "notification.test", "notification.send", "notification.record", "notification.delete_channel", "secret.create", "secret.delete"} <= actions
    assert "canary-slack-path" not in json.dumps(log)


def test_a_token_in_the_path_of_a_webhook_is_in_no_answer_and_not_in_the_log(owner, receiver):
    problem(owner.post("/notifications/channels", {"kind": "webhook", "name": "q", "target": {"url": receiver.url + "/hook?token=canary-query"}}), 422, "invalid")
    channel = add(owner, "webhook", target={"url": receiver.url + "/canary-path"})
    path = f"/notifications/channels/{channel['id']}"
    changed = owner.call("PATCH", path, {"target": {"url": receiver.url + "/canary-path-2"}}, headers={"If-Match": '"1"'})
    assert changed.status_code == 200 and changed.json()["target"]["digest"] != channel["target"]["digest"]
    assert test(owner, channel)["state"] == "delivered" and receiver.seen[-1]["path"] == "/canary-path-2"
    answers = [channel, changed.json(), owner.get(path).json(), owner.data("/notifications/channels"), owner.data("/notifications/deliveries"), entries(owner)]
    assert channel["target"]["url"] == receiver.url and "canary-" not in json.dumps(answers[:-1])
    assert not [e for e in answers[-1] if "canary-path" in json.dumps(e)]
    remove(owner, channel)


@pytest.mark.parametrize("role", ["member", "viewer"])
def test_who_may_not_manage_channels_gets_nowhere_with_one_that_is_there(control, owner, receiver, role):
    channel = add(owner, "webhook", target={"url": receiver.url + "/hook"})
    delivery = test(owner, channel)
    caller = control.member(owner, role, f"no-manager-{role}@example.org")
    path = f"/notifications/channels/{channel['id']}"
    count = lambda: len(owner.data(f"/notifications/deliveries?channel={channel['id']}"))  # noqa: E731
    blocked = lambda: len([e for e in entries(owner, "notification.test") if e["entry"]["result"] == "blocked"])  # noqa: E731
    before = count(), blocked()
    for method, where, body in (("GET", path, None), ("PATCH", path, {"name": "theirs"}), ("DELETE", path, None), ("POST", path + "/test", {}), ("POST", path + "/code", {}),
                                ("POST", path + "/credential", {}), ("POST", path + "/verify", {"code": "123456"}), ("POST", f"/notifications/deliveries/{delivery['id']}/retry", {})):
        headers = {"If-Match": '"1"'} if method in ("PATCH", "DELETE") else {}
        problem(caller.call(method, where, body, headers=headers), 403, "forbidden")
    assert owner.get(path).json()["version"] == 1 and (count(), blocked()) == (before[0], before[1] + 2)
    remove(owner, channel)


def test_the_command_line(control, owner, receiver, tmp_path):
    shell = Shell(tmp_path).login(control)

    def ok(*arguments, stdin=""):
        done = shell.caip("notification", *arguments, stdin=stdin)
        assert done.returncode == OK, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout
    secret = ok("add", "webhook", "tickets", "--set", f"url={receiver.url}/cli", "--event", "operation.failed", "--generate").strip()
    assert secret.startswith("whsec_")
    ok("test", "tickets")
    assert official_verdicts([(secret, receiver.seen[0]["headers"], receiver.seen[0]["body"].decode())]) == ["ok"]
    assert "operation.failed" in ok("channels") and "delivered" in ok("deliveries") and "key.rotated" in ok("events")
    ok("route", "tickets", "--least", "warning", "--all", "--pause")
    channel = next(c for c in json.loads(ok("channels", "--json"))["data"] if c["name"] == "tickets")
    assert (channel["events"], channel["least_severity"], channel["paused"]) == ([], "warning", "paused")
    ok("route", "tickets", "--resume")
    (tmp_path / "secret").write_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")
    assert "whsec_" not in ok("credential", "tickets", "--from-file", tmp_path / "secret")
    receiver.answer = lambda r: (410, b"", {})
    assert shell.caip("notification", "test", "tickets").returncode == FAILURE
    receiver.answer = lambda r: (200, b"", {})
    dead = json.loads(ok("deliveries", "--state", "dead", "--json"))["data"][0]
    ok("retry", dead["id"])
    assert shell.caip("notification", "add", "pager", "x").returncode == USAGE
    assert shell.caip("notification", "test", "nobody").returncode == NOT_FOUND
    assert shell.caip("notification", "add", "telegram", "t", "--set", "chat").returncode == USAGE
    ok("delete", "tickets", "--confirm", "tickets")
    assert "tickets" not in ok("channels")
    control.member(owner, "viewer", "by-cli@example.org")
    assert "by-cli@example.org" in ok("list")
    ok("read")
    assert owner.get("/notifications/inbox/unread").json()["unread"] == 0
