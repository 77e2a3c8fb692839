"""The log as people and machines use it: filters, who may read and export, exports that prove
themselves, witnesses. S10, S11, S27, S32, S33: the lines of the lessons that are about logs."""
import base64
import contextlib
import csv
import hashlib
import io
import json
import os
import re
import subprocess

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from support import BIN, OWNER, Control, entries, free_port, problem, wait_for


def caip(folder, *arguments, check=True, **kwargs):
    env = {**os.environ, "XDG_CONFIG_HOME": str(folder / "config"), "XDG_STATE_HOME": str(folder / "state")}
    done = subprocess.run([BIN / "caip", *map(str, arguments)], env=env, capture_output=True, text=True, timeout=60, check=False, **kwargs)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture
def cli(control, owner, tmp_path):
    caip(tmp_path, "login", "--url", control.url, "--email", OWNER[0], "--password-stdin", "--ca", control.data.parent / "ca.pem", input=OWNER[1] + "\n")
    return lambda *a, **k: caip(tmp_path, *a, **k)


def listed(api, query):
    found, cursor = [], None
    while True:
        answer = api.get(f"/audit/entries?limit=200&{query}" + (f"&cursor={cursor}" if cursor else ""))
        assert answer.status_code == 200, answer.text
        found += answer.json()["data"]
        cursor = answer.json()["next_cursor"]
        if not cursor:
            return found


def test_filters_find_what_is_there_and_nothing_else(owner, people):
    for name in ("filter-one", "filter-two"):
        assert owner.post("/enrolments", {"name": name}).status_code == 201
    problem(people["viewer"].post("/enrolments", {"name": "by-a-viewer"}), 403)
    everything = [e["entry"] for e in entries(owner)]
    me = owner.get("/session").json()
    checks = {"action=enrolment.create": lambda e: e["action"] == "enrolment.create",
              "result=blocked": lambda e: e["result"] == "blocked",
              "source=anonymous": lambda e: e["source"] == "anonymous",
              "action=enrolment.create&result=blocked": lambda e: e["action"] == "enrolment.create" and e["result"] == "blocked",
              "text=FILTER-one": lambda e: "filter-one" in json.dumps(e),
              "action=owner.create&result=failed": lambda e: False}
    actor = next(e["actor"]["id"] for e in everything if e["action"] == "enrolment.create" and e["result"] == "completed")
    checks[f"actor={actor}"] = lambda e: e["actor"]["id"] == actor
    assert me

    def all_as_expected():  # before and after the index has caught up
        for query, wanted in checks.items():
            found = [e["entry"]["seq"] for e in listed(owner, query)]
            expected = [e["seq"] for e in everything if wanted(e)]
            assert found[-len(expected):] == expected if expected else found == [], query
    all_as_expected()
    middle = everything[len(everything) // 2]["at"]
    assert all(e["entry"]["at"] >= middle for e in listed(owner, f"from={middle}"))
    assert all(e["entry"]["at"] < middle for e in listed(owner, f"until={middle}"))
    wait_for(lambda: not listed(owner, "action=owner.create&result=failed") and owner.get("/audit/entries?action=enrolment.create").status_code == 200)
    all_as_expected()


def test_a_cursor_is_authenticated_and_belongs_to_its_list(owner):
    first = owner.get("/audit/entries?limit=1").json()
    cursor = first["next_cursor"]
    assert owner.get(f"/audit/entries?limit=1&cursor={cursor}").status_code == 200
    problem(owner.get(f"/audit/entries?limit=1&result=blocked&cursor={cursor}"), 400, "malformed")
    problem(owner.get(f"/audit/entries?limit=1&cursor={cursor[:-2]}AA"), 400, "malformed")
    problem(owner.get("/audit/entries?limit=1&cursor=5"), 400, "malformed")


def test_owners_and_admins_read_owners_export_and_both_are_logged(people):
    for role, reads, exports in (("owner", 200, 200), ("admin", 200, 403), ("member", 403, 403), ("viewer", 403, 403)):
        assert people[role].get("/audit/entries").status_code == reads, role
        assert people[role].get("/audit/export").status_code == exports, role
        assert people[role].get("/audit/witnesses").status_code == reads, role
    who = {e["entry"]["actor"]["id"] for e in listed(people["owner"], "action=log.read")}
    assert len(who) == 2  # the Owner and the Admin, each once in a quarter of an hour
    people["owner"].get("/audit/entries")
    assert len(listed(people["owner"], "action=log.read")) == 2
    assert listed(people["owner"], "action=log.export")[0]["entry"]["actor"]["id"] in who


def test_an_export_proves_itself_and_a_changed_one_does_not(control, cli, owner, tmp_path):
    kept = tmp_path / "kept"
    kept.write_text(owner.get("/audit/checkpoint").text)
    owner.post("/enrolments", {"name": "after-the-kept-one"})
    out = tmp_path / "log.jsonl"
    cli("audit", "export", "-o", out)
    bundle = tmp_path / "log.jsonl.bundle"
    assert "Everything holds" in caip(tmp_path / "nobody", "audit", "verify", "--bundle", bundle).stdout
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [r["seq"] for r in rows if r["org"]] == list(range(len([r for r in rows if r["org"]])))
    assert rows[-1]["action"] == "log.export"
    # Needs no server: not even a profile.
    said = caip(tmp_path / "nobody", "audit", "verify", "--bundle", bundle, "--checkpoint", kept, "--json")
    assert json.loads(said.stdout)["holds"] and json.loads(said.stdout)["entries"] == len(rows)
    table = tmp_path / "log.csv"
    cli("audit", "export", "--format", "csv", "-o", table)
    assert "Everything holds" in caip(tmp_path / "nobody", "audit", "verify", "--bundle", f"{table}.bundle").stdout
    for file in (out, table):  # what people read is bound to the proof beside it
        file.write_text(file.read_text().replace("after-the-kept-one", "after-the-kept-ome"))
        done = caip(tmp_path / "nobody", "audit", "verify", "--bundle", f"{file}.bundle", check=False)
        assert done.returncode == 1 and f"{file} is not what its bundle proves" in done.stdout, done.stdout
    lines = bundle.read_text().splitlines(keepends=True)
    dropped = tmp_path / "dropped"
    dropped.write_text("".join(lines[:3] + lines[4:]))
    changed = tmp_path / "changed"
    changed.write_text(bundle.read_text().replace("after-the-kept-one", "after-the-kept-ome"))
    for bad in (dropped, changed):
        done = caip(tmp_path / "nobody", "audit", "verify", "--bundle", bad, check=False)
        assert done.returncode == 1 and "NOT" in done.stdout
    said = cli("audit", "verify", "--url", control.url, "--checkpoint", kept)
    assert "Everything holds" in said.stdout and "every entry of this organisation" in said.stdout



@pytest.mark.parametrize("name, wrong, right", [("source", "people", "user"), ("result", "ok", "completed")])
def test_a_filter_with_a_word_that_does_not_exist_is_refused_and_told_the_words(owner, name, wrong, right):
    answer = problem(owner.get(f"/audit/entries?{name}={wrong}"), 422, "invalid")
    assert right in answer["detail"]
    assert owner.get(f"/audit/entries?{name}={right}").status_code == 200

def test_csv_has_the_same_rows_and_no_formulas(owner, control):
    control.anonymous().call("POST", "/sessions", {"email": "x@example.org", "password": "no", "client": "cli"}, headers={"User-Agent": "=cmd|' /C calc'!A0"})
    table = list(csv.DictReader(io.StringIO(owner.get("/audit/export?format=csv").text)))
    assert table[-1]["action"] == "log.export"
    agents = [row["user_agent"] for row in table]
    assert any(a.startswith("'=cmd") for a in agents) and not any(a.startswith("=") for a in agents)
    lines = owner.get("/audit/export?format=jsonl").text.splitlines()
    assert len(lines) == len(table) + 1  # and the entry of this very export


def test_tail_shows_what_comes(cli, owner, tmp_path, control):
    env = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_STATE_HOME": str(tmp_path / "state")}
    tail = subprocess.Popen([BIN / "caip", "audit", "tail", "--json", "--action", "enrolment.create"], env=env, stdout=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: "caip_event_readers 0" not in control.anonymous().http.get(control.url + "/metrics").text)
        owner.post("/enrolments", {"name": "seen-in-the-tail"})
        line = json.loads(tail.stdout.readline())
        assert line["entry"]["params"]["name"] == "seen-in-the-tail"
    finally:
        tail.terminate()
        tail.wait()


def test_refusals_and_changes_carry_address_agent_and_time(owner, people):
    problem(people["viewer"].call("POST", "/enrolments", {"name": "x-agent"}, headers={"User-Agent": "probe/1"}), 403)
    entry = next(e["entry"] for e in listed(owner, "result=blocked") if e["entry"]["user_agent"] == "probe/1")
    assert entry["address"] == "127.0.0.1" and entry["at"].endswith("Z") and len(entry["at"]) == 27
    for e in entries(owner):
        assert set(e["entry"]) == {"action", "actor", "address", "approver", "at", "detail", "org", "params", "request", "result",
                                   "seq", "source", "target", "user_agent", "v"}


def test_a_failed_sign_in_of_a_member_is_their_organisations(owner, control):
    problem(control.anonymous().post("/sessions", {"email": OWNER[0], "password": "not this one", "client": "cli"}), 401)
    newest = listed(owner, "action=session.sign_in&result=blocked")[0]["entry"]
    assert newest["org"] is not None and newest["actor"]["kind"] == "anonymous"


def test_checkpoint_has_both_signatures_of_the_log(owner):
    lines = [line for line in owner.get("/audit/checkpoint").text.splitlines() if line.startswith("— ")]
    sizes = sorted(len(base64.b64decode(line.rsplit(" ", 1)[1])) for line in lines)
    assert sizes == [4 + 64, 4 + 8 + 2420]


def test_an_implementation_that_we_did_not_write_agrees(owner, tmp_path):
    """Checkpoint signature and inclusion by sigstore's verifier, ML-DSA-44 by noble."""
    export = owner.get("/audit/export?format=bundle").text.splitlines()
    head = json.loads(export[0])
    size = head["size"]
    cases = []
    for index in {0, size // 2, size - 1}:
        line = next(x for x in map(json.loads, export[1:]) if x.get("i") == index and "e" in x)
        proof = owner.get(f"/audit/proofs/inclusion?index={index}&size={size}").json()["hashes"]
        cases.append({"entry": line["e"], "index": index, "hashes": proof})
    given = tmp_path / "given.json"
    given.write_text(json.dumps({"head": head, "cases": cases}))
    here = os.path.join(os.path.dirname(__file__), "..", "..", "ui", "test", "other-verifier.mjs")
    done = subprocess.run(["node", here, given], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 inclusion proofs, checkpoint, ML-DSA-44 cosignature" in done.stdout


def test_the_server_witnesses_the_log_and_the_verifier_counts_it(world):
    # Other tests may have left servers that are gone; this one's own word is what counts here.
    mine = wait_for(lambda: next((w for w in world.owner.get("/audit/witnesses").json()["data"] if w["server_id"] == world.server and w["cosigned_at"]), None), 40)
    assert mine["size"] > 0 and mine["contradicted_at"] is None
    remembered = world.machine.run(["cat", "/var/lib/caip-helper/witness"]).stdout
    assert remembered.startswith("cloudaipilot.local/log\n")
    note = wait_for(lambda: (a := world.owner.get("/audit/checkpoint/witnessed")).status_code == 200 and a.text, 90)
    assert f"— cloudaipilot.local/witness/{world.server} " in note
    kept = world.control.data.parent / "witnessed"
    kept.write_text(note)
    code, said = world.control.verify("--checkpoint", kept)
    assert code == 0 and "Cosignatures of servers that hold" in said, said


def test_an_export_goes_on_only_as_the_log_says_that_it_began(control):
    owner = control.sign_in()
    begun = owner.get("/audit/export?format=jsonl&action=owner.create&result=failed").headers
    assert "Caip-Next-Place" not in begun
    closing = listed(owner, "action=log.export")[0]["index"]
    owner.post("/enrolments", {"name": "later-1"})
    longer = owner.get("/audit/checkpoint").text.splitlines()[1]
    same = f"0.{closing + 1}.{closing}"
    assert owner.get(f"/audit/export?format=jsonl&action=owner.create&result=failed&place={same}").status_code == 200
    for query in (f"format=jsonl&place={same}", f"format=jsonl&action=unit.restart&place={same}",
                  f"format=jsonl&action=owner.create&result=failed&place=0.{longer}.{closing}", f"format=jsonl&action=owner.create&result=failed&place=0.{closing + 1}.{closing - 1}"):
        problem(owner.get(f"/audit/export?{query}"), 400, "malformed")


# --- S10, S11, S27, S32, S33: each line that is about logs, by its name --------------------------

CANARY = "canary-7f3a-correct-horse-9d1c"


def test_S10_no_secret_is_in_entries_exports_or_files_of_the_log(tmp_path):
    control = Control(tmp_path).start()
    try:
        control.set_up()
        owner = control.sign_in()
        owner.post("/members", {"email": "m@example.org", "role": "viewer", "password": CANARY})
        problem(control.anonymous().post("/sessions", {"email": "m@example.org", "password": CANARY + "x", "client": "cli"}), 401)
        token = owner.post("/enrolments", {"name": "web-1"}).json()["install_command"]
        everything = json.dumps(entries(owner)) + owner.get("/audit/export?format=bundle").text + owner.get("/audit/export?format=csv").text
        access = owner.session["access_token"]
        secret = [CANARY, OWNER[1], access] + [w for w in token.replace("'", " ").split() if len(w) == 43]
        assert not [s for s in secret if s in everything]
        assert CANARY not in control.log.read_text()
    finally:
        control.stop()
    for file in control.data.rglob("*"):
        if file.is_file():
            assert CANARY.encode() not in file.read_bytes(), file


def test_S11_two_fresh_logs_share_no_key(tmp_path):
    keys = []
    for name in ("a", "b"):
        control = Control(tmp_path / name).start()
        control.set_up()
        head = json.loads(control.sign_in().get("/audit/export").text.splitlines()[0])
        control.stop()
        keys += [head["log_key"], head["cosign_key"]]
    assert len(set(keys)) == 4


def test_S27_each_byte_of_a_checkpoint_is_authenticated(control, owner, tmp_path):
    control_copy = control.data
    note = owner.get("/audit/checkpoint").text
    body = note[:note.index("\n\n")]
    for at in range(0, len(body) - 1, 3):
        bad = tmp_path / "bad"
        bad.write_text(body[:at] + chr(ord(body[at]) ^ 1) + body[at + 1:] + note[len(body):])
        done = subprocess.run([BIN / "caip", "audit", "verify", "--data", control_copy, "--checkpoint", bad], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1, done.stdout


def test_S32_what_could_deceive_a_reader_stands_escaped_in_every_form_of_the_log(owner, control, cli, tmp_path):
    """Overrides of direction, control bytes of C1 (a terminal's escapes) and invisible characters, where they get in: a
    header's bytes, a machine's own name. Those below 0x20 are no header's, and stopped at the door."""
    evil, escaped = "a\u202eb\u009b31mc\u200bd", "a<U+202E>b<U+009B>31mc<U+200B>d"
    stopped = control.anonymous().call("POST", "/sessions", {"email": "x@example.org", "password": "no"}, headers={"User-Agent": b"a\x1b[31m"})
    assert stopped.status_code == 400
    control.anonymous().call("POST", "/sessions", {"email": OWNER[0], "password": "no"}, headers={"User-Agent": evil.encode()})
    enrolment = owner.post("/enrolments", {"name": "evil-host"}).json()["install_command"]
    token = re.search(r"printf '%s' '([A-Za-z0-9_-]{43})'", enrolment).group(1)
    csr = subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", tmp_path / "k", "-subj", "/CN=x"],
                         capture_output=True, text=True, check=True).stdout
    assert control.anonymous().post("/agent/enrol", {"token": token, "csr": csr, "hostname": evil}).status_code == 200
    forms = {"list": cli("audit", "list", "--limit", 200).stdout, "jsonl": owner.get("/audit/export?format=jsonl").text,
             "csv": owner.get("/audit/export?format=csv").text, "bundle": owner.get("/audit/export?format=bundle").text, "console": control.log.read_text()}
    for name, text in forms.items():
        assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u202e]", text), name
    for name in ("jsonl", "csv"):  # it is there, and to be seen
        assert forms[name].count(escaped) >= 2, name


def test_S33_nothing_purges_the_log_and_a_gap_is_found(tmp_path):
    import sqlite3
    control = Control(tmp_path).start()
    control.set_up()
    owner = control.sign_in()
    for i in range(5):
        owner.post("/enrolments", {"name": f"n{i}"})
    for method in ("DELETE", "PUT", "PATCH", "POST"):
        for path in ("/audit/entries", "/audit/entries/3", "/audit/checkpoint", "/audit"):
            assert owner.call(method, path, {}).status_code in (404, 405)
    control.stop()
    database = sqlite3.connect(control.data / "caip.db")
    with pytest.raises(sqlite3.DatabaseError):
        database.execute("DELETE FROM log_entries WHERE idx=3")
    database.execute("DROP TRIGGER log_entries_d")
    database.execute("DELETE FROM log_entries WHERE idx=3")
    database.commit()
    database.close()
    code, said = control.verify()
    assert code == 1 and "entry 3 is missing" in said


@contextlib.contextmanager
def witness(folder):
    """sigsum-witness: somebody else's code that holds a log to RFC 9162's consistency proofs. It wants a log of Sigsum's, so the
    test signs our sizes and roots as one. Gives a function that shows it a size and root with a proof from the size before."""
    port = free_port()
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    (folder / "log.pub").write_text(key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() + "\n")
    subprocess.run(["sigsum-key", "generate", "-o", folder / "witness"], check=True, capture_output=True)
    origin = "sigsum.org/v1/tree/" + hashlib.sha256(public).hexdigest()
    key_id = hashlib.sha256(origin.encode() + b"\n\x01" + public).digest()[:4]
    process = subprocess.Popen(["sigsum-witness", "-k", folder / "witness", "--log-key", folder / "log.pub", "--state-file", folder / "state", f"localhost:{port}"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env={**os.environ, "GODEBUG": "httpmuxgo121=0"})  # its package is built as for an older Go, which knows no "POST /path"

    def show(old, proof, size, root):
        text = f"{origin}\n{size}\n{root}\n"
        line = f"\u2014 {origin} {base64.b64encode(key_id + key.sign(text.encode())).decode()}\n"
        hashes = "".join(f"{base64.b64encode(bytes.fromhex(h)).decode()}\n" for h in proof)
        return httpx.post(f"http://localhost:{port}/add-checkpoint", content=f"old {old}\n{hashes}\n{text}\n{line}", timeout=10, trust_env=False)

    def listens():
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"http://localhost:{port}/", trust_env=False).status_code
        return None
    try:
        wait_for(listens)
        yield show
    finally:
        process.terminate()
        process.wait()


def test_a_witness_that_we_did_not_write_holds_our_consistency_proofs_and_no_others(owner, tmp_path):
    def newest():
        return owner.get("/audit/checkpoint").text.splitlines()[1:3]
    with witness(tmp_path) as show:
        seen, root = newest()
        cosigned = show(0, [], seen, root)
        assert cosigned.status_code == 200 and cosigned.text.startswith("\u2014 "), cosigned.text
        for step in (1, 2, 7):
            for n in range(step):
                assert owner.post("/enrolments", {"name": f"grows-{step}-{n}"}).status_code == 201
            wait_for(lambda: int(newest()[0]) >= int(seen) + step)
            size, root = newest()
            proof = owner.get(f"/audit/proofs/consistency?from={seen}&to={size}").json()["hashes"]
            assert show(seen, ["00" * 32, *proof[1:]], size, root).status_code == 422  # c2sp.org/tlog-witness: the proof does not hold
            assert show(seen, proof, size, base64.b64encode(bytes(32)).decode()).status_code == 422  # nor for another root
            assert show(seen, proof, size, root).status_code == 200
            seen = size
