"""The log as others read it: the read paths of c2sp.org/tlog-tiles, by the specification and not by our code, and one entry with its
proof by `caip audit show`. No path shows one organisation an entry of another."""
import base64
import hashlib
import json

import pytest

from support import EVERYONE_FOUNDS, OK, Control, Shell, entries, problem
from test_team import founded, switch


def parent(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(hashes):
    """MTH of RFC 6962 2.1, over leaf hashes or over complete trees of one height."""
    if len(hashes) == 1:
        return hashes[0]
    left = 1 << (len(hashes) - 1).bit_length() - 1
    return parent(root_of(hashes[:left]), root_of(hashes[left:]))


def path_of(level, index, width=256):
    groups = [f"{index % 1000:03}"]
    while index := index // 1000:
        groups.insert(0, f"x{index % 1000:03}")
    return f"/audit/tlog/tile/{level}/" + "/".join(groups) + (f".p/{width}" if width < 256 else "")


def tiles_of(api, level, size):
    """All tiles of a level for a tree of this size, as lists of hashes."""
    nodes = size >> 8 * level
    out = []
    for index in range(-(-nodes // 256)):
        width = min(256, nodes - 256 * index)
        tile = api.get(path_of(level, index, width))
        assert tile.status_code == 200 and tile.headers["content-type"] == "application/octet-stream", tile.text
        assert "immutable" in tile.headers["cache-control"] and "private" in tile.headers["cache-control"]
        assert len(tile.content) == 32 * width
        out.append([tile.content[i:i + 32] for i in range(0, len(tile.content), 32)])
    return out


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    control = Control(tmp_path_factory.mktemp("tlog"), settings=EVERYONE_FOUNDS).start()
    control.set_up()
    owner = control.sign_in()
    problem(control.anonymous().post("/sessions", {"email": "unknown@example.org", "password": "no", "client": "cli"}), 401)
    for n in range(270):
        assert owner.post("/enrolments", {"name": f"srv-{n}"}).status_code == 201
    yield control, owner
    control.stop()


def head_of(api, path="/audit/tlog/checkpoint"):
    answer = api.get(path)
    assert answer.status_code == 200 and answer.headers["content-type"] == "text/plain; charset=utf-8", answer.text
    assert "no-store" in answer.headers["cache-control"]
    origin, size, root = answer.text.splitlines()[:3]
    assert origin == "cloudaipilot.local/log"
    return int(size), base64.b64decode(root)


def test_the_tiles_of_a_checkpoint_are_the_tree_that_it_is_over(log):
    _, owner = log
    size, root = head_of(owner)
    assert size > 256
    leaves = tiles_of(owner, 0, size)
    assert root_of([hash for tile in leaves for hash in tile]) == root
    above = tiles_of(owner, 1, size)
    assert [hash for tile in above for hash in tile] == [root_of(tile) for tile in leaves if len(tile) == 256]
    mine = {e["index"]: e["hash"] for e in entries(owner)}
    assert all(leaves[i // 256][i % 256].hex() == hash for i, hash in mine.items() if i < size)
    assert owner.post("/enrolments", {"name": "later"}).status_code == 201
    assert tiles_of(owner, 0, size) == leaves  # also after the log has grown


def test_what_is_no_tile_is_not_there(log):
    _, owner = log
    size, _ = head_of(owner)
    missing = [path_of(0, 0, 1)[:-1] + text for text in ("0", "256", "01", "-1")] + [path_of(0, size // 256 + 1), path_of(0, size // 256), path_of(1, 0), path_of(2, 0, 1), path_of(7, 0), path_of(8, 0), path_of(63, 0)]
    missing += [f"/audit/tlog/tile/{rest}" for rest in ("0/0", "0/00", "0/x000/000", "00/000", "01/000", "64/000", "-1/000", "0/000/", "0/x001", "0/001/234", "x/000", "0")]
    for path in missing:
        problem(owner.get(path), 404, "not_found")
    problem(owner.get("/audit/tlog/tile/0/000?width=3"), 400)


def test_no_path_shows_an_entry_of_another_organisation(log):
    """The tree is one for all; its hashes are for everybody who may check the log, its entries are not."""
    control, owner = log
    size, _ = head_of(owner)
    person = control.member(owner, "viewer", email="elsewhere@example.org")
    theirs = switch(person, founded(person, "Other"))
    everything = entries(owner)
    owned, unowned = (next(e for e in everything if (e["entry"]["org"] is None) is nobodys) for nobodys in (False, True))
    for entry in (owned, unowned):
        seen = owner.get(f"/audit/entries/{entry['index']}")
        assert seen.status_code == 200 and seen.json() == entry
        problem(theirs.get(f"/audit/entries/{entry['index']}"), 404, "not_found")
    own = entries(theirs)
    assert own and theirs.get(f"/audit/entries/{own[0]['index']}").json() == own[0]
    assert [e["entry"]["detail"]["code"] for e in own if e["entry"]["action"] == "log.read" and e["entry"]["result"] == "blocked"] == ["not_found"] * 2
    assert tiles_of(theirs, 0, size) == tiles_of(owner, 0, size)
    for api in (owner, theirs):
        for path in ("/audit/tlog/tile/entries/000", "/audit/tlog/tile/entries/000.p/1", "/audit/tlog/tile/entries/x001/000"):
            said = problem(api.get(path), 404, "not_found")
            assert "entry bundles are not served" in said["detail"]
    for index in ("-1", "1.5", "0x1", "18446744073709551616", str(size + 1000), "x"):
        problem(owner.get(f"/audit/entries/{index}"), 404, "not_found")


def test_caip_shows_an_entry_and_checks_it_itself(log, tmp_path):
    control, owner = log
    shell = Shell(tmp_path).login(control)
    wanted = next(e for e in entries(owner, "enrolment.create") if e["entry"]["params"]["name"] == "srv-7")
    index = str(wanted["index"])
    done = shell.caip("audit", "show", index)
    assert done.returncode == OK and f"Entry {index} is in the log of" in done.stdout and "srv-7" in done.stdout, done.stdout + done.stderr
    assert "who signed it was not checked" in done.stderr
    kept = tmp_path / "kept"
    kept.write_text(shell.caip("audit", "checkpoint").stdout)
    said = json.loads(shell.caip("audit", "show", index, "--checkpoint", kept, "--json").stdout)
    assert said["entry"] == wanted["entry"] and said["holds"] is True and said["kept"] is True and said["broken"] is None
    canonical = json.dumps(said["entry"], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    node, last, hash = int(index), said["size"] - 1, hashlib.sha256(b"\x00" + canonical).digest()
    for beside in map(bytes.fromhex, said["hashes"]):  # RFC 9162 2.1.3.2
        if node % 2 or node == last:
            hash = parent(beside, hash)
            while node and node % 2 == 0:
                node, last = node // 2, last // 2
        else:
            hash = parent(hash, beside)
        node, last = node // 2, last // 2
    assert last == 0 and hash.hex() == said["root"] == base64.b64decode(kept.read_text().splitlines()[2]).hex()


def test_caip_says_when_an_entry_is_not_what_a_kept_checkpoint_is_over(log, tmp_path):
    control, _ = log
    shell = Shell(tmp_path).login(control)
    lines = shell.caip("audit", "checkpoint").stdout.splitlines()
    other = tmp_path / "other"
    other.write_text("\n".join([*lines[:2], base64.b64encode(bytes(32)).decode(), *lines[3:], ""]))
    done = shell.caip("audit", "show", "3", "--checkpoint", other)
    assert done.returncode == 1 and "does NOT hold" in done.stdout and "entry 3" in done.stdout, done.stdout + done.stderr
    assert json.loads(shell.caip("audit", "show", "3", "--checkpoint", other, "--json").stdout)["holds"] is False
    old = tmp_path / "old"
    old.write_text("\n".join([lines[0], "2", *lines[2:], ""]))
    done = shell.caip("audit", "show", "3", "--checkpoint", old)
    assert done.returncode == 2 and "does not reach entry 3" in done.stderr, done.stdout + done.stderr
    assert shell.caip("audit", "show", "99999999").returncode == 3
    assert shell.caip("audit", "show", "-1").returncode == 2
