"""S10: a recognisable value in every secret field, and then everything that comes out is searched for it; and the memory of
caipd is searched for the keys of the keeper."""
import base64
import json
import re
import secrets as random
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from keyring import open_keyring
from support import OK, Control, Shell, entries, wait_for
from test_secrets import create, keepers


def forms(value):
    """A value as it could stand somewhere: raw, hex, base64 at each alignment, percent-encoded, reversed."""
    raw = value if isinstance(value, bytes) else value.encode()
    found = {raw, raw.hex().encode(), raw.hex().upper().encode(), urllib.parse.quote(raw, safe="").encode(), raw[::-1]}
    for shift in range(3):
        for coder in (base64.b64encode, base64.urlsafe_b64encode):
            coded = coder(bytes(shift) + raw).rstrip(b"=")
            found.add(coded[4:-4])  # the neighbours colour the edges
    return found


class Provider:
    """Stands in for an AI provider and keeps all it was sent."""

    def __init__(self):
        self.seen = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.seen.append((self.headers["Authorization"], body))
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                for piece in ({"content": "All is well."}, {}):
                    chunk = {"choices": [{"index": 0, "delta": piece, "finish_reason": None if piece else "stop"}]}
                    self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
                self.wfile.write(b"data: [DONE]\n\n")

            def log_message(self, *_):
                pass
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"


def plant_channels(owner, canaries):
    """A channel of each kind with a canary for a credential, each used: a message goes out, to names that do not exist."""
    word = lambda: f"canary-{random.token_hex(12)}"  # noqa: E731
    signing = random.token_bytes(32)
    mail = {"host": "mail.invalid", "port": 587, "security": "starttls", "user": "u", "from": "a@example.org", "to": "b@example.org"}
    planted = {"slack": ({}, f"https://hooks.invalid/services/{word()}"), "discord": ({}, f"https://discord.invalid/api/{word()}"),
               "telegram": ({"chat": "1"}, f"123456:{word()}"), "email": (mail, word()),
               "webhook": ({"url": "https://receiver.invalid/hook"}, "whsec_" + base64.b64encode(signing).decode())}
    canaries["webhook's raw secret"] = signing
    for kind, (target, credential) in planted.items():
        canaries[f"channel {kind}"] = credential
        made = owner.post("/notifications/channels", {"kind": kind, "name": kind, "target": target, "credential": credential})
        assert made.status_code == 201, made.text
        queued = owner.post(f"/notifications/channels/{made.json()['id']}/{'code' if kind == 'email' else 'test'}")
        path = f"/notifications/deliveries/{queued.json()['delivery_id']}"
        ended = wait_for(lambda: (d := owner.get(path).json())["state"] == "dead" and d, 30)
        assert ended["outcome"] == "the host's name does not resolve", ended
        canaries[f"replaced {kind}"] = credential.replace("canary-", "canary-second-") if kind != "webhook" else "whsec_" + base64.b64encode(random.token_bytes(32)).decode()
        again = owner.post(f"/notifications/channels/{made.json()['id']}/credential", {"credential": canaries[f"replaced {kind}"]})
        assert again.status_code == 200, again.text
        assert owner.post("/notifications/channels", {"kind": kind, "name": kind, "target": target, "credential": credential}).status_code == 409


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A control plane with a canary in every kind, also replaced and deleted ones, and a Pilot whose key is one of them."""
    folder = tmp_path_factory.mktemp("canary")
    provider = Provider()
    config = folder / "caipd.toml"
    config.write_text(f'[pilot]\nbase_url = "{provider.url}"\nmodel = "stand-in"\nallow_networks = ["127.0.0.1"]\napi_key_secret = "provider"\n'
                      '[notifications]\ntelegram_api = "https://telegram.invalid"\n')
    control = Control(folder, arguments=["--config", str(config)]).start()
    control.set_up()
    owner = control.sign_in()
    canaries = {}

    def plant(kind, name, replace=False, delete=False):
        for turn in range(2 if replace else 1):
            value = f"canary-{kind}-{random.token_hex(12)}"
            canaries[f"{kind} {name} {turn}"] = value
            if turn == 0:
                secret = create(owner, kind, name, value)
                assert secret.status_code == 201, secret.text
            else:
                assert owner.call("PUT", f"/secrets/{secret.json()['id']}", {"value": value}, headers={"If-Match": '"1"'}).status_code == 200
        if delete:
            assert owner.call("DELETE", f"/secrets/{secret.json()['id']}", headers={"If-Match": '"1"'}).status_code == 204
    for kind in ("env_value", "cloud_key", "notification"):
        plant(kind, "kept")
        plant(kind, "replaced", replace=True)
        plant(kind, "gone", delete=True)
    plant("ai_provider", "provider")
    plant_channels(owner, canaries)
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    assert create(owner, "ssh_key", "deploy", pem).status_code == 201
    canaries["ssh seed"] = key.private_bytes_raw()
    canaries["ssh text"] = pem.splitlines()[3]
    # Things that fail with a value in them.
    canaries["refused"] = f"canary-refused-{random.token_hex(12)}"
    for body in ({"kind": "env_value", "name": "bad name", "value": canaries["refused"]}, {"kind": "ssh_key", "name": "x", "value": canaries["refused"]},
                 {"kind": "env_value", "name": "kept", "value": canaries["refused"]}, {"kind": "no", "name": "x", "value": canaries["refused"]}):
        assert owner.post("/secrets", body).status_code in (409, 422)
    yield type("Planted", (), {"control": control, "owner": owner, "canaries": canaries, "provider": provider, "folder": folder, "pem": pem})
    control.stop()


class Search:
    def __init__(self, canaries):
        self.needles = [(name, form) for name, value in canaries.items() for form in forms(value)]
        self.places = 0

    def look(self, where, data):
        data = data.encode() if isinstance(data, str) else data
        self.places += 1
        for name, form in self.needles:
            assert form not in data, f"the canary {name} is in {where}"


def ids_of(owner):
    """A real id for each kind of path."""
    entry = entries(owner)[0]
    return {"servers": "srv_" + "0" * 26, "operations": "opr_" + "0" * 26, "approvals": "apr_" + "0" * 26, "plans": "pln_" + "0" * 26, "secrets": owner.data("/secrets")[0]["id"],
            "conversations": owner.data("/pilot/conversations")[0]["id"], "members": owner.data("/members")[0]["id"], "channels": next(c["id"] for c in owner.data("/notifications/channels") if c["kind"] == "slack"),
            "deliveries": owner.data("/notifications/deliveries")[0]["id"], "entries": str(entry["index"])}


def ask_pilot(owner):
    conversation = owner.post("/pilot/conversations").json()["id"]
    assert owner.post(f"/pilot/conversations/{conversation}/messages", {"text": "How are you?"}).status_code == 202
    return wait_for(lambda: next((m for m in owner.get(f"/pilot/conversations/{conversation}").json()["messages"] if m["role"] == "pilot"), None))


def test_s10_no_answer_stream_log_prompt_or_byte_on_disk_has_a_secret(planted, tmp_path):
    control, owner, search = planted.control, planted.owner, Search(planted.canaries)
    stream, stop = [], threading.Event()

    def listen():
        with httpx.stream("GET", control.url + "/api/v1/events", verify=control.tls, headers={"Authorization": f"Bearer {owner.token}"},
                          timeout=None, trust_env=False) as answer:
            for piece in answer.iter_raw():
                stream.append(piece)
                if stop.is_set():
                    return
    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    assert ask_pilot(owner)["text"] == "All is well."
    people = {"owner": owner, **{role: control.member(owner, role) for role in ("admin", "member", "viewer")}, "nobody": control.anonymous()}
    description = control.anonymous().get("/openapi.json")
    search.look("the API description", description.text)
    ids, crawled = ids_of(owner), 0
    for path, methods in description.json()["paths"].items():
        if path.endswith("/events"):
            continue
        filled = re.sub(r"/([a-z]+)/\{[^}]+\}", lambda m: f"/{m[1]}/{ids.get(m[1], 'x')}", path)
        for who, api in people.items():
            for method in methods:
                if method == "get":
                    answer = api.http.get(control.url + filled)
                elif method in ("post", "put", "patch"):  # refused for want of a body: a problem document
                    answer = api.http.request(method.upper(), control.url + filled, json={})
                else:
                    continue
                search.look(f"{method} {path} as {who}", answer.text + str(answer.headers))
                crawled += 1
    assert crawled > 100
    for query in ("?limit=200", "?kind=env_value", "?kind=ssh_key", "?kind=ai_provider"):
        search.look("GET /secrets" + query, owner.get("/secrets" + query).text)
    for entry in entries(owner):
        search.look(f"entry {entry['index']}", json.dumps(entry))
    shell = Shell(tmp_path).login(control)
    for arguments in (("secrets", "list"), ("secrets", "list", "--json"), ("secrets", "inventory", "--json"), ("secrets", "show", "ssh_key", "deploy"),
                      ("audit", "list", "--limit", "500", "--json"),
                      ("notification", "channels", "--json"), ("notification", "channels"), ("notification", "deliveries"), ("notification", "deliveries", "--json"), ("whoami",)):
        done = shell.caip(*arguments)
        assert done.returncode == OK, done.stderr
        search.look("caip " + " ".join(arguments), done.stdout + done.stderr)
    stop.set()
    search.look("the event stream", b"".join(stream))
    # The key goes to its provider, as the header that it is, and the prompt does not have it.
    assert planted.provider.seen
    for authorization, body in planted.provider.seen:
        assert authorization == f"Bearer {planted.canaries['ai_provider provider 0']}"
        search.look("a prompt", body)
    use = entries(owner, "secret.use")[0]["entry"]
    assert use["params"]["use"] == "pilot_turn" and use["params"]["action"] == "pilot.ask" and use["actor"]["kind"] == "user"
    search.look("the console", control.log.read_bytes())
    files = [f for f in control.data.rglob("*") if f.is_file()]
    assert {"caip.db", "keyring"} <= {f.name for f in files}
    for file in files:
        search.look(str(file), file.read_bytes())
    control.stop()  # what a clean end writes
    for file in control.data.rglob("*"):
        if file.is_file():
            search.look(str(file), file.read_bytes())
    assert control.verify()[0] == 0
    control.start()


def test_s10_no_digest_in_the_database_lets_a_thief_try_out_guesses(planted):
    """Bodies are remembered for a day by a digest (Idempotency-Key). A plain one of a short secret would give it away."""
    import hashlib
    control, owner = planted.control, planted.owner
    body = json.dumps({"kind": "env_value", "name": "GUESSED", "value": "hunter2"}).encode()
    answer = owner.http.post("/secrets", content=body, headers={"Content-Type": "application/json", "Idempotency-Key": '"guess"'})
    assert answer.status_code == 201, answer.text
    guesses = [coder(data) for data in (body, b"hunter2", hashlib.sha256(body).hexdigest().encode()) for coder in
               (lambda d: hashlib.sha256(d).digest(), lambda d: hashlib.sha256(d).hexdigest().encode(), lambda d: base64.b64encode(hashlib.sha256(d).digest()))]
    for file in control.data.rglob("*"):
        if file.is_file():
            assert not [g for g in guesses if g in file.read_bytes()], file


def test_s10_the_search_itself_finds_a_canary_in_each_form(planted):
    for name, value in planted.canaries.items():
        raw = value if isinstance(value, bytes) else value.encode()
        for text in (raw, b"x" + raw + b"y", raw.hex().encode(), base64.b64encode(raw), base64.b64encode(b"ab" + raw + b"c"), base64.urlsafe_b64encode(b"a" + raw)):
            with pytest.raises(AssertionError, match="the canary"):
                Search({name: value}).look("here", text)


def memory_of(pid):
    """All that a process has written, region by region."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            spans, rights, *_ = line.split()
            begin, end = (int(x, 16) for x in spans.split("-"))
            if "r" not in rights or begin >= 1 << 63:
                continue
            try:
                memory.seek(begin)
                yield memory.read(end - begin)
            except OSError:
                continue  # vvar and its like


def key_patterns(folder):
    patterns = {}
    for name, key in open_keyring(folder).items():
        if name.startswith("ca "):
            private = load_pem_private_key(key[key.index(b"-----BEGIN PRIVATE"):], None)
            scalar = private.private_numbers().private_value.to_bytes(32, "big")
            patterns["ca scalar"], patterns["ca scalar, as a number in memory"] = scalar, scalar[::-1]
            patterns["ca pem"] = key[key.index(b"-----BEGIN PRIVATE"):][60:120]
        elif name == "seal":
            patterns["seal, X25519"], patterns["seal, ML-KEM"] = key[-32:], key[:32]
        else:
            patterns[name] = key
    return patterns


def found_in(pid, patterns):
    hits = set()
    for region in memory_of(pid):
        hits |= {name for name, pattern in patterns.items() if pattern in region}
    return hits


def test_the_memory_of_caipd_under_load_has_no_key_of_the_keeper(planted):
    control = planted.control
    owner = control.sign_in()
    stop, failures, done = threading.Event(), [], []

    def load(me):
        n = 0
        while not stop.is_set():
            if create(owner, "env_value", f"memory_{me}_{n}", "v").status_code != 201 or control.sign_in().get("/secrets").status_code != 200:
                failures.append(me)
            n += 1
            done.append(me)
    threads = [threading.Thread(target=load, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    try:
        wait_for(lambda: len(done) > 6)
        patterns = key_patterns(control.data / "keys")
        assert {"root", "jwt  1", "checkpoint  1", "order  1", "cosign  1", "pepper  1", "ca scalar"} <= set(patterns) and any(n.startswith("data org_") for n in patterns)
        for _ in range(3):
            assert found_in(control.process.pid, patterns) == set()
            for key in ("root", "jwt", "data"):  # also while they change hands
                owner.post("/secrets/rotations", {"key": key})
            patterns |= {f"{n} later": p for n, p in key_patterns(control.data / "keys").items()}
        # The same search where the keys are: it can see them.
        hits = found_in(keepers(control)[0], key_patterns(control.data / "keys"))
        assert "root" in hits and "order  1" in hits and "pepper  1" in hits, hits
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    assert failures == []


def test_s10_stored_bytes_are_ciphertext_that_an_independent_implementation_opens(planted):
    """What is on disk is XAES-256-GCM under the organisation's key, bound to its row; nothing else opens it."""
    import sqlite3
    import struct

    from keyring import pack, xaes_open
    control = planted.control
    database = sqlite3.connect(f"file:{control.data / 'caip.db'}?mode=ro", uri=True)
    ident, org, sealed, version = database.execute("SELECT id, org, sealed, version FROM secrets WHERE kind='cloud_key' AND name='kept'").fetchone()
    alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

    def raw(text):
        number = 0
        for c in text.split("_", 1)[1]:
            number = number * 32 + alphabet.index(c)
        return number.to_bytes(17, "big")[1:]
    generation = struct.unpack(">I", sealed[1:5])[0]
    key = open_keyring(control.data / "keys")[f"data {org} {generation}"]
    context = pack("caip value v1", generation, raw(org), "cloud_key", raw(ident), "value", version)
    assert xaes_open(key, sealed[5:], context).decode() == planted.canaries["cloud_key kept 0"]
