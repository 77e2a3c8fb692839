"""kill -9 in the middle of an approved order, with real processes: the yes is kept, nothing runs
twice, and what cannot be known is said. nginx's own journal counts how often it was started."""
import random
import re
import threading
import time
from contextlib import contextmanager

import httpx
import pytest

from support import wait_for
from test_server import approval, ask

FINAL = ("completed", "failed", "denied", "expired")


def starts(world):
    """How often nginx was started on web-1 so far, and the id of the run it is in."""
    world.machine.run(["journalctl", "--sync"])
    lines = world.machine.run(["journalctl", "-q", "-u", "nginx", "-o", "cat"]).stdout
    run = world.machine.run(["systemctl", "show", "nginx", "-P", "InvocationID"]).stdout.strip()
    return len(re.findall(r"^Started nginx", lines, re.M)), run


def helper(world, signal):
    world.machine.run(["pkill", f"-{signal}", "-x", "caip-helper"])


@contextmanager
def frozen_helper(world):
    """The helper stands still: an order that is approved now stays on its way."""
    helper(world, "STOP")
    try:
        yield
    finally:
        world.machine.run(["pkill", "-CONT", "-x", "caip-helper"], check=False)


def allow(world, card):
    answer = world.owner.post(f"/approvals/{card['id']}/approve", {"digest": card["digest"]})
    assert answer.status_code in (200, 202), answer.text


def online(world):
    wait_for(lambda: world.owner.get(f"/servers/{world.server}").json()["online"], 60)


@pytest.fixture
def fresh_agent(world):
    """An agent waits longer after each failure that follows soon; this one has not failed yet."""
    def restart():
        world.machine.run(["systemctl", "restart", "caip-agent"])
        pid = world.machine.run(["systemctl", "show", "-P", "MainPID", "caip-agent"]).stdout.strip()
        wait_for(lambda: f"pid={pid}," in world.machine.run(["ss", "-Htnp", "state", "established"]).stdout, 30)
        online(world)
    yield restart
    restart()


def holds(world):
    code, said = world.control.verify()
    assert code == 0, said


def test_caipd_killed_while_the_order_is_on_its_way(world, fresh_agent):
    fresh_agent()
    before, run = starts(world)
    with frozen_helper(world):
        card, _ = ask(world, "restart nginx on web-1")
        allow(world, card)
        approval(world, card["id"], ("executing",))
        world.control.kill()
        world.control.start()
        assert world.owner.get(f"/approvals/{card['id']}").json()["state"] == "executing"
    done = approval(world, card["id"], FINAL)
    assert done["state"] == "completed" and "active" in done["outcome"], done
    after, run_after = starts(world)
    assert after == before + 1 and run_after != run
    holds(world)


def test_both_halves_killed_before_the_helper_saw_the_order(world):
    before, _ = starts(world)
    helper(world, "STOP")
    card, _ = ask(world, "restart nginx on web-1")
    allow(world, card)
    approval(world, card["id"], ("executing",))
    world.machine.run(["systemctl", "kill", "-s", "KILL", "caip-agent"])
    done = approval(world, card["id"], FINAL)
    after, _ = starts(world)
    # Sent again when the agent is back, under the same number: it runs once.
    assert done["state"] == "completed" and after == before + 1, (done, before, after)
    holds(world)


def test_both_halves_killed_while_the_order_runs(world, slow_nginx):
    before, run = starts(world)
    card, _ = ask(world, "restart nginx on web-1")
    allow(world, card)
    # systemd has the job and nginx waits in its start: the helper has begun and cannot know the end.
    wait_for(lambda: world.machine.run(["systemctl", "is-active", "nginx"], check=False).stdout.strip() == "activating", 20, 0.05)
    world.machine.run(["systemctl", "kill", "-s", "KILL", "caip-agent"])
    done = approval(world, card["id"], FINAL)
    assert done["state"] == "failed", done
    assert "what came of it is not known, and it was not run again" in done["outcome"], done
    wait_for(lambda: world.machine.run(["systemctl", "is-active", "nginx"], check=False).stdout.strip() == "active", 20)
    after, run_after = starts(world)
    assert after == before + 1 and run_after != run
    online(world)
    holds(world)


def test_caipd_killed_between_yes_and_order_at_random_moments(world, fresh_agent):
    seed = random.randrange(1 << 32)
    dice = random.Random(seed)
    rounds = 6
    for turn in range(rounds):
        fresh_agent()
        before, _ = starts(world)
        card, _ = ask(world, "restart nginx on web-1")
        acknowledged = threading.Event()

        def say_yes(card=card, acknowledged=acknowledged):
            try:
                if world.owner.post(f"/approvals/{card['id']}/approve", {"digest": card["digest"]}).status_code in (200, 202):
                    acknowledged.set()
            except httpx.HTTPError:
                pass  # it died under the request

        yes = threading.Thread(target=say_yes)
        yes.start()
        # The moment is what is random here; one in each part of the first 40 ms, which is all it takes.
        time.sleep(0.04 * (turn + dice.random()) / rounds)
        world.control.kill()
        yes.join(30)
        world.control.start()
        state = world.owner.get(f"/approvals/{card['id']}").json()["state"]
        what = f"round {turn}, seed {seed}, acknowledged: {acknowledged.is_set()}, then {state}"
        if state == "pending":
            assert not acknowledged.is_set(), f"a yes was lost: {what}"
            allow(world, card)
        done = approval(world, card["id"], FINAL)
        assert done["state"] == "completed", f"{what}: {done}"
        assert starts(world)[0] == before + 1, f"{what}: nginx was started {starts(world)[0] - before} times"
        holds(world)
    assert not world.owner.data("/approvals?state=pending")
