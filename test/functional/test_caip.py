"""The command line alone: set-up, trust at the first contact, sign-in, exit codes, and the main job."""
import hashlib
import json
import os
import ssl
import stat
import subprocess

import pytest

from support import BIN, OWNER, wait_for

OK, FAILURE, USAGE, NOT_FOUND, NOT_ALLOWED, CONFLICT = 0, 1, 2, 3, 4, 5


class Cli:
    def __init__(self, control, home):
        self.control, self.home = control, home
        self.env = {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        self.session = home / ".local/state/caip/session.json"

    def run(self, *words, stdin=""):
        done = subprocess.run([BIN / "caip", *map(str, words)], input=stdin, capture_output=True, text=True, timeout=90, env=self.env, check=False)
        return done.returncode, done.stdout, done.stderr

    def ok(self, *words, **kwargs):
        code, out, err = self.run(*words, **kwargs)
        assert code == OK, (words, code, out, err)
        return out

    def json(self, *words):
        return json.loads(self.ok(*words, "--json"))

    def login(self, email=OWNER[0], password=OWNER[1], *more):
        return self.run("login", "--url", self.control.url, "--email", email, "--password-stdin", *(more or ("--ca-sha256", fingerprint(self.control))),
                        stdin=password + "\n")


def fingerprint(control):
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert((control.data.parent / "ca.pem").read_text())).hexdigest()


@pytest.fixture
def cli(control, tmp_path):
    return Cli(control, tmp_path)


def test_setup_and_login(fresh, tmp_path):
    cli = Cli(fresh, tmp_path / "home")
    cli.home.mkdir()
    cli.ok("setup", "--url", fresh.url, "--email", OWNER[0], "--password-stdin", "--organization", "Example",
           "--token-file", fresh.data / "setup-token", "--ca", fresh.data.parent / "ca.pem", stdin=OWNER[1] + "\n")
    assert cli.login()[0] == OK
    assert cli.json("whoami")["role"] == "owner"
    for noun in ("server", "approval", "audit"):
        assert isinstance(cli.json(noun, "list")["data"], list), noun
    assert cli.json("server", "list")["data"] == []


def test_first_contact(cli, control):
    code, _, err = cli.run("login", "--url", control.url, "--email", OWNER[0], "--password-stdin", stdin=OWNER[1] + "\n")
    assert code == 4 and fingerprint(control) in err and not cli.session.exists()
    code, _, err = cli.login(OWNER[0], OWNER[1], "--ca-sha256", "0" * 64)
    assert code == 4 and "another server" in err and not cli.session.exists()
    assert cli.login(OWNER[0], OWNER[1], "--ca", str(control.data.parent / "ca.pem"))[0] == 0
    assert cli.login()[0] == 0
    assert stat.S_IMODE(cli.session.stat().st_mode) == 0o600
    assert cli.json("whoami")["user"]["email"] == OWNER[0]


def test_another_authority_is_not_believed_later(cli):
    assert cli.login()[0] == 0
    config = cli.home / ".config/caip"
    pinned = config / json.loads((config / "config.json").read_text())["ca"]
    other = subprocess.run(["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", "/dev/null", "-subj", "/CN=other"],
                           capture_output=True, text=True, check=True).stdout
    pinned.write_text(other)
    code, _, err = cli.run("whoami")
    assert code == 1 and "certificate" in err


def test_exit_codes(cli, people, control):
    assert cli.run("server", "list")[0] == NOT_ALLOWED  # nobody is signed in
    code, out, err = cli.login(password="a wrong password")
    assert code == NOT_ALLOWED and "a wrong password" not in out + err and not cli.session.exists()
    assert cli.login()[0] == OK
    assert cli.run("no-such-noun")[0] == USAGE
    assert cli.run("server")[0] == USAGE and cli.run("server", "list", "--bogus")[0] == USAGE
    assert cli.run("server", "show", "nowhere")[0] == NOT_FOUND
    assert cli.run("approval", "show", "apr_" + "0" * 26)[0] == NOT_FOUND
    assert cli.run("audit", "verify", "--data", control.data)[0] == OK
    viewer = Cli(control, cli.home / "viewer")
    viewer.home.mkdir()
    assert viewer.login("viewer@example.org", "a long password for viewer")[0] == OK
    code, _, err = viewer.run("server", "add", "web-9", "--json")
    assert code == NOT_ALLOWED and json.loads(err)["code"] == "forbidden"


def test_verify_without_a_folder_is_not_a_log_that_holds(cli):
    # 0 and 1 are all that `audit verify` answers: what could not be checked does not hold.
    code, out, err = cli.run("audit", "verify", "--data", cli.home / "nothing")
    assert code == FAILURE and "nothing" in err and not out


def test_server_add_prints_the_install_command(cli):
    assert cli.login()[0] == OK
    out = cli.ok("server", "add", "web-2")
    assert fingerprint(cli.control) in out and "install.sh" in out


def test_what_the_cli_keeps_is_private(cli):
    assert cli.login()[0] == OK
    kept = [f for folder in (".local/state/caip", ".config/caip") for f in (cli.home / folder).rglob("*") if f.is_file()]
    assert cli.session in kept and len(kept) >= 3
    for file in kept:
        assert OWNER[1] not in file.read_text(), file
    for file in (cli.session, *cli.session.parent.rglob("*")):
        assert file.stat().st_mode & 0o077 == 0, file


def test_xdg_folders_are_respected(cli):
    cli.env |= {"XDG_CONFIG_HOME": str(cli.home / "config"), "XDG_STATE_HOME": str(cli.home / "state")}
    assert cli.login()[0] == OK
    assert (cli.home / "state/caip/session.json").exists() and (cli.home / "config/caip/config.json").exists()
    assert not (cli.home / ".local").exists() and not (cli.home / ".config").exists()


def test_the_session_is_renewed_and_ends(cli):
    assert cli.login()[0] == 0
    before = json.loads(cli.session.read_text())
    cli.session.write_text(json.dumps({**before, "access_token": before["access_token"][:-8] + "AAAAAAAA"}))
    assert cli.json("whoami")["role"] == "owner"
    after = json.loads(cli.session.read_text())
    assert after["refresh_token"] != before["refresh_token"]
    cli.ok("logout")
    assert not cli.session.exists() and cli.run("whoami")[0] == 4
    cli.session.write_text(json.dumps(after))  # an ended session stays ended
    assert cli.run("whoami")[0] == 4


def test_pilot_and_audit(cli):
    assert cli.login()[0] == 0
    assert "built-in" in cli.run("pilot", "ask", "status of my servers")[2]
    answer = cli.json("pilot", "ask", "sing me a song")["messages"][-1]
    assert answer["role"] == "pilot" and "bring it back" in answer["text"]
    actions = [e["entry"]["action"] for e in cli.json("audit", "list")["data"]]
    assert "pilot.ask" in actions and "session.sign_in" in actions
    assert "pilot.ask" in cli.ok("audit", "list", "--action", "pilot.ask")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(cli, shell):
    script = cli.ok("completion", shell)
    assert "approve" in script and "--password-stdin" in script
    if shell == "bash":
        done = subprocess.run(["bash", "-c", script + "\nCOMP_WORDS=(caip approval a); COMP_CWORD=2; _caip; echo ${COMPREPLY[@]}"],
                              capture_output=True, text=True, check=True)
        assert done.stdout.split() == ["approve"]


def test_the_main_job(world, tmp_path):
    cli = Cli(world.control, tmp_path)
    assert cli.login()[0] == 0
    assert "web-1" in cli.ok("server", "list") and "nginx.service" in cli.ok("server", "services", "web-1")
    world.machine.run(["systemctl", "stop", "nginx"])
    out = cli.ok("pilot", "ask", "nginx on web-1 is down, bring it back")
    card = out.split("caip approval show ")[1].split()[0]
    shown = cli.json("approval", "show", card)
    assert shown["state"] == "pending" and "nginx.service" in shown["bytes"]
    assert cli.run("approval", "approve", card)[0] == 2  # nobody to ask, and no digest
    assert cli.run("approval", "approve", card, "--digest", "0" * 64)[0] == 5
    assert "completed" in cli.ok("approval", "approve", card, "--digest", shown["digest"])
    wait_for(lambda: world.machine.run(["systemctl", "is-active", "nginx"], check=False).stdout.strip() == "active", 20)
    assert cli.run("approval", "approve", card, "--digest", shown["digest"])[0] == 5
    card = cli.ok("pilot", "ask", "restart nginx on web-1").split("caip approval show ")[1].split()[0]
    assert "denied" in cli.ok("approval", "deny", card, "--reason", "not now")
    assert "active" in cli.ok("unit", "status", "web-1", "nginx")
    cli.ok("unit", "restart", "web-1", "nginx")
    assert cli.ok("unit", "logs", "web-1", "nginx", "--lines", "5").strip()


def test_what_a_server_or_a_person_refuses_is_an_exit_code_with_its_reason(world, tmp_path):
    cli = Cli(world.control, tmp_path)
    assert cli.login()[0] == OK
    code, out, err = cli.run("unit", "restart", "web-1", "no-such-thing")
    assert code == FAILURE and "this server has no such unit" in out + err, (code, out, err)
    for bad in ("ngin\u202ex.service", "a b.service", "../x.service", "poweroff.target"):
        code, out, err = cli.run("unit", "stop", "web-1", bad)
        assert code == USAGE and err and "\u202e" not in out + err, (bad, code, out, err)
    card = cli.ok("pilot", "ask", "restart no-such-thing.service on web-1").split("caip approval show ")[1].split()[0]
    digest = cli.json("approval", "show", card)["digest"]
    code, out, err = cli.run("approval", "approve", card, "--digest", digest)
    assert code == FAILURE and "this server has no such unit" in out + err, (code, out, err)
