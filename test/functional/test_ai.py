"""What an organisation's AI may do at all: the switch that stops it, at once and whatever its process does, and whether it
may propose changes. Each refusal names the rule and the setting, and is in the log."""
import json
import os
import signal
import time

import pytest

from agent_wire import Identity
from provider import Hang, call, text
from support import EVERYONE_FOUNDS, NOT_ALLOWED, OK, OWNER, USAGE, Api, Control, Shell, classify, entries, problem, wait_for
from test_pilot_model import Stream, ask, provider  # noqa: F401  the world with a model

RESTART = {"server": "web-1", "unit": "nginx", "action": "restart", "intent": "bring nginx back"}


@pytest.fixture
def model(world, provider):  # noqa: F811
    """Its AI is on again afterwards, whatever a test made of it."""
    yield provider.play
    for how in ("start", "allow-writes"):
        assert world.owner.post(f"/ai/{how}").status_code == 200
    assert opened(world.owner, world.server, "full")["propose"] == {"may": True, "why_not": None}


def opened(api, server, level):
    answer = api.call("PUT", f"/servers/{server}/ai-access", {"access": level})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture(scope="module")
def fresh_server(control, owner, tmp_path_factory):
    """Enrolled, never connected, and set to nothing by anybody."""
    return Identity(control, owner, tmp_path_factory.mktemp("server"), "new-1").server


def newest(world, action):
    return entries(world.owner, action)[0]["entry"]


def question(api, words):
    conversation = api.post("/pilot/conversations").json()["id"]
    answer = api.post(f"/pilot/conversations/{conversation}/messages", {"text": words})
    assert answer.status_code == 202, answer.text
    return conversation


def pilots(control):
    """The processes that answer now."""
    def parent(pid):
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return int(file.read().rsplit(")", 1)[1].split()[1])
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if parent(pid) == control.process.pid and "caip-pilotd" in os.readlink(f"/proc/{pid}/exe"):
                found.append(int(pid))
        except OSError:
            pass  # gone meanwhile
    return found


def test_one_call_ends_every_answer_within_a_second_with_the_process_hung(world, model):
    hang = Hang(["Let me ", "see. "])
    model(hang)
    stream = Stream(world.member)
    conversation = question(world.member, "how are my servers")
    wait_for(lambda: len(stream.of("pilot.delta")) == 2)
    (process,) = wait_for(lambda: pilots(world.control))
    os.kill(process, signal.SIGSTOP)  # it neither reads nor ends by itself

    began = time.monotonic()
    answer = world.owner.post("/ai/stop")
    assert answer.status_code == 200 and answer.json()["on"] is False, answer.text
    told = wait_for(lambda: [m for m in stream.of("pilot.message") if m["conversation_id"] == conversation and m["message"]["role"] == "tool"], 5, 0.01)
    assert wait_for(lambda: {"on": False, "writes": True} in stream.of("ai.updated"), 5, 0.01)
    wait_for(lambda: not os.path.exists(f"/proc/{process}"), 5, 0.01)
    assert time.monotonic() - began < 1
    assert "stopped while it answered" in told[0]["message"]["text"]
    hang.set()

    talk = world.member.get(f"/pilot/conversations/{conversation}").json()
    assert talk["answering"] is False and talk["messages"][-1]["role"] == "tool"
    assert answer.json()["changed_by"]["email"] == OWNER[0]
    assert newest(world, "ai.stop")["result"] == "completed"
    # Nothing of it comes later, and nobody's question gets in.
    for api in (world.owner, world.member):
        refused = problem(api.post(f"/pilot/conversations/{api.post('/pilot/conversations').json()['id']}/messages", {"text": "hello"}), 403, "ai_off")
        assert "setting: AI" in refused["detail"] and "caip ai start" in refused["detail"]
    assert newest(world, "pilot.ask")["result"] == "blocked"
    assert [m["role"] for m in world.member.get(f"/pilot/conversations/{conversation}").json()["messages"]] == ["user", "tool"]
    assert len(stream.of("pilot.delta")) == 2


def test_what_the_ai_proposed_is_denied_by_whoever_stops_it_and_runs_no_more(world, model):
    model(call("propose_service_action", RESTART), text(["It waits for you."]))
    card = world.owner.get(f"/approvals/{ask(world.owner, 'restart nginx')['approval_id']}").json()
    assert card["state"] == "pending"
    started = len(entries(world.owner, "unit.restart"))
    assert world.member.post("/ai/stop").status_code == 200  # whoever may use it may stop it

    denied = world.owner.get(f"/approvals/{card['id']}").json()
    assert denied["state"] == "denied" and denied["reason"] == "the AI was stopped" and denied["decided_by"]["email"] == "member@example.org"
    end = newest(world, "approval.expire")
    assert end["result"] == "denied" and end["params"]["approval"] == card["id"]
    said = world.owner.get(f"/pilot/conversations/{card['conversation_id']}").json()["messages"][-1]
    assert said["approval_id"] == card["id"] and "Nothing was run" in said["text"]
    problem(world.owner.post(f"/approvals/{card['id']}/approve", {"digest": card["digest"]}), 409, "already_decided")
    problem(world.viewer.post("/ai/stop"), 403, "forbidden")
    problem(world.member.post("/ai/start"), 403, "forbidden")
    assert world.admin.post("/ai/start").status_code == 200
    assert len(entries(world.owner, "unit.restart")) == started


def test_without_write_actions_it_is_offered_no_tool_that_proposes_and_a_call_all_the_same_is_refused(world, model):
    model(call("propose_service_action", RESTART), text(["It waits for you."]))
    card = ask(world.owner, "restart nginx")["approval_id"]
    problem(world.member.post("/ai/forbid-writes"), 403, "forbidden")
    assert world.admin.post("/ai/forbid-writes").json()["writes"] is False
    assert world.owner.get(f"/approvals/{card}").json()["state"] == "denied"

    provider = model(call("list_servers", {}), call("propose_service_action", RESTART, "call_2"), text(["I may not."]))  # noqa: F811
    message = ask(world.owner, "restart nginx")
    assert message["text"] == "I may not." and message["approval_id"] is None
    assert all("propose_service_action" not in {t["function"]["name"] for t in r["body"]["tools"]} for r in provider.requests)
    looked, refused = (json.loads(m["content"]) for m in provider.requests[-1]["body"]["messages"] if m["role"] == "tool")
    assert looked["servers"][0]["name"] == "web-1"  # it looks as before
    assert "setting: write actions of the AI" in refused["error"] and "caip ai allow-writes" in refused["error"]
    logged = newest(world, "pilot.call_tool")
    assert logged["result"] == "blocked" and logged["params"]["tool"] == "propose_service_action" and "setting" in logged["detail"]["reason"]

    assert world.admin.post("/ai/allow-writes").json()["writes"] is True
    provider = model(call("propose_service_action", RESTART), text(["It waits for you."]))
    again = world.owner.get(f"/approvals/{ask(world.owner, 'restart nginx')['approval_id']}").json()
    assert "propose_service_action" in {t["function"]["name"] for t in provider.requests[0]["body"]["tools"]}
    assert world.owner.post(f"/approvals/{again['id']}/deny", {"digest": again["digest"], "reason": "test"}).status_code == 200


def test_in_ask_mode_no_tool_that_proposes_is_offered_and_a_call_all_the_same_is_refused_and_names_the_mode(world, model):
    model(call("propose_service_action", RESTART), text(["It waits for you."]))
    waits = world.owner.get(f"/approvals/{ask(world.owner, 'restart nginx')['approval_id']}").json()
    model(call("propose_service_action", RESTART), text(["It waits for you."]))
    other = world.owner.get(f"/approvals/{ask(world.owner, 'restart nginx')['approval_id']}").json()
    stream = Stream(world.owner)
    conversation = waits["conversation_id"]
    problem(world.member.call("PUT", f"/pilot/conversations/{conversation}/mode", {"mode": "ask"}), 404, "not_found")
    problem(world.owner.call("PUT", f"/pilot/conversations/{conversation}/mode", {"mode": "agents"}), 422, "invalid")
    turned = world.owner.call("PUT", f"/pilot/conversations/{conversation}/mode", {"mode": "ask"})
    assert turned.status_code == 200 and turned.json()["mode"] == "ask", turned.text
    assert wait_for(lambda: {"conversation_id": conversation, "mode": "ask"} in stream.of("pilot.mode"), 5, 0.01)
    denied = world.owner.get(f"/approvals/{waits['id']}").json()
    assert denied["state"] == "denied" and "Ask mode" in denied["reason"]  # what waited there; of another conversation it goes on
    assert world.owner.get(f"/approvals/{other['id']}").json()["state"] == "pending"
    assert newest(world, "pilot.set_mode")["params"] == {"conversation": conversation, "mode": "ask"}

    provider = model(call("list_servers", {}), call("propose_service_action", RESTART, "call_2"), text(["I only look here."]))  # noqa: F811
    message = ask(world.owner, "restart nginx", mode="ask")
    assert message["text"] == "I only look here." and message["approval_id"] is None
    assert all("propose_service_action" not in {t["function"]["name"] for t in r["body"]["tools"]} for r in provider.requests)
    assert "Ask mode" in provider.requests[0]["body"]["messages"][0]["content"]
    looked, refused = (json.loads(m["content"]) for m in provider.requests[-1]["body"]["messages"] if m["role"] == "tool")
    assert looked["servers"][0]["name"] == "web-1" and looked["servers"][0]["access"] == "read"
    assert "setting: mode of the conversation, ask" in refused["error"]
    logged = newest(world, "pilot.call_tool")
    assert logged["result"] == "blocked" and logged["params"]["tool"] == "propose_service_action" and "Ask mode" in logged["detail"]["reason"]
    assert newest(world, "pilot.ask")["detail"]["mode"] == "ask" and newest(world, "pilot.reply")["detail"] == {"mode": "ask", "steps": 2}
    assert world.owner.post(f"/approvals/{other['id']}/deny", {"digest": other["digest"], "reason": "test"}).status_code == 200


def test_an_answer_ends_at_its_limit_of_steps_and_says_which_setting_that_is(world, model):
    problem(world.member.call("PUT", "/ai/limits", {"limit": "steps_per_run", "value": 3}), 403, "forbidden")
    for wrong in (0, 1001):
        problem(world.admin.call("PUT", "/ai/limits", {"limit": "steps_per_run", "value": wrong}), 422, "invalid")
    problem(world.admin.call("PUT", "/ai/limits", {"limit": "steps", "value": 3}), 422, "invalid")
    assert world.owner.get("/ai").json()["limits"][0]["value"] == 100
    assert world.admin.call("PUT", "/ai/limits", {"limit": "steps_per_run", "value": 3}).json()["limits"][0]["value"] == 3
    try:
        provider = model(call("list_servers", {}))  # for ever  # noqa: F811
        message = ask(world.owner, "how are my servers")
        assert "limit of 3 steps" in message["text"] and "steps_per_run" in message["text"] and "caip ai limit" in message["text"]
        assert len(provider.requests) == 4
        assert newest(world, "pilot.reply")["detail"] == {"mode": "plan", "steps": 3}
        refused = newest(world, "pilot.call_tool")
        assert refused["result"] == "blocked" and refused["params"]["tool"] == "list_servers" and refused["detail"]["code"] == "ai_limit" and "steps_per_run" in refused["detail"]["reason"]
        assert newest(world, "ai.set_limit")["params"] == {"limit": "steps_per_run", "value": 3}
    finally:
        assert world.admin.call("PUT", "/ai/limits", {"limit": "steps_per_run", "value": 100}).status_code == 200


def test_a_server_that_the_ai_may_look_at_alone_gets_no_card_and_what_waited_there_is_denied(world, model):
    model(call("propose_service_action", RESTART), text(["It waits for you."]))
    card = ask(world.owner, "restart nginx")["approval_id"]
    problem(world.member.call("PUT", f"/servers/{world.server}/ai-access", {"access": "none"}), 403, "forbidden")
    shut = opened(world.admin, world.server, "read")
    assert shut["look"]["may"] and not shut["propose"]["may"] and "AI access of the server, read" in shut["propose"]["why_not"]
    assert world.owner.get(f"/approvals/{card}").json()["state"] == "denied"

    provider = model(call("service_status", {"server": "web-1", "unit": "nginx"}), call("propose_service_action", RESTART, "call_2"), text(["I may not."]))  # noqa: F811
    assert ask(world.owner, "restart nginx")["approval_id"] is None
    looked, refused = (json.loads(m["content"]) for m in provider.requests[-1]["body"]["messages"] if m["role"] == "tool")
    assert "active" in looked["status"] and "setting: AI access of the server, read" in refused["error"]
    assert newest(world, "pilot.call_tool")["params"]["tool"] == "propose_service_action"
    assert world.member.get(f"/servers/{world.server}/ai-access").json() == shut


def test_to_the_ai_a_server_that_is_shut_is_not_there_by_name_or_id(world, model):
    opened(world.admin, world.server, "none")
    asked = {"server": world.server, "unit": "nginx"}
    provider = model(call("list_servers", {}), call("service_status", asked, "call_2"),  # noqa: F811
                     call("service_status", asked | {"server": "srv_" + "0" * 26}, "call_3"), text(["There is none."]))
    ask(world.owner, "which servers are there")
    listed, shut, unknown = (json.loads(m["content"]) for m in provider.requests[-1]["body"]["messages"] if m["role"] == "tool")
    assert listed == {"servers": []} and shut == unknown
    assert "web-1" not in json.dumps([r["body"] for r in provider.requests])
    logged = newest(world, "pilot.call_tool")
    assert logged["result"] == "blocked" and "AI access of the server, none" in logged["detail"]["reason"]
    assert [s["name"] for s in world.member.data("/servers")] == ["web-1"]  # to people it is


def test_a_new_server_is_looked_at_until_somebody_says_more(control, owner, fresh_server):
    server = fresh_server
    assert owner.get(f"/servers/{server}/ai-access").json()["access"] == "read"
    assert "setting: AI access of the server, read" in ask(owner, "restart nginx on new-1")["text"]
    problem(owner.call("PUT", f"/servers/{server}/ai-access", {"access": "write"}), 422, "invalid")
    problem(owner.call("PUT", f"/servers/srv_{'0' * 26}/ai-access", {"access": "full"}), 404, "not_found")
    problem(Api(control, owner.token).call("PUT", f"/servers/{server}/ai-access", {}), 400)
    opened(owner, server, "full")
    assert "setting: Production Protection, on" in ask(owner, "restart nginx on new-1")["text"]  # nobody has said what it is for
    assert classify(owner, server, "development").status_code == 200
    card = ask(owner, "restart nginx on new-1")["approval_id"]
    assert owner.get(f"/approvals/{card}").json()["state"] == "pending"
    opened(owner, server, "none")
    assert owner.get(f"/approvals/{card}").json()["state"] == "denied"


def test_the_built_in_planner_says_which_setting_keeps_it_from_proposing(control, owner):
    assert owner.post("/ai/forbid-writes").status_code == 200
    assert "setting: write actions of the AI" in ask(owner, "restart nginx on web-1")["text"]
    assert owner.post("/ai/allow-writes").status_code == 200


def test_taking_away_asks_for_nothing_and_giving_back_for_the_password_and_it_outlives_a_restart(control, owner, fresh_server):
    member = control.member(owner, "member", email="m@example.org")
    control.stale()
    cold = Api(control, control.sign_in().token)
    control.stale()
    assert cold.post("/ai/stop").status_code == 200
    for how in ("start", "allow-writes"):
        problem(cold.post(f"/ai/{how}"), 403, "step_up_needed")
    problem(cold.call("PUT", "/ai/limits", {"limit": "steps_per_run", "value": 3}), 403, "step_up_needed")
    opened(cold, fresh_server, "none")
    for level in ("read", "full"):
        problem(cold.call("PUT", f"/servers/{fresh_server}/ai-access", {"access": level}), 403, "step_up_needed")
    control.stop()
    control.start()
    assert cold.get("/ai").json()["on"] is False
    assert cold.get(f"/servers/{fresh_server}/ai-access").json()["access"] == "none"
    problem(member.post(f"/pilot/conversations/{member.post('/pilot/conversations').json()['id']}/messages", {"text": "hello"}), 403, "ai_off")
    cold.step_up(OWNER[1])
    assert cold.post("/ai/start").json()["on"] is True
    assert ask(member, "status of my servers")["text"]


def test_a_program_may_be_given_the_brake_and_never_the_way_back(control):
    owner = control.sign_in()
    made = owner.post("/tokens", {"name": "watchdog", "days": 1, "scopes": ["ai.stop"]})
    program = Api(control, made.json()["token"])
    assert program.post("/ai/stop").status_code == 200
    problem(program.post("/ai/start"), 403, "forbidden")
    problem(owner.post("/tokens", {"name": "way back", "days": 1, "scopes": ["ai.control"]}), 403, "forbidden")
    assert owner.post("/ai/start").status_code == 200


def test_all_of_it_by_the_command_line(control, owner, fresh_server, tmp_path):
    opened(owner, fresh_server, "none")
    assert classify(owner, fresh_server, "development").status_code == 200
    shell = Shell(tmp_path).login(control)
    secret = tmp_path / "password"
    secret.write_text(OWNER[1] + "\n")
    assert shell.caip("ai", "stop").returncode == OK
    shown = json.loads(shell.caip("ai", "show", "--json").stdout)
    assert shown["on"] is False and shown["changed_by"]["email"] == OWNER[0]
    asked = shell.caip("pilot", "ask", "status of my servers")
    assert asked.returncode == NOT_ALLOWED and "caip ai start" in asked.stderr
    assert shell.caip("ai", "start", "--password-file", secret).returncode == OK
    assert shell.caip("ai", "forbid-writes").returncode == OK
    assert "off" in shell.caip("ai", "show").stdout
    assert shell.caip("ai", "allow-writes", "--password-file", secret).returncode == OK
    assert json.loads(shell.caip("ai", "show", "--json").stdout)["writes"] is True
    assert shell.caip("ai", "limit", "steps_per_run", "30", "--password-file", secret).returncode == OK
    assert "steps_per_run" in (table := shell.caip("ai", "show").stdout) and "30" in table
    looked = json.loads(shell.caip("pilot", "ask", "restart nginx on new-1", "--mode", "ask", "--json").stdout)
    assert "setting: mode of the conversation, ask" in looked["messages"][-1]["text"]
    assert shell.caip("pilot", "mode", looked["conversation_id"]).stdout.strip() == "ask"
    assert shell.caip("pilot", "mode", looked["conversation_id"], "plan").returncode == OK
    assert json.loads(shell.caip("pilot", "mode", looked["conversation_id"], "--json").stdout)["mode"] == "plan"
    assert shell.caip("pilot", "mode", looked["conversation_id"], "agents").returncode == USAGE
    shut = shell.caip("ai", "access", "new-1")
    assert shut.returncode == OK and "setting: AI access of the server, none" in shut.stdout
    assert json.loads(shell.caip("ai", "access", "new-1", "full", "--json", "--password-file", secret).stdout)["propose"]["may"] is True
    assert shell.caip("ai", "access", "new-1", "write").returncode == USAGE


def test_another_organisation_goes_on(tmp_path):
    control = Control(tmp_path, settings=EVERYONE_FOUNDS).start()
    try:
        control.set_up()
        owner = control.sign_in()
        other = owner.post("/organizations", {"name": "Other"}).json()["id"]
        elsewhere = control.sign_in()
        switched = elsewhere.post("/session/organization", {"organization_id": other}, key=False).json()
        elsewhere = Api(control, switched["access_token"])
        assert owner.post("/ai/stop").status_code == 200
        theirs = elsewhere.get("/ai").json()
        assert theirs["on"] and theirs["writes"] and theirs["changed_at"] is None and theirs["changed_by"] is None
        assert ask(elsewhere, "status of my servers")["text"]
    finally:
        control.stop()
