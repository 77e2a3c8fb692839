"""The first minutes: the one-time link, the Owner, signing in and out."""
import concurrent.futures
import contextlib
import re
import sqlite3
import ssl
import stat
from hashlib import sha256

from support import OWNER, entries, problem, wait_for


def test_the_setup_link_comes_with_what_the_browser_will_say(fresh):
    """The first page of a new installation is a warning; who reads caipd's words knows it and can tell a false one."""
    said = wait_for(lambda: "certificate authority: " in (text := fresh.log.read_text()) and text)
    assert f"https://localhost:{fresh.port}/setup#token={fresh.setup_token()}" in said, said
    assert "Your browser warns" in said and f"import https://localhost:{fresh.port}/ca.pem" in said, said
    fingerprint = re.search(r"certificate authority: ([0-9a-f]{64})", said)
    assert fingerprint and fingerprint[1] == sha256(ssl.PEM_cert_to_DER_cert((fresh.data.parent / "ca.pem").read_text())).hexdigest(), said


def test_the_setup_link_works_once(fresh):
    assert fresh.anonymous().get("/setup").json() == {"needed": True}
    assert stat.S_IMODE((fresh.data / "setup-token").stat().st_mode) == 0o600
    token = fresh.setup_token()
    body = {"token": "wrong", "email": OWNER[0], "password": OWNER[1], "organization": "Example"}
    assert fresh.anonymous().post("/setup", body).status_code in (401, 403)
    fresh.set_up()
    assert fresh.anonymous().get("/setup").json() == {"needed": False}
    assert not (fresh.data / "setup-token").exists()
    again = fresh.anonymous().post("/setup", {**body, "token": token})
    assert again.status_code in (401, 403, 409, 410), again.text


def test_session_has_role_and_permissions(owner):
    session = owner.get("/session").json()
    assert session["role"] == "owner" and session["user"]["email"] == OWNER[0]
    assert session["organization"]["name"] == "Example"
    assert session["permissions"]


def test_wrong_password_and_unknown_person_look_the_same(control):
    texts = set()
    for email, password in ((OWNER[0], "not the password"), ("nobody@example.org", "not the password")):
        answer = control.anonymous().post("/sessions", {"email": email, "password": password, "client": "cli"})
        body = problem(answer, 401, "bad_credentials")
        texts.add((body["title"], body["detail"]))
    assert len(texts) == 1
    refused = [e for e in entries(control.sign_in(), "session.sign_in") if e["entry"]["result"] in ("denied", "blocked")]
    assert len(refused) >= 2


def test_sign_out_ends_the_session_at_once(control):
    api = control.sign_in()
    assert api.get("/session").status_code == 200
    assert api.call("DELETE", "/session").status_code == 204
    problem(api.get("/session"), 401, "unauthenticated")


def test_a_refresh_token_used_twice_ends_the_session(control):
    api = control.sign_in()
    first = api.session["refresh_token"]
    renewed = control.anonymous().post("/sessions/refresh", {"refresh_token": first})
    assert renewed.status_code == 200, renewed.text
    second = renewed.json()["refresh_token"]
    problem(control.anonymous().post("/sessions/refresh", {"refresh_token": first}), 401)
    problem(control.anonymous().post("/sessions/refresh", {"refresh_token": second}), 401)
    problem(api.get("/session"), 401)


def test_a_changed_token_is_refused(control):
    api = control.sign_in()
    head, body, signature = api.token.split(".")
    flipped = signature[:-5] + ("A" if signature[-5] != "A" else "B") + signature[-4:]
    api.http.headers["Authorization"] = f"Bearer {head}.{body}.{flipped}"
    problem(api.get("/session"), 401)


def test_browser_cookies(control):
    answer = control.anonymous().post("/sessions", {"email": OWNER[0], "password": OWNER[1], "client": "browser"},
                                      headers={"Origin": control.url})
    assert answer.status_code == 201, answer.text
    assert "access_token" not in answer.json() and "refresh_token" not in answer.json()
    cookies = answer.headers.get_list("set-cookie")
    assert any(c.startswith("__Host-caip_session=") for c in cookies)
    for cookie in cookies:
        for attribute in ("HttpOnly", "Secure", "SameSite=Lax", "Path=/"):
            assert attribute in cookie, cookie
        assert "Domain" not in cookie


def test_role_change_is_effective_at_once(control, owner):
    person = control.member(owner, "member", "changes@example.org")
    password = "a long password for member"
    listed = next(m for m in owner.data("/members") if m["email"] == "changes@example.org")
    path, version = f"/members/{listed['id']}", listed["version"]
    assert person.post("/pilot/conversations").status_code == 201
    problem(owner.call("PATCH", path, {"role": "viewer"}), 428)  # a lost update would hurt
    problem(owner.call("PATCH", path, {"role": "viewer"}, headers={"If-Match": str(version)}), 400)
    problem(owner.call("PATCH", path, {"role": "viewer"}, headers={"If-Match": f'"{version + 1}"'}), 412)
    assert person.get("/session").json()["role"] == "member"  # none of these changed anything

    changed = owner.call("PATCH", path, {"role": "viewer"}, headers={"If-Match": f'"{version}"'})
    assert changed.status_code == 200, changed.text
    assert changed.json()["role"] == "viewer" and changed.json()["version"] > version
    assert changed.headers["etag"] == f'"{changed.json()["version"]}"'
    # The very next request: the session of the old role is over, on every door, and cannot be renewed.
    problem(person.post("/pilot/conversations"), 401, "unauthenticated")
    problem(person.get("/session"), 401, "unauthenticated")
    problem(control.anonymous().post("/sessions/refresh", {"refresh_token": person.session["refresh_token"]}), 401)
    problem(owner.call("PATCH", path, {"role": "admin"}, headers={"If-Match": f'"{version}"'}), 412)

    again = control.sign_in("changes@example.org", password)
    assert again.get("/session").json()["role"] == "viewer"
    problem(again.post("/pilot/conversations"), 403, "forbidden")
    # Upwards as well.
    raised = owner.call("PATCH", path, {"role": "admin"}, headers={"If-Match": changed.headers["etag"]})
    assert raised.status_code == 200, raised.text
    problem(again.get("/session"), 401, "unauthenticated")
    again = control.sign_in("changes@example.org", password)
    assert again.post("/enrolments", {"name": "by-the-new-admin"}).status_code == 201
    logged = [e["entry"] for e in entries(owner, "member.change_role") if e["entry"]["result"] == "completed"]
    assert [e["params"]["role"] for e in logged[:2]] == ["admin", "viewer"]


def cookies(answer):
    return {c.split("=", 1)[0]: c.split("=", 1)[1].split(";")[0] for c in answer.headers.get_list("set-cookie")}


def with_cookies(control, jar, origin=None):
    """One request's headers, as a browser on our own pages sends them."""
    return {"Cookie": "; ".join(f"{k}={v}" for k, v in jar.items()), "Origin": origin or control.url}


def test_a_browser_refreshes_by_cookie(control):
    nobody = control.anonymous()
    signed = nobody.post("/sessions", {"email": OWNER[0], "password": OWNER[1], "client": "browser"}, headers={"Origin": control.url})
    old = cookies(signed)
    assert old.pop("__Host-caip_device")
    assert set(old) == {"__Host-caip_session", "__Host-caip_refresh"}
    nobody.http.cookies.clear()
    # The short-lived one has gone from the browser; the other alone brings both anew.
    only = {"__Host-caip_refresh": old["__Host-caip_refresh"]}
    problem(nobody.post("/sessions/refresh", headers=with_cookies(control, only, "https://evil.example")), 403, "csrf")
    renewed = nobody.post("/sessions/refresh", headers=with_cookies(control, only))
    assert renewed.status_code == 200, renewed.text
    assert "access_token" not in renewed.json() and "refresh_token" not in renewed.json()
    new = cookies(renewed)
    nobody.http.cookies.clear()
    assert set(new) == set(old) and new["__Host-caip_refresh"] != old["__Host-caip_refresh"]
    for cookie in renewed.headers.get_list("set-cookie"):
        assert all(a in cookie for a in ("HttpOnly", "Secure", "SameSite=Lax", "Path=/")) and "Domain" not in cookie, cookie
    assert nobody.get("/session", headers=with_cookies(control, new)).status_code == 200
    # A refresh token that comes back was stolen by one of two: the session ends for both.
    problem(nobody.post("/sessions/refresh", headers=with_cookies(control, only)), 401)
    problem(nobody.get("/session", headers=with_cookies(control, new)), 401)
    problem(nobody.post("/sessions/refresh", headers=with_cookies(control, new)), 401)


def test_s12_of_many_first_owners_one_wins_and_the_way_is_shut_then(fresh):
    token = fresh.setup_token()

    def claim(n):
        return fresh.anonymous().post("/setup", {"token": token, "email": f"first-{n}@example.org", "password": OWNER[1], "organization": f"Of {n}"})

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        codes = [answer.status_code for answer in pool.map(claim, range(8))]
    assert codes.count(201) == 1 and set(codes) <= {201, 401, 409, 429}, codes
    problem(claim(9), 409, "conflict")
    assert not (fresh.data / "setup-token").exists()


def test_a_password_is_stored_as_bcrypt_of_cost_12_as_the_product_is_shipped(control, owner):
    with contextlib.closing(sqlite3.connect(f"file:{control.data / 'caip.db'}?mode=ro", uri=True)) as database:
        stored = [row[0] for row in database.execute("SELECT password FROM users")]
    assert stored and all(re.fullmatch(r"\$2b\$12\$[./A-Za-z0-9]{53}", p) for p in stored)
