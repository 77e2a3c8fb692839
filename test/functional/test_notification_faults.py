"""1,000 faults between the outbox and its receivers, and caipd killed in the middle of it, again and again: no message that
anybody was told of is lost, and at most one in a hundred is accepted twice. The receivers count."""
import hashlib
import threading
import time
from collections import Counter

import httpx
import pytest

from receivers import NETWORK, RESET, SILENT, Receiver
from support import Control, wait_for

CHANNELS, EVENTS, SILENCES, KILLS = 25, 48, 6, 3
KILLS_WHILE_ACCEPTING = (150, 400)  # counted in accepted messages


class Faulty:
    """Each message's first try fails in a way that its id decides; what is accepted is counted."""

    WAYS = [(500, b"", {}), (502, b"", {}), (503, b"", {}), (404, b"", {}), RESET, (302, b"", {"Location": "http://127.0.0.1:1/"}), (429, b"", {"Retry-After": "1"})]

    def __init__(self):
        self.lock, self.faults, self.accepted, self.silences = threading.Lock(), Counter(), Counter(), 0
        self.on_accept = lambda count: None

    def answer(self, request):
        message = request["headers"]["webhook-id"]
        way = self.WAYS[hashlib.sha256(message.encode()).digest()[0] % len(self.WAYS)]
        with self.lock:
            if not self.faults[message]:
                self.faults[message] += 1
                if self.silences < SILENCES:
                    self.silences += 1
                    return SILENT
                return way
            self.accepted[message] += 1
            count = sum(self.accepted.values())
        self.on_accept(count)
        return 204, b"", {}


@pytest.mark.timeout(900)
def test_a_thousand_faults_and_kills_lose_nothing_and_double_one_in_a_hundred_at_most(tmp_path):
    (tmp_path / "caipd.toml").write_text(NETWORK + "[notifications]\nretry_seconds = [1]\n")
    control = Control(tmp_path, arguments=["--config", str(tmp_path / "caipd.toml")]).start()
    control.set_up()
    owner = control.sign_in()
    faulty = Faulty()
    up = Receiver(faulty.answer)
    away = Receiver(faulty.answer)  # nobody listens at first: connection refused
    away.stop()
    for n in range(CHANNELS):
        receiver = away if n % 5 == 0 else up
        made = owner.post("/notifications/channels", {"kind": "webhook", "name": f"channel {n}", "target": {"url": f"{receiver.url}/{n}"}, "events": ["member.role_changed"]})
        assert made.status_code == 201, made.text
    control.member(owner, "viewer", "changed@example.org")
    member = next(m for m in owner.data("/members") if m["email"] == "changed@example.org")

    due, killed, over = threading.Event(), [], threading.Event()
    faulty.on_accept = lambda count: due.set() if count in KILLS_WHILE_ACCEPTING else None

    def killer():
        """Kills when a receiver has just accepted, and at moments in between."""
        while not over.is_set() and len(killed) < KILLS:
            due.wait(4)
            due.clear()
            if not over.is_set():
                control.kill()
                control.start()
                killed.append(time.monotonic())

    thread, acknowledged, role = threading.Thread(target=killer), 0, "viewer"
    thread.start()
    try:
        while acknowledged < EVENTS:  # a change that was answered with 200 is one that people must hear of
            try:
                now = next(m for m in owner.data("/members") if m["id"] == member["id"])
                role = "member" if now["role"] == "viewer" else "viewer"
                answer = owner.call("PATCH", f"/members/{member['id']}", {"role": role}, headers={"If-Match": f'"{now["version"]}"'})
                acknowledged += answer.status_code == 200
            except httpx.HTTPError:
                time.sleep(0.1)
        back = Receiver(faulty.answer, port=away.port)

        def all_there():
            try:
                return len(killed) >= KILLS and not owner.data("/notifications/deliveries?state=queued&limit=1")
            except (httpx.HTTPError, AssertionError):
                return False
        wait_for(all_there, 600, 0.5)
    finally:
        over.set()
        due.set()
        thread.join()

    deliveries, cursor = [], ""
    while True:
        page = owner.get(f"/notifications/deliveries?limit=200{cursor}").json()
        deliveries += page["data"]
        if not page["next_cursor"]:
            break
        cursor = "&cursor=" + page["next_cursor"]
    told = [n for n in owner.data("/notifications/inbox?limit=200") if n["event"] == "member.role_changed"]
    assert acknowledged <= len(told), "an acknowledged change was not raised"
    assert len(deliveries) == len(told) * CHANNELS
    lost = {d["id"] for d in deliveries} - set(faulty.accepted)
    doubled = {message: times for message, times in faulty.accepted.items() if times > 1}
    tries = sum(d["tries"] for d in deliveries)
    print(f"{len(deliveries)} messages, {tries} tries, {sum(faulty.faults.values())} faults answered, {len(killed)} kills, "
          f"{len(lost)} lost, {len(doubled)} doubled")
    assert Counter(d["state"] for d in deliveries) == {"delivered": len(deliveries)}
    assert not lost and set(faulty.accepted) <= {d["id"] for d in deliveries}
    assert len(doubled) <= len(deliveries) // 100
    assert len(deliveries) >= 1000 and sum(faulty.faults.values()) >= 1000
    control.stop()
    code, said = control.verify()
    assert code == 0, said
    for receiver in (up, back):
        receiver.stop()
