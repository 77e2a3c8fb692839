"""install.sh on a real server: what it would do, what it does, what it refuses, and how it takes everything off again."""
import pytest

from support import wait_for
from test_enrol_crash import bare  # noqa: F401

LIB = "/usr/local/lib/caip"
SCRIPT = f"{LIB}/install.sh"
TRACES = [LIB, "/usr/local/sbin/caip-agent", "/etc/systemd/system/caip-agent.service",
          *(f"/etc/systemd/system/caip-sites{one}" for one in (".service", ".timer", "-check.service"))]
KEPT = ["/etc/caip", "/etc/caip-env", "/var/lib/caip-helper"]

# Beside the real one: the last byte of the agent is another one by the time that it is here.
EVIL_CURL = """#!/bin/sh
/usr/bin/curl "$@" || exit
case "$*" in */install/caip-agent) while [ $# -gt 1 ]; do if [ "$1" = -o ]; then truncate -s -1 "$2"; printf x >> "$2"; fi; shift; done ;; esac
"""


def there(machine, paths):
    return [p for p in paths if machine.run(["test", "-e", p], check=False).returncode == 0]


def sh(machine, text):
    done = machine.run(["sh", "-c", text], check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.timeout(300)
def test_install_says_what_it_would_do_and_how_it_is_used_checks_what_came_and_is_taken_off_again(bare):  # noqa: F811
    control, machine = bare
    owner = control.sign_in()

    def command():
        return owner.post("/enrolments", {"name": "bare", "replace": True}).json()["install_command"]

    def online():
        return wait_for(lambda: next((s for s in owner.data("/servers") if s["name"] == "bare" and s["online"]), None), 60)
    first = command()
    code, said = sh(machine, first.replace("sh install.sh ", "sh install.sh --dry-run "))
    assert code == 0 and "would run: systemctl enable" in said and "Nothing was changed" in said, said
    assert there(machine, TRACES + KEPT) == []

    machine.run(["tee", "/usr/local/bin/curl"], input=EVIL_CURL)
    machine.run(["chmod", "755", "/usr/local/bin/curl"])
    code, said = sh(machine, first)
    assert code != 0 and "caip-agent: FAILED" in said and "nothing was changed" in said, said
    assert there(machine, TRACES + KEPT) == []
    machine.run(["rm", "/usr/local/bin/curl"])

    code, said = sh(machine, first)  # neither of them used the token
    assert code == 0 and online(), said
    assert there(machine, TRACES + KEPT) == TRACES + KEPT
    code, said = sh(machine, command())  # once more, over what is there
    assert code == 0 and online(), said

    code, said = sh(machine, f"sh {SCRIPT} --uninstall --dry-run")
    assert code == 0 and there(machine, TRACES) == TRACES and online(), said
    code, said = sh(machine, f"sh {SCRIPT} --uninstall")
    assert code == 0 and "caip server disconnect" in said and all(f"kept: {p}" in said for p in KEPT), said
    assert there(machine, TRACES) == [] and there(machine, KEPT) == KEPT
    assert sh(machine, "pgrep caip-")[0] == 1

    code, said = sh(machine, command())
    assert code == 0 and online(), said
    machine.run(["tee", "/etc/caip/root.key"], input="of a control plane on the same machine")
    code, said = sh(machine, f"cp {SCRIPT} /opt/install.sh && sh {SCRIPT} --uninstall --purge")
    assert code == 0 and there(machine, TRACES + KEPT) == ["/etc/caip"] and "left: /etc/caip" in said, said
    assert machine.run(["ls", "-A", "/etc/caip"]).stdout.split() == ["root.key"]
    assert machine.run(["getent", "passwd", "caip-agent"], check=False).returncode == 2
    machine.run(["rm", "/etc/caip/root.key"])
    code, said = sh(machine, "sh /opt/install.sh --uninstall --purge")
    assert code == 0 and there(machine, KEPT) == [], said
    code, said = sh(machine, "sh /opt/install.sh --uninstall")
    assert code == 0 and "There is no agent here" in said, said

    for words in ("", "http://h ca.pem x", "https://h", "https://h ca.pem", "--purge https://h ca.pem x", "--uninstall https://h", "--nonsense", "https://h a b c"):
        code, said = sh(machine, f"sh /opt/install.sh {words}")
        assert code == 2 and "--dry-run" in said and "--uninstall" in said, (words, said)
    code, said = sh(machine, "sh /opt/install.sh https://h /no/such/ca.pem x")
    assert code == 1 and "no such file" in said, said
