"""Lists come in pages: every item once, in order, behind a cursor that nobody can make up."""
import pytest

from support import problem

NAMES = [f"srv-{n:02}" for n in range(7)]


@pytest.fixture(scope="module")
def filled(owner, control):
    for name in NAMES:
        assert owner.post("/enrolments", {"name": name}).status_code == 201
        assert owner.post("/members", {"email": f"{name}@example.org", "role": "viewer", "password": f"a long password for {name}"}).status_code == 201
    return owner


def walk(api, path, limit):
    found, cursor, pages = [], "", 0
    while True:
        answer = api.get(f"{path}?limit={limit}" + (f"&cursor={cursor}" if cursor else ""))
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert len(body["data"]) <= limit
        found, cursor, pages = found + body["data"], body["next_cursor"], pages + 1
        if not cursor:
            return found, pages


@pytest.mark.parametrize("path", ["/enrolments", "/members"])
@pytest.mark.parametrize("limit", [1, 2, 3, 200])
def test_pages_have_every_item_once(filled, path, limit):
    whole = filled.data(path + "?limit=200")
    found, pages = walk(filled, path, limit)
    assert found == whole and len({x["id"] for x in found}) == len(found) >= len(NAMES)
    assert pages == -(-len(whole) // limit)


def test_a_cursor_belongs_to_its_list_and_person(filled, control):
    cursor = filled.get("/members?limit=1").json()["next_cursor"]
    problem(filled.get(f"/enrolments?cursor={cursor}"), 400, "malformed")
    other = control.sign_in(f"{NAMES[0]}@example.org", f"a long password for {NAMES[0]}")
    problem(other.get(f"/members?cursor={cursor}"), 400, "malformed")
    problem(filled.get("/members?cursor=AAAA"), 400, "malformed")


@pytest.mark.parametrize("limit", ["0", "201", "-1", "x", "1.5", ""])
def test_a_limit_is_1_to_200(filled, limit):
    problem(filled.get(f"/members?limit={limit}"), 400, "malformed")


def test_every_list_in_the_description_takes_limit_and_cursor(owner):
    lists = {path: get["get"] for path, get in owner.get("/openapi.json").json()["paths"].items() if "get" in get and get["get"]["operationId"].startswith("list") and path != "/api/v1/roles"}  # one page: the matrix
    assert len(lists) >= 8
    for path, operation in lists.items():
        assert {"limit", "cursor"} <= {p["name"] for p in operation["parameters"]}, path
