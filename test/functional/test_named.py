"""The holes that somebody shipped (lessons S01 to S33) have tests that bear their number, so that whoever looks for one finds it."""
import re

from support import REPO

PEOPLE = {"S05", "S06", "S07", "S09", "S12", "S13", "S14", "S15", "S16", "S17", "S18", "S19", "S21", "S28"}
LOG = {"S10", "S11", "S27", "S32", "S33"}
AGENTS = {"S23", "S24", "S25", "S26"}


def named():
    found = set()
    for path in (REPO / "src").rglob("*_test.cpp"):
        found |= set(re.findall(r'TEST_CASE\("(S[0-9]{2})[: ]', path.read_text()))
    for path in (REPO / "test/functional").glob("test_*.py"):
        found |= {n.upper() for n in re.findall(r"^def test_([sS][0-9]{2})_", path.read_text(), re.M)}
    return found


def test_every_lesson_about_people_has_a_test_of_its_name():
    assert not PEOPLE - named()


def test_every_lesson_about_secrets_and_the_log_has_a_test_of_its_name():
    assert not LOG - named()


def test_every_lesson_about_agents_has_a_test_of_its_name():
    assert not AGENTS - named()
