"""Secrets go in and never come out; roles; keys and their rotation; the keeper's death. S10, S11 and S27 of the lessons are
named in the tests that hold them."""
import base64
import contextlib
import json
import os
import re
import secrets as random
import signal
import subprocess
import threading
import time
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from support import BIN, NOT_ALLOWED, NOT_FOUND, OK, USAGE, Control, Shell, entries, problem, wait_for
from test_crash import dice

KINDS = ("env_value", "cloud_key", "ssh_key", "notification", "ai_provider")


def create(api, kind, name, value):
    return api.post("/secrets", {"kind": kind, "name": name, "value": value})


def openssh(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


def value_for(kind):
    return openssh(Ed25519PrivateKey.generate()) if kind == "ssh_key" else random.token_urlsafe(24)


def keepers(control):
    """Process ids of this caipd's keepers."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text()
            command = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if command[0].endswith(b"caip-keeper") and int(stat.rsplit(")", 1)[1].split()[1]) == control.process.pid:
            found.append(int(entry.name))
    return found


def inventory(owner):
    answer = owner.get("/secrets/inventory")
    assert answer.status_code == 200, answer.text
    return answer.json()


def generations(owner, key):
    return [k["generation"] for k in inventory(owner)["keys"] if k["key"] == key]


@pytest.mark.parametrize("kind", KINDS)
def test_a_secret_is_made_replaced_and_deleted_and_never_read_back(owner, kind):
    value, second = value_for(kind), value_for(kind)
    made = create(owner, kind, f"{kind}_life", value)
    assert made.status_code == 201, made.text
    secret = made.json()
    assert set(secret) == {"id", "kind", "name", "version", "public_key", "created_at", "replaced_at", "placed_on"}
    path = f"/secrets/{secret['id']}"
    assert owner.get(path).json() == secret
    problem(create(owner, kind, f"{kind}_life", value), 409, "conflict")
    problem(owner.call("PUT", path, {"value": second}), 428)
    problem(owner.call("PUT", path, {"value": second}, headers={"If-Match": '"7"'}), 412)
    replaced = owner.call("PUT", path, {"value": second}, headers={"If-Match": made.headers["etag"]})
    assert replaced.status_code == 200 and replaced.json()["version"] == 2, replaced.text
    problem(owner.call("DELETE", path), 428)
    assert owner.call("DELETE", path, headers={"If-Match": '"2"'}).status_code == 204
    problem(owner.get(path), 404)
    for action in ("secret.create", "secret.replace", "secret.delete"):
        entry = next(e["entry"] for e in entries(owner, action) if e["entry"]["params"]["secret"] == secret["id"])
        assert entry["params"]["kind"] == kind and entry["result"] == "completed" and entry["actor"]["kind"] == "user"
        assert value not in str(entry) and second not in str(entry)


def test_an_ssh_key_is_made_here_or_imported_and_only_its_public_half_is_shown(owner):
    made = owner.post("/secrets", {"kind": "ssh_key", "name": "made-here"}).json()
    assert re.fullmatch(r"ssh-ed25519 [A-Za-z0-9+/=]+ made-here", made["public_key"])
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    pkcs8 = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    assert create(owner, "ssh_key", "imported", openssh(key)).json()["public_key"] == public + " imported"
    assert create(owner, "ssh_key", "pem", pkcs8).json()["public_key"] == public + " pem"
    said = problem(create(owner, "ssh_key", "wrong", "-----BEGIN OPENSSH PRIVATE KEY-----\nQUJD\n-----END OPENSSH PRIVATE KEY-----"), 422)
    assert "QUJD" not in str(said)


def test_hostile_input_is_refused_and_not_repeated(owner):
    canary = "canary-" + random.token_hex(8)
    for body in ({"kind": "env_value", "name": "A B", "value": canary}, {"kind": "password", "name": "A", "value": canary},
                 {"kind": "env_value", "name": "A", "value": canary, "extra": 1}, {"kind": "env_value", "name": "A", "value": [canary]},
                 {"kind": "env_value", "name": "A", "value": canary * 4000}, {"kind": "env_value", "name": "A"}, {"kind": "env_value", "name": "A", "value": ""},
                 {"kind": "ssh_key", "name": "A", "value": canary}, {"name": "A", "value": canary}, {"kind": "env_value", "value": canary}):
        answer = owner.post("/secrets", body)
        assert 400 <= answer.status_code < 500, (body, answer.text)
        assert canary not in answer.text


def test_who_may_handle_which_kind(people):
    """The table of doc/secrets.md, a second time: a Member env values, an Admin all but the AI provider's key, the Owner all."""
    may = {"owner": set(KINDS), "admin": set(KINDS) - {"ai_provider"}, "member": {"env_value"}, "viewer": set()}
    for role, kinds in may.items():
        for kind in KINDS:
            answer = create(people[role], kind, f"by_{role}", value_for(kind))
            assert answer.status_code == (201 if kind in kinds else 403), f"{role} {kind}: {answer.text}"
    problem(people["viewer"].get("/secrets"), 403)
    problem(people["member"].get("/secrets/inventory"), 403)
    assert people["admin"].get("/secrets/inventory").status_code == 200
    for role in ("admin", "member", "viewer"):
        problem(people[role].post("/secrets/rotations", {"key": "jwt"}), 403)
    theirs = people["owner"].data("/secrets?kind=ai_provider")[0]
    for role in ("admin", "member"):  # what one may not make, one may neither replace nor delete
        for method in ("PUT", "DELETE"):
            problem(people[role].call(method, f"/secrets/{theirs['id']}", {"value": "x"} if method == "PUT" else None, headers={"If-Match": '"1"'}), 403)
    refusals = [e["entry"] for e in entries(people["owner"], "secret.create") if e["entry"]["result"] == "blocked"]
    assert len(refusals) >= 3


def test_lists_have_pages_and_kinds(owner):
    for n in range(5):
        assert create(owner, "notification", f"page_{n}", "v").status_code == 201
    seen, cursor = [], None
    while True:
        answer = owner.get("/secrets?kind=notification&limit=2" + (f"&cursor={cursor}" if cursor else "")).json()
        seen += [s["name"] for s in answer["data"] if s["name"].startswith("page_")]
        cursor = answer["next_cursor"]
        if not cursor:
            break
    assert sorted(seen) == [f"page_{n}" for n in range(5)]
    problem(owner.get("/secrets?kind=nonsense"), 422)
    problem(owner.get("/secrets?cursor=nonsense"), 400)


def test_the_inventory_names_every_key_with_algorithm_age_and_next_rotation(owner):
    create(owner, "env_value", "for_inventory", "v")
    found = inventory(owner)
    assert {k["key"] for k in found["keys"]} == {"root", "data", "jwt", "checkpoint", "order", "cosign", "ca", "agent_ca", "pepper"}
    for key in found["keys"]:
        assert key["algorithm"] and key["age_days"] == 0 and (key["next_rotation_at"] is not None) == key["rotates"] or key["state"] == "previous"
    assert [s["kind"] for s in found["seals"]] == ["key-file"]
    assert {c["kind"] for c in found["classes"]} == set(KINDS)
    assert found["memory_locked"] is True  # the tests run as root


def test_a_data_key_rotation_ends_with_nothing_under_the_old_key(owner):
    for n in range(20):
        create(owner, "env_value", f"ROTATE_{n}", "v")
    wait_for(lambda: len(generations(owner, "data")) == 1)
    before = generations(owner, "data")[0]
    assert owner.post("/secrets/rotations", {"key": "data"}).status_code == 202
    done = wait_for(lambda: [k for k in inventory(owner)["keys"] if k["key"] == "data" and generations(owner, "data") == [before + 1]])
    assert done[0]["secrets"] == len([s for kind in KINDS for s in owner.data(f"/secrets?limit=200&kind={kind}")])
    destroyed = entries(owner, "key.destroy")[0]["entry"]
    assert destroyed["params"] == {"key": "data", "generation": before, "left": 0}


def test_a_new_root_key_replaces_the_keyring_and_everything_still_opens(control, owner):
    before = json.loads((control.data / "keys" / "keyring").read_text())
    assert owner.post("/secrets/rotations", {"key": "root"}).status_code == 202
    after = json.loads((control.data / "keys" / "keyring").read_text())
    assert after["generation"] == before["generation"] + 1
    assert not {k["wrapped"] for k in before["keys"]} & {k["wrapped"] for k in after["keys"]}
    assert create(owner, "env_value", "after_root", "v").status_code == 201


def test_sessions_outlive_a_jwt_rotation_and_new_ones_have_the_new_key(control, owner):
    old = control.sign_in()
    assert owner.post("/secrets/rotations", {"key": "jwt"}).status_code == 202
    assert old.get("/servers").status_code == 200
    assert control.sign_in().get("/servers").status_code == 200
    assert len(generations(owner, "jwt")) == 2
    problem(owner.post("/secrets/rotations", {"key": "jwt"}), 409, "in_progress")


def test_the_pepper_does_not_rotate_and_says_so(owner):
    problem(owner.post("/secrets/rotations", {"key": "pepper"}), 422, "invalid")


def test_a_keeper_that_is_killed_under_load_loses_no_request(control, owner):
    """kill -9 of caip-keeper while it signs and seals for five callers: nobody gets an error."""
    stop, failures, done = threading.Event(), [], [0] * 5
    apis = [control.sign_in() for _ in range(5)]

    def work(me):
        while not stop.is_set():
            answer = create(apis[me], "env_value", f"load_{me}_{done[me]}", "v")
            if answer.status_code != 201:
                failures.append(answer.text)
            done[me] += 1

    threads = [threading.Thread(target=work, args=(n,)) for n in range(5)]
    for thread in threads:
        thread.start()
    for _ in range(4):
        before = sum(done)
        wait_for(lambda: sum(done) > before + 30)
        victims = keepers(control)
        assert len(victims) == 1
        os.kill(victims[0], signal.SIGKILL)
    before = sum(done)
    wait_for(lambda: sum(done) > before + 30)
    stop.set()
    for thread in threads:
        thread.join(30)
    assert failures == []
    assert len(keepers(control)) == 1
    # One that was started while people and agents were connected has nothing of theirs: its socket to caipd, and files.
    open_now = {int(f.name): os.readlink(f) for f in Path(f"/proc/{keepers(control)[0]}/fd").iterdir()}
    assert [n for n, what in open_now.items() if what.startswith("socket:")] == [3], open_now


def test_a_rotation_that_the_log_has_is_done_whenever_it_was_killed_and_one_that_it_has_not_is_not(tmp_path):
    control = Control(tmp_path).start()
    control.set_up()
    owner = control.sign_in()
    names = [f"K{n}" for n in range(60)]
    for name in names:
        assert create(owner, "env_value", name, name * 3).status_code == 201
    began = time.monotonic()
    assert owner.post("/secrets/rotations", {"key": "data"}).status_code == 202
    wait_for(lambda: len(generations(owner, "data")) == 1, every=0.005)
    span = time.monotonic() - began
    (luck, seed), logged = dice(), 1
    for round_ in range(10):
        answers = []

        def ask(owner=owner, answers=answers):
            with contextlib.suppress(httpx.HTTPError):  # it died under the request
                answers.append(owner.post("/secrets/rotations", {"key": "data"}).status_code)
        asking = threading.Thread(target=ask)
        asking.start()
        time.sleep(span * (round_ + luck.random()) / 10)  # the moment is what is random here
        control.kill()
        asking.join(30)
        control.start()
        owner = control.sign_in()
        wait_for(lambda owner=owner: len(generations(owner, "data")) == 1)
        before, logged = logged, sum(e["entry"]["result"] == "completed" for e in entries(owner, "key.rotate"))
        what = f"round {round_}, seed {seed}, answers {answers}"
        assert generations(owner, "data") == [1 + logged], what
        assert logged == before + 1 if answers else logged in (before, before + 1), what
        assert {s["name"] for s in owner.data("/secrets?limit=200")} == set(names), what
    control.stop()
    code, said = control.verify()
    assert code == 0, said


def test_s11_two_installations_share_no_secret(tmp_path):
    found = []
    for name in ("a", "b"):
        control = Control(tmp_path / name).start()
        found.append(((control.data / "keys" / "root.key").read_bytes(), json.loads((control.data / "keys" / "keyring").read_text()),
                      (control.data / "setup-token").read_text()))
        control.stop()
    (root_a, ring_a, token_a), (root_b, ring_b, token_b) = found
    assert root_a != root_b and token_a != token_b and len(root_a) == 32
    assert not {k["wrapped"] for k in ring_a["keys"]} & {k["wrapped"] for k in ring_b["keys"]}
    assert ring_a["seals"][0]["public_key"] != ring_b["seals"][0]["public_key"]


def seal(control, *arguments):
    return subprocess.run([BIN / "caip-keeper", "seal", *map(str, arguments), "--keys", control.data / "keys"], capture_output=True, text=True,
                          timeout=60, check=False)


def test_a_lost_and_a_replaced_seal(tmp_path):
    control = Control(tmp_path).start()
    control.set_up()
    running = seal(control, "add", "passphrase", "--new", "/nonexistent")
    assert running.returncode == 5 and "stop caipd" in running.stderr
    control.stop()
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("correct horse battery staple\n")
    passphrase.chmod(0o600)
    assert seal(control, "add", "passphrase", "--new", passphrase).returncode == 0
    lines = seal(control, "list").stdout.splitlines()
    assert [line.split()[1] for line in lines] == ["key-file", "passphrase"]
    ids = [line.split()[0] for line in lines]
    key = control.data / "keys" / "root.key"
    key.rename(tmp_path / "lost.key")
    config = tmp_path / "caipd.toml"
    config.write_text(f'[seals]\npassphrase_file = "{passphrase}"\n')
    control.arguments = ["--config", str(config)]
    control.start()  # the passphrase alone opens
    control.sign_in()
    control.stop()
    assert seal(control, "replace", lines[0].split()[0], "--new", key, "--passphrase-file", passphrase).returncode == 0
    control.arguments = []
    control.start()  # the new key file alone opens
    sealed = [e["entry"]["detail"]["seals"] for e in entries(control.sign_in(), "system.start")]
    assert [re.findall(r"(key-file|passphrase) (seal-[0-9a-f]+) of \S+", s) for s in sealed[1:]] == [[("key-file", ids[0]), ("passphrase", ids[1])], [("key-file", ids[0])]], sealed
    assert re.match(r"(key-file|passphrase) seal-", sealed[0]) and ids[0] not in sealed[0] and ids[1] in sealed[0], sealed
    assert [int(s.rsplit("root key ", 1)[1]) for s in sealed] == sorted((int(s.rsplit("root key ", 1)[1]) for s in sealed), reverse=True) and sealed[0][-1] != sealed[1][-1], sealed
    control.stop()
    key.unlink()
    (tmp_path / "lost.key").rename(key)  # found again, by whoever
    with pytest.raises(AssertionError, match="no seal of DATA/keys/keyring opens"):
        control.start()


def test_systemd_gives_the_root_key_a_credential(tmp_path, monkeypatch):
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "caip-root").write_bytes(os.urandom(32))
    (credentials / "caip-root").chmod(0o400)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    control = Control(tmp_path).start()
    control.set_up()
    assert not (control.data / "keys" / "root.key").exists()
    assert [s["kind"] for s in inventory(control.sign_in())["seals"]] == ["credential"]
    control.stop()
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    with pytest.raises(AssertionError, match="caip-keeper did not start"):
        control.start()


@pytest.fixture
def shell(control, tmp_path):
    return Shell(tmp_path).login(control)


def test_the_command_line_takes_values_from_files_and_standard_input_and_prints_none(shell, tmp_path):
    canary = "cli-canary-" + random.token_hex(8)
    assert shell.caip("secrets", "set", "env_value", "CLI_VALUE", "--stdin", stdin=canary + "\n").returncode == OK
    file = tmp_path / "value"
    file.write_text(canary + "-2")
    done = shell.caip("secrets", "set", "env_value", "CLI_VALUE", "--from-file", file)
    assert done.returncode == OK and "version 2" in done.stderr, done.stderr
    made = shell.caip("secrets", "set", "ssh_key", "cli-key", "--generate")
    assert made.stdout.startswith("ssh-ed25519 "), made.stderr
    assert shell.caip("secrets", "set", "env_value", "CLI_VALUE", canary).returncode == USAGE  # not on the command line
    assert shell.caip("secrets", "set", "env_value", "CLI_OTHER").returncode == USAGE  # nobody to ask
    for arguments in (("list",), ("list", "--kind", "env_value"), ("show", "env_value", "CLI_VALUE"), ("inventory",)):
        for more in ((), ("--json",)):
            done = shell.caip("secrets", *arguments, *more)
            assert done.returncode == OK, done.stderr
            assert canary not in done.stdout + done.stderr
    assert "CLI_VALUE" in shell.caip("secrets", "list").stdout
    assert "XAES-256-GCM" in shell.caip("secrets", "inventory").stdout
    assert shell.caip("secrets", "delete", "env_value", "CLI_VALUE", "--confirm", "OTHER").returncode == USAGE
    assert shell.caip("secrets", "delete", "env_value", "CLI_VALUE", "--confirm", "CLI_VALUE").returncode == OK
    assert shell.caip("secrets", "show", "env_value", "CLI_VALUE").returncode == NOT_FOUND
    assert shell.caip("secrets", "rotate", "root").returncode == OK
    assert shell.caip("secrets", "rotate", "pepper").returncode == USAGE


def test_a_viewer_gets_no_secrets_from_the_command_line(control, people, tmp_path):
    shell = Shell(tmp_path).login(control, "viewer@example.org", "a long password for viewer")
    assert shell.caip("secrets", "list").returncode == NOT_ALLOWED
