"""Env values on a real server: they land in one file of mode 0600 that is the user's own, systemd reads them as they were, and
nowhere else, on neither machine, is a byte of them."""
import json
import secrets as random

import pytest

from support import OK, Shell, entries, problem, wait_for
from test_canary import Search
from test_order_crash import frozen_helper
from test_server import finished

FILE = "/etc/caip-env/www-data.env"


def make(world, name, value):
    made = world.member.post("/secrets", {"kind": "env_value", "name": name, "value": value})
    assert made.status_code == 201, made.text
    return made.json()["id"]


def place(world, ids, user="www-data", caller=None):
    answer = (caller or world.admin).post(f"/servers/{world.server}/env", {"user": user, "secrets": ids})
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


def remove(world, user="www-data"):
    answer = world.admin.post(f"/servers/{world.server}/env/removals", {"user": user})
    assert answer.status_code == 202, answer.text
    return finished(world, answer.json()["id"])


def files(world):
    return {f["user"]: f for f in world.owner.data(f"/servers/{world.server}/env")}


def on_server(world, *command, check=True):
    return world.machine.run(list(command), check=check)


@pytest.fixture
def kept(world):
    """Two secrets of a Member, in the file of www-data; what a test leaves there is taken away again."""
    tag = random.token_hex(4)
    values = {f"ENV_A_{tag}": f"canary-env-{random.token_hex(12)} \"q\" \\ $HOME `id` ä\n\tsecond line", f"ENV_B_{tag}": f"canary-env-{random.token_hex(12)}"}
    ids = {name: make(world, name, value) for name, value in values.items()}
    done = finished(world, place(world, list(ids.values())))
    assert done["status"] == "succeeded" and done["user"] == "www-data" and done["unit"] is None and done["result"] is None, done
    yield values, ids
    remove(world)


def test_values_are_in_one_file_of_that_user_alone_and_nowhere_else(world, kept):
    values, ids = kept
    assert on_server(world, "stat", "-c", "%U %a %F", FILE).stdout.strip() == "www-data 600 regular file"
    assert on_server(world, "stat", "-c", "%U %a", "/etc/caip-env").stdout.strip() == "root 711"
    as_user = ["setpriv", "--clear-groups", "--regid=nogroup"]
    assert on_server(world, *as_user, "--reuid=nobody", "cat", FILE, check=False).returncode != 0
    assert values[list(values)[1]] in on_server(world, *as_user, "--reuid=www-data", "cat", FILE).stdout
    search = Search({name: value.split(" ")[0] for name, value in values.items()})
    for needle in (value.split(" ")[0] for value in values.values()):
        found = on_server(world, "grep", "-rlaF", needle, "/etc", "/var", "/run", "/tmp", "/root", "/home", "/usr/local", check=False).stdout.split()
        assert found == [FILE], found
    search.look("web-1's journal", on_server(world, "journalctl", "--no-pager", "-o", "json", "--all").stdout)
    for path in (f"/servers/{world.server}/env", "/secrets?limit=200&kind=env_value", f"/servers/{world.server}"):
        search.look(path, world.owner.get(path).text)
    sent = entries(world.owner, "env.send")[0]["entry"]
    assert sent["actor"]["kind"] == "system" and set(sent["params"]["secrets"]) == set(ids.values())
    placed = next(e["entry"] for e in entries(world.owner, "env.place") if e["entry"]["detail"].get("operation") == sent["params"]["operation"])
    assert placed["actor"]["id"] == world.admin.session["user"]["id"] and placed["params"] == {
        "server": world.server, "user": "www-data", "secrets": {i: 1 for i in ids.values()}}
    for entry in entries(world.owner):
        search.look(f"entry {entry['index']}", json.dumps(entry))
    search.look("caipd's console", world.control.log.read_bytes())
    for file in world.control.data.rglob("*"):
        if file.is_file():
            search.look(str(file), file.read_bytes())


def test_systemd_gives_a_service_the_values_as_they_were(world, kept):
    values, _ = kept
    for name, value in values.items():
        got = on_server(world, "systemd-run", "--wait", "--pipe", "-q", "-p", "User=www-data", "-p", f"EnvironmentFile={FILE}", "printenv", name).stdout
        assert got == value + "\n", (name, got)


def test_systemd_and_a_shell_give_back_every_odd_character_that_is_taken_and_what_systemd_refuses_is_refused_before(world, kept):
    name = f"ODD_{random.token_hex(4)}"
    value = "\x85\u00a0\u2028\u2029\u200e\ufdcf\ufdf0\ufeff\ufffd\U0001fffd\U0010fffd é' \"x\" \\ $A `b`"
    assert finished(world, place(world, [make(world, name, value)]))["status"] == "succeeded"
    got = on_server(world, "systemd-run", "--wait", "--pipe", "-q", "-p", "User=www-data", "-p", f"EnvironmentFile={FILE}", "printenv", name).stdout
    assert got == value + "\n", got
    assert on_server(world, "sh", "-c", f'. {FILE}; printf "%s\\n" "${name}"').stdout == value + "\n"
    before = on_server(world, "cat", FILE).stdout
    for refused in ("\ufdd0", "\ufffe", "\uffff", "\U0001fffe", "\U0010ffff"):
        failed = finished(world, place(world, [make(world, f"SET_ASIDE_{random.token_hex(4)}", f"a{refused}b")]))
        assert failed["status"] == "failed" and "no environment file can hold it" in failed["error"], failed
    assert on_server(world, "cat", FILE).stdout == before


def test_a_replaced_secret_is_older_on_the_server_until_it_is_placed_again_and_a_deleted_one_is_said(world, kept):
    values, ids = kept
    name = list(values)[0]
    fresh = f"canary-env-{random.token_hex(12)}"
    assert world.member.call("PUT", f"/secrets/{ids[name]}", {"value": fresh}, headers={"If-Match": '"1"'}).status_code == 200
    row = {v["secret_id"]: v for v in files(world)["www-data"]["variables"]}[ids[name]]
    assert row == {"secret_id": ids[name], "name": name, "version": 1, "current_version": 2}
    assert finished(world, place(world, [ids[name]]))["status"] == "succeeded"
    assert files(world)["www-data"]["variables"] == [{"secret_id": ids[name], "name": name, "version": 2, "current_version": 2}]
    text = on_server(world, "cat", FILE).stdout
    assert fresh in text and not any(v.split(" ")[0] in text for v in values.values())
    secret = world.member.get(f"/secrets/{ids[name]}").json()
    assert secret["placed_on"] == 1
    assert world.member.call("DELETE", f"/secrets/{ids[name]}", headers={"If-Match": f'"{secret["version"]}"'}).status_code == 204
    assert files(world)["www-data"]["variables"] == [{"secret_id": ids[name], "name": None, "version": 2, "current_version": None}]
    assert remove(world)["status"] == "succeeded"
    assert "www-data" not in files(world) and on_server(world, "ls", "-A", "/etc/caip-env").stdout == ""


def test_root_an_unknown_user_and_what_is_no_env_value_get_nothing(world, kept):
    _, ids = kept
    path = f"/servers/{world.server}/env"
    for user in ("root", "../x", "www-data\n", ""):
        problem(world.owner.post(path, {"user": user, "secrets": list(ids.values())}), 422, "invalid")
    failed = finished(world, place(world, list(ids.values()), "nobody-of-that-name"))
    assert failed["status"] == "failed" and "there is no user" in failed["error"], failed
    on_server(world, "useradd", "-o", "-u", "0", "toor")
    failed = finished(world, place(world, list(ids.values()), "toor"))
    assert failed["status"] == "failed" and "is root" in failed["error"], failed
    on_server(world, "useradd", "-u", "61200", "dyn")  # as systemd numbers DynamicUser= accounts
    for user, why in (("nobody", "others would read"), ("dyn", "DynamicUser=")):
        failed = finished(world, place(world, list(ids.values()), user))
        assert failed["status"] == "failed" and why in failed["error"], failed
    assert on_server(world, "ls", "-A", "/etc/caip-env").stdout.split() == ["www-data.env"] and list(files(world)) == ["www-data"]
    cloud = world.owner.post("/secrets", {"kind": "cloud_key", "name": "NOT_ENV", "value": "v"}).json()["id"]
    problem(world.owner.post(path, {"user": "www-data", "secrets": [cloud]}), 422, "invalid")
    problem(world.owner.post(path, {"user": "www-data", "secrets": []}), 422, "invalid")
    problem(world.owner.post(path, {"user": "www-data", "secrets": ["sec_" + "0" * 26]}), 404, "not_found")
    bell = make(world, f"BELL_{random.token_hex(4)}", "ding\u0007")
    failed = finished(world, place(world, [bell]))
    assert failed["status"] == "failed" and "control characters" in failed["error"] and "ding" not in failed["error"], failed


def test_the_command_line_places_lists_and_removes(world, kept, tmp_path):
    values, _ = kept
    name = list(values)[1]
    shell = Shell(tmp_path).login(world.control)
    done = shell.caip("server", "env", "place", "web-1", "--user", "www-data", name)
    assert done.returncode == OK and "env.place www-data: succeeded" in done.stdout, done.stdout + done.stderr
    listed = shell.caip("server", "env", "list", "web-1").stdout
    assert name in listed and "placed" in listed and list(values)[0] not in listed and values[name] not in listed
    rows = json.loads(shell.caip("server", "env", "list", "web-1", "--json").stdout)["data"]
    assert [v["name"] for f in rows for v in f["variables"]] == [name]
    assert shell.caip("server", "env", "place", "web-1", "--user", "www-data", "NO_SUCH_NAME").returncode == 3
    assert shell.caip("server", "env", "remove", "web-1", "--user", "www-data").returncode == OK
    assert "No env values there" in shell.caip("server", "env", "list", "web-1").stderr


def runs(world, operation):
    """How often the helper ran it, by its journal."""
    lines = on_server(world, "journalctl", "--no-pager", "-u", "caip-agent", "-o", "cat").stdout.splitlines()
    return sum("an order runs" in line and operation in line for line in lines)


def test_one_order_about_a_file_at_a_time_and_the_next_when_it_has_ended(world, kept):
    second = list(kept[1].values())[1]
    path = f"/servers/{world.server}/env"
    with frozen_helper(world):
        removal = world.admin.post(f"{path}/removals", {"user": "www-data"}).json()["id"]
        for answer in (world.admin.post(path, {"user": "www-data", "secrets": [second]}), world.admin.post(f"{path}/removals", {"user": "www-data"})):
            assert "has not ended yet" in problem(answer, 409, "conflict")["detail"], answer.text
    assert finished(world, removal)["status"] == "succeeded"
    assert "www-data" not in files(world)
    blocked = [e["entry"]["result"] for e in entries(world.owner, "env.place") if e["entry"]["result"] == "blocked"]
    assert blocked, "the refusal is no entry"
    assert finished(world, place(world, [second]))["status"] == "succeeded"
    assert [v["secret_id"] for v in files(world)["www-data"]["variables"]] == [second]
    assert runs(world, removal) == 1


def test_killed_on_either_side_the_values_come_once_and_whole(world, kept):
    """The helper is killed with the order in its socket, then caipd with the order on its way: it is sent again, opened anew."""
    values, ids = kept
    with frozen_helper(world):
        again = place(world, list(ids.values()))
        on_server(world, "pkill", "-KILL", "-x", "caip-helper")
    assert finished(world, again)["status"] == "succeeded"
    assert runs(world, again) == 1
    with frozen_helper(world):
        again = place(world, [ids[list(values)[1]]])
        world.control.kill()
        world.control.start()
        wait_for(lambda: len([e for e in entries(world.owner, "env.send") if e["entry"]["params"]["operation"] == again]) >= 2, 40)
    assert finished(world, again)["status"] == "succeeded"
    assert runs(world, again) == 1
    assert list(values)[0] not in on_server(world, "cat", FILE).stdout
    wait_for(lambda: world.owner.get(f"/servers/{world.server}").json()["online"], 60)


def test_a_member_who_could_read_them_there_places_none_and_a_name_that_runs_code_is_none(world):
    secret = make(world, f"ENV_M_{random.token_hex(4)}", "a value")
    problem(world.member.post(f"/servers/{world.server}/env", {"user": "www-data", "secrets": [secret]}), 403, "forbidden")
    problem(world.member.post(f"/servers/{world.server}/env/removals", {"user": "www-data"}), 403, "forbidden")
    for name in ("LD_PRELOAD", "BASH_ENV", "PATH"):
        answer = world.admin.post(f"/servers/{world.server}/env", {"user": "www-data", "secrets": [make(world, name, "/tmp/x")]})
        problem(answer, 422, "invalid")
        assert "run other code" in answer.text, answer.text
    assert "www-data" not in files(world)
