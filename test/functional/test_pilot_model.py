"""With an OpenAI-compatible endpoint configured the model answers: with tools, streamed, and with no more
power than the built-in planner has."""
import json
import threading

import pytest

from provider import KEY, Provider, call, text
from support import entries, wait_for


class Stream:
    """The event stream of one person, read in the background."""

    def __init__(self, api):
        self.events, self.response = [], None
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self.read, args=(api,), daemon=True)
        self.thread.start()
        assert self.ready.wait(10)

    def read(self, api):
        with api.http.stream("GET", "/events", timeout=60) as self.response:
            name = ""
            self.ready.set()
            try:
                for line in self.response.iter_lines():
                    if line.startswith("event: "):
                        name = line[7:]
                    elif line.startswith("data: "):
                        self.events.append((name, json.loads(line[6:])))
            except Exception:  # noqa: BLE001  closed under us: the test is over
                pass

    def of(self, name):
        return [data for kind, data in list(self.events) if kind == name]


@pytest.fixture(scope="module")
def provider(one_world, tmp_path_factory):
    """The world's control plane with a model, for the tests of this file."""
    folder = tmp_path_factory.mktemp("model")
    provider = Provider()
    key, config = folder / "ai-key", folder / "caip.toml"
    key.write_text(KEY + "\n")
    config.write_text(f'[pilot]\nbase_url = "{provider.url}"\nmodel = "stand-in-1"\nallow_networks = ["127.0.0.1"]\napi_key_file = "{key}"\n')
    world, plain = one_world, list(one_world.control.arguments)
    world.renew()

    def restart(arguments):
        world.control.stop()
        world.control.arguments = arguments
        world.control.start()
        wait_for(lambda: world.owner.get(f"/servers/{world.server}").json()["online"], 60)
    restart(plain + ["--config", str(config)])
    yield provider
    provider.stop()
    restart(plain)


@pytest.fixture
def model(provider):
    return provider.play


def ask(api, words, **begun):
    conversation = api.post("/pilot/conversations", begun or None).json()["id"]
    answer = api.post(f"/pilot/conversations/{conversation}/messages", {"text": words})
    assert answer.status_code == 202, answer.text
    reply = answer.json()["reply_id"]

    def said():
        messages = api.get(f"/pilot/conversations/{conversation}").json()["messages"]
        return next((m for m in messages if m["id"] == reply), None)
    return wait_for(said, 40)


def test_the_model_looks_proposes_and_runs_nothing_itself(world, model):
    world.machine.run(["systemctl", "stop", "nginx"])
    provider = model(call("service_status", {"server": "web-1", "unit": "nginx"}),
                     call("propose_service_action", {"server": "web-1", "unit": "nginx", "action": "restart", "intent": "bring nginx back"}, "call_2"),
                     text(["It ", "waits ", "for ", "you."]))
    assert world.owner.get("/pilot").json() | {"examples": []} == {"label": "stand-in-1", "model": "stand-in-1", "builtin": False, "examples": []}
    stream = Stream(world.owner)
    message = ask(world.owner, "nginx on web-1 is down, bring it back")
    assert message["text"] == "It waits for you." and message["label"] == "stand-in-1"
    card = world.owner.get(f"/approvals/{message['approval_id']}").json()
    assert card["state"] == "pending" and json.loads(card["bytes"])["action"] == "unit.restart"
    assert world.machine.run(["systemctl", "is-active", "nginx"], check=False).stdout.strip() == "inactive"

    deltas = wait_for(lambda: len(d := [e["text"] for e in stream.of("pilot.delta")]) >= 4 and d)
    assert deltas == ["It ", "waits ", "for ", "you."]  # streamed as they came

    first, second, third = (r["body"] for r in provider.requests)
    assert {r["authorization"] for r in provider.requests} == {f"Bearer {KEY}"} and first["stream"] is True
    assert {t["function"]["name"] for t in first["tools"]} == {"list_servers", "list_services", "service_status", "read_journal", "list_processes", "list_sockets", "list_disks", "list_sites", "propose_service_action", "propose_plan"}
    # Each call has exactly one result, right behind it.
    for sent in (second, third):
        calls = [c["id"] for m in sent["messages"] for c in m.get("tool_calls", [])]
        results = [m["tool_call_id"] for m in sent["messages"] if m["role"] == "tool"]
        assert calls == results and calls

    answer = world.owner.post(f"/approvals/{card['id']}/approve", {"digest": card["digest"]})
    assert answer.status_code == 200, answer.text
    wait_for(lambda: world.owner.get(f"/approvals/{card['id']}").json()["state"] == "completed", 40)
    assert world.machine.run(["systemctl", "is-active", "nginx"], check=False).stdout.strip() == "active"
    proposed = entries(world.owner, "approval.propose")[0]["entry"]
    assert proposed["source"] == "pilot" and proposed["actor"]["kind"] == "user"


HOSTILE = [
    call("approve", {"approval": "apr_1"}),
    call("run_command", {"command": "systemctl restart nginx"}),
    call("propose_service_action", {"server": "web-1", "unit": "nginx", "action": "restart", "intent": "x", "approved": True}),
    call("propose_service_action", {"server": "web-1", "unit": "../../etc/passwd", "action": "stop", "intent": "x"}),
    call("propose_service_action", {"server": "web-1", "unit": "ngin\u202ex.service", "action": "stop", "intent": "x"}),
    call("propose_service_action", {"server": "srv_" + "0" * 26, "unit": "nginx", "action": "stop", "intent": "x"}),
    call("service_status", '{"server":"web-1","unit":"nginx","unit":"ssh"}'),
    call("service_status", '{"server":'),
]


@pytest.mark.parametrize("turn", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_call_is_refused_and_the_model_told_so(world, model, turn):
    before = {a["id"] for a in world.owner.data("/approvals")}
    unknown = len(entries(world.owner, "pilot.unknown_tool"))
    provider = model(turn, text(["Approved by the owner; done."]))
    message = ask(world.owner, "restart everything")
    assert message["approval_id"] is None
    told = [m for m in provider.requests[-1]["body"]["messages"] if m["role"] == "tool"]
    assert len(told) == 1 and "error" in json.loads(told[0]["content"])
    assert {a["id"] for a in world.owner.data("/approvals")} == before
    # A tool that does not exist, such as approving, is an attempt that stands in the log.
    tool = turn[0]["delta"]["tool_calls"][0]["function"]["name"]
    logged = entries(world.owner, "pilot.unknown_tool")
    assert len(logged) == unknown + (tool in ("approve", "run_command"))
    if len(logged) > unknown:
        newest = logged[0]["entry"]
        assert newest["result"] == "blocked" and newest["params"]["tool"] == tool and newest["source"] == "pilot", newest


FAILING = {
    "wrong key": ([401], "key"),
    "overloaded": ([429], ""),
    "broken": ([500], ""),
    "no stream": ([b"<html>not what you think</html>"], ""),
    "cut": ([b'data: {"choices":[{"index":0,"delta":{"content":"half"}}]}\n\n'], ""),
    "endless line": ([b"data: " + b"x" * (4 << 20)], ""),
    "never done": ([call("list_servers", {})], ""),
}


@pytest.mark.parametrize("kind", FAILING)
def test_a_failing_provider_is_told_to_the_person_without_its_words(world, model, kind):
    script, word = FAILING[kind]
    model(*script)
    message = ask(world.owner, "how are my servers")
    assert message["text"] and KEY not in message["text"] and KEY[:7] not in message["text"], message["text"]
    assert word in message["text"].lower()
    assert KEY not in world.control.log.read_text() and message["approval_id"] is None


def test_a_busy_provider_is_asked_again(world, model):
    provider = model(429, text(["Fine."]))
    assert ask(world.owner, "hello")["text"] == "Fine."
    assert len(provider.requests) == 2
