"""How caipd is told what to be: a file, the environment, flags; and certificates of another authority."""
import os
import subprocess
import time

import httpx
import pytest

from certificates import CONTROL_NAME, Authority
from support import BIN, OWNER, Control, context, free_port, problem, wait_for


def caipd(*arguments, env=None):
    """The exit code and the words of a caipd that does not start. One that does is an error here."""
    done = subprocess.run([BIN / "caipd", *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=15,
                          env={"PATH": os.environ["PATH"], **(env or {})}, check=False)
    return done.returncode, done.stderr


class Running:
    """A caipd started with just these words and this environment."""

    def __init__(self, folder, arguments=(), env=None):
        self.log = folder / "caipd.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([BIN / "caipd", *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={"PATH": os.environ["PATH"], **{k: str(v) for k, v in (env or {}).items()}})

    def answers_on(self, port, seconds=20):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()
            try:
                return httpx.get(f"https://localhost:{port}/readyz", verify=context(), timeout=2, trust_env=False).status_code == 200
            except httpx.HTTPError:
                time.sleep(0.05)
        return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(15)


def test_flags_over_environment_over_file(tmp_path):
    """Each of data and listen is said by all who speak; the later wins."""
    names = ("file", "environment", "flag")
    data = {name: tmp_path / name for name in names}
    port = {name: free_port() for name in names}
    listen = {name: f"127.0.0.1:{port[name]}" for name in names}
    config, other = tmp_path / "caip.toml", tmp_path / "other.toml"
    config.write_text(f'data = "{data["file"]}"\nlisten = "{listen["file"]}"\n')
    other.write_text('data = "/proc/nowhere"\n')
    environment = {"CAIP_CONFIG": config, "CAIP_DATA": data["environment"], "CAIP_LISTEN": listen["environment"]}
    for winner, arguments, env in (
            ("file", [], {"CAIP_CONFIG": config}),
            ("file", ["--config", config], {"CAIP_CONFIG": other}),
            ("environment", [], environment),
            ("environment", ["--config", config], {**environment, "CAIP_CONFIG": other}),
            ("flag", ["--data", data["flag"], "--listen", listen["flag"]], environment)):
        with Running(tmp_path, arguments, env) as running:
            assert running.answers_on(port[winner]), (winner, arguments)
            assert (data[winner] / "caip.db").exists()
            assert not [n for n in names[names.index(winner) + 1:] if data[n].exists()], winner


@pytest.mark.parametrize("text, said", [
    ('colour = "red"', "unknown setting colour"),
    ('Listen = "127.0.0.1:1"', "unknown setting Listen"),
    ('[tls]\ncert = "/x"', "unknown setting tls.cert"),
    ('[pilot]\napi_key = "secret-words"', "unknown setting pilot.api_key"),
    ('[pilot]\nallow_networks = ["127.0.0.1/8"]', "not a network of the form ADDRESS/BITS: 127.0.0.1/8"),
    ("[tls.more]\nx = 1", "unknown setting tls.more"),
    ('[outbound]\nallow = ["10.0.0.0/8"]', "unknown setting outbound.allow"),
    ('[outbound]\nallow_networks = ["10.0.0.1/8"]', "not a network of the form ADDRESS/BITS: 10.0.0.1/8"),
    ('[outbound]\nca_file = "/nowhere/ca.pem"', "outbound.ca_file cannot be read"),
    ("data = 3", "data must be text"),
    ("listen = true", "listen must be text"),
    ('listen = ["127.0.0.1:1"]', "listen must be text"),
    ("agent_url = 1.5", "agent_url must be text"),
    ('names = "panel.example"', "names must be a list of texts"),
    ("names = [1]", "names must be a list of texts"),
    ('tls = "on"', "tls must be a table"),
    ("pilot = true", "pilot must be a table"),
    ("[[pilot]]\nmodel = 'x'", "pilot must be a table"),
    ("[tls]\ncertificate = 1\nkey = 2", "tls."),
    ('[pilot]\nmax_tokens = "many"', "pilot.max_tokens must be a whole number"),
    ("[pilot]\nmax_tokens = 1.5", "pilot.max_tokens must be a whole number"),
    ('[tls]\ncertificate = "/x"', "belong together"),
    ('listen = "8443"', "ADDRESS:PORT"),
    ('listen = "127.0.0.1:99999"', "ADDRESS:PORT"),
    ('data = "unfinished', "caip.toml"),
    ("data = '/a'\ndata = '/b'", "caip.toml"),
])
def test_a_wrong_setting_stops_the_start(tmp_path, text, said):
    config, data = tmp_path / "caip.toml", tmp_path / "data"
    config.write_text(text + "\n")
    code, words = caipd("--config", config, "--data", data, *([] if "listen" in text else ["--listen", f"127.0.0.1:{free_port()}"]))
    assert code == 2 and said in words, (code, words)
    assert "secret-words" not in words
    assert not data.exists()  # nothing was made before the settings were understood


def test_wrong_words_stop_the_start(tmp_path):
    assert caipd("--colour", "red")[0] == 2
    assert caipd("--listen", "nowhere")[0] == 2
    code, said = caipd(env={"CAIP_CONFIG": str(tmp_path / "none.toml")})
    assert code == 2 and "none.toml" in said
    code, said = caipd(env={"CAIP_LISTEN": "127.0.0.1", "CAIP_DATA": str(tmp_path / "data")})
    assert code == 2 and "ADDRESS:PORT" in said


@pytest.fixture(scope="module")
def company():
    return Authority("Example Company CA")


@pytest.fixture(scope="module")
def certified(tmp_path_factory, company):
    """A caipd whose pages have a certificate of a company's own authority."""
    folder = tmp_path_factory.mktemp("certified")
    made = company.server("localhost")
    for name, text in (("ca", company.pem), ("tls", made.chain), ("key", made.key)):
        (folder / f"{name}.pem").write_text(text)
    (folder / "caip.toml").write_text(f'[tls]\ncertificate = "{folder}/tls.pem"\nkey = "{folder}/key.pem"\n')
    control = Control(folder / "control", arguments=["--config", str(folder / "caip.toml")]).start()
    control.company = folder / "ca.pem"
    control.tls = context(control.company)
    yield control
    control.stop()


def test_browsers_and_the_cli_see_the_certificate_from_the_file(certified, tmp_path):
    own = certified.data.parent / "ca.pem"  # the installation's own authority, as agents know it
    assert certified.anonymous().get("/setup").status_code == 200  # checked against the company's authority alone
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(certified.url + "/readyz", verify=context(own), trust_env=False)
    env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}

    def caip(*words):
        return subprocess.run([BIN / "caip", *map(str, words)], input=OWNER[1] + "\n", capture_output=True, text=True, timeout=60,
                              env=env, check=False)
    made = caip("setup", "--url", certified.url, "--email", OWNER[0], "--password-stdin", "--organization", "Example",
                "--token-file", certified.data / "setup-token", "--ca", certified.company)
    assert made.returncode == 0, made.stderr
    signed = caip("login", "--url", certified.url, "--email", OWNER[0], "--password-stdin", "--ca", certified.company)
    assert signed.returncode == 0, signed.stderr
    refused = caip("login", "--url", certified.url, "--email", OWNER[0], "--password-stdin", "--ca", own)
    assert refused.returncode != 0 and "certificate" in refused.stderr
    problem(certified.anonymous().get("/session"), 401)


def test_agents_still_meet_the_installations_own_authority(certified):
    said = subprocess.run(["openssl", "s_client", "-connect", f"localhost:{certified.port}", "-alpn", "caip-agent/1",
                           "-servername", CONTROL_NAME, "-groups", "X25519MLKEM768", "-CAfile", certified.data.parent / "agent-ca.pem",
                           "-verify_return_error"], input="", capture_output=True, text=True, timeout=20, check=False)
    assert "Verify return code: 0 (ok)" in said.stdout, said.stdout[-800:] + said.stderr[-800:]


def test_another_authority_is_shown_to_agents_though_the_files_of_the_browsers_certificate_are_away(certified):
    owner = certified.sign_in()
    before = certified.data.parent / "agent-ca.pem"
    files = [certified.company.parent / name for name in ("tls.pem", "key.pem")]
    for f in files:
        f.rename(f.with_suffix(".away"))
    try:
        assert owner.post("/secrets/rotations", {"key": "agent_ca"}).status_code == 202
        after = before.with_name("agent-ca-2.pem")
        after.write_text(certified.anonymous().http.get(certified.url + "/agent-ca.pem").text)
        for trusted in (after, before):  # the second over the link
            said = wait_for(lambda: (s := subprocess.run(["openssl", "s_client", "-connect", f"localhost:{certified.port}", "-alpn", "caip-agent/1",  # noqa: B023
                            "-servername", CONTROL_NAME, "-groups", "X25519MLKEM768", "-CAfile", trusted, "-verify_return_error"],  # noqa: B023
                            input="", capture_output=True, text=True, timeout=20, check=False).stdout) and "Verify return code: 0 (ok)" in s and s, 10)
            assert "mldsa65" in said.lower()
        assert certified.anonymous().get("/setup").status_code == 200  # and browsers are shown what they were
    finally:
        for f in files:
            f.with_suffix(".away").rename(f)


def test_a_key_that_is_not_of_the_certificate_stops_the_start(tmp_path, company):
    one, two = company.server("localhost"), company.server("localhost")
    (tmp_path / "tls.pem").write_text(one.chain)
    (tmp_path / "key.pem").write_text(two.key)
    (tmp_path / "caip.toml").write_text(f'[tls]\ncertificate = "{tmp_path}/tls.pem"\nkey = "{tmp_path}/key.pem"\n')
    code, _ = caipd("--config", tmp_path / "caip.toml", "--data", tmp_path / "data", "--listen", f"127.0.0.1:{free_port()}")
    assert code == 1
