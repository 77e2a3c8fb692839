"""Where an organisation asks for a second person: what the AI proposes for production, or is destructive, runs once two people
allowed it, and never by one."""
import json
import threading

import pytest

from provider import call, text
from support import NOT_ALLOWED, OK, OWNER, USAGE, Api, Shell, classify, entries, open_to_ai, problem, wait_for
from test_pilot_model import ask, provider  # noqa: F401  the world with a model

APPROVAL_NEEDED = 6
RESTART = {"server": "web-1", "unit": "nginx", "action": "restart", "intent": "bring nginx back"}
STOP_SSHD = {"server": "web-1", "unit": "ssh", "action": "stop", "intent": "stop it"}


def required(api, yes):
    return api.call("PUT", "/ai/second-person", {"required": yes})


@pytest.fixture
def two(world, provider):  # noqa: F811
    """web-1 is production, the protection is off, and two people are asked for; all of it is put right afterwards."""
    assert classify(world.owner, world.server, "production").status_code == 200
    assert world.owner.post("/ai/unprotect-production", {"minutes": 60, "reason": "a test of two"}).status_code == 200
    assert required(world.owner, True).json()["second_person"] is True

    def proposed(by, what=None):
        provider.play(call("propose_service_action", what or RESTART), text(["It waits for you."]))
        return world.owner.get(f"/approvals/{ask(by, 'restart nginx')['approval_id']}").json()
    yield proposed
    assert required(world.owner, False).status_code == 200
    assert world.owner.post("/ai/protect-production").status_code == 200
    open_to_ai(world.owner, world.server)


def allow(api, card):
    return api.post(f"/approvals/{card['id']}/approve", {"digest": card["digest"]})


def said(card):
    return [(d["email"], d["decision"]) for d in card["decisions"]]


def orders(world):
    return len(entries(world.owner, "unit.restart"))


def test_one_yes_runs_nothing_and_the_second_does_with_both_in_the_log_and_everybody_told(world, two):
    before = orders(world)
    card = two(world.owner)
    assert card["second_person"] is True and card["target"]["production"] is True and card["decisions"] == []
    half = allow(world.owner, card).json()
    assert half["state"] == "half_approved" and half["decided_by"] is None and said(half) == [(OWNER[0], "allowed")]
    problem(allow(world.owner, card), 409, "already_decided")
    again = world.control.sign_in()  # another session of the same person is no second person
    problem(allow(again, card), 409, "already_decided")
    problem(allow(world.viewer, card), 403, "forbidden")
    assert orders(world) == before
    assert any("one person allowed it, another one has to" in n["text"] for n in world.admin.data("/notifications/inbox"))

    assert allow(world.admin, card).status_code == 200
    done = wait_for(lambda: (a := world.owner.get(f"/approvals/{card['id']}").json())["state"] == "completed" and a)
    assert said(done) == [(OWNER[0], "allowed"), ("admin@example.org", "allowed")] and done["decisions"][0]["at"] < done["decisions"][1]["at"]
    problem(allow(world.member, card), 409, "already_decided")
    assert orders(world) == before + 1
    order = entries(world.owner, "unit.restart")[0]["entry"]
    people = {m["email"]: m["id"] for m in world.owner.data("/members")}
    assert order["approver"] == people[OWNER[0]] and order["detail"]["second"] == people["admin@example.org"]
    second, first = (e["entry"] for e in entries(world.owner, "approval.approve") if e["entry"]["result"] == "completed" and e["entry"]["params"]["approval"] == card["id"])
    assert (first["actor"]["id"], second["actor"]["id"]) == (people[OWNER[0]], people["admin@example.org"])
    assert second["detail"]["first"] == people[OWNER[0]] and second["detail"]["second"] == people["admin@example.org"]


def test_who_asked_is_not_the_second(world, two):
    card = two(world.admin)
    assert allow(world.owner, card).json()["state"] == "half_approved"
    refused = problem(allow(world.admin, card), 403, "forbidden")
    assert "whoever asked" in refused["detail"]
    assert world.owner.post(f"/approvals/{card['id']}/deny", {"digest": card["digest"], "reason": "on second thought"}).json()["state"] == "denied"
    problem(allow(world.member, card), 409, "already_decided")


def test_withdrawing_the_setting_lets_no_waiting_card_off_and_it_outlives_a_restart(world, two):
    card = two(world.owner)
    assert allow(world.owner, card).json()["state"] == "half_approved"
    assert required(world.owner, False).json()["second_person"] is False
    world.control.stop()
    world.control.start()
    waiting = world.owner.get(f"/approvals/{card['id']}").json()
    assert waiting["state"] == "half_approved" and waiting["second_person"] is True
    problem(allow(world.owner, card), 409, "already_decided")
    assert card["id"] in {a["id"] for a in world.owner.data("/approvals?state=half_approved")}
    assert allow(world.admin, card).status_code == 200
    wait_for(lambda: world.owner.get(f"/approvals/{card['id']}").json()["state"] == "completed")


def test_a_first_yes_ends_with_the_authority_of_who_gave_it(world, two):
    card = two(world.owner)
    leaver = world.control.member(world.owner, "admin", email="leaver@example.org")
    assert allow(leaver, card).json()["state"] == "half_approved"
    row = next(m for m in world.owner.data("/members") if m["email"] == "leaver@example.org")
    assert world.owner.call("PATCH", f"/members/{row['id']}", {"role": "viewer"}, headers={"If-Match": f'"{row["version"]}"'}).status_code == 200
    fresh = world.owner.get(f"/approvals/{card['id']}").json()
    assert fresh["state"] == "pending" and fresh["decisions"] == []
    lapsed = entries(world.owner, "approval.lapse")[0]["entry"]
    assert lapsed["params"] == {"approval": card["id"], "first": row["id"]} and lapsed["source"] == "system"
    assert allow(world.admin, card).json()["state"] == "half_approved", "his was none, so this one is the first"
    assert world.owner.post(f"/approvals/{card['id']}/deny", {"digest": card["digest"]}).json()["state"] == "denied"


def test_of_several_second_ones_at_once_one_counts_and_it_runs_once(world, two):
    before = orders(world)
    card = two(world.owner)
    assert allow(world.owner, card).json()["state"] == "half_approved"
    others = [Api(world.control, world.control.sign_in(email, password).token) for email, password in
              (("admin@example.org", "a long password for admin"), ("member@example.org", "a long password for member")) * 3]
    answers = []
    threads = [threading.Thread(target=lambda api=api: answers.append(allow(api, card).status_code)) for api in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200] + [409] * 5
    wait_for(lambda: world.owner.get(f"/approvals/{card['id']}").json()["state"] == "completed")
    assert orders(world) == before + 1


def test_what_is_destructive_asks_for_two_everywhere_and_for_a_step_up_of_both(world, two):
    open_to_ai(world.owner, world.server)  # a development server
    assert two(world.owner)["second_person"] is False
    card = two(world.owner, STOP_SSHD)
    assert card["second_person"] is True and card["impact"] == "destructive"
    problem(allow(world.member, card), 403, "forbidden")
    owner, admin = (Api(world.control, api.token) for api in (world.owner, world.admin))  # clients that prove nothing by themselves
    world.control.stale()
    for api in (owner, admin):
        problem(allow(api, card), 403, "step_up_needed")
    owner.step_up(OWNER[1])
    assert allow(owner, card).json()["state"] == "half_approved"
    problem(allow(admin, card), 403, "step_up_needed")
    assert world.owner.post(f"/approvals/{card['id']}/deny", {"digest": card["digest"]}).json()["state"] == "denied"


def test_the_setting_is_an_owners_and_off_asks_for_the_password(world, two):
    for person in (world.admin, world.member, world.viewer):
        problem(required(person, False), 403, "forbidden")
    owner = Api(world.control, world.owner.token)
    world.control.stale()
    problem(required(owner, False), 403, "step_up_needed")
    assert required(owner, True).status_code == 200
    owner.step_up(OWNER[1])
    assert required(owner, False).json()["second_person"] is False
    assert "One person's yes is enough again" in next(n["text"] for n in world.admin.data("/notifications/inbox") if n["event"] == "production.protection")
    assert entries(world.owner, "approval.set_second_person")[0]["entry"]["params"] == {"required": False}


def test_all_of_it_by_the_command_line(world, two, tmp_path):
    secret = tmp_path / "password"
    secret.write_text(OWNER[1] + "\n")
    owner = Shell(tmp_path).login(world.control)
    admin = Shell(tmp_path / "a").login(world.control, "admin@example.org", "a long password for admin")
    assert "two people have to say yes" in owner.caip("ai", "show").stdout
    assert owner.caip("ai", "second-person", "perhaps").returncode == USAGE
    assert admin.caip("ai", "second-person", "off", "--password-file", secret).returncode == NOT_ALLOWED
    card = two(world.owner)
    first = owner.caip("approval", "approve", card["id"], "--digest", card["digest"])
    assert first.returncode == APPROVAL_NEEDED and "One more person has to allow it" in first.stdout, first.stdout + first.stderr
    shown = owner.caip("approval", "show", card["id"]).stdout
    assert "half_approved" in shown and f"{OWNER[0]} allowed it at" in shown and "two; the second" in shown
    assert card["id"] in owner.caip("approval", "list", "--state", "half_approved").stdout
    assert admin.caip("approval", "approve", card["id"], "--digest", card["digest"]).returncode == OK
    assert json.loads(owner.caip("ai", "second-person", "off", "--json", "--password-file", secret).stdout)["second_person"] is False
    assert owner.caip("ai", "second-person", "on").returncode == OK
