"""What watches a control plane: health, readiness, metrics; and what they do not tell to whom."""
import re

import httpx

from support import entries, problem


def get(control, path, **kwargs):
    return control.anonymous().http.get(control.url + path, **kwargs)


def test_health_and_readiness(control):
    health, ready = get(control, "/healthz"), get(control, "/readyz")
    assert health.status_code == 200 and health.json() == {"status": "ok"}
    assert ready.status_code == 200 and ready.json()["status"] == "ready" and ready.json()["log_size"] > 0


def test_metrics_are_openmetrics(control):
    answer = get(control, "/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("\n# EOF\n")
    typed, values = {}, {}
    for line in answer.text.splitlines()[:-1]:
        if kind := re.fullmatch(r"# TYPE (caip_[a-z0-9_]+) (gauge|counter|histogram)", line):
            assert kind[1] not in typed, f"twice: {line}"
            typed[kind[1]] = kind[2]
        elif not line.startswith(("# HELP caip_", "# UNIT caip_")):
            sample = re.fullmatch(r"(caip_[a-z0-9_]+)(\{[^}]*\})? (-?[0-9.e+]+)", line)
            assert sample, line
            family = re.sub(r"_(total|bucket|sum|count)$", "", sample[1])
            assert sample[1] in typed or family in typed, f"no type: {line}"
            values[sample[1]] = float(sample[3])
    assert values["caip_log_entries"] == get(control, "/readyz").json()["log_size"]
    assert values["caip_resident_bytes"] > 1 << 20


def test_each_start_and_each_stop_that_was_asked_for_is_in_the_log(fresh):
    """A kill is known by its missing stop."""
    fresh.set_up()

    def seen():
        return [e["entry"]["action"] for e in reversed(entries(fresh.sign_in())) if e["entry"]["action"].startswith("system.")]
    assert seen() == ["system.start"]
    fresh.stop()
    fresh.start()
    assert seen() == ["system.start", "system.stop", "system.start"]
    fresh.kill()
    fresh.start()
    assert seen()[3:] == ["system.start"]
    newest = entries(fresh.sign_in(), "system.start")[0]["entry"]
    assert newest["actor"]["kind"] == "system" and newest["detail"]["version"] and newest["result"] == "completed"


def test_metrics_are_for_this_machine_alone(world):
    # The world's caipd listens on the machine's network: whoever asks there comes from there.
    for forged in ({}, {"X-Forwarded-For": "127.0.0.1"}, {"X-Real-IP": "127.0.0.1"}, {"Forwarded": "for=127.0.0.1"}):
        problem(get(world.control, "/metrics", headers=forged), 403, "forbidden")
    seen = world.machine.run(["curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}", world.control.url + "/metrics"]).stdout
    assert seen == "403"
    assert httpx.get(world.control.url + "/healthz", verify=world.control.tls, trust_env=False).status_code == 200
