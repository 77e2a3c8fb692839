"""kill -9 of caipd while it writes: what was acknowledged is there, the log holds."""
import os
import random
import signal
import subprocess
import threading
import time

import httpx

from support import BIN, OWNER, Control, entries, wait_for

ROUNDS = 8
WRITERS = 16


def test_nothing_acknowledged_is_lost_to_any_of_many_who_write_at_once(tmp_path):
    control = Control(tmp_path).start()
    control.set_up()
    acknowledged = []
    for turn in range(3):
        owner = control.sign_in()

        def write(writer, turn=turn, owner=owner):
            for n in range(1000):
                try:
                    name = f"srv-{turn}-{writer}-{n}"
                    if owner.post("/enrolments", {"name": name}).status_code == 201:
                        acknowledged.append(name)
                except httpx.HTTPError:
                    return

        before = len(acknowledged)
        writers = [threading.Thread(target=write, args=(n,)) for n in range(WRITERS)]
        for writer in writers:
            writer.start()
        wait_for(lambda before=before: len(acknowledged) > before + 2 * WRITERS, 60, every=0.01)
        control.kill()
        for writer in writers:
            writer.join(60)
        control.start()
    owner = control.sign_in()
    logged = {e["entry"]["params"]["name"] for e in entries(owner, "enrolment.create")}
    assert acknowledged and set(acknowledged) <= logged
    control.stop()
    code, said = control.verify()
    assert code == 0, said


def dice():
    seed = random.SystemRandom().randrange(1 << 32)
    return random.Random(seed), seed


def started(control):
    """caipd as start() has it, but nobody waits for it."""
    with open(control.log, "ab") as log:
        control.process = subprocess.Popen([BIN / "caipd", "--data", control.data, "--listen", f"{control.address}:{control.port}"],
                                           stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def test_killed_during_its_first_start_it_starts_the_next_time(tmp_path):
    """Keys, database, log and set-up link are made then; none of them half."""
    luck, seed = dice()
    began = time.monotonic()
    Control(tmp_path / "unharmed").start().stop()
    span = time.monotonic() - began
    for turn in range(ROUNDS):
        control = Control(tmp_path / str(turn))
        for _ in range(2):  # the second one meets what the first left
            started(control)
            time.sleep(span * (turn + luck.random()) / ROUNDS)  # the moment is what is random here
            os.killpg(control.process.pid, signal.SIGKILL)
            control.process.wait()
        control.start()
        assert control.set_up().status_code == 201, f"round {turn}, seed {seed}"
        assert control.sign_in().get("/session").json()["role"] == "owner"
        control.stop()
        code, said = control.verify()
        assert code == 0, f"round {turn}, seed {seed}: {said}"


def test_killed_while_the_owner_is_made_there_is_one_or_the_link_still_works(tmp_path):
    luck, seed = dice()
    measured = Control(tmp_path / "unharmed").start()
    began = time.monotonic()
    measured.set_up()
    span = time.monotonic() - began
    measured.stop()
    for turn in range(ROUNDS):
        control = Control(tmp_path / str(turn)).start()
        body = {"token": control.setup_token(), "email": OWNER[0], "password": OWNER[1], "organization": "Example"}
        answers = []

        def claim(control=control, body=body, answers=answers):
            try:
                answers.append(control.anonymous().post("/setup", body).status_code)
            except httpx.HTTPError:
                pass  # it died under the request

        claiming = threading.Thread(target=claim)
        claiming.start()
        time.sleep(span * (turn + luck.random()) / ROUNDS)
        control.kill()
        claiming.join(30)
        control.start()
        what = f"round {turn}, seed {seed}, answers {answers}"
        needed = control.anonymous().get("/setup").json()["needed"]
        assert not (needed and answers), f"an Owner who was acknowledged is lost: {what}"
        if needed:
            assert control.setup_token() == body["token"], f"the link that was shown is another one: {what}"
            assert control.anonymous().post("/setup", body).status_code == 201, what
        assert not (control.data / "setup-token").exists(), what
        assert len(entries(control.sign_in(), "owner.create")) == 1, what
        control.stop()
        code, said = control.verify()
        assert code == 0, f"{what}: {said}"
