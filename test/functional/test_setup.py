"""The first minutes: the one-time link, the Owner, signing in and out."""
import stat

from support import OWNER, entries, problem


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


def test_role_change_is_effective_at_once(control, people):
    listed = {m["email"]: m for m in people["owner"].data("/members")}
    member = listed["member@example.org"]
    answer = people["owner"].call("PATCH", f"/members/{member['id']}", {"role": "viewer"})
    assert answer.status_code == 428, answer.text  # a lost update would hurt: If-Match is needed
