"""Sites on a real server with a real nginx: made, changed, broken, deleted, restored, gone; by API, by caip, and by what the Pilot
proposes; with hostile text in each field and hostile files in a site's folder; killed in the middle."""
import json
import secrets as random
import time

import httpx
import pytest

from support import NOT_FOUND, OK, Shell, entries, problem, wait_for
from test_order_crash import frozen_helper
from test_server import finished

CONFIGS, FILES, STATE = "/etc/nginx/conf.d", "/srv/caip-sites", "/var/lib/caip-helper/sites"


@pytest.fixture
def tag():
    return random.token_hex(4)


def on_server(world, *command, check=True, **more):
    return world.machine.run(list(command), check=check, **more)


def sh(world, text, check=True):
    return on_server(world, "sh", "-c", text, check=check).stdout


def fetch(world, domain, path="/", **more):
    return httpx.get(f"http://{world.machine.address}{path}", headers={"Host": domain}, timeout=10, follow_redirects=False, **more)


def ordered(world, answer, status="succeeded"):
    assert answer.status_code == 202, answer.text
    done = finished(world, answer.json()["id"])
    assert done["status"] == status, done
    return done


def create(world, name, domains, caller=None, **more):
    return (caller or world.member).post("/sites", {"server_id": world.server, "name": name, "kind": "static", "domains": domains, **more})


def site_named(world, name):
    return next((s for s in world.owner.data("/sites") if s["name"] == name), None)


def remove(world, site, hours=168, name=None):
    return world.admin.post(f"/sites/{site['id']}/deletion", {"name": name or site["name"], "hours": hours})


def end(world, site):
    """As the server has it when the time has come; then its timer's next look."""
    if on_server(world, "test", "-e", f"{STATE}/{site['id']}.json", check=False).returncode:
        return
    sh(world, f"sed -i 's/\"ends\":\"[^\"]*\"/\"ends\":\"2020-01-01T00:00:00.000000Z\"/; s/\"kept\":[0-9]*/\"kept\":99999999/' {STATE}/{site['id']}.json")
    on_server(world, "systemctl", "start", "caip-sites.service")


@pytest.fixture
def site(world, tag):
    on_server(world, "systemctl", "start", "nginx")
    done = ordered(world, create(world, f"shop-{tag}", [f"{tag}.example", f"www.{tag}.example"]))
    found = site_named(world, f"shop-{tag}")
    assert done["site"] == found["id"] and done["unit"] is None and found["state"] == "live", (done, found)
    yield found
    now = site_named(world, f"shop-{tag}")
    if now and now["state"] != "deleted":
        ordered(world, remove(world, now))
    end(world, found)


def test_a_static_site_is_served_from_a_folder_of_its_own_user_and_nothing_else_is(world, site, tag):
    first = fetch(world, f"{tag}.example")
    assert first.status_code == 200 and "Nothing here yet" in first.text and first.headers["server"] == "nginx"
    home = f"{FILES}/{site['id']}"
    assert on_server(world, "stat", "-c", "%U %a", FILES, home, f"{home}/public").stdout.split("\n")[:3] == ["root 711", "root 755", f"{site['id']} 750"]
    assert on_server(world, "getent", "passwd", site["id"]).stdout.strip().endswith(f":{home}:/usr/sbin/nologin")
    as_user = ["setpriv", "--clear-groups", f"--reuid={site['id']}", f"--regid={site['id']}"]
    on_server(world, *as_user, "sh", "-c", f"cd {home}/public && umask 022 && echo mine > page.html && mkdir .well-known && echo t > .well-known/x && echo s > .env")
    assert fetch(world, f"www.{tag}.example", "/page.html").text == "mine\n"
    assert fetch(world, f"{tag}.example", "/.env").status_code == 404 and fetch(world, f"{tag}.example", "/.well-known/x").text == "t\n"
    # S22: what its user plants leads nowhere, not for a visitor and not for root.
    on_server(world, *as_user, "sh", "-c", f"cd {home}/public && ln -s /etc/passwd link && ln -s / root && ln -s ../../.. up")
    for path in ("/link", "/root/etc/passwd", "/up/etc/passwd", "/../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd"):
        assert "root:" not in fetch(world, f"{tag}.example", path).text, path
    assert on_server(world, *as_user, "sh", "-c", f"touch {home}/x", check=False).returncode != 0
    said = ordered(world, world.viewer.post(f"/sites/{site['id']}/checks"))["result"]["site"]
    assert said["answers"] == site["domains"] and said["silent"] == [] and said["exists"] and 0 < said["bytes"] < 1_000_000 and said["upstream"] is None, said
    log = entries(world.owner, "site.create")[0]["entry"]
    assert log["params"] == {"server": world.server, "site": site["id"], "name": site["name"], "kind": "static", "domains": site["domains"], "redirect": False}


def test_a_proxy_hands_on_what_listens_on_the_loopback_address_and_what_a_visitor_claims_of_himself_is_not_believed(world, tag):
    on_server(world, "systemctl", "start", "nginx")
    sh(world, f"""cat > {CONFIGS}/backend-{tag}.conf <<'END'
server {{ listen 127.0.0.1:3456; location / {{ default_type text/plain; return 200 "$host|$http_x_forwarded_for|$http_x_real_ip|$http_forwarded|$request_uri"; }} }}
END
systemctl reload nginx""")
    try:
        ordered(world, create(world, f"app-{tag}", [f"app-{tag}.example"], kind="proxy", port=3456))
        site = site_named(world, f"app-{tag}")
        got = wait_for(lambda: (a := httpx.get(f"http://{world.machine.address}/a?b=c", headers={"Host": f"app-{tag}.example", "X-Forwarded-For": "6.6.6.6", "X-Real-IP": "6.6.6.6", "Forwarded": "for=6.6.6.6"}))
                       .status_code == 200 and a.text)
        assert got == f"app-{tag}.example|{world.machine.host}|{world.machine.host}||/a?b=c", got
        assert ordered(world, world.owner.post(f"/sites/{site['id']}/checks"))["result"]["site"]["upstream"] is True
        ordered(world, world.member.call("PATCH", f"/sites/{site['id']}", {"port": 3999}))
        assert fetch(world, f"app-{tag}.example").status_code == 502
        assert ordered(world, world.owner.post(f"/sites/{site['id']}/checks"))["result"]["site"]["upstream"] is False
        ordered(world, remove(world, site))
        end(world, site)
    finally:
        sh(world, f"rm -f {CONFIGS}/backend-{tag}.conf; systemctl reload nginx")


def test_domains_are_changed_and_further_ones_lead_to_the_first(world, site, tag):
    ordered(world, world.member.call("PATCH", f"/sites/{site['id']}", {"domains": [f"new-{tag}.example", f"{tag}.example"], "redirect": True}))
    moved = fetch(world, f"{tag}.example", "/a?b=%2e")
    assert moved.status_code == 308 and moved.headers["location"] == f"http://new-{tag}.example/a?b=%2e"
    assert fetch(world, f"new-{tag}.example").status_code == 200
    assert "Nothing here yet" not in fetch(world, f"www.{tag}.example").text  # nobody's any more
    now = world.viewer.get(f"/sites/{site['id']}").json()
    assert now["domains"] == [f"new-{tag}.example", f"{tag}.example"] and now["redirect"] is True and now["state"] == "live"


def test_what_nginx_refuses_or_does_not_serve_changes_nothing_and_no_other_site_notices(world, site, tag):
    served = lambda: fetch(world, f"{tag}.example").status_code  # noqa: E731
    before = sh(world, f"cat {CONFIGS}/caip-{site['id']}.conf")
    # Somebody's own configuration that nginx does not take: ours is not made, and what runs goes on.
    sh(world, f"echo 'nonsense here;' > {CONFIGS}/broken.conf")
    try:
        done = ordered(world, create(world, f"bad-{tag}", [f"bad-{tag}.example"]), "failed")
        assert "nginx does not take its configuration" in done["error"] and "nonsense" in done["error"], done
        assert site_named(world, f"bad-{tag}") is None and served() == 200
        done = ordered(world, world.member.call("PATCH", f"/sites/{site['id']}", {"domains": [f"x-{tag}.example"]}), "failed")
        assert world.owner.get(f"/sites/{site['id']}").json()["domains"] == site["domains"]
    finally:
        sh(world, f"rm {CONFIGS}/broken.conf")
    assert on_server(world, "nginx", "-t", check=False).returncode == 0
    # A domain that another configuration serves: nginx only warns, so the mark is looked for.
    sh(world, f"echo 'server {{ listen 80; listen [::]:80; server_name taken-{tag}.example; return 200 theirs; }}' > {CONFIGS}/aaa-theirs.conf; systemctl reload nginx")
    try:
        done = ordered(world, create(world, f"taken-{tag}", [f"taken-{tag}.example"]), "failed")
        assert "another one on this server has that name" in done["error"], done
        assert fetch(world, f"taken-{tag}.example").text == "theirs" and served() == 200
    finally:
        sh(world, f"rm {CONFIGS}/aaa-theirs.conf; systemctl reload nginx")
    assert sh(world, f"cat {CONFIGS}/caip-{site['id']}.conf") == before
    assert sh(world, f"ls {CONFIGS} | grep -c ^caip-").strip() == str(len([s for s in world.owner.data("/sites") if s["state"] == "live"]))
    all_sites = world.owner.data("/sites")  # those that are gone on the server stay listed for an hour
    assert {s["id"] for s in all_sites if s["state"] == "live"} <= set(sh(world, f"ls {FILES}").split()) <= {s["id"] for s in all_sites}
    # nginx is stopped: nothing is made, and it is said.
    on_server(world, "systemctl", "stop", "nginx")
    done = ordered(world, create(world, f"off-{tag}", [f"off-{tag}.example"]), "failed")
    on_server(world, "systemctl", "start", "nginx")
    assert "nginx does not run" in done["error"]


HOSTILE = [";", "$(id)", "`id`", "a.b; return 200 x;", "a.b\n}", "a.b\r\nserver {", "a.b\x00.c", "a.b{", "$host.b", "~^.*$", "*.a.b", "_", "default_server", "localhost", "127.0.0.1", "[::1]",
           "a.b/../c", "..", "-a.b", "a_b.c", "\u202ea.b", "bücher.example", "<script>.b", "a" * 64 + ".b", ".".join(["a"] * 130), "a.b ", "a b.c", "'a.b'", "\"a.b\"", "a.b#c", "a.b\\", "%0a.b", "--help"]


def test_s01_s04_s20_hostile_text_in_each_field_is_refused_and_changes_nothing(world, site):
    before = sh(world, f"ls -R {CONFIGS} {FILES}; cat {CONFIGS}/*.conf /etc/passwd")
    good = {"server_id": world.server, "name": "x", "kind": "static", "domains": ["x.example"]}
    for text in HOSTILE:
        for body in ({"domains": [text]}, {"domains": ["x.example", text]}, {"name": text}, {"kind": text}, {"kind": "proxy", "port": text}, {"server_id": text}, {"redirect": text}):
            if body == {"name": "localhost"}:
                continue  # a name like another
            answer = world.owner.post("/sites", good | body)
            assert answer.status_code in (400, 404, 422), (body, answer.text)
        for body in ({"domains": [text]}, {"port": text}, {"redirect": text}):
            assert world.owner.call("PATCH", f"/sites/{site['id']}", body).status_code in (400, 422), body
        assert world.owner.post(f"/sites/{site['id']}/deletion", {"name": text}).status_code == 422
        assert world.owner.post(f"/sites/{site['id']}/deletion", {"name": site["name"], "hours": text}).status_code == 400
        assert world.owner.get("/sites", params={"server": text}).json().get("data", []) == []
    for port in (0, 22, 80, 443, 1023, 65536, -1, 10**12):
        assert world.owner.post("/sites", good | {"kind": "proxy", "port": port}).status_code == 422
    problem(world.owner.post("/sites", good | {"port": 3000}), 422, "invalid")
    problem(world.owner.post("/sites", good | {"kind": "proxy"}), 422, "invalid")
    problem(world.owner.post("/sites", good | {"domains": []}), 422, "invalid")
    problem(world.owner.post("/sites", good | {"domains": [f"d{i}.example" for i in range(21)]}), 422, "invalid")
    problem(world.owner.post("/sites", good | {"redirect": True}), 422, "invalid")
    problem(world.owner.post("/sites", good | {"domains": site["domains"][:1]}), 409, "conflict")
    problem(world.owner.post("/sites", good | {"name": site["name"]}), 409, "conflict")
    for hours in (0, -1, 721):
        problem(world.owner.post(f"/sites/{site['id']}/deletion", {"name": site["name"], "hours": hours}), 422, "invalid")
    assert sh(world, f"ls -R {CONFIGS} {FILES}; cat {CONFIGS}/*.conf /etc/passwd") == before
    assert world.owner.get(f"/sites/{site['id']}").json() == site


def test_deleted_out_of_service_and_whole_restored_as_it_was_and_gone_at_its_end(world, site, tag):
    home = f"{FILES}/{site['id']}"
    sh(world, f"echo precious > {home}/public/page.html; chown {site['id']} {home}/public/page.html; chmod 644 {home}/public/page.html")
    whole = lambda: sh(world, f"cd {home} && find . -printf '%p %U %m %s\\n' | sort; cat public/page.html; getent passwd {site['id']}")  # noqa: E731
    config = sh(world, f"cat {CONFIGS}/caip-{site['id']}.conf")
    before = whole()
    facts = world.viewer.get(f"/sites/{site['id']}/deletion").json()
    assert facts == {"name": site["name"], "ends_at": None, "hours": 168, "least_hours": 1, "most_hours": 720, "domains": site["domains"], "files": True}
    for caller in (world.member, world.viewer):
        problem(caller.post(f"/sites/{site['id']}/deletion", {"name": site["name"]}), 403, "forbidden")
        problem(caller.call("DELETE", f"/sites/{site['id']}/deletion"), 403, "forbidden")
    problem(world.admin.post(f"/sites/{site['id']}/deletion", {"name": "another"}), 422, "invalid")
    assert entries(world.owner, "site.delete")[0]["entry"]["result"] == "blocked"
    done = ordered(world, remove(world, site, 48))
    now = world.owner.get(f"/sites/{site['id']}").json()
    assert now["state"] == "deleted" and now["ends_at"] == done["result"]["site"]["ends_at"]
    assert 47.9 < (time.mktime(time.strptime(now["ends_at"][:19], "%Y-%m-%dT%H:%M:%S")) - time.mktime(time.gmtime())) / 3600 < 48.1
    assert "precious" not in fetch(world, f"{tag}.example", "/page.html").text
    assert sh(world, f"ls {CONFIGS} | grep {site['id']}", check=False) == "" and on_server(world, "stat", "-c", "%a", home).stdout.strip() == "700"
    assert on_server(world, "setpriv", "--clear-groups", f"--reuid={site['id']}", f"--regid={site['id']}", "cat", f"{home}/public/page.html", check=False).returncode != 0
    problem(remove(world, site, 1), 409, "conflict")  # nobody shortens it
    problem(create(world, f"thief-{tag}", [f"{tag}.example"]), 409, "conflict")
    ordered(world, world.admin.call("DELETE", f"/sites/{site['id']}/deletion"))
    assert fetch(world, f"{tag}.example", "/page.html").text == "precious\n"
    assert whole() == before and sh(world, f"cat {CONFIGS}/caip-{site['id']}.conf") == config  # delete, then restore, is nothing
    ordered(world, remove(world, site, 1))
    on_server(world, "systemctl", "start", "caip-sites.service")
    assert whole().split("\n", 1)[1] == before.split("\n", 1)[1]  # not a moment before
    end(world, site)
    assert on_server(world, "test", "-e", home, check=False).returncode == 1 and on_server(world, "getent", "passwd", site["id"], check=False).returncode == 2
    assert sh(world, f"ls {STATE}").split().count(f"{site['id']}.json") == 0
    late = ordered(world, world.admin.call("DELETE", f"/sites/{site['id']}/deletion"), "failed")
    assert "no such site" in late["error"]
    titles = [n["text"] for n in world.owner.data("/notifications/inbox") if site["name"] in n["text"]]
    assert any("is deleted" in t for t in titles) and any("is restored" in t for t in titles), titles


def test_killed_in_the_middle_nothing_is_done_twice_and_the_next_look_puts_it_right(world, site, tag):
    config = sh(world, f"cat {CONFIGS}/caip-{site['id']}.conf")
    # The worker dies between swapping the configuration and its record: as a crash there leaves it.
    sh(world, f"sed -i 's/server_name .*/server_name half-{tag}.example;/' {CONFIGS}/caip-{site['id']}.conf; systemctl reload nginx; systemctl start caip-sites.service")
    assert sh(world, f"cat {CONFIGS}/caip-{site['id']}.conf") == config
    wait_for(lambda: fetch(world, f"{tag}.example").status_code == 200)
    # The helper dies while the worker works: the answer is lost, what is known is nothing, and the server is asked.
    on_server(world, "mkdir", "-p", "/run/systemd/system/caip-sites-check.service.d")
    on_server(world, "tee", "/run/systemd/system/caip-sites-check.service.d/slow.conf", input="[Service]\nExecStartPre=/bin/sleep 4\n")
    on_server(world, "systemctl", "daemon-reload")
    try:
        answer = world.member.call("PATCH", f"/sites/{site['id']}", {"domains": [f"late-{tag}.example"]})
        wait_for(lambda: "activ" in on_server(world, "systemctl", "is-active", "caip-sites-check.service", check=False).stdout.replace("inactive", ""), 20)
        on_server(world, "systemctl", "kill", "--signal=KILL", "caip-agent.service")
        done = finished(world, answer.json()["id"])
    finally:
        sh(world, "rm -r /run/systemd/system/caip-sites-check.service.d; systemctl daemon-reload")
    assert done["status"] == "failed" and "not run again" in done["error"], done
    assert world.owner.get(f"/sites/{site['id']}").json()["state"] == "unknown"
    wait_for(lambda: on_server(world, "systemctl", "is-active", "caip-sites.service", check=False).stdout.strip() in ("inactive", "failed"), 30)
    wait_for(lambda: world.owner.get(f"/servers/{world.server}").json()["online"], 60)
    said = ordered(world, world.owner.post(f"/sites/{site['id']}/checks"))["result"]["site"]
    now = world.owner.get(f"/sites/{site['id']}").json()
    assert now["state"] == "live" and now["domains"] == said["domains"] == said["answers"] == [f"late-{tag}.example"], (now, said)


def test_one_order_about_a_site_at_a_time(world, site, tag):
    with frozen_helper(world):
        first = world.member.call("PATCH", f"/sites/{site['id']}", {"domains": [f"one-{tag}.example"]})
        assert first.status_code == 202
        assert world.owner.get(f"/sites/{site['id']}").json()["state"] == "changing"
        problem(world.member.call("PATCH", f"/sites/{site['id']}", {"domains": [f"two-{tag}.example"]}), 409, "conflict")
        problem(remove(world, site), 409, "conflict")
    ordered(world, first)


def test_root_of_the_server_forbids_sites(world, site):
    on_server(world, "tee", "/etc/caip/policy.json", input=json.dumps({"forbid": ["site"]}))
    try:
        done = ordered(world, world.member.call("PATCH", f"/sites/{site['id']}", {"domains": ["forbidden.example"]}), "failed")
        assert "forbid" in done["error"] and world.owner.get(f"/sites/{site['id']}").json()["state"] == "live"
    finally:
        on_server(world, "rm", "/etc/caip/policy.json")


def test_caip_makes_lists_changes_deletes_and_restores(world, tag, tmp_path):
    on_server(world, "systemctl", "start", "nginx")
    shell = Shell(tmp_path).login(world.control)

    def ok(*words):
        done = shell.caip(*words)
        assert done.returncode == OK, (words, done.stdout, done.stderr)
        return done.stdout
    name = f"cli-{tag}"
    assert "succeeded" in ok("site", "create", name, "--server", "web-1", "--domain", f"{name}.example", "--domain", f"www.{name}.example", "--redirect")
    assert fetch(world, f"www.{name}.example").status_code == 308
    row = next(line for line in ok("site", "list").splitlines() if line.startswith(name))
    assert "live" in row and f"{name}.example" in row and "web-1" in row
    assert f"/srv/caip-sites/{site_named(world, name)['id']}/public" in ok("site", "show", name)
    ok("site", "change", name, "--no-redirect")
    assert fetch(world, f"www.{name}.example").status_code == 200
    assert "answers for" in ok("site", "check", name)
    assert shell.caip("site", "delete", name, "--confirm", "another").returncode != OK
    assert "deleted" not in next(line for line in ok("site", "list").splitlines() if line.startswith(name))
    ok("site", "delete", name, "--confirm", name, "--hours", "24")
    assert json.loads(ok("site", "show", name, "--json"))["state"] == "deleted"
    ok("site", "restore", name)
    assert fetch(world, f"{name}.example").status_code == 200
    assert shell.caip("site", "show", "no-such").returncode == NOT_FOUND
    for words in (("create", name), ("create", name, "--server", "web-1"), ("create", name, "--server", "web-1", "--domain", "a.b", "--port", "80"), ("delete", name, "--hours", "0")):
        assert shell.caip("site", *words).returncode == 2, words
    ok("site", "delete", name, "--confirm", name)
    end(world, site_named(world, name))


def test_the_worker_is_confined_and_takes_nothing_from_others(world):
    said = on_server(world, "systemd-analyze", "security", "--no-pager", "caip-sites.service").stdout
    score = float(said.split("Overall exposure level for caip-sites.service: ")[1].split()[0])
    assert score < 5, said
    assert on_server(world, "stat", "-c", "%U %a", STATE).stdout.strip() == "root 700"
    assert on_server(world, "systemctl", "is-enabled", "caip-sites.timer").stdout.strip() == "enabled"
    for unit in ("caip-sites.service", "caip-sites-check.service", "caip-sites.timer"):
        problem(world.owner.post(f"/servers/{world.server}/actions", {"type": "unit.start", "unit": unit}), 422, "invalid")
