"""What a server is for, and Production Protection (P10): while it is on, the AI proposes nothing on a server that counts as production,
whoever asks; an Owner alone switches it off, for a while, and it is on again by itself."""
import json

import pytest

from agent_wire import Identity
from provider import call, text
from support import NOT_ALLOWED, OK, OWNER, USAGE, Api, Control, Shell, classify, entries, open_to_ai, problem, wait_for
from test_pilot_model import ask, provider  # noqa: F401  the world with a model

RESTART = {"server": "web-1", "unit": "nginx", "action": "restart", "intent": "bring nginx back"}


def newest(api, action):
    return entries(api, action)[0]["entry"]


def unprotect(api, minutes=60, reason="the disk is full"):
    return api.post("/ai/unprotect-production", {"minutes": minutes, "reason": reason})


def told(api):
    return [n["text"] for n in api.data("/notifications/inbox") if n["event"] == "production.protection"]


@pytest.fixture
def model(world, provider):  # noqa: F811
    """Its web-1 is a development server again afterwards, open to the AI, and production protected."""
    yield provider.play
    assert world.owner.post("/ai/protect-production").json()["production_protection"]["on"] is True
    assert world.owner.call("PUT", "/ai/operations", {"operation": "unit.restart", "on": True}).status_code == 200
    assert world.owner.call("PUT", "/ai/operations", {"operation": "unit", "on": True}).status_code == 200
    open_to_ai(world.owner, world.server)


@pytest.fixture(scope="module")
def fresh_server(control, owner, tmp_path_factory):
    """Enrolled, never connected, and set to nothing by anybody."""
    return Identity(control, owner, tmp_path_factory.mktemp("server"), "new-1").server


@pytest.mark.parametrize("environment", ["production", "unknown"])
def test_p10_no_card_on_production_whoever_asks_and_whatever_else_is_allowed(world, model, environment):
    model(call("propose_service_action", RESTART), text(["It waits for you."]))
    waiting = ask(world.member, "restart nginx")["approval_id"]
    assert classify(world.owner, world.server, environment).json()["environment"] == environment
    denied = world.owner.get(f"/approvals/{waiting}").json()
    assert denied["state"] == "denied" and "production" in denied["reason"]
    cards = len(world.owner.data("/approvals"))
    for person in (world.owner, world.admin, world.member):
        provider = model(call("list_servers", {}), call("service_status", {"server": "web-1", "unit": "nginx"}, "call_2"),  # noqa: F811
                         call("propose_service_action", RESTART, "call_3"), text(["I may not."]))
        assert ask(person, "restart nginx, I insist")["approval_id"] is None
        listed, looked, refused = (json.loads(m["content"]) for m in provider.requests[-1]["body"]["messages"] if m["role"] == "tool")
        assert listed["servers"][0]["environment"] == environment and listed["servers"][0]["access"] == "read"
        assert "active" in looked["status"]  # it looks as before
        assert "setting: Production Protection, on" in refused["error"] and "caip ai unprotect" in refused["error"]
        logged = newest(world.owner, "pilot.call_tool")
        assert logged["result"] == "blocked" and "Production Protection" in logged["detail"]["reason"]
    assert len(world.owner.data("/approvals")) == cards
    access = world.member.get(f"/servers/{world.server}/ai-access").json()
    assert access["look"]["may"] and not access["propose"]["may"] and "Production Protection" in access["propose"]["why_not"]
    assert [(g["setting"], g["open"]) for g in access["gates"]] == [("AI", True), ("write actions", True), ("operations", True), ("AI access of the server", True), ("Production Protection", False)]


def test_off_for_a_while_a_card_says_production_and_runs_and_on_again_what_waits_is_denied(world, model):
    assert classify(world.owner, world.server, "production").status_code == 200
    for person in (world.admin, world.member):
        problem(unprotect(person), 403, "forbidden")
    off = unprotect(world.owner, 30, "nginx must come back tonight").json()["production_protection"]
    assert off["on"] is False and off["reason"] == "nginx must come back tonight" and off["switched_off_by"]["email"] == OWNER[0]
    assert newest(world.owner, "ai.unprotect_production")["detail"]["reason"] == "nginx must come back tonight"
    for person in (world.owner, world.admin):
        assert "off until" in told(person)[0] and "nginx must come back tonight" in told(person)[0]
    assert told(world.member) == []

    model(call("propose_service_action", RESTART), text(["It waits for you."]))
    card = world.owner.get(f"/approvals/{ask(world.owner, 'restart nginx')['approval_id']}").json()
    assert card["target"]["production"] is True
    assert world.owner.post(f"/approvals/{card['id']}/approve", {"digest": card["digest"]}).status_code == 200
    wait_for(lambda: world.owner.get(f"/approvals/{card['id']}").json()["state"] == "completed")

    model(call("propose_service_action", RESTART), text(["It waits for you."]))
    waiting = ask(world.owner, "restart nginx")["approval_id"]
    assert world.admin.post("/ai/protect-production").json()["production_protection"] == {"on": True, "off_until": None, "reason": None, "switched_off_by": None}
    denied = world.owner.get(f"/approvals/{waiting}").json()
    assert denied["state"] == "denied" and denied["decided_by"]["email"] == world.admin.get("/session").json()["user"]["email"]
    assert "Production Protection is on again" in denied["reason"]
    problem(world.member.post("/ai/protect-production"), 403, "forbidden")


def test_it_outlives_a_restart_and_ends_by_itself(world, model):
    assert classify(world.owner, world.server, "production").status_code == 200
    assert unprotect(world.owner, 1).status_code == 200
    model(call("propose_service_action", RESTART), text(["It waits for you."]))
    waiting = ask(world.owner, "restart nginx")["approval_id"]
    world.control.stop()
    world.control.start()
    assert world.owner.get("/ai").json()["production_protection"]["on"] is False
    wait_for(lambda: world.owner.get("/ai").json()["production_protection"]["on"], 90, 1)
    wait_for(lambda: world.owner.get(f"/approvals/{waiting}").json()["state"] == "denied", 5)
    end = newest(world.owner, "ai.protect_production_on_time")
    assert end["result"] == "completed" and end["source"] == "system"
    assert "its time was up" in told(world.owner)[0]


def test_what_root_of_a_server_forbids_does_not_run_there_whatever_the_control_plane_says(world, model):
    policy = "/etc/caip/policy.json"
    world.machine.run(["tee", policy], input='{"ai": false, "forbid": ["unit.stop"]}')
    try:
        model(call("propose_service_action", RESTART), text(["It waits for you."]))
        card = world.owner.get(f"/approvals/{ask(world.owner, 'restart nginx')['approval_id']}").json()
        assert world.owner.post(f"/approvals/{card['id']}/approve", {"digest": card["digest"]}).status_code == 200
        ended = wait_for(lambda: (a := world.owner.get(f"/approvals/{card['id']}").json())["state"] == "failed" and a)
        assert f"this server's own policy ({policy}) forbids what an AI asked for" in ended["outcome"]
        logged = next(e["entry"] for e in entries(world.owner, "operation.finish") if e["entry"]["params"]["operation"] == ended["operation_id"])
        assert logged["result"] == "failed" and "own policy" in json.dumps(logged["detail"])
        for kind, status in (("unit.restart", "succeeded"), ("unit.stop", "failed")):
            started = world.owner.post(f"/servers/{world.server}/actions", {"type": kind, "unit": "nginx.service"}).json()
            done = wait_for(lambda started=started: (o := world.owner.get(f"/operations/{started['id']}").json())["finished_at"] and o)
            assert done["status"] == status, done
        assert "forbids unit.stop" in done["error"]
        # A file that somebody else owns is not root's word: nothing is changed there until that is put right.
        world.machine.run(["chown", "nobody", policy])
        started = world.owner.post(f"/servers/{world.server}/actions", {"type": "unit.restart", "unit": "nginx.service"}).json()
        done = wait_for(lambda: (o := world.owner.get(f"/operations/{started['id']}").json())["finished_at"] and o)
        assert done["status"] == "failed" and "others than root may write it" in done["error"]
    finally:
        world.machine.run(["rm", policy])


def test_one_operation_or_a_category_is_switched_off(world, model):
    model(call("propose_service_action", RESTART), text(["It waits for you."]))
    waiting = ask(world.owner, "restart nginx")["approval_id"]
    problem(world.member.call("PUT", "/ai/operations", {"operation": "unit.restart", "on": False}), 403, "forbidden")
    problem(world.admin.call("PUT", "/ai/operations", {"operation": "unit.status", "on": False}), 422, "invalid")
    now = world.admin.call("PUT", "/ai/operations", {"operation": "unit.restart", "on": False}).json()
    assert {o["operation"]: o["on"] for o in now["operations"]} == {"unit.start": True, "unit.stop": True, "unit.restart": False, "unit.reload": True, "unit.enable": True, "unit.disable": True, "server.reboot": True, "env.place": True, "env.remove": True,
                                                                        "site.create": True, "site.change": True, "site.delete": True, "site.restore": True}
    assert world.owner.get(f"/approvals/{waiting}").json()["state"] == "denied"
    provider = model(call("propose_service_action", RESTART), call("propose_service_action", RESTART | {"action": "start"}, "call_2"), text(["Only that."]))  # noqa: F811
    message = ask(world.owner, "restart nginx")
    refused, other = (json.loads(m["content"]) for m in provider.requests[-1]["body"]["messages"] if m["role"] == "tool")
    assert "setting: operations of the AI, unit.restart" in refused["error"] and "caip ai allow unit.restart" in refused["error"]
    assert other["state"] == "pending" and message["approval_id"] == other["approval_id"]
    each = {o["operation"]: o["may"] for o in world.member.get(f"/servers/{world.server}/ai-access").json()["operations"]}
    assert each["unit.start"] and not each["unit.restart"]
    # With the whole category off, the tool is not offered at all.
    assert world.admin.call("PUT", "/ai/operations", {"operation": "unit", "on": False}).status_code == 200
    assert world.owner.get(f"/approvals/{other['approval_id']}").json()["state"] == "denied"
    provider = model(text(["I may not."]))
    ask(world.owner, "restart nginx")
    assert all("propose_service_action" not in {t["function"]["name"] for t in r["body"]["tools"]} for r in provider.requests)
    assert newest(world.owner, "ai.set_operation")["params"] == {"operation": "unit", "on": False}
    # And nothing else is said to be open to it: env values are on, and no tool of the Pilot proposes those.
    access = world.member.get(f"/servers/{world.server}/ai-access").json()
    assert access["propose"]["may"] is False and "setting: operations of the AI, unit" in access["propose"]["why_not"]
    assert not any(o["may"] for o in access["operations"])
    assert world.admin.call("PUT", "/ai/operations", {"operation": "unit.restart", "on": True}).status_code == 200
    said = next(n["text"] for n in world.owner.data("/notifications/inbox") if n["event"] == "ai.changed")
    assert "nothing of unit is proposed while that is off" in said


def test_who_says_what_a_server_is_for(control, owner, fresh_server):
    admin = control.member(owner, "admin", email="a@example.org")
    path = f"/servers/{fresh_server}/environment"
    assert owner.get(f"/servers/{fresh_server}").json()["environment"] == "unknown"
    problem(admin.call("PUT", path, {"environment": "production"}), 428)
    problem(classify(admin, fresh_server, "development"), 403, "forbidden")
    assert newest(owner, "server.set_environment")["result"] == "blocked"
    assert classify(admin, fresh_server, "production").json()["environment"] == "production"
    problem(classify(admin, fresh_server, "staging"), 403, "forbidden")
    changed = classify(owner, fresh_server, "staging")
    assert changed.headers["ETag"] == f'"{changed.json()["version"]}"'
    assert newest(owner, "server.set_environment")["detail"]["before"] == "production"
    assert "new-1 is no production server any more" in told(admin)[0]
    problem(owner.call("PUT", path, {"environment": "development"}, headers={"If-Match": '"1"'}), 412, "precondition_failed")
    assert classify(admin, fresh_server, "development").status_code == 200
    problem(owner.call("PUT", path, {"environment": "test"}, headers={"If-Match": '"1"'}), 422, "invalid")
    problem(owner.call("PUT", f"/servers/srv_{'0' * 26}/environment", {"environment": "production"}, headers={"If-Match": '"1"'}), 404, "not_found")
    assert {s["name"]: s["environment"] for s in owner.data("/servers")}["new-1"] == "development"


def test_leaving_production_and_switching_the_protection_off_ask_for_the_password_and_the_way_back_for_nothing(control, owner, fresh_server):
    assert classify(owner, fresh_server, "production").status_code == 200
    control.stale()
    cold = Api(control, control.sign_in().token)
    control.stale()
    problem(classify(cold, fresh_server, "development"), 403, "step_up_needed")
    problem(unprotect(cold), 403, "step_up_needed")
    problem(cold.call("PUT", "/ai/operations", {"operation": "unit", "on": True}), 403, "step_up_needed")
    assert cold.call("PUT", "/ai/operations", {"operation": "unit", "on": False}).status_code == 200
    assert cold.post("/ai/protect-production").status_code == 200
    assert classify(cold, fresh_server, "unknown").status_code == 200
    cold.step_up(OWNER[1])
    for minutes, reason in ((0, "x"), (1441, "x"), (60, ""), (60, "a\u202eb")):
        problem(unprotect(cold, minutes, reason), 422, "invalid")
    assert cold.call("PUT", "/ai/operations", {"operation": "unit", "on": True}).status_code == 200
    assert classify(cold, fresh_server, "development").status_code == 200


def test_it_does_not_stay_off_in_the_name_of_an_owner_who_is_none_any_more(control, owner):
    second = control.member(owner, "owner", email="second@example.org")
    second.step_up("a long password for owner")
    assert unprotect(second).json()["production_protection"]["on"] is False
    row = next(m for m in owner.data("/members") if m["email"] == "second@example.org")
    assert owner.call("PATCH", f"/members/{row['id']}", {"role": "admin"}, headers={"If-Match": f'"{row["version"]}"'}).status_code == 200
    assert owner.get("/ai").json()["production_protection"]["on"], "with the change itself"
    wait_for(lambda: "whoever switched it off may no more" in told(owner)[0])
    assert newest(owner, "ai.protect_production_on_time")["result"] == "completed"


def test_all_of_it_by_the_command_line(control, owner, fresh_server, tmp_path):
    secret = tmp_path / "password"
    secret.write_text(OWNER[1] + "\n")
    shell = Shell(tmp_path).login(control)
    proof = ("--password-file", secret)
    assert shell.caip("server", "environment", "new-1", "production").returncode == OK
    assert "production" in shell.caip("server", "list").stdout
    assert json.loads(shell.caip("server", "environment", "new-1", "--json").stdout)["environment"] == "production"
    assert shell.caip("server", "environment", "new-1", "prod").returncode == USAGE
    assert shell.caip("ai", "access", "new-1", "full", *proof).returncode == OK
    shown = shell.caip("ai", "access", "new-1")
    assert "setting: Production Protection, on" in shown.stdout
    assert shell.caip("ai", "unprotect", *proof).returncode == USAGE  # without a reason
    off = shell.caip("ai", "unprotect", "--minutes", "5", "--reason", "the disk is full", *proof)
    assert off.returncode == OK, off.stderr
    assert "OFF until" in shell.caip("ai", "show").stdout and "the disk is full" in shell.caip("ai", "show").stdout
    assert json.loads(shell.caip("ai", "access", "new-1", "--json").stdout)["propose"]["may"] is True
    assert shell.caip("ai", "protect").returncode == OK
    assert shell.caip("ai", "forbid", "unit.stop").returncode == OK
    assert "setting: operations of the AI, unit.stop" in shell.caip("ai", "access", "new-1").stdout
    assert "The AI may propose unit.stop" in shell.caip("ai", "allow", "unit.stop", *proof).stderr
    assert shell.caip("ai", "forbid", "unit").returncode == OK
    assert "nothing of its category is proposed while that is off" in shell.caip("ai", "allow", "unit.stop", *proof).stderr
    assert shell.caip("ai", "allow", "unit", *proof).returncode == OK
    member = Shell(tmp_path / "m").login(control, *_member(control, owner))
    assert member.caip("ai", "unprotect", "--reason", "please").returncode == NOT_ALLOWED
    assert member.caip("ai", "show").returncode == OK


def _member(control, owner):
    person = control.member(owner, "member", email="cli@example.org")
    return "cli@example.org", person.password


def test_the_first_server_is_what_whoever_starts_both_says_and_then_what_people_say(tmp_path):
    control = Control(tmp_path, arguments=("--first-server", "web-1", "--first-server-ai", "full", "--first-server-environment", "development")).start()
    try:
        control.set_up()
        owner = control.sign_in()
        command = wait_for(lambda: (control.data / "first-server").exists() and (control.data / "first-server").read_text())
        server = Identity(control, owner, tmp_path, "web-1", command=command).server
        assert wait_for(lambda: owner.get(f"/servers/{server}").json()["environment"] == "development", 5)
        assert newest(owner, "server.offer_environment")["source"] == "system"
        assert owner.get(f"/servers/{server}/ai-access").json()["propose"]["may"] is True
        # A person's own machine in its place is none that whoever started both spoke of.
        assert Identity(control, owner, tmp_path, "web-1", replace=True).server == server
        assert owner.get(f"/servers/{server}").json()["environment"] == "unknown"
        assert owner.get(f"/servers/{server}/ai-access").json()["access"] == "read"
        assert "Another machine took the place of web-1" in told(owner)[0]
        assert classify(owner, server, "production").status_code == 200
        control.stop()
        control.start()
        assert owner.get(f"/servers/{server}").json()["environment"] == "production"
    finally:
        control.stop()
