"""Invitations: for one address, one role, one use; the link is shown once and changes nothing by being looked at."""
import pytest

from support import EVERYONE_FOUNDS, OWNER, Control, entries, problem

LONG = "a long password of the invited"


@pytest.fixture
def team(tmp_path):
    control = Control(tmp_path, settings=EVERYONE_FOUNDS).start()
    control.set_up()
    control.owner = control.sign_in()
    yield control
    control.stop()


def invited(api, email="new@example.org", role="member", **more):
    answer = api.post("/invitations", {"email": email, "role": role, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def token_of(invitation):
    link, _, token = invitation["link"].partition("#token=")
    assert link.endswith("/invitation") and len(token) == 43
    return token


def at_door(control, verb, token, **more):
    return control.anonymous().post(f"/invitations/{verb}", {"token": token, **more}, key=False)


def test_s13_a_link_is_looked_at_and_then_accepted_once(team):
    invitation = invited(team.owner)
    token = token_of(invitation)
    before = team.owner.get("/invitations").json()
    for _ in range(3):
        offer = at_door(team, "look", token).json()
    assert (offer["organization"], offer["email"], offer["role"], offer["invited_by"]) == ("Example", "new@example.org", "member", OWNER[0])
    assert team.owner.get("/invitations").json() == before and "link" not in before["data"][0]
    assert at_door(team, "accept", token, password=LONG).status_code == 201
    assert team.sign_in("new@example.org", LONG).session["role"] == "member"
    problem(at_door(team, "accept", token, password=LONG), 410, "expired")
    assert [e["entry"]["result"] for e in entries(team.owner, "invitation.accept")] == ["blocked", "completed"]


def test_no_get_and_no_address_carries_the_token(team):
    token = token_of(invited(team.owner))
    for path in (f"/invitations/look?token={token}", f"/invitations/accept?token={token}", f"/session?token={token}"):
        assert team.anonymous().get(path).status_code in (400, 401, 404, 405)
    problem(team.anonymous().post(f"/invitations/accept?token={token}", {"token": token, "password": LONG}, key=False), 400)
    assert team.anonymous().http.get(f"{team.url}/invitation").status_code == 200  # the page; the fragment stays in the browser
    assert team.owner.data("/invitations")[0]["state"] == "open"
    assert token not in team.log.read_text()


def test_sent_again_revoked_and_expiring(team):
    first = invited(team.owner, days=1)
    again = team.owner.post(f"/invitations/{first['id']}/resend")
    assert again.status_code == 200 and again.json()["link"] != first["link"]
    problem(at_door(team, "look", token_of(first)), 410, "expired")
    assert team.owner.call("DELETE", f"/invitations/{first['id']}").status_code == 204
    problem(at_door(team, "accept", token_of(again.json()), password=LONG), 410, "expired")
    problem(team.owner.post("/invitations", {"email": "x@example.org", "role": "viewer", "days": 31}), 422)
    actions = {e["entry"]["action"] for e in entries(team.owner)}
    assert {"invitation.create", "invitation.resend", "invitation.revoke"} <= actions


def test_only_for_that_address(team):
    """An account that belongs elsewhere accepts by being signed in, and nobody does it for another."""
    other = team.member(team.owner, "admin")
    other.post("/organizations", {"name": "Theirs"})
    theirs = next(o["id"] for o in other.data("/organizations") if o["name"] == "Theirs")
    switched = other.post("/session/organization", {"organization_id": theirs}, key=False).json()
    guest = type(other)(team, switched["access_token"])
    token = token_of(invited(guest, email=OWNER[0], role="viewer"))
    assert at_door(team, "look", token).json()["has_account"] is True
    problem(at_door(team, "accept", token, password=OWNER[1]), 409, "conflict")
    problem(guest.post("/invitations/join", {"token": token}), 403, "forbidden")
    joined = team.owner.post("/invitations/join", {"token": token})
    assert joined.status_code == 201 and joined.json()["organization"] == {"id": theirs, "name": "Theirs"}
    assert {o["name"]: o["role"] for o in team.owner.data("/organizations")} == {"Example": "owner", "Theirs": "viewer"}
    assert "invitation.join" not in {e["entry"]["action"] for e in entries(team.owner)}  # theirs to know, not ours


def test_s09_an_invitation_gives_what_it_says_and_no_more(team):
    for extra in ({"organization_id": "org_" + "0" * 26}, {"inviter": "usr_" + "0" * 26}, {"accepted": True}):
        problem(team.owner.post("/invitations", {"email": "x@example.org", "role": "viewer", **extra}), 400, "unknown_member")
    token = token_of(invited(team.owner, role="viewer"))
    for extra in ({"role": "owner"}, {"email": "other@example.org"}, {"organization_id": "org_" + "0" * 26}):
        problem(at_door(team, "accept", token, password=LONG, **extra), 400, "unknown_member")
    assert at_door(team, "accept", token, password=LONG).status_code == 201
    assert team.sign_in("new@example.org", LONG).session["role"] == "viewer"


def test_two_who_accept_at_once_make_one_account(team):
    import concurrent.futures
    token = token_of(invited(team.owner))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        codes = [a.status_code for a in pool.map(lambda _: at_door(team, "accept", token, password=LONG), range(8))]
    assert codes.count(201) == 1, codes
    assert [m["email"] for m in team.owner.data("/members")] == [OWNER[0], "new@example.org"]
