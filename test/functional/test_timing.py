"""S15 over real HTTP: how long an answer takes says nothing of whether there is such an account: timing.py says how it is judged.

A sign-in's bcrypt of the shipped cost takes some 200 ms, and on a busy machine longer by more than the millisecond that is the
limit. src/auth/timing_test.cpp asks the same of the work alone, with a cheap hash, where the gap itself is below 1 ms."""
import pytest

from support import Control, problem
from timing import alike

KNOWN = 3  # none fails so often that it waits


@pytest.fixture(scope="module")
def behind_a_proxy(tmp_path_factory):
    """Every sample from an address of its own: the budgets against guessing (S16) are not what this is about."""
    folder = tmp_path_factory.mktemp("timing")
    control = Control(folder, settings='trusted_proxies = ["127.0.0.0/8"]\n').start()
    control.set_up()
    owner = control.sign_in()
    for n in range(KNOWN):
        control.member(owner, "member", f"known-{n}@example.org")
    yield control
    control.stop()


def test_s15_known_and_unknown_accounts_take_as_long(behind_a_proxy):
    api, answers = behind_a_proxy.anonymous(), []

    def pair(n):
        took = {}
        known, unknown = f"known-{n % KNOWN}@example.org", f"nobody-{n}@example.org"
        for email in (known, unknown)[:: 1 if n % 2 else -1]:
            answer = api.post("/sessions", {"email": email, "password": "not the password"}, headers={"X-Forwarded-For": f"198.51.{n}.{len(took)}"})
            took[email] = answer.elapsed.total_seconds()
            answers.append({k: v for k, v in problem(answer, 401, "bad_credentials").items() if k not in ("request_id", "instance")})
        return took[known], took[unknown]
    alike(pair, 30, 80 * KNOWN)
    assert all(a == answers[0] for a in answers)  # to the letter
