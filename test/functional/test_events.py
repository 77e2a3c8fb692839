"""Server-sent events: who is told what, and that a stream ends with its session."""
import json
import threading
import time

import httpx
import pytest

from support import OWNER, Api, wait_for


class Listener:
    """One caller's /events, read in a thread until it ends."""

    def __init__(self, api):
        self.events, self.ended, self._open = [], None, threading.Event()
        self._thread = threading.Thread(target=self._read, args=(api,), daemon=True)
        self._thread.start()
        assert self._open.wait(15), "the stream did not open"

    def _read(self, api):
        with httpx.Client(base_url=api.control.url, verify=api.control.tls, trust_env=False, timeout=httpx.Timeout(15, read=60),
                          headers={"Authorization": f"Bearer {api.token}"}) as http, http.stream("GET", "/api/v1/events") as answer:
            assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")
            assert "no-store" in answer.headers["cache-control"]
            self._open.set()
            name = None
            try:
                for line in answer.iter_lines():
                    if line.startswith("event: "):
                        name = line[7:]
                    elif line.startswith("data: "):
                        self.events.append((name, json.loads(line[6:])))
            except httpx.HTTPError:
                pass
        self.ended = time.monotonic()

    def names(self):
        return {name for name, _ in list(self.events)}

    def wait(self, name, seconds=30, **members):
        return wait_for(lambda: next((d for n, d in list(self.events) if n == name and all(d.get(k) == v for k, v in members.items())), None),
                        seconds)

    def wait_end(self, seconds):
        self._thread.join(seconds)
        return not self._thread.is_alive()


def test_everybody_is_told_what_they_may_see_and_nothing_else(world):
    people = {"owner": world.owner, "admin": world.admin, "member": world.member, "viewer": world.viewer}
    heard = {role: Listener(api) for role, api in people.items()}
    conversation = world.member.post("/pilot/conversations").json()["id"]
    asked = world.member.post(f"/pilot/conversations/{conversation}/messages", {"text": "restart nginx on web-1"})
    assert asked.status_code == 202, asked.text
    card = heard["member"].wait("approval.updated", state="pending")["approval_id"]
    wait_for(lambda: [d for n, d in heard["member"].events if n == "pilot.message" and d["conversation_id"] == conversation
                      and d["message"]["approval_id"] == card], 20)
    digest = world.owner.get(f"/approvals/{card}").json()["digest"]
    assert world.owner.post(f"/approvals/{card}/deny", {"digest": digest, "reason": "only listening"}).status_code in (200, 202)
    # Each queue is in order: whoever has heard of the denial has heard all that came before it.
    for role in people:
        heard[role].wait("approval.updated", approval_id=card, state="denied")
    world.machine.run(["systemctl", "restart", "caip-agent"])
    for role in people:
        heard[role].wait("server.updated", server_id=world.server)
    for role in ("owner", "admin"):
        heard[role].wait("audit.appended")
    for role in ("member", "viewer"):
        assert "audit.appended" not in heard[role].names(), role
    # What is said to the Pilot is between it and the person who asked: not even the Owner listens in.
    assert {"pilot.message"} <= heard["member"].names()
    for role in ("owner", "admin", "viewer"):
        assert not [n for n in heard[role].names() if n.startswith("pilot.")], role
    for role, listener in heard.items():
        for name, data in listener.events:
            assert "only listening" not in json.dumps(data) or role == "member", (role, name, data)
    wait_for(lambda: world.owner.get(f"/servers/{world.server}").json()["online"], 60)


def test_a_stream_ends_with_its_session(world):
    signed_out, changed = world.control.sign_in(), world.control.member(world.owner, "member", "listens@example.org")
    streams = Listener(signed_out), Listener(changed)
    person = next(m for m in world.owner.data("/members") if m["email"] == "listens@example.org")
    assert signed_out.call("DELETE", "/session").status_code == 204
    assert streams[0].wait_end(1), "the stream outlived its session by a second"
    answer = world.owner.call("PATCH", f"/members/{person['id']}", {"role": "viewer"}, headers={"If-Match": f'"{person["version"]}"'})
    assert answer.status_code == 200, answer.text
    assert streams[1].wait_end(1), "the stream outlived its session by a second"


@pytest.fixture
def stranger(world):
    """Who acts in an organisation of their own and belongs to no other any more."""
    founder = world.control.member(world.owner, "owner", "stranger@example.org")
    answer = founder.post("/organizations", {"name": "Elsewhere"})
    assert answer.status_code == 201, answer.text
    moved = founder.post("/session/organization", {"organization_id": answer.json()["id"]}, key=False)
    row = next(m for m in world.owner.data("/members") if m["email"] == "stranger@example.org")
    assert world.owner.call("DELETE", f"/members/{row['id']}", headers={"If-Match": f'"{row["version"]}"'}).status_code == 200
    return Api(world.control, moved.json()["access_token"])


def test_s07_a_stream_of_another_organisation_hears_of_no_server_approval_or_entry_of_this_one(world, stranger):
    heard = Listener(stranger), Listener(world.owner)
    conversation = world.owner.post("/pilot/conversations").json()["id"]
    world.owner.post(f"/pilot/conversations/{conversation}/messages", {"text": "restart nginx on web-1"})
    card = heard[1].wait("approval.updated", state="pending")["approval_id"]
    assert world.owner.post(f"/approvals/{card}/deny", {"digest": world.owner.get(f"/approvals/{card}").json()["digest"], "reason": "no"}).status_code in (200, 202)
    heard[1].wait("approval.updated", approval_id=card, state="denied")
    heard[1].wait("metrics", 40)
    heard[1].wait("audit.appended")
    assert heard[0].events == [], "another organisation's stream hears"


def test_a_stream_is_for_a_session_alone(world):
    answer = world.control.anonymous().get("/events")
    assert answer.status_code == 401
    assert OWNER[0] not in answer.text
