"""The main job on a real server: enrol with the product's own install command, look, stop nginx,
ask the Pilot, decide, and find all of it in the log. web-1 is a systemd-nspawn machine."""
import time
from datetime import datetime

import pytest

from support import Api, entries, problem, wait_for
from test_events import Listener


def nginx(world):
    return world.machine.run(["systemctl", "is-active", "nginx"], check=False).stdout.strip()


def act(world, kind, unit="nginx.service", caller=None, **more):
    answer = (caller or world.owner).post(f"/servers/{world.server}/actions", {"type": kind, "unit": unit, **more})
    assert answer.status_code == 202, answer.text
    return finished(world, answer.json()["id"])


def finished(world, operation):
    def look():
        found = world.owner.get(f"/operations/{operation}").json()
        return found if found["status"] not in ("pending", "running") else None
    return wait_for(look, 40)


def ask(world, text, caller=None):
    """A message to the Pilot; the approval that comes of it."""
    caller = caller or world.owner
    conversation = caller.post("/pilot/conversations").json()["id"]
    known = {a["id"] for a in world.owner.data("/approvals")}
    answer = caller.post(f"/pilot/conversations/{conversation}/messages", {"text": text})
    assert answer.status_code == 202, answer.text
    found = wait_for(lambda: [a for a in world.owner.data("/approvals") if a["id"] not in known], 30)
    return found[0], conversation


def approval(world, identifier, states):
    def look():
        found = world.owner.get(f"/approvals/{identifier}").json()
        return found if found["state"] in states else None
    return wait_for(look, 40)


def test_channel_is_post_quantum(world):
    server = world.owner.get(f"/servers/{world.server}").json()
    assert server["name"] == "web-1" and server["channel"] == {"status": "post_quantum", "group": "X25519MLKEM768"}


def test_metrics_arrive(world):
    latest = wait_for(lambda: world.owner.get(f"/servers/{world.server}").json().get("latest"), 40)
    assert 0 <= latest["cpu_ratio"] <= 1 and 0 < latest["mem_used"] <= latest["mem_total"]
    assert 0 < latest["disk_total"] and latest["load1"] >= 0
    assert world.owner.data(f"/servers/{world.server}/metrics")


def test_metrics_come_every_15_seconds(world):
    def three():
        found = sorted(datetime.fromisoformat(m["at"]).timestamp() for m in world.owner.data(f"/servers/{world.server}/metrics?limit=200"))
        return len(found) > 2 and found[-3:]
    first, _, third = wait_for(three, 75, 1)
    assert 14 < (third - first) / 2 < 16, (first, third)


def test_services_are_listed(world):
    units = wait_for(lambda: {u["unit"]: u for u in world.owner.data(f"/servers/{world.server}/services")}, 40)
    assert units["nginx.service"]["active"] == "active" and "ssh.service" in units


def blocked(world, action, who):
    """The newest refusal of this action in the log, by this person."""
    person = who.get("/session").json()["user"]["id"]
    found = [e["entry"] for e in entries(world.owner, action)
             if e["entry"]["result"] == "blocked" and e["entry"]["actor"] == {"kind": "user", "id": person}]
    assert found, f"no refusal of {action} by {person} in the log"
    return found


def test_an_enrolment_token_works_once(world):
    done = world.machine.run(["sh", "-c", world.command], check=False)
    assert done.returncode != 0
    assert "the enrolment token is wrong, used or expired" in done.stdout + done.stderr, done.stdout + done.stderr
    newest = entries(world.owner, "server.enrol")[0]["entry"]
    assert newest["result"] == "blocked" and "the token was used" in str(newest["detail"]), newest
    # The agent that was there makes way for an enrolment, and is back when that came to nothing.
    wait_for(lambda: world.owner.get(f"/servers/{world.server}").json()["online"], 30)
    assert len(world.owner.data("/servers")) == 1


def test_stop_start_status_journal(world):
    assert act(world, "unit.stop")["status"] == "succeeded" and nginx(world) == "inactive"
    assert act(world, "unit.start")["status"] == "succeeded" and nginx(world) == "active"
    status = act(world, "unit.status")
    assert status["status"] == "succeeded" and "active" in str(status["result"])
    journal = act(world, "journal.read", lines=20)
    assert journal["status"] == "succeeded" and "nginx" in str(journal["result"])


def service(world, unit):
    return next(s for s in world.owner.data(f"/servers/{world.server}/services") if s["unit"] == unit)


def test_reload_keeps_the_process(world):
    pid = lambda: world.machine.run(["systemctl", "show", "-P", "MainPID", "nginx"]).stdout  # noqa: E731
    before = pid()
    assert act(world, "unit.reload")["status"] == "succeeded" and pid() == before and nginx(world) == "active"
    world.machine.run(["journalctl", "--sync"])
    assert "Reloaded nginx" in world.machine.run(["journalctl", "-q", "-u", "nginx", "-o", "cat"]).stdout
    world.machine.run(["tee", "/run/systemd/system/cannot.service"], input="[Service]\nExecStart=/bin/sleep infinity\n")
    world.machine.run(["systemctl", "daemon-reload"])
    cannot = act(world, "unit.reload", unit="cannot.service")
    assert cannot["status"] == "failed" and "reload" in cannot["error"], cannot


def test_disable_and_enable_are_about_the_next_boot_alone(world):
    for verb, said in (("unit.disable", "disabled"), ("unit.enable", "enabled")):
        done = act(world, verb)
        assert done["status"] == "succeeded" and done["result"]["unit"]["file_state"] == said, done
        assert world.machine.run(["systemctl", "is-enabled", "nginx"], check=False).stdout.strip() == said and nginx(world) == "active"
        wait_for(lambda said=said: service(world, "nginx.service")["file_state"] == said, 30)


def test_a_unit_that_nothing_starts_is_listed_and_can_be_enabled_and_a_static_one_says_why_not(world):
    put = lambda name, text: world.machine.run(["tee", f"/etc/systemd/system/{name}"], input=text)  # noqa: E731
    put("later.service", "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n")
    put("static.service", "[Service]\nExecStart=/bin/true\n")
    world.machine.run(["systemctl", "daemon-reload"])
    seen = wait_for(lambda: next((s for s in world.owner.data(f"/servers/{world.server}/services") if s["unit"] == "later.service"), None), 40)
    assert (seen["load"], seen["active"], seen["file_state"]) == ("unloaded", "inactive", "disabled"), seen
    assert not [s["unit"] for s in world.owner.data(f"/servers/{world.server}/services") if "@." in s["unit"]]  # a template is none
    assert act(world, "unit.enable", unit="later.service")["result"]["unit"]["file_state"] == "enabled"
    refused = act(world, "unit.enable", unit="static.service")
    assert refused["status"] == "failed" and "[Install]" in refused["error"], refused
    kept = act(world, "unit.disable", unit="static.service")
    assert kept["status"] == "failed" and "static" in kept["error"], kept
    none = act(world, "unit.enable", unit="no-such-thing.service")
    assert none["status"] == "failed" and "no such unit" in none["error"], none


def unit_file(world, name, install, start="/bin/true"):
    world.machine.run(["tee", f"/etc/systemd/system/{name}"], input=f"[Service]\nExecStart={start}\n[Install]\nWantedBy=multi-user.target\n{install}\n")


def is_enabled(world, unit):
    return world.machine.run(["systemctl", "is-enabled", unit], check=False).stdout.strip()


def test_enabling_one_unit_brings_no_other_along_that_it_could_not_be_and_takes_no_link_away(world):
    unit_file(world, "dropbear.service", "")  # a way in: stopping or disabling it shuts people out
    unit_file(world, "between.service", "Also=systemd-logind.service")
    for name, also in (("one", "Also=dropbear.service"), ("two", "Also=systemd-logind.service"), ("three", "Alias=dbus.service"), ("four", "Also=x@%i.service"),
                       ("five", "Also=between.service")):  # systemd goes on from file to file
        unit_file(world, f"{name}.service", also)
        world.machine.run(["systemctl", "daemon-reload"])
        for verb in ("unit.enable", "unit.disable"):
            done = act(world, verb, unit=f"{name}.service")
            allowed = verb == "unit.enable" and "Also=dropbear" in also  # that a way in starts with the server shuts nobody out
            assert done["status"] == ("succeeded" if allowed else "failed"), done
        assert is_enabled(world, f"{name}.service") == ("enabled" if name == "one" else "disabled")
    world.machine.run(["systemctl", "disable", "--quiet", "one.service", "dropbear.service"])
    world.machine.run(["sh", "-c", "printf '[Service]\\nExecStart=/bin/true\\n[Install]\\nWantedBy=multi-user.target\\n' > /opt/elsewhere.service"])
    world.machine.run(["systemctl", "enable", "--quiet", "/opt/elsewhere.service"])
    unit_file(world, "takes.service", "Also=elsewhere.service")
    world.machine.run(["systemctl", "daemon-reload"])
    refused = act(world, "unit.disable", unit="takes.service")  # nor by what it brings along
    assert refused["status"] == "failed" and "is a link" in refused["error"] and is_enabled(world, "elsewhere.service") == "enabled", refused
    refused = act(world, "unit.disable", unit="elsewhere.service")
    assert refused["status"] == "failed" and "is a link" in refused["error"] and is_enabled(world, "elsewhere.service") == "enabled", refused


def test_a_running_unit_gets_no_further_name_for_systemd_would_lose_sight_of_it(world):
    unit_file(world, "known.service", "Alias=also-known.service", start="/bin/sleep infinity")
    unit_file(world, "brings.service", "Also=known.service")
    world.machine.run(["systemctl", "daemon-reload"])
    world.machine.run(["systemctl", "start", "known"])
    for unit in ("known.service", "brings.service"):
        refused = act(world, "unit.enable", unit=unit)
        assert refused["status"] == "failed" and "further name, also-known.service" in refused["error"], refused
        assert is_enabled(world, unit) == "disabled"
    assert world.machine.run(["systemctl", "is-active", "known"]).stdout.strip() == "active"
    world.machine.run(["systemctl", "stop", "known"])
    assert act(world, "unit.enable", unit="known.service")["result"]["unit"]["file_state"] == "enabled"
    world.machine.run(["systemctl", "start", "known"])
    assert act(world, "unit.enable", unit="known.service")["status"] == "succeeded"  # it has the name already
    world.machine.run(["systemctl", "stop", "known"])


def test_raw_bytes_in_a_log_are_shown_and_cut_off_nobody(world):
    """Through systemd-cat, as a service and from the unit's own output; the agent stays where it is."""
    connected = world.machine.run(["journalctl", "-u", "caip-agent", "-o", "cat", "--no-pager"]).stdout.count('"message":"connected"')
    script = r"printf 'raw \377 byte\n'; printf 'x%.0s' $(seq 4095); printf '\303\244\303\244\n'; printf 'cat \376 too\n' | systemd-cat -t rawcat"
    world.machine.run(["systemd-run", "--unit=rawbytes", "--wait", "-q", "sh", "-c", script])
    def read():
        done = act(world, "journal.read", unit="rawbytes.service", lines=50)
        assert done["status"] == "succeeded", done
        lines = "\n".join(done["result"]["lines"])
        return lines if "raw \ufffd byte" in lines and "xxxx" in lines else None
    wait_for(read, 20, 1)
    after = world.machine.run(["journalctl", "-u", "caip-agent", "-o", "cat", "--no-pager"]).stdout.count('"message":"connected"')
    assert after == connected


def test_s14_what_a_disabled_person_asked_for_or_approved_is_not_carried_out(world):
    """Asked for: the proposal ends with its requester. Approved while web-1 is away: it ends with its approver, and does not wait for them to come back."""
    asks, allows = world.control.member(world.owner, "member", "asks@example.org"), world.control.member(world.owner, "admin", "allows@example.org")
    rows = {m["email"]: m for m in world.owner.data("/members")}

    def disable(email):
        row = rows[email]
        answer = world.owner.call("POST", f"/members/{row['id']}/disable", {}, headers={"If-Match": f'"{row["version"]}"'})
        assert answer.status_code == 200, answer.text

    card, _ = ask(world, "restart nginx on web-1", asks)
    disable("asks@example.org")
    ended = world.owner.get(f"/approvals/{card['id']}").json()
    assert ended["state"] == "expired" and ended["requested_by"]["email"] == "asks@example.org", ended
    problem(world.owner.post(f"/approvals/{card['id']}/approve", {"digest": card["digest"]}), 409)

    card, _ = ask(world, "restart nginx on web-1")
    world.machine.run(["systemctl", "stop", "caip-agent"])
    try:
        wait_for(lambda: not world.owner.get(f"/servers/{world.server}").json()["online"], 60)
        assert allows.post(f"/approvals/{card['id']}/approve", {"digest": card["digest"]}).status_code == 200
        disable("allows@example.org")
        row = next(m for m in world.owner.data("/members") if m["email"] == "allows@example.org")
        assert world.owner.call("POST", f"/members/{row['id']}/enable", {}, headers={"If-Match": f'"{row["version"]}"'}).status_code == 200
    finally:
        world.machine.run(["systemctl", "start", "caip-agent"])
    wait_for(lambda: world.owner.get(f"/servers/{world.server}").json()["online"], 60)
    after = world.owner.get(f"/approvals/{card['id']}").json()
    assert after["state"] == "failed" and "whom it rested on left" in str(after["outcome"]), after
    assert after["operation_id"] is None


@pytest.mark.parametrize("how", ["leaves", "removed"])
def test_s14_whoever_leaves_or_is_removed_loses_tokens_streams_and_proposals_at_once_and_what_they_hold_is_listed(world, how):
    email = f"{how}@example.org"
    api = world.control.member(world.owner, "admin", email)
    program = Api(world.control, api.post("/tokens", {"name": "ci", "days": 1, "scopes": ["server.view"]}).json()["token"])
    assert api.post("/secrets", {"kind": "env_value", "name": f"TYPED_IN_{how.upper()}", "value": "v"}).status_code == 201
    card, _ = ask(world, "restart nginx on web-1", api)
    assert card["state"] == "pending" and card["requested_by"]["email"] == email, card
    streams = Listener(api), Listener(program)
    row = next(m for m in world.owner.data("/members") if m["email"] == email)
    if how == "leaves":
        answer = api.post("/organization/leave", {"organization_id": api.session["organization"]["id"]})
    else:
        answer = world.owner.call("DELETE", f"/members/{row['id']}", headers={"If-Match": f'"{row["version"]}"'})
    done = time.monotonic()
    assert answer.status_code == 200, answer.text
    problem(api.get("/session"), 401)
    problem(world.control.anonymous().post("/sessions/refresh", {"refresh_token": api.session["refresh_token"]}), 401)
    problem(program.get("/servers"), 401)
    ended = world.owner.get(f"/approvals/{card['id']}").json()
    assert ended["state"] == "expired", ended
    problem(world.owner.post(f"/approvals/{card['id']}/approve", {"digest": card["digest"]}), 409)
    for stream in streams:
        assert stream.wait_end(10) and stream.ended - done < 1, "a stream outlived the membership"
    held = answer.json()["still_held"]
    assert [s["name"] for s in held["secrets"]] == [f"TYPED_IN_{how.upper()}"] and held["by_hand"], held


def test_an_alias_does_not_reach_the_machine(world):
    """/etc/systemd/system/harmless.service is another name of systemd-logind.service: only the server knows."""
    world.machine.run(["ln", "-sf", "/usr/lib/systemd/system/systemd-logind.service", "/etc/systemd/system/harmless.service"])
    world.machine.run(["systemctl", "daemon-reload"])
    for verb in ("unit.stop", "unit.reload", "unit.disable", "unit.enable"):
        refused = act(world, verb, unit="harmless.service")
        assert refused["status"] == "failed" and "systemd-" in refused["error"], refused
    assert world.machine.run(["systemctl", "is-active", "systemd-logind"], check=False).stdout.strip() == "active"


def test_unknown_unit_fails_clearly(world):
    failed = act(world, "unit.restart", unit="no-such-thing.service")
    assert failed["status"] == "failed" and "this server has no such unit" in failed["error"], failed
    ended = next(e["entry"] for e in entries(world.owner, "operation.finish") if e["entry"]["params"]["operation"] == failed["id"])
    assert ended["result"] == "failed" and "no such unit" in ended["detail"]["error"], ended


def test_a_card_about_an_unknown_unit_fails_and_says_why(world):
    card, conversation = ask(world, "restart no-such-thing.service on web-1")
    assert world.owner.post(f"/approvals/{card['id']}/approve", {"digest": card["digest"]}).status_code == 200
    done = approval(world, card["id"], ("completed", "failed"))
    assert done["state"] == "failed" and "this server has no such unit" in done["outcome"], done
    told = wait_for(lambda: [m for m in world.owner.get(f"/pilot/conversations/{conversation}").json()["messages"] if m["role"] == "tool"], 20)
    assert "was allowed and failed" in told[-1]["text"], told


def test_the_last_lines_of_a_unit_are_the_last_and_as_many_as_asked(world):
    world.machine.run(["systemd-run", "--quiet", "--unit=thirty", "sh", "-c", "for n in $(seq 1 30); do echo line-$n; done; exec sleep 600"])
    try:
        wait_for(lambda: "line-30" in world.machine.run(["journalctl", "-q", "-u", "thirty", "-o", "cat"]).stdout, 20)
        for asked in (1, 5, 20):
            lines = act(world, "journal.read", unit="thirty.service", lines=asked)["result"]["lines"]
            assert [line.split()[-1] for line in lines] == [f"line-{n}" for n in range(31 - asked, 31)], lines
    finally:
        world.machine.run(["systemctl", "stop", "thirty"])


def test_root_of_the_server_stops_all_orders_without_network_and_lets_them_run_again(world):
    """With the network half stopped, as it would be with no network: what counts is on the server alone."""
    world.machine.run(["systemctl", "stop", "caip-agent"])
    begun = world.machine.run(["caip-agent", "panic", "--reason", "a test"])
    assert "caip-agent panic --end" in begun.stdout
    world.machine.run(["systemctl", "start", "caip-agent"])
    try:
        wait_for(lambda: world.owner.get(f"/servers/{world.server}").json()["online"], 60)
        for kind in ("unit.stop", "unit.status"):
            refused = act(world, kind)
            assert refused["status"] == "failed" and "root stopped all orders" in refused["error"], refused
        assert nginx(world) == "active" and "a test" in world.machine.run(["cat", "/etc/caip/panic"]).stdout
    finally:
        world.machine.run(["caip-agent", "panic", "--end"])
    assert act(world, "unit.status")["status"] == "succeeded"


@pytest.mark.parametrize("unit", ["nginx", "--help", "../x.service", "a b.service", "nginx.service\n", "ngin\u202ex.service", ""])
def test_what_is_no_unit_name(world, unit):
    answer = world.owner.post(f"/servers/{world.server}/actions", {"type": "unit.restart", "unit": unit})
    assert answer.status_code in (400, 422), answer.text


@pytest.mark.parametrize("kind", ["unit.start", "unit.stop", "unit.restart", "unit.reload", "unit.enable", "unit.disable", "journal.read"])
def test_a_viewer_changes_nothing_and_the_refusal_is_in_the_log(world, kind):
    answer = world.viewer.post(f"/servers/{world.server}/actions", {"type": kind, "unit": "nginx.service", **({"lines": 5} if kind == "journal.read" else {})})
    problem(answer, 403, "forbidden")
    assert nginx(world) == "active"
    newest = blocked(world, kind, world.viewer)[0]
    assert newest["params"]["unit"] == "nginx.service" and newest["target"] == world.server and newest["source"] == "user", newest


def test_a_member_adds_no_server_and_no_person_and_the_refusals_are_in_the_log(world):
    problem(world.member.post("/enrolments", {"name": "by-a-member"}), 403, "forbidden")
    assert blocked(world, "enrolment.create", world.member)[0]["params"]["name"] == "by-a-member"
    problem(world.member.post("/members", {"email": "friend@example.org", "role": "viewer", "password": "a long enough password"}), 403, "forbidden")
    assert blocked(world, "member.add", world.member)[0]["params"]["email"] == "friend@example.org"
    assert "friend@example.org" not in {m["email"] for m in world.owner.data("/members")}


def test_pilot_restart_after_allow(world):
    world.machine.run(["systemctl", "stop", "nginx"])
    card, conversation = ask(world, "nginx on web-1 is down, bring it back")
    assert card["state"] == "pending" and card["target"]["server_name"] == "web-1"
    assert "nginx.service" in card["bytes"] and len(card["digest"]) == 64 and card["intent"] and card["impact"]
    assert nginx(world) == "inactive"  # nothing runs before the yes
    answer = world.owner.post(f"/approvals/{card['id']}/approve", {"digest": card["digest"]})
    assert answer.status_code in (200, 202), answer.text
    done = approval(world, card["id"], ("completed", "failed"))
    assert done["state"] == "completed", done
    assert nginx(world) == "active"
    # Once: a second yes changes nothing.
    again = world.owner.post(f"/approvals/{card['id']}/approve", {"digest": card["digest"]})
    problem(again, 409, "already_decided")
    told = wait_for(lambda: [m for m in world.owner.get(f"/pilot/conversations/{conversation}").json()["messages"]
                             if m["role"] == "pilot"], 20)
    assert any("built-in" in (m["label"] or "") for m in told)


def test_pilot_after_deny(world):
    world.machine.run(["systemctl", "stop", "nginx"])
    card, _ = ask(world, "nginx on web-1 is down, bring it back")
    answer = world.owner.post(f"/approvals/{card['id']}/deny", {"digest": card["digest"], "reason": "not now"})
    assert answer.status_code in (200, 202), answer.text
    assert approval(world, card["id"], ("denied",))["reason"] == "not now"
    assert nginx(world) == "inactive"
    problem(world.owner.post(f"/approvals/{card['id']}/approve", {"digest": card["digest"]}), 409)
    assert nginx(world) == "inactive"
    act(world, "unit.start")


def test_approving_other_bytes_is_refused(world):
    card, _ = ask(world, "restart nginx on web-1")
    problem(world.owner.post(f"/approvals/{card['id']}/approve", {"digest": "0" * 64}), 422, "digest_mismatch")
    assert approval(world, card["id"], ("pending",))
    world.owner.post(f"/approvals/{card['id']}/deny", {"digest": card["digest"], "reason": "test"})


def test_a_viewer_approves_nothing(world):
    card, _ = ask(world, "restart nginx on web-1")
    for how in ("approve", "deny"):
        problem(world.viewer.post(f"/approvals/{card['id']}/{how}", {"digest": card["digest"]}), 403, "forbidden")
        assert blocked(world, f"approval.{how}", world.viewer)[0]["params"]["approval"] == card["id"]
    assert approval(world, card["id"], ("pending",))
    world.owner.post(f"/approvals/{card['id']}/deny", {"digest": card["digest"], "reason": "test"})


def test_all_of_it_is_in_the_log_and_the_log_holds(world):
    names = {e["entry"]["action"] for e in entries(world.owner)}
    for action in ("session.sign_in", "server.enrol", "approval.propose", "approval.approve", "approval.deny",
                   "unit.restart", "operation.finish"):
        assert action in names, f"{action} is not in {sorted(names)}"
    denied = [e["entry"] for e in entries(world.owner) if e["entry"]["result"] == "blocked"]
    assert any(e["action"] == "approval.approve" for e in denied)
    code, said = world.control.verify()
    assert code == 0, said


def test_caipd_killed_and_back(world):
    world.control.kill()
    world.control.start()
    owner = world.owner = world.control.sign_in()
    wait_for(lambda: owner.get(f"/servers/{world.server}").json()["online"], 60)
    assert act(world, "unit.restart")["status"] == "succeeded"
    code, said = world.control.verify()
    assert code == 0, said


def test_agent_killed_and_back(world):
    world.machine.run(["systemctl", "kill", "-s", "KILL", "caip-agent"], check=False)
    wait_for(lambda: act_or_none(world), 60, 1)


def act_or_none(world):
    answer = world.owner.post(f"/servers/{world.server}/actions", {"type": "unit.status", "unit": "nginx.service"})
    if answer.status_code != 202:
        assert answer.status_code == 503, answer.text
        return None
    return finished(world, answer.json()["id"])["status"] == "succeeded"


def test_agent_gone(world):
    """An order to a server that is not there is refused, not kept for later."""
    world.machine.run(["systemctl", "stop", "caip-agent"], check=False)
    wait_for(lambda: not world.owner.get(f"/servers/{world.server}").json()["online"], 60)
    answer = world.owner.post(f"/servers/{world.server}/actions", {"type": "unit.restart", "unit": "nginx.service"})
    problem(answer, 503, "server_offline")
    world.machine.run(["systemctl", "start", "caip-agent"])
    wait_for(lambda: world.owner.get(f"/servers/{world.server}").json()["online"], 60)
