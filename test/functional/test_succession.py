"""Checkpoint, cosign and order keys hand over to others: with a real server, while an order runs, while the server is away,
and with kill -9 in between. What stays behind is looked for in the keyring, in the keeper and by the verifier."""
import json
import random
import threading
import time
from pathlib import Path

import httpx
import pytest
from conftest import new_world
from keyring import open_keyring

from support import Control, entries, problem, wait_for
from test_log import caip
from test_order_crash import allow, fresh_agent, holds, online  # noqa: F401
from test_secrets import generations, inventory, keepers
from test_server import approval, ask

@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """One of its own: an old key waits for every server, and other tests leave made-up ones behind."""
    with new_world(tmp_path_factory.mktemp("succession"), "web-2") as made:
        yield made


KEYS = ("checkpoint", "cosign", "order")
FINAL = ("completed", "failed", "denied", "expired")


def rotate(owner, key):
    answer = owner.post("/secrets/rotations", {"key": key})
    assert answer.status_code == 202, answer.text


def over(owner, keys=KEYS):
    wait_for(lambda: all(len(generations(owner, key)) == 1 for key in keys), 30)


def waiting(owner, key):
    return [k["servers_waiting"] for k in inventory(owner)["keys"] if k["key"] == key and k["state"] == "previous"]


def rounds(owner):
    """A whole round of the rotation's own clock has gone by: two rotations of another kind began after this and are over."""
    owner.post("/secrets", {"kind": "env_value", "name": "ROUNDS", "value": "v"})  # there is a data key
    for _ in range(2):
        rotate(owner, "data")
        over(owner, ("data",))


def runs_an_order(world):
    card, _ = ask(world, "restart nginx on web-1")
    allow(world, card)
    done = approval(world, card["id"], FINAL)
    assert done["state"] == "completed", done


def secret_keys(control):
    """What of these keys is in DATA/keys/keyring, opened by code that shares nothing with the product's."""
    found = {}
    for name, value in open_keyring(control.data / "keys").items():
        key = name.split(" ")[0]
        if key in KEYS:
            found[key, int(name.split(" ")[-1])] = value
    return found


def memory(pid):
    out = []
    with open(f"/proc/{pid}/mem", "rb") as mem:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, access = line.split()[:2]
            if not access.startswith("rw") or line.endswith(("[vvar]", "[vsyscall]")):
                continue
            begin, end = (int(n, 16) for n in span.split("-"))
            try:
                mem.seek(begin)
                out.append(mem.read(end - begin))
            except (OSError, ValueError):
                continue
    return b"".join(out)


def test_each_key_hands_over_while_an_order_runs_and_the_old_one_is_gone_when_the_server_knows(world, slow_nginx, tmp_path):
    control, owner = world.control, world.owner
    kept = tmp_path / "kept"
    kept.write_text(owner.get("/audit/checkpoint").text)
    before = secret_keys(control)
    newest = {key: max(g for k, g in before if k == key) for key in KEYS}
    card, _ = ask(world, "restart nginx on web-1")
    allow(world, card)
    wait_for(lambda: world.machine.run(["systemctl", "is-active", "nginx"], check=False).stdout.strip() == "activating", 20, 0.05)
    for key in KEYS:
        rotate(owner, key)
    assert approval(world, card["id"], FINAL)["state"] == "completed"
    over(owner)
    runs_an_order(world)
    for key in KEYS:
        entry = next(e["entry"] for e in entries(owner, "key.destroy") if e["entry"]["params"]["key"] == key and e["entry"]["params"]["generation"] == newest[key])
        assert entry["params"]["left"] == 0
        said = next(e["entry"] for e in entries(owner, "key.rotate") if e["entry"]["params"]["key"] == key and e["entry"]["detail"]["succession"]["generation"] == newest[key] + 1)
        assert said["result"] == "completed" and said["actor"]["kind"] == "user"
    after = secret_keys(control)
    assert set(after) == {(key, newest[key] + 1) for key in KEYS}
    keeper = memory(keepers(control)[0])
    for (key, generation), value in before.items():
        assert value not in after.values(), key
        assert value not in keeper, f"{key} {generation} is still in the keeper's memory"
    assert any(value in keeper for value in after.values())  # that it would have been found
    holds(world)
    code, said = control.verify("--checkpoint", kept)
    assert code == 0 and "was not checked" not in said, said


def restarted(world, **settings):
    """With other [servers] settings, or none."""
    world.control.stop()
    config = world.control.data.parent / "servers.toml"
    config.write_text("[servers]\n" + "".join(f"{k} = {v}\n" for k, v in settings.items()))
    keep = world.control.arguments
    world.control.arguments = [*keep, "--config", str(config)] if settings else keep
    world.control.start()
    world.control.arguments = keep
    world.owner = world.control.sign_in()
    world.signed = time.monotonic()


def test_a_server_that_was_off_during_two_rotations_comes_back_and_runs_an_order(world, fresh_agent):  # noqa: F811
    over(world.owner)
    before = {key: generations(world.owner, key)[0] for key in KEYS}
    world.machine.run(["systemctl", "stop", "caip-agent"])
    for key in KEYS:
        rotate(world.owner, key)
    rounds(world.owner)  # it waits for the server
    for key in KEYS:
        assert waiting(world.owner, key) == [1], key
        problem(world.owner.post("/secrets/rotations", {"key": key}), 409, "in_progress")
    restarted(world, key_overlap_hours=0)  # nobody wants to wait
    over(world.owner)
    left = entries(world.owner, "key.destroy")[0]["entry"]["params"]["left"]
    assert left == 1
    for key in KEYS:
        rotate(world.owner, key)
    over(world.owner)
    assert {key: generations(world.owner, key)[0] for key in KEYS} == {key: g + 2 for key, g in before.items()}
    restarted(world)
    world.machine.run(["systemctl", "start", "caip-agent"])
    online(world)
    runs_an_order(world)
    kept = world.machine.run(["cat", "/var/lib/caip-helper/keys"]).stdout.splitlines()
    assert len(kept) >= 6
    world.machine.run(["systemctl", "restart", "caip-agent"])  # the whole chain again, from its own disk
    fresh_agent()
    runs_an_order(world)
    holds(world)


def test_caipd_killed_at_any_moment_of_a_handing_over(world, fresh_agent):  # noqa: F811
    seed = random.randrange(1 << 32)
    dice = random.Random(seed)
    for turn in range(6):
        key = KEYS[turn % 3]
        over(world.owner)
        before = generations(world.owner, key)[0]
        answered = threading.Event()

        def ask_for_it(key=key, answered=answered):
            try:
                if world.owner.post("/secrets/rotations", {"key": key}).status_code == 202:
                    answered.set()
            except httpx.HTTPError:
                pass  # it died under the request

        asking = threading.Thread(target=ask_for_it)
        asking.start()
        time.sleep(0.06 * (turn + dice.random()) / 6)  # another moment each time; none of them is waited for
        world.control.kill()
        asking.join(30)
        world.control.start()
        world.owner = world.control.sign_in()
        fresh_agent()
        named = [e for e in entries(world.owner, "key.rotate") if e["entry"]["result"] == "completed" and e["entry"]["params"]["key"] == key]
        if generations(world.owner, key)[0] - 1 > len(named):  # it died with the new key made and not named: the next handing over is to that one
            assert not answered.is_set(), f"seed {seed}: it was answered and is lost"
            rotate(world.owner, key)
        over(world.owner)
        now = generations(world.owner, key)[0]
        assert now in (before, before + 1), f"seed {seed}"
        assert now == before + 1 or not answered.is_set(), f"seed {seed}: it was answered and is lost"
        runs_an_order(world)
    holds(world)


def test_an_export_over_several_rotations_verifies_by_itself_and_against_what_was_kept_before(tmp_path):
    control = Control(tmp_path).start()
    control.set_up()
    owner = control.sign_in()
    caip(tmp_path, "login", "--url", control.url, "--email", "owner@example.org", "--password-stdin", "--ca", control.data.parent / "ca.pem",
         input="correct horse battery staple\n", check=False)
    kept = []
    for _ in range(2):
        for key in KEYS:
            file = tmp_path / f"kept-{len(kept)}"
            file.write_text(owner.get("/audit/checkpoint").text)
            kept.append(file)
            rotate(owner, key)
            over(owner, (key,))
    export = owner.get("/audit/export?format=bundle")
    assert export.status_code == 200, export.text
    bundle = tmp_path / "log.bundle"
    bundle.write_text(export.text)
    assert export.text.count('{"s":') == 4  # of the log's own two keys
    control.stop()
    for file in (None, *kept):
        more = ["--checkpoint", file] if file else []
        done = caip(tmp_path / "nobody", "audit", "verify", "--bundle", bundle, *more, check=False)
        assert done.returncode == 0, f"{file}: {done.stdout}{done.stderr}"
        code, said = control.verify(*more)
        assert code == 0, f"{file}: {said}"
    lines = [line for line in export.text.splitlines() if not line.startswith('{"s":')]
    bundle.write_text("\n".join(lines) + "\n")
    done = caip(tmp_path / "nobody", "audit", "verify", "--bundle", bundle, "--checkpoint", kept[0], check=False)
    assert done.returncode == 1 and "not signed by the key" in done.stdout + done.stderr


@pytest.mark.parametrize("key", KEYS)
def test_the_command_and_the_inventory(control, owner, key):
    done = json.dumps(inventory(owner))
    assert f'"key": "{key}"' in done
    shown = next(k for k in inventory(owner)["keys"] if k["key"] == key and k["state"] == "current")
    assert shown["rotates"] and shown["next_rotation_at"]
    rotate(owner, key)
    over(owner, (key,))
    assert generations(owner, key) == [shown["generation"] + 1]
