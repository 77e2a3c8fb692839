"""kill -9 of caipd while the Pilot thinks, proposes and answers: what was asked is kept, a card is there once and in the
log or not at all, nothing runs without a yes, and the conversation goes on."""
import random
import threading
import time

import httpx

from support import entries, wait_for
from test_order_crash import holds, online, starts
from test_server import ask

QUESTION = "restart nginx on web-1"
ROUNDS = 8


def cards_of(world, conversation):
    return [a for a in world.owner.data("/approvals?state=pending") if a["conversation_id"] == conversation]


def deny(world, card):
    answer = world.owner.post(f"/approvals/{card['id']}/deny", {"digest": card["digest"], "reason": "test"})
    assert answer.status_code == 200, answer.text


def answered(world, conversation, after):
    """What the Pilot said in a conversation after its first `after` messages."""
    def look():
        talk = world.owner.get(f"/pilot/conversations/{conversation}").json()
        said = [m for m in talk["messages"][after:] if m["role"] == "pilot"]
        return said if said and not talk["answering"] else None
    return wait_for(look, 30)


def length_of_a_turn(world):
    began = time.monotonic()
    card, _ = ask(world, QUESTION)
    span = time.monotonic() - began
    deny(world, card)
    return span


def test_caipd_killed_in_a_turn_of_the_pilot_at_random_moments(world):
    seed = random.SystemRandom().randrange(1 << 32)
    dice = random.Random(seed)
    span = length_of_a_turn(world)
    before = starts(world)
    for turn in range(ROUNDS):
        online(world)
        conversation = world.owner.post("/pilot/conversations").json()["id"]
        greeted = world.owner.post(f"/pilot/conversations/{conversation}/messages", {"text": "hello"})
        assert greeted.status_code == 202, greeted.text
        answered(world, conversation, 0)
        acknowledged = threading.Event()

        def say(conversation=conversation, acknowledged=acknowledged):
            try:
                if world.owner.post(f"/pilot/conversations/{conversation}/messages", {"text": QUESTION}).status_code == 202:
                    acknowledged.set()
            except httpx.HTTPError:
                pass  # it died under the request

        asking = threading.Thread(target=say)
        asking.start()
        time.sleep(span * (turn + dice.random()) / ROUNDS)  # the moment is what is random here
        world.control.kill()
        asking.join(30)
        world.control.start()
        what = f"round {turn}, seed {seed}, acknowledged: {acknowledged.is_set()}"
        talk = world.owner.get(f"/pilot/conversations/{conversation}").json()
        asked = [m for m in talk["messages"] if m["role"] == "user" and m["text"] == QUESTION]
        assert len(asked) <= 1 and (asked or not acknowledged.is_set()), f"a message was lost or doubled, {what}"
        assert talk["answering"] is False, what  # nobody is still at it, and the page says so
        cards = cards_of(world, conversation)
        proposed = [e["entry"]["params"]["approval"] for e in entries(world.owner, "approval.propose")]
        assert len(cards) <= (1 if asked else 0), f"{len(cards)} cards, {what}"
        assert all(proposed.count(card["id"]) == 1 for card in cards), what
        shown = [m["approval_id"] for m in talk["messages"] if m["approval_id"]]
        assert set(shown) <= {card["id"] for card in cards}, f"a message about a card that is not there, {what}"
        online(world)
        known = len(world.owner.get(f"/pilot/conversations/{conversation}").json()["messages"])
        again = world.owner.post(f"/pilot/conversations/{conversation}/messages", {"text": QUESTION})
        assert again.status_code == 202, f"{again.text}, {what}"
        answered(world, conversation, known)
        # A card that the Pilot had no time to speak of waits beside the new one: each has an answer of its own.
        after = cards_of(world, conversation)
        assert len(after) == len(cards) + 1 and {c["id"] for c in cards} < {c["id"] for c in after}, what
        for card in after:
            deny(world, card)
    assert starts(world) == before, "something ran without a yes"
    holds(world)
