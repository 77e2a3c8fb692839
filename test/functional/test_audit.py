"""The log: what happened is in it, and a change of it is found, without a server."""
import json
import re
import shutil
import sqlite3

from support import Control, entries, problem


def log_with_entries(folder):
    control = Control(folder).start()
    control.set_up()
    owner = control.sign_in()
    for name in ("one", "two", "three"):
        assert owner.post("/enrolments", {"name": name}).status_code == 201
    problem(control.anonymous().post("/sessions", {"email": "x@example.org", "password": "no", "client": "cli"}), 401)
    checkpoint = owner.get("/audit/checkpoint").text
    found = entries(owner)
    control.stop()
    return control, found, checkpoint


def test_what_happened_is_in_the_log(tmp_path):
    control, found, checkpoint = log_with_entries(tmp_path)
    names = [e["entry"]["action"] for e in reversed(found)]
    for action in ("owner.create", "session.sign_in", "enrolment.create"):
        assert action in names
    assert [e["index"] for e in found] == list(range(len(found) - 1, -1, -1))
    assert checkpoint.splitlines()[0] == "cloudaipilot.local/log"
    code, said = control.verify()
    assert code == 0, said


def test_an_old_checkpoint_still_holds(tmp_path):
    control, _, checkpoint = log_with_entries(tmp_path)
    old = tmp_path / "checkpoint"
    old.write_text(checkpoint)
    control.start()
    control.sign_in()
    control.stop()
    code, said = control.verify("--checkpoint", old)
    assert code == 0, said


def test_one_changed_byte_of_any_entry_is_found_and_named(tmp_path):
    control, found, _ = log_with_entries(tmp_path)
    whole = tmp_path / "whole"
    shutil.copytree(control.data, whole)
    for entry in found:
        shutil.rmtree(control.data)
        shutil.copytree(whole, control.data)
        file = control.data / "caip.db"
        database = sqlite3.connect(file)
        # As someone with the file and time would: first away with the guard.
        database.execute("DROP TRIGGER log_entries_u")
        body = database.execute("SELECT body FROM log_entries WHERE idx=?", (entry["index"],)).fetchone()[0]
        at = body.index('"at":"') + 6
        database.execute("UPDATE log_entries SET body=? WHERE idx=?", (body[:at] + "3" + body[at + 1:], entry["index"]))
        database.commit()
        database.close()
        code, said = control.verify()
        assert code == 1, f"entry {entry['index']}: {said}"
        # That entry and no other, by its number and not as a digit somewhere in a hash.
        assert re.findall(r"\bentr(?:y|ies) (\d+)", said) == [str(entry["index"])], said
        code, said = control.verify("--json")
        assert code == 1 and json.loads(said)["broken_index"] == entry["index"], said


def test_a_shortened_log_is_found(tmp_path):
    control, _, checkpoint = log_with_entries(tmp_path)
    old = tmp_path / "checkpoint"
    old.write_text(checkpoint)
    shorter = Control(tmp_path / "other").start()
    shorter.set_up()
    shorter.stop()
    code, said = shorter.verify("--checkpoint", old)
    assert code == 1, said


def test_proofs_over_http(owner, control):
    size = int(owner.get("/audit/checkpoint").text.splitlines()[1])
    inclusion = owner.get(f"/audit/proofs/inclusion?index=0&size={size}")
    assert inclusion.status_code == 200, inclusion.text
    assert owner.get(f"/audit/proofs/consistency?from=1&to={size}").status_code == 200
    answer = owner.get(f"/audit/proofs/inclusion?index={size + 5}&size={size + 6}")
    assert 400 <= answer.status_code < 500


def test_no_secret_in_log_or_console(tmp_path):
    from support import OWNER
    control, found, _ = log_with_entries(tmp_path)
    assert OWNER[1] not in str(found)
    assert OWNER[1] not in control.log.read_text()
    for file in control.data.rglob("*"):
        if file.is_file():
            assert OWNER[1].encode() not in file.read_bytes(), file


def test_a_log_signed_anew_with_other_keys_is_found_by_the_keys_beside_it(tmp_path):
    control, _, _ = log_with_entries(tmp_path)
    assert (control.data / "log.keys").read_text().startswith("ed25519 ")
    assert "was not checked" not in control.verify()[1]
    database = sqlite3.connect(control.data / "caip.db")
    for trigger, in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        database.execute(f"DROP TRIGGER {trigger}")
    database.execute("UPDATE log_key SET public_key = zeroblob(32)")
    database.commit()
    code, said = control.verify()
    assert code == 1 and "signed anew" in said, said
    # Nor does it help to say that there never was a second key.
    database.execute("DELETE FROM log_cosigner")
    database.execute("DELETE FROM log_cosignatures")
    database.commit()
    database.close()
    code, said = control.verify()
    assert code == 1 and "signed anew" in said, said


def test_keys_beside_the_log_that_cannot_be_read_are_a_finding_and_not_the_same_as_none(tmp_path):
    control, _, _ = log_with_entries(tmp_path)
    keys = control.data / "log.keys"
    keys.unlink()
    keys.symlink_to("nowhere")
    code, said = control.verify()
    assert code == 1 and "cannot be read" in said, said


def test_without_keys_from_elsewhere_the_verifier_says_what_it_did_not_check(tmp_path):
    control, _, checkpoint = log_with_entries(tmp_path)
    (control.data / "log.keys").unlink()
    code, said = control.verify()
    assert code == 0 and "was not checked" in said, said
    kept = tmp_path / "kept"
    kept.write_text(checkpoint)
    code, said = control.verify("--checkpoint", kept)
    assert code == 0 and "was not checked" not in said, said
