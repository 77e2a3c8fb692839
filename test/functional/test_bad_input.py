"""What is not as it should be is refused with a problem document, and loses nothing."""
import socket
import uuid

import pytest

from support import problem


def raw_post(owner, body, content_type="application/json"):
    return owner.http.post("/enrolments", content=body, headers={"Content-Type": content_type,
                                                                 "Idempotency-Key": f'"{uuid.uuid4()}"'})


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"name":1}', b'{"name":"a","name":"b"}', b'{"name":"web\xff"}',
                                  b'{"name":"a","other":true}', b"[" * 100_000])
def test_malformed_json(owner, body):
    answer = raw_post(owner, body)
    assert answer.status_code in (400, 413, 422), f"{body[:40]!r}: {answer.status_code} {answer.text}"
    problem(answer, answer.status_code)


def test_unknown_member_is_named(owner):
    problem(raw_post(owner, b'{"name":"web-9","colour":"red"}'), 400, "unknown_member")


@pytest.mark.parametrize("name", ["", "a" * 65, "Web 1", "-web", "web-", "we\u202eb", "web\n", "../etc"])
def test_names_that_are_none(owner, name):
    answer = owner.post("/enrolments", {"name": name})
    assert answer.status_code in (400, 422), f"{name!r}: {answer.text}"


def test_too_large(owner):
    before = len(owner.data("/enrolments"))
    problem(raw_post(owner, b'{"name":"' + b"a" * (2 << 20) + b'"}'), 413, "too_large")
    assert len(owner.data("/enrolments")) == before
    assert owner.get("/session").status_code == 200


def test_media_type(owner):
    problem(raw_post(owner, b"name=web", "application/x-www-form-urlencoded"), 415)


def test_posts_need_an_idempotency_key(owner):
    problem(owner.post("/enrolments", {"name": "web-8"}, key=False), 400, "missing_idempotency_key")


def test_idempotency(owner):
    key = {"Idempotency-Key": f'"{uuid.uuid4()}"'}
    first = owner.post("/enrolments", {"name": "once"}, headers=key)
    assert first.status_code == 201, first.text
    second = owner.post("/enrolments", {"name": "once"}, headers=key)
    assert second.status_code == 201 and second.json()["id"] == first.json()["id"]
    problem(owner.post("/enrolments", {"name": "twice"}, headers=key), 422, "key_reused")
    assert len([e for e in owner.data("/enrolments") if e["name"] == "once"]) == 1


def test_unknown_things(owner):
    problem(owner.get("/servers/srv_" + "0" * 26), 404, "not_found")
    problem(owner.get("/nothing"), 404, "not_found")
    assert owner.get("/servers/../../etc/passwd").status_code in (400, 404)
    assert owner.call("DELETE", "/servers").status_code == 405


def test_enrolment_tokens(control):
    request = {"token": "nonsense", "csr": "nonsense", "hostname": "web"}
    answer = control.anonymous().post("/agent/enrol", request, key=False)
    assert answer.status_code in (400, 401, 403, 404, 410, 422), answer.text
    problem(answer, answer.status_code)


def test_another_origin_cannot_post(control, owner):
    from support import OWNER
    browser = control.anonymous()
    signed = browser.post("/sessions", {"email": OWNER[0], "password": OWNER[1], "client": "browser"}, headers={"Origin": control.url})
    assert signed.status_code == 201
    cookies = {c.split("=", 1)[0]: c.split("=", 1)[1].split(";")[0] for c in signed.headers.get_list("set-cookie")}
    headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in cookies.items()), "Origin": "https://evil.example"}
    problem(browser.post("/enrolments", {"name": "evil"}, headers=headers), 403, "csrf")


@pytest.mark.parametrize("data", [b"\x00" * 64, b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"A" * 200])
def test_no_tls_no_answer(control, data):
    with socket.create_connection(("127.0.0.1", control.port), timeout=15) as raw:
        raw.sendall(data)
        raw.shutdown(socket.SHUT_WR)
        raw.settimeout(15)
        try:
            answer = raw.recv(4096)
        except ConnectionError:
            answer = b""
    assert b"HTTP/1.1 2" not in answer
    assert control.anonymous().get("/setup").status_code == 200


@pytest.mark.parametrize("path", ["/servers/{}", "/servers/{}/metrics", "/servers/{}/services", "/servers/{}/env", "/operations/{}", "/approvals/{}", "/secrets/{}", "/pilot/conversations/{}",
                                  "/notifications/channels/{}", "/notifications/deliveries/{}"])
@pytest.mark.parametrize("name", ["nope", "srv_nope", "usr_00000000000000000000000000", "..%2f", "%00", "x" * 129])
def test_what_is_no_id_is_not_found(owner, path, name):
    answer = owner.get(path.format(name))
    assert answer.status_code in (404, 400) and (answer.status_code == 404 or "%" in name), answer.text
