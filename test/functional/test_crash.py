"""kill -9 of caipd while it writes: what was acknowledged is there, the log holds."""
import threading

import httpx

from support import Control, entries


def test_nothing_acknowledged_is_lost(tmp_path):
    control = Control(tmp_path).start()
    control.set_up()
    acknowledged = []
    for turn in range(3):
        owner = control.sign_in()

        def write(turn=turn, owner=owner):
            for n in range(1000):
                try:
                    name = f"srv-{turn}-{n}"
                    if owner.post("/enrolments", {"name": name}).status_code == 201:
                        acknowledged.append(name)
                except httpx.HTTPError:
                    return

        writer = threading.Thread(target=write)
        writer.start()
        writer.join(0.7)
        control.kill()
        writer.join(60)
        control.start()
    owner = control.sign_in()
    logged = {e["entry"]["params"]["name"] for e in entries(owner, "enrolment.create")}
    assert acknowledged and set(acknowledged) <= logged
    control.stop()
    code, said = control.verify()
    assert code == 0, said
