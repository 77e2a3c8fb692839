"""Guessing passwords: whom it slows down and whom not; proxies; a storm."""
import resource
import socket
import ssl
import threading
import time

import pytest

from agent_wire import Identity, hello, report
from support import OK, OWNER, Control, Shell, entries, problem, wait_for

WRONG = {"email": OWNER[0], "password": "not the password at all", "client": "cli"}
RIGHT = {"email": OWNER[0], "password": OWNER[1], "client": "cli"}


def start(folder, settings=""):
    file = folder / "caipd.toml"
    file.write_text(settings)
    control = Control(folder, arguments=["--config", file]).start()
    control.set_up()
    return control


@pytest.fixture
def guessed(tmp_path):
    control = start(tmp_path)
    yield control
    control.stop()


def guess(control, times, **headers):
    """The last answer's status."""
    answer = None
    for _ in range(times):
        answer = control.anonymous().call("POST", "/sessions", WRONG, key=False, headers=headers)
    return answer.status_code


def test_s16_guessing_slows_the_guesser_down_and_not_the_owner_on_a_known_device(guessed):
    device = guessed.sign_in().session["device_token"]
    assert guess(guessed, 9) == 429
    waiting = problem(guessed.anonymous().post("/sessions", RIGHT), 429, "too_many")
    assert "try again in" in waiting["detail"]
    assert guessed.anonymous().post("/sessions", {**RIGHT, "device_token": device}).status_code == 201
    problem(guessed.anonymous().post("/sessions", {**RIGHT, "device_token": device[:-2] + "AA"}), 429, "too_many")
    newest = entries(guessed.sign_in(device=device), "session.sign_in")
    assert newest[0]["entry"]["detail"]["known_device"] is True


def test_s16_a_restart_forgives_nothing(guessed):
    guess(guessed, 9)
    guessed.stop()
    guessed.start()
    # Another one now waits at once: the count was kept, though some of the wait has passed.
    problem(wait_for(lambda: (a := guessed.anonymous().post("/sessions", WRONG)).status_code == 401 and a, 30), 401)
    problem(guessed.anonymous().post("/sessions", RIGHT), 429, "too_many")


def test_a_browser_remembers_its_device_by_a_cookie_that_opens_nothing(guessed):
    nobody = guessed.anonymous()
    browser = {"email": OWNER[0], "password": OWNER[1], "client": "browser"}
    signed = nobody.post("/sessions", browser, headers={"Origin": guessed.url})
    cookie = next(c for c in signed.headers.get_list("set-cookie") if c.startswith("__Host-caip_device="))
    for attribute in ("HttpOnly", "Secure", "SameSite=Lax", "Path=/", "Max-Age=31536000"):
        assert attribute in cookie, cookie
    assert "device_token" not in signed.json()
    nobody.http.cookies.clear()
    only = {"Cookie": cookie.split(";")[0], "Origin": guessed.url}
    problem(nobody.get("/session", headers=only), 401)
    guess(guessed, 9)
    problem(nobody.post("/sessions", browser, headers={"Origin": guessed.url}), 429)
    nobody.http.cookies.clear()
    assert nobody.post("/sessions", browser, headers=only).status_code == 201


def test_caip_remembers_its_device_over_a_logout(guessed, tmp_path):
    shell = Shell(tmp_path).login(guessed)
    assert shell.caip("logout").returncode == OK
    guess(guessed, 9)
    shell.login(guessed)
    file = tmp_path / "state" / "caip" / "device"
    assert file.stat().st_mode & 0o777 == 0o600


def test_s16_forwarded_addresses_count_from_configured_proxies_alone(tmp_path):
    """A header from just anybody neither hides a guesser nor frames somebody else."""
    control = start(tmp_path)
    problem(control.anonymous().call("POST", "/sessions", WRONG, key=False, headers={"X-Forwarded-For": "203.0.113.5"}), 401)
    assert entries(control.sign_in(), "session.sign_in")[1]["entry"]["address"] == "127.0.0.1"
    control.stop()

    (tmp_path / "behind").mkdir()
    behind = start(tmp_path / "behind", 'trusted_proxies = ["127.0.0.0/8"]\n')
    assert guess(behind, 9, **{"X-Forwarded-For": "9.9.9.9, 203.0.113.5"}) == 429
    assert entries(behind.sign_in(), "session.sign_in")[1]["entry"]["address"] == "203.0.113.5"
    # Another first hop is the same guesser; another client is not.
    assert guess(behind, 1, **{"X-Forwarded-For": "8.8.8.8, 203.0.113.5"}) == 429
    assert guess(behind, 1, **{"X-Forwarded-For": "203.0.113.6"}) == 401
    behind.stop()


def test_a_storm_of_1000_sign_ins_starves_nobody_no_agent_either_and_eats_no_memory(guessed, tmp_path):
    owner = guessed.sign_in()
    identity = Identity(guessed, owner, tmp_path, "web-1")
    agent = identity.connect()
    agent.sendall(hello("web-1"))
    wait_for(lambda: owner.get(f"/servers/{identity.server}").json()["online"])
    rss = lambda: int(next(line for line in open(f"/proc/{guessed.process.pid}/status") if line.startswith("VmRSS")).split()[1]) / 1024
    before, lock, codes = rss(), threading.Lock(), []
    body = b'{"email":"nobody@example.org","password":"not the password at all","client":"cli"}'
    request = b"POST /api/v1/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    tls = ssl.create_default_context(cafile=guessed.data.parent / "ca.pem")
    tls.check_hostname = False

    def storm(n):
        try:
            raw = socket.create_connection(("127.0.0.1", guessed.port), timeout=60, source_address=(f"127.0.{1 + n % 20}.1", 0))
            with tls.wrap_socket(raw, server_hostname="localhost") as s:
                s.sendall(request + body)
                code = int(s.recv(15).split()[1])
        except (OSError, IndexError, ValueError):
            code = 0
        with lock:
            codes.append(code)

    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, max(8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    threads = [threading.Thread(target=storm, args=(n,)) for n in range(1000)]
    for t in threads:
        t.start()
    took, heard, most, beat = [], [], 0.0, 0
    while any(t.is_alive() for t in threads):
        began = time.monotonic()
        server = owner.get(f"/servers/{identity.server}").json()
        took.append(time.monotonic() - began)
        assert server["online"], "the agent was cut off"
        if beat == 0 or (server["latest"] or {}).get("load1") == beat:  # the last heartbeat is there: the next one
            if beat:
                heard.append(time.monotonic() - sent)
            beat, sent = beat + 1, time.monotonic()
            agent.sendall(report(beat))
        most = max(most, rss())
    assert len(codes) == 1000 and set(codes) <= {401, 429, 503}, {c: codes.count(c) for c in set(codes)}
    assert 401 in codes
    assert most - before < 96, f"{most - before:.0f} MiB more"
    assert sorted(took)[len(took) // 2] < 1, f"a read took {sorted(took)[len(took) // 2]:.2f} s in the middle"
    assert len(heard) > 3 and sorted(heard)[len(heard) // 2] < 1, f"{len(heard)} heartbeats, {sorted(heard)[-3:]} s"
    agent.close()
    assert guessed.anonymous().get("/setup").status_code == 200
