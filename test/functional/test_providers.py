"""Who answers as an organisation's AI: chosen by its Owner, in the wire format of each provider, with a key that is a secret; and what
of it goes wrong is told without the provider's words."""
import json
import socket
import threading
import time

import pytest

from agent_wire import Identity
from provider import call, text
from providers import KEY, WIRE, Provider
from support import OK, OWNER, USAGE, Api, Control, Shell, entries, problem
from test_pilot_model import ask

VENDOR = pytest.mark.parametrize("vendor", WIRE)


@pytest.fixture(scope="module")
def control(tmp_path_factory):
    control = Control(tmp_path_factory.mktemp("control"), settings='[pilot]\nallow_networks = ["127.0.0.0/8", "::1", "10.0.0.0/8"]\nowner_networks = ["127.0.0.1"]\n').start()
    control.set_up()
    yield control
    control.stop()


@pytest.fixture(scope="module")
def owner(control, tmp_path_factory):
    owner = control.sign_in()
    Identity(control, owner, tmp_path_factory.mktemp("server"), "web-1")
    return owner


@pytest.fixture(scope="module")
def key(owner):
    return owner.post("/secrets", {"kind": "ai_provider", "name": "MAIN", "value": KEY}).json()["id"]


@pytest.fixture
def provider(vendor):
    provider = Provider(vendor)
    yield provider
    provider.stop()


def choose(owner, vendor, provider, key, **more):
    answer = owner.call("PUT", "/ai/provider", {"provider": vendor, "base_url": provider.url, "model": "m-1", "secret": "MAIN", **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def results(vendor, body):
    """The (call, result) pairs of the last request, by the ids or names that pair them."""
    if vendor == "anthropic":
        blocks = [b for m in body["messages"] if isinstance(m["content"], list) for b in m["content"]]
        return [b["id"] for b in blocks if b["type"] == "tool_use"], [b["tool_use_id"] for b in blocks if b["type"] == "tool_result"]
    if vendor == "openai":
        return [i["call_id"] for i in body["input"] if i.get("type") == "function_call"], [i["call_id"] for i in body["input"] if i.get("type") == "function_call_output"]
    if vendor == "gemini":
        parts = [p for c in body["contents"] for p in c["parts"]]
        return [p["functionCall"]["id"] for p in parts if "functionCall" in p], [p["functionResponse"]["id"] for p in parts if "functionResponse" in p]
    return [c["id"] for m in body["messages"] for c in m.get("tool_calls", [])], [m["tool_call_id"] for m in body["messages"] if m["role"] == "tool"]


@VENDOR
def test_an_owner_chooses_a_provider_tests_the_connection_and_is_answered_by_its_model(control, owner, key, vendor, provider):
    listed = owner.post("/ai/provider/test", {"provider": vendor, "base_url": provider.url, "secret": "MAIN"})
    assert listed.status_code == 200 and listed.json() == {"models": ["m-1", "m-2"]}, listed.text
    tried = entries(owner, "ai.test_provider")[0]["entry"]
    assert tried["params"] == {"provider": vendor} and tried["detail"] == {"base_url": provider.url, "secret": key}
    used = entries(owner, "secret.use")[0]["entry"]
    assert used["params"]["action"] == "ai.test_provider" and used["params"]["use"] == "pilot_turn"

    set_ = choose(owner, vendor, provider, key)["chosen"]
    assert set_["provider"] == vendor and set_["model"] == "m-1" and set_["key"] == {"secret_id": key, "name": "MAIN"} and set_["changed_by"]["email"] == OWNER[0]
    assert owner.get("/pilot").json()["label"] == "m-1"
    logged = entries(owner, "ai.set_provider")[0]["entry"]
    assert logged["params"] == {"provider": vendor} and logged["detail"]["model"] == "m-1" and logged["detail"]["secret"] == key

    provider.play(call("list_servers", {}), call("approve", {"id": "apr_1"}), text(["There ", "is ", "one."]))
    message = ask(owner, "which servers are there?")
    assert message["text"] == "There is one." and message["label"] == "m-1"
    bodies = [r["body"] for r in provider.requests]
    assert len(bodies) == 3 and {r["path"] for r in provider.requests} == {WIRE[vendor]["path"]}
    calls, answers = results(vendor, bodies[-1])
    assert len(calls) == 2 and calls == answers  # each call has exactly one result
    assert "web-1" in json.dumps(bodies[1]) and "there is no such tool" in json.dumps(bodies[2])
    if vendor in ("anthropic", "openai", "gemini"):  # what it wants back went back as it was
        assert json.dumps(bodies[1]).count("c2lnbmVk") == 1 and "c2lnbmVk" in json.dumps(bodies[2])
    if vendor == "openai":
        assert all(b["store"] is False for b in bodies)
    assert KEY not in json.dumps(bodies) and KEY not in json.dumps(entries(owner)) and KEY not in control.log.read_text()


FAILING = {
    "busy": ([429, text(["Fine."])], "Fine."),
    "overloaded": ([529], "could not answer"),
    "no quota": ([402], "quota"),
    "no model": ([404], "model"),
    "html": ([b"<html>not what you think</html>"], "could not answer"),
    "nothing": ([b""], "could not answer"),
    "endless": ([b"data: " + b"x" * (4 << 20)], "too long"),
}


@VENDOR
@pytest.mark.parametrize("kind", FAILING)
def test_what_fails_is_told_without_the_providers_words(owner, key, vendor, provider, kind):
    script, says = FAILING[kind]
    choose(owner, vendor, provider, key)
    provider.play(*script)
    message = ask(owner, "how are my servers")
    assert says in message["text"] and KEY[:9] not in message["text"] and message["approval_id"] is None, message


@VENDOR
def test_a_stream_that_is_cut_is_no_answer_and_nothing_of_it_is_carried_out(owner, key, vendor, provider):
    choose(owner, vendor, provider, key)
    whole = WIRE[vendor]["stream"](call("list_servers", {}))
    provider.play(whole[:len(whole) - 60], text(["Not asked again."]))
    message = ask(owner, "how are my servers")
    assert "could not answer" in message["text"] and len(provider.requests) == 1


def test_the_key_is_refused_where_it_is_wrong_and_the_choice_stands(owner, key):
    provider = Provider("anthropic")
    wrong = owner.post("/secrets", {"kind": "ai_provider", "name": "WRONG", "value": "sk-wrong"}).json()
    refused = problem(owner.post("/ai/provider/test", {"provider": "anthropic", "base_url": provider.url, "secret": "WRONG"}), 503, "unavailable")
    assert "refused the key" in refused["detail"] and KEY[:9] not in refused["detail"]
    choose(owner, "anthropic", provider, wrong["id"], secret="WRONG")
    assert "refused the key" in ask(owner, "hello")["text"]
    assert owner.call("DELETE", f"/secrets/{wrong['id']}", headers={"If-Match": '"1"'}).status_code == 204
    assert owner.get("/ai/provider").json()["chosen"]["key"] == {"secret_id": wrong["id"], "name": None}
    assert "could not answer" in ask(owner, "hello")["text"]
    provider.stop()


def test_the_choice_is_an_owners_with_a_step_up_and_an_address_that_is_one(control, owner, key):
    admin = control.member(owner, "admin", email="admin@example.org")
    member = control.member(owner, "member", email="member@example.org")
    for other in (admin, member):
        assert other.get("/ai/provider").status_code == 200
        problem(other.call("PUT", "/ai/provider", {"provider": "anthropic", "model": "m"}), 403, "forbidden")
        problem(other.post("/ai/provider/test", {"provider": "anthropic"}), 403, "forbidden")
        problem(other.call("DELETE", "/ai/provider"), 403, "forbidden")
    owner.post("/secrets", {"kind": "env_value", "name": "ENV", "value": "v"})  # of another kind
    for body in ({"provider": "acme", "model": "m"}, {"provider": "anthropic", "model": "m", "secret": "ENV"}, {"provider": "anthropic", "model": "m", "secret": "NOBODYS"},
                 {"provider": "openai_compatible", "model": "m"}, {"provider": "anthropic", "model": "m", "base_url": "http://api.example"}, {"provider": "anthropic", "model": "m", "base_url": "https://me:you@api.example"},
                 {"provider": "anthropic", "model": "m", "base_url": "https://api.example/?x="}, {"provider": "anthropic", "model": "m\u202e"}, {"provider": "anthropic", "model": ""},
                 {"provider": "anthropic", "model": "m", "max_tokens": 1}):
        answer = owner.call("PUT", "/ai/provider", body)
        assert answer.status_code in (400, 422), (body, answer.text)
    problem(owner.call("PUT", "/ai/provider", {"provider": "anthropic", "model": "m", "key": "sk"}), 400, "unknown_member")
    for inside in ("https://169.254.169.254", "https://10.0.0.1", "https://[::1]:1", "https://127.0.0.2:1", "https://[::ffff:10.0.0.1]"):  # S21; 10/8 and ::1 are for the installation's own
        refused = problem(owner.post("/ai/provider/test", {"provider": "anthropic", "base_url": inside}), 403, "forbidden")
        assert "owner_networks" in refused["detail"]
    with socket.create_server(("127.0.0.2", 0)) as listening:  # nothing connects, whatever it is called
        listening.settimeout(0)
        port = listening.getsockname()[1]
        problem(owner.post("/ai/provider/test", {"provider": "anthropic", "base_url": f"https://127.0.0.2:{port}"}), 403, "forbidden")
        with pytest.raises(BlockingIOError):
            listening.accept()
    cold = Api(control, control.sign_in().token)
    control.stale()
    for refused in (cold.call("PUT", "/ai/provider", {"provider": "anthropic", "model": "m"}), cold.post("/ai/provider/test", {"provider": "anthropic"}), cold.call("DELETE", "/ai/provider")):
        problem(refused, 403, "step_up_needed")
    assert owner.call("DELETE", "/ai/provider").json()["chosen"] is None
    assert owner.get("/pilot").json()["builtin"] is True
    assert ask(owner, "status of my servers")["label"] == "built-in, no model"


def test_a_provider_that_does_not_answer_holds_up_nobody_else(control, owner, key):
    with socket.create_server(("127.0.0.1", 0)) as tarpit:
        url = f"http://127.0.0.1:{tarpit.getsockname()[1]}"
        answers = []
        tests = [threading.Thread(target=lambda: answers.append(owner.post("/ai/provider/test", {"provider": "anthropic", "base_url": url, "secret": "MAIN"}))) for _ in range(3)]
        began = time.monotonic()
        for one in tests:
            one.start()
        held, _ = tarpit.accept()  # one of them is there, and stays
        signing_in = time.monotonic()
        control.sign_in()
        assert time.monotonic() - signing_in < 3
        for one in tests:
            one.join()
        assert time.monotonic() - began < 15
        held.close()
        assert sorted(a.json()["code"] for a in answers) == ["timeout", "too_many", "too_many"]


def test_a_provider_that_was_changed_gets_nothing_more_of_an_answer_that_it_was_giving(owner, key):
    old, new = Provider("anthropic"), Provider("anthropic")
    choose(owner, "anthropic", old, key)
    old.play(call("list_servers", {}), call("list_servers", {}))
    old.before_answer = lambda: choose(owner, "anthropic", new, key)  # while it answers the first turn
    message = ask(owner, "which servers are there?")
    assert "the provider was changed" in message["text"], message
    assert len(old.requests) == 1 and new.requests == []
    for one in (old, new):
        one.stop()


def test_all_of_it_by_the_command_line_and_over_a_restart(control, owner, key, tmp_path):
    provider = Provider("anthropic").play(text(["Hello."]))
    shell = Shell(tmp_path).login(control)
    password = tmp_path / "password"
    password.write_text(OWNER[1] + "\n")
    there = ("--base-url", provider.url, "--secret", "MAIN", "--password-file", password)
    listed = shell.caip("ai", "models", "anthropic", *there)
    assert listed.returncode == OK and listed.stdout.split() == ["m-1", "m-2"], listed.stderr
    assert shell.caip("ai", "provider", "anthropic", *there).returncode == USAGE  # which model?
    set_ = shell.caip("ai", "provider", "anthropic", "--model", "m-1", *there)
    assert set_.returncode == OK and "anthropic" in set_.stdout and "MAIN" in set_.stdout, set_.stderr
    control.stop()
    control.start()
    again = Api(control, control.sign_in().token)
    assert ask(again, "hello")["text"] == "Hello."
    shown = json.loads(shell.caip("ai", "provider", "--json").stdout)
    assert shown["chosen"]["model"] == "m-1" and KEY not in json.dumps(shown)
    assert shell.caip("ai", "provider", "default", "--password-file", password).returncode == OK
    assert "as installed" in shell.caip("ai", "provider").stdout
    assert shell.caip("ai", "provider", "acme", "--model", "m").returncode == USAGE
    provider.stop()
