"""doc/asvs.md answers every item of the three chapters, and each test that it names exists."""
import re

from support import REPO

PAGE = (REPO / "doc/asvs.md").read_text()
ROWS = [[c.strip() for c in line.strip("|").split(" | ")] for line in PAGE.splitlines() if re.match(r"\| [678]\.", line)]
REASONS = ("Written", "Does not apply", "Not held", "In part")


def exists(file, name):
    path = REPO / file
    if path.is_dir():
        return any(p.stem == name for p in path.iterdir())
    if not path.is_file():
        return False
    start = {".py": f"def {name}(", ".cpp": f'TEST_CASE("{name}"', ".mjs": f'check("{name}"'}[path.suffix]
    return any(line.lstrip().removeprefix("await ").startswith(start) for line in path.read_text().splitlines())  # in no comment


def test_every_item_of_the_standard_has_its_line():
    wanted = [tuple(line.split()) for line in (REPO / "test/data/asvs.txt").read_text().splitlines() if not line.startswith("#")]
    assert len(wanted) == 79
    assert [(row[0], row[1]) for row in ROWS] == wanted


def test_every_line_names_a_test_that_exists_or_a_reason():
    named = 0
    for number, _, asks, by in ROWS:
        tests = re.findall(r"`((?:src|test|ui)/[^`:]+): ([^`]+)`", by)
        assert asks and (tests or by.startswith(REASONS)), f"{number} has neither"
        for file, name in tests:
            assert exists(file, name), f"{number}: there is no test {name!r} in {file}"
        named += len(tests)
    assert named > 60


def test_a_test_that_is_gone_would_be_noticed():
    assert not exists("test/functional/test_asvs.py", "test_that_was_never_there") and not exists("src/auth/no_such_test.cpp", "x")
