"""caip, the command line: the same first minutes without a browser, and its exit codes."""
import json
import os
import subprocess

import pytest

from support import BIN, OWNER, Control

OK, FAILURE, USAGE, NOT_FOUND, NOT_ALLOWED = 0, 1, 2, 3, 4


class Shell:
    """caip with XDG folders of its own."""

    def __init__(self, home):
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8",
                            "XDG_CONFIG_HOME": str(home / "config"), "XDG_STATE_HOME": str(home / "state")}

    def caip(self, *arguments, stdin=""):
        return subprocess.run([BIN / "caip", *map(str, arguments)], input=stdin, capture_output=True, text=True, timeout=60,
                              env=self.environment, check=False)

    def json(self, *arguments):
        done = self.caip(*arguments, "--json")
        assert done.returncode == OK, done.stdout + done.stderr
        return json.loads(done.stdout)


def login(shell, control, email=OWNER[0], password=OWNER[1]):
    return shell.caip("login", "--url", control.url, "--email", email, "--password-stdin", "--ca", control.data.parent / "ca.pem",
                      stdin=password + "\n")


@pytest.fixture
def shell(control, tmp_path):
    shell = Shell(tmp_path)
    done = login(shell, control)
    assert done.returncode == OK, done.stdout + done.stderr
    return shell


def test_setup_and_login(tmp_path):
    control = Control(tmp_path).start()
    try:
        shell = Shell(tmp_path)
        done = shell.caip("setup", "--url", control.url, "--email", OWNER[0], "--password-stdin", "--organization", "Example",
                          "--token-file", control.data / "setup-token", "--ca", control.data.parent / "ca.pem", stdin=OWNER[1] + "\n")
        assert done.returncode == OK, done.stdout + done.stderr
        done = login(shell, control)
        assert done.returncode == OK, done.stdout + done.stderr
        assert shell.json("server", "list")["data"] == []
    finally:
        control.stop()


def test_a_wrong_password(control, tmp_path):
    done = login(Shell(tmp_path), control, password="wrong")
    assert done.returncode != OK and OWNER[1] not in done.stderr


def test_lists(shell):
    for noun in ("server", "approval", "audit"):
        assert "data" in shell.json(noun, "list"), noun


def test_exit_codes(shell, people, tmp_path, control):
    assert shell.caip("no-such-noun").returncode == USAGE
    assert shell.caip("server", "show", "no-such-server").returncode == NOT_FOUND
    viewer = Shell(tmp_path / "viewer")
    (tmp_path / "viewer").mkdir()
    assert login(viewer, control, "viewer@example.org", "a long password for viewer").returncode == OK
    assert viewer.caip("server", "add", "web-7").returncode == NOT_ALLOWED


def test_server_add_prints_a_command(shell):
    done = shell.caip("server", "add", "web-2")
    assert done.returncode == OK and "curl" in done.stdout, done.stdout + done.stderr


def test_saved_session_is_private(shell):
    for folder, _, files in os.walk(shell.environment["XDG_STATE_HOME"]):
        for name in files:
            assert os.stat(os.path.join(folder, name)).st_mode & 0o077 == 0, name


def test_verify_without_a_folder_is_not_a_log_that_holds(tmp_path):
    # 0 and 1 are all that `audit verify` answers: what could not be checked does not hold.
    result = Shell(tmp_path).caip("audit", "verify", "--data", tmp_path / "nothing")
    assert result.returncode == FAILURE
    assert "nothing" in result.stderr and not result.stdout
