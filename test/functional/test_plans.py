"""Plans: numbered steps, decided one by one or together, run in their order, each once, and no further than the first surprise."""
import hashlib
import json

import pytest

from provider import call, text
from support import OK, USAGE, Api, Shell, entries, open_to_ai, problem, wait_for
from test_pilot_model import provider  # noqa: F401  the world with a model

APPROVAL_NEEDED = 6


def step(action, unit="nginx"):
    return {"server": "web-1", "unit": unit, "action": action, "intent": f"{action} it"}


def mode(api, word):
    return api.post("/pilot/conversations", {"mode": word}).json()["id"]


@pytest.fixture
def plan(world, provider):  # noqa: F811
    open_to_ai(world.owner, world.server)

    def proposed(by, *steps, to="plan"):
        provider.play(call("propose_plan", {"intent": "put the shop right", "steps": list(steps)}), text(["It waits for you."]))
        talk = mode(by, to)
        asked = by.post(f"/pilot/conversations/{talk}/messages", {"text": "put it right"})
        assert asked.status_code == 202
        card = wait_for(lambda: next((m["approval_id"] for m in by.get(f"/pilot/conversations/{talk}").json()["messages"] if m["id"] == asked.json()["reply_id"]), None))
        first = by.get(f"/approvals/{card}").json()
        assert first["plan"]["step"] == 1
        return by.get(f"/plans/{first['plan']['id']}").json()
    yield proposed
    for card in world.owner.data("/approvals?state=pending"):
        world.owner.post(f"/approvals/{card['id']}/deny", {"digest": card["digest"]})


def allow(api, p, *steps, digest=None):
    return api.post(f"/plans/{p['id']}/approve", {"digest": digest or p["digest"], "steps": list(steps)})


def states(api, p):
    return [s["state"] for s in api.get(f"/plans/{p['id']}").json()["steps"]]


def ended(api, p, state):
    return wait_for(lambda: (now := api.get(f"/plans/{p['id']}").json())["state"] == state and now, 60)


def sha(words):
    return hashlib.sha256(words.encode()).hexdigest()


def test_allowed_together_its_steps_run_in_their_order_each_once_with_one_decision_in_the_log(world, plan):
    p = plan(world.owner, step("restart"), step("reload"), step("restart"))
    assert p["state"] == "waiting" and p["mode"] == "plan" and p["digest"] == sha(p["bytes"])
    assert json.loads(p["bytes"]) == {"plan": p["id"], "steps": [sha(s["bytes"]) for s in p["steps"]], "v": 1}
    before = len(entries(world.owner, "unit.restart")), len(entries(world.owner, "unit.reload"))
    problem(allow(world.viewer, p, 1, 2, 3), 403, "forbidden")
    problem(allow(world.owner, p, 1, 2, 3, digest=sha("another")), 422, "digest_mismatch")
    for wrong in ([], [0], [4], [2, 1], [1, 1]):
        problem(allow(world.owner, p, *wrong), 422, "invalid")
    assert allow(world.owner, p, 1, 2, 3).status_code == 200
    problem(allow(world.owner, p, 1, 2, 3), 409, "already_decided")
    done = ended(world.owner, p, "completed")
    assert [s["state"] for s in done["steps"]] == ["completed"] * 3 and done["stopped"] is None
    assert (len(entries(world.owner, "unit.restart")), len(entries(world.owner, "unit.reload"))) == (before[0] + 2, before[1] + 1)
    orders = [world.owner.get(f"/operations/{s['operation_id']}").json() for s in done["steps"]]
    assert all(a["finished_at"] <= b["created_at"] for a, b in zip(orders, orders[1:])), orders
    word = next(e["entry"] for e in entries(world.owner, "plan.approve") if e["entry"]["result"] == "completed")
    assert word["params"] == {"plan": p["id"], "digest": p["digest"], "steps": [1, 2, 3]}
    assert [s["digest"] for s in word["detail"]["steps"]] == [s["digest"] for s in p["steps"]]


def test_it_stops_at_the_first_surprise_and_says_where_and_why(world, plan):
    p = plan(world.owner, step("restart"), step("restart", "no-such-service"), step("reload"))
    before = len(entries(world.owner, "unit.reload"))
    assert allow(world.owner, p, 1, 2, 3).status_code == 200
    stopped = ended(world.owner, p, "stopped")
    assert stopped["stopped"]["step"] == 2 and stopped["stopped"]["why"]
    last = wait_for(lambda: (s := world.owner.get(f"/plans/{p['id']}").json()["steps"])[2]["state"] == "held" and s[2])
    assert "step 2 did not go as planned" in last["outcome"] and last["operation_id"] is None
    assert len(entries(world.owner, "unit.reload")) == before
    assert entries(world.owner, "plan.hold")[0]["entry"]["params"] == {"plan": p["id"], "approval": last["id"]}
    talk = world.owner.get(f"/pilot/conversations/{p['conversation_id']}").json()["messages"]
    assert any("is held and was not run" in m["text"] for m in talk)
    problem(allow(world.owner, p, 3), 409, "already_decided")


def test_steps_one_by_one_and_a_no_holds_what_is_behind_it(world, plan):
    p = plan(world.owner, step("restart"), step("reload"), step("restart"))
    first, second, _ = p["steps"]
    assert world.owner.post(f"/approvals/{second['id']}/approve", {"digest": second["digest"]}).json()["state"] == "approved"  # it waits for the first
    assert world.owner.post(f"/approvals/{first['id']}/approve", {"digest": first["digest"]}).status_code == 200
    now = wait_for(lambda: states(world.owner, p)[:2] == ["completed", "completed"] and world.owner.get(f"/plans/{p['id']}").json())
    assert now["state"] == "waiting" and now["running"] is None
    assert world.owner.post(f"/plans/{p['id']}/deny", {"digest": p["digest"], "reason": "enough"}).json()["state"] == "stopped"
    assert states(world.owner, p) == ["completed", "completed", "denied"]
    problem(world.owner.post(f"/plans/{p['id']}/deny", {"digest": p["digest"]}), 409, "already_decided")


def test_what_is_destructive_is_decided_by_itself_with_a_step_up_in_agent_mode_too(world, plan):
    p = plan(world.owner, step("restart"), step("restart", "ssh"), to="agent")
    assert p["mode"] == "agent" and [s["impact"] for s in p["steps"]] == ["caution", "destructive"]
    problem(allow(world.owner, p, 1, 2), 422, "invalid")
    one = p["steps"][0]
    problem(world.owner.post(f"/approvals/{one['id']}/approve", {"digest": one["digest"]}), 422, "invalid")  # as a whole
    assert allow(world.owner, p, 1).status_code == 200
    wait_for(lambda: states(world.owner, p) == ["completed", "pending"])
    cold = Api(world.control, world.owner.token)
    world.control.stale()
    two = p["steps"][1]
    problem(cold.post(f"/approvals/{two['id']}/approve", {"digest": two["digest"]}), 403, "step_up_needed")
    assert world.owner.post(f"/approvals/{two['id']}/deny", {"digest": two["digest"]}).json()["state"] == "denied"
    assert ended(world.owner, p, "stopped")["stopped"]["step"] == 2


def test_the_control_plane_is_killed_in_the_middle_and_each_step_runs_once(world, plan):
    p = plan(world.owner, *[step("restart")] * 4)
    before = len(entries(world.owner, "unit.restart"))
    assert allow(world.owner, p, 1, 2, 3, 4).status_code == 200
    wait_for(lambda: states(world.owner, p)[0] in ("executing", "completed"))
    for _ in range(2):
        world.control.kill()
        world.control.start()
    assert [s["state"] for s in ended(world.owner, p, "completed")["steps"]] == ["completed"] * 4
    assert len(entries(world.owner, "unit.restart")) == before + 4


def test_in_ask_mode_no_plan_and_a_plan_longer_than_the_limit_is_none(world, provider):  # noqa: F811
    open_to_ai(world.owner, world.server)
    known = len(world.owner.data("/plans"))
    for talk, steps, why in ((mode(world.owner, "ask"), [step("restart")], "ask"), (mode(world.owner, "plan"), [step("restart")] * 11, "steps_per_plan")):
        provider.play(call("propose_plan", {"intent": "x", "steps": steps}), text(["I may not."]))
        asked = world.owner.post(f"/pilot/conversations/{talk}/messages", {"text": "x"}).json()
        wait_for(lambda: any(m["id"] == asked["reply_id"] and m["approval_id"] is None for m in world.owner.get(f"/pilot/conversations/{talk}").json()["messages"]))
        told = json.dumps(provider.requests[-1]["body"]["messages"])
        assert why in told, told
    assert len(world.owner.data("/plans")) == known


def test_all_of_it_by_the_command_line(world, plan, tmp_path):
    shell = Shell(tmp_path).login(world.control)
    p = plan(world.owner, step("restart"), step("reload"))
    shown = shell.caip("plan", "show", p["id"])
    assert shown.returncode == OK and p["digest"] in shown.stdout and all(s["bytes"] in shown.stdout for s in p["steps"])
    assert p["id"] in shell.caip("plan", "list").stdout
    assert shell.caip("plan", "approve", p["id"]).returncode == USAGE  # nobody to ask, and no digest
    assert shell.caip("plan", "approve", p["id"], "--digest", sha("x")).returncode == 5
    assert shell.caip("plan", "approve", p["id"], "--digest", p["digest"], "--steps", "1").returncode == APPROVAL_NEEDED  # the second waits
    assert shell.caip("plan", "approve", p["id"], "--yes").returncode == OK
    assert world.owner.get(f"/plans/{p['id']}").json()["state"] == "completed"
    other = plan(world.owner, step("restart"), step("reload"))
    denied = shell.caip("plan", "deny", other["id"], "--reason", "not now", "--json")
    assert denied.returncode == OK and json.loads(denied.stdout)["state"] == "stopped"
    assert shell.caip("approval", "show", other["steps"][1]["id"]).stdout.count(other["id"]) == 1
