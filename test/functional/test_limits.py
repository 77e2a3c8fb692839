"""What floods and crashes must not do: hold up others, fill the log, eat memory, act twice."""
import socket
import threading
import uuid

import pytest

from support import OWNER, Control, entries, problem, wait_for


def rss_mib(control):
    with open(f"/proc/{control.process.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024


def test_a_storm_of_sign_ins_holds_up_nobody(control, owner):
    """While passwords are being hashed, requests of others are answered one after the other."""
    running = threading.Semaphore(0)
    flying, lock, answers = [0], threading.Lock(), []

    def storm():
        running.release()
        with lock:
            flying[0] += 1
        answer = control.anonymous().post("/sessions", {"email": OWNER[0], "password": OWNER[1], "client": "cli"}, key=False)
        with lock:
            flying[0] -= 1
            answers.append(answer.status_code)

    threads = [threading.Thread(target=storm) for _ in range(40)]
    for thread in threads:
        thread.start()
    for _ in threads:
        running.acquire()
    meanwhile = 0
    while flying[0] > 10:
        assert owner.get("/servers").status_code == 200
        meanwhile += flying[0] > 10
    for thread in threads:
        thread.join()
    assert meanwhile >= 20, f"only {meanwhile} reads were answered while sign-ins waited"
    assert set(answers) <= {201, 429, 503} and 201 in answers


def test_refusals_without_a_session_do_not_fill_the_log(fresh):
    fresh.set_up()
    owner = fresh.sign_in()
    before = int(owner.get("/audit/checkpoint").text.splitlines()[1])
    nobody = fresh.anonymous()
    codes = []
    for n in range(150):
        codes.append(nobody.post("/agent/enrol", {"token": f"wrong-{n}", "csr": "x", "hostname": "x"}, key=False).status_code)
        codes.append(nobody.post("/setup", {"token": "x" * 43, "email": f"a{n}@example.org", "password": "x" * 20, "organization": "x"}, key=False).status_code)
    assert codes.count(429) > 150
    grown = int(owner.get("/audit/checkpoint").text.splitlines()[1]) - before
    assert 0 < grown < 120, grown
    # Who has something to show is not held up by its own good requests.
    for n in range(70):
        assert owner.post("/enrolments", {"name": f"srv-{n}"}).status_code == 201


def test_downloads_that_nobody_reads_share_their_memory(fresh):
    before = rss_mib(fresh)
    size = int(fresh.anonymous().http.head(fresh.url + "/install/caip-agent").headers["content-length"]) / 2**20
    clients = []
    for _ in range(60):
        tls = fresh.tls.wrap_socket(socket.create_connection(("127.0.0.1", fresh.port)), server_hostname="localhost")
        tls.sendall(b"GET /install/caip-agent HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert tls.recv(15).startswith(b"HTTP/1.1 200")
        clients.append(tls)
    grown = rss_mib(fresh) - before
    for tls in clients:
        tls.close()
    assert grown < size + 32, f"{grown:.0f} MiB for 60 clients of a file of {size:.0f} MiB"


def test_a_command_sent_again_after_a_crash_is_not_done_twice(tmp_path):
    control = Control(tmp_path).start()
    control.set_up()
    owner = control.sign_in()
    key = {"Idempotency-Key": f'"{uuid.uuid4()}"'}
    assert owner.post("/enrolments", {"name": "once"}, headers=key).status_code == 201
    control.kill()
    control.start()
    owner = control.sign_in()
    problem(owner.post("/enrolments", {"name": "once"}, headers=key), 409, "already_done")
    problem(owner.post("/enrolments", {"name": "twice"}, headers=key), 422, "key_reused")
    assert [e["name"] for e in owner.data("/enrolments")] == ["once"]
    # The key is its person's: another one may use the same.
    admin = control.member(owner, "admin")
    assert admin.post("/enrolments", {"name": "once"}, headers=key).status_code == 201
    control.stop()
    assert control.verify()[0] == 0


def test_an_order_sent_again_after_a_crash_runs_once(world):
    def runs():
        return world.machine.run(["systemctl", "show", "-p", "InvocationID", "nginx"]).stdout
    key = {"Idempotency-Key": f'"{uuid.uuid4()}"'}
    body = {"type": "unit.restart", "unit": "nginx.service"}
    first = world.owner.post(f"/servers/{world.server}/actions", body, headers=key)
    assert first.status_code == 202, first.text
    wait_for(lambda: world.owner.get(f"/operations/{first.json()['id']}").json()["status"] == "succeeded", 30)
    before = runs()
    world.control.kill()
    world.control.start()
    wait_for(lambda: world.owner.get(f"/servers/{world.server}").json()["online"], 60)
    problem(world.owner.post(f"/servers/{world.server}/actions", body, headers=key), 409, "already_done")
    assert runs() == before


@pytest.mark.parametrize("how", ["signed out", "role changed"])
def test_an_event_stream_ends_with_its_session(control, owner, how):
    email, password = f"{how.split()[0]}@example.org", "a long password for a stream"
    member = owner.post("/members", {"email": email, "role": "member", "password": password}).json()
    api = control.sign_in(email, password)
    with api.http.stream("GET", "/events", timeout=30) as stream:
        lines = stream.iter_lines()
        assert next(lines) == ": open"
        if how == "signed out":
            assert api.call("DELETE", "/session").status_code == 204
        else:
            answer = owner.call("PATCH", f"/members/{member['id']}", {"role": "viewer"}, headers={"If-Match": f'"{member["version"]}"'})
            assert answer.status_code == 200, answer.text
        assert ": beat" not in list(lines)  # it ended before the first one, 15 s after its start


def test_the_first_refusal_for_too_many_attempts_is_in_the_log(fresh):
    fresh.set_up()
    for _ in range(12):
        fresh.anonymous().post("/sessions", {"email": OWNER[0], "password": "wrong", "client": "cli"}, key=False)
    owner = wait_for(lambda: try_sign_in(fresh), 20)
    reasons = [e["entry"]["detail"].get("code") for e in entries(owner, "session.sign_in") if e["entry"]["result"] == "blocked"]
    assert "too_many" in reasons and reasons.count("too_many") <= 7 and "bad_credentials" in reasons


def try_sign_in(control):
    answer = control.anonymous().post("/sessions", {"email": OWNER[0], "password": OWNER[1], "client": "cli"}, key=False)
    return control.sign_in() if answer.status_code == 201 else None
