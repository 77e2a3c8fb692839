// A stand-in for caipd: serves dist/ and a small API with made-up data, under the strict CSP.
//   node mock.mjs [PORT]      sign in with anything; the password "wrong" is refused
//   MOCK=empty                no servers and no set-up yet (token "first-use")
//   MOCK=no-mail              sends no letters
import { createHash, randomUUID } from "node:crypto";
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { notificationsMock } from "./mock-notifications.mjs";
import { sitesMock } from "./mock-sites.mjs";

const dist = join(dirname(fileURLToPath(import.meta.url)), "dist");
const empty = process.env.MOCK === "empty", mail = !empty && process.env.MOCK !== "no-mail";
const csp = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
const types = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
const now = () => new Date().toISOString();
const later = (s) => new Date(Date.now() + s * 1000).toISOString();
const id = (p) => p + randomUUID().replaceAll("-", "").slice(0, 20);
const sha = (s) => createHash("sha256").update(s).digest("hex");
const GiB = 2 ** 30;

// RFC 6962, the plain recursive way.
const canonical = (v) => (Array.isArray(v) ? `[${v.map(canonical)}]` : v && typeof v === "object" ? `{${Object.keys(v).sort().map((k) => `${JSON.stringify(k)}:${canonical(v[k])}`)}}` : JSON.stringify(v));
const h = (...parts) => { const d = createHash("sha256"); parts.forEach((p) => d.update(p)); return d.digest(); };
const half = (n) => { let k = 1; while (k * 2 < n) k *= 2; return k; };
const tree = (l) => (l.length === 1 ? l[0] : h("\x01", tree(l.slice(0, half(l.length))), tree(l.slice(half(l.length)))));
const pathTo = (i, l) => { const k = half(l.length); return l.length === 1 ? [] : i < k ? [...pathTo(i, l.slice(0, k)), tree(l.slice(k))] : [...pathTo(i - k, l.slice(k)), tree(l.slice(0, k))]; };
const leaves = () => audit.map((r) => h("\x00", canonical(r.entry)));

let setUp = !empty;
let streams = [];
const tell = (event, data) => streams.forEach((r) => r.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`));

function sample(at, i, seed) {
  const wave = (p, o) => (Math.sin(i / p + seed + o) + 1) / 2;
  return { cpu_ratio: 0.08 + 0.35 * wave(9, 0) + 0.05 * Math.random(), mem_used: (0.9 + 0.25 * wave(31, 1)) * GiB, mem_total: 2 * GiB,
    disk_used: (7.1 + i * 0.002) * GiB, disk_total: 20 * GiB, net_rx_bps: 40e3 + 300e3 * wave(5, 2), net_tx_bps: 20e3 + 120e3 * wave(7, 3),
    load1: 0.2 + wave(9, 0), at };
}
let tick = 240;
const history = (seed) => Array.from({ length: 240 }, (_, i) => sample(new Date(Date.now() - (239 - i) * 15000).toISOString(), i, seed));
const server = (name, more) => ({ id: id("srv_"), name, online: true, last_seen: now(), channel: { status: "post_quantum", group: "X25519MLKEM768" },
  environment: "development", version: 1, os: "Debian GNU/Linux 13 (trixie)", kernel: "6.12.48-amd64", latest: null, leaves_at: null, ...more });
const servers = empty ? [] : [server("web-1"), server("db-1", { environment: "production" }),
  server("old-box", { environment: "unknown", online: false, last_seen: later(-7400), channel: { status: "offline", group: null }, os: "Debian 12 \u202eevil\u202c<b>bold</b>" })];
const metrics = new Map(servers.map((s, i) => [s.id, s.online ? history(i * 2) : []]));
for (const s of servers) s.latest = metrics.get(s.id).at(-1) ?? null;
const unit = (unit, description, active = "active", sub = "running", load = "loaded") => ({ unit, description, load, active, sub,
  control: unit.startsWith("systemd-") ? "no" : unit === "ssh.service" ? "destructive" : "caution" });
const services = [unit("nginx.service", "A high performance web server and a reverse proxy server", "inactive", "dead"), unit("ssh.service", "OpenBSD Secure Shell server"),
  unit("cron.service", "Regular background program processing daemon"), unit("postgresql.service", "PostgreSQL RDBMS", "active", "exited"),
  unit("backup.service", "Nightly backup", "failed", "failed"), unit("systemd-journald.service", "Journal Service"), unit("odd\u200bname.service", "<img src=x onerror=alert(1)> with a zero width space"),
  unit("apparmor.service", "apparmor.service", "inactive", "dead", "not-found")];
const machine = {
  "process.list": { left_out: 12, processes: [
    { pid: 812, name: "nginx", user: "www-data", unit: "nginx.service", memory: 41943040, cpu_ms: 93210, started_at: "2026-03-01T10:00:00.000000Z", state: "S" },
    { pid: 1, name: "systemd", user: "root", unit: "init.scope", memory: 12582912, cpu_ms: 4120, started_at: "2026-03-01T09:59:00.000000Z", state: "S" },
    { pid: 4711, name: "<b>x\u202egpj", user: "1007", unit: "", memory: 4096, cpu_ms: 0, started_at: "2026-03-01T11:00:00.000000Z", state: "Z" }] },
  "socket.list": { left_out: 0, sockets: [
    { protocol: "tcp", address: "0.0.0.0", port: 22, user: "root", unit: "ssh.service" }, { protocol: "tcp", address: "::", port: 22, user: "root", unit: "ssh.service" },
    { protocol: "tcp", address: "0.0.0.0", port: 80, user: "root", unit: "nginx.service" }] },
  "disk.list": { left_out: 0, disks: [{ path: "/", device: "/dev/vda1", type: "ext4", size: 53687091200, used: 51002736640, free: 2000000000, inodes: 3276800, inodes_used: 98304 },
    { path: "/srv", device: "tank/srv", type: "zfs", size: 107374182400, used: 1073741824, free: 106300440576, inodes: 0, inodes_used: 0 }] },
};
const journal = ["2026-03-01T10:00:01 web-1 nginx[812]: 2026/03/01 10:00:01 [notice] signal process started", "2026-03-01T10:02:44 web-1 nginx[812]: <script>alert('x')</script> GET /\u202egpj.exe",
  "2026-03-01T10:03:10 web-1 systemd[1]: Stopping nginx.service - A high performance web server…", "2026-03-01T10:03:10 web-1 systemd[1]: nginx.service: Deactivated successfully. \u001b[31mred\u001b[0m"].join("\n");

const session = { user: { id: "usr_1", email: "mara@example.org" }, role: "owner", organization: { id: "org_1", name: "Example" }, expires_at: later(600),
  permissions: ["server.view", "server.enrol", "server.disconnect", "server.classify", "server.key", "server.check", "production.release", "unit.start", "unit.stop", "unit.restart", "unit.control_access", "journal.read", "machine.view", "server.reboot", "site.view", "site.manage", "site.delete", "pilot.use", "pilot.view", "ai.stop", "ai.control", "approval.view", "approval.decide", "member.view", "member.disable", "member.add", "member.change_role", "member.remove", "ownership.transfer", "role.view", "access.view", "invitation.view", "invitation.create", "invitation.revoke", "token.own", "token.view_all", "token.revoke_any", "organization.rename", "organization.delete", "organization.session_limits", "audit.view", "audit.export", "secret.view", "secret.env", "secret.cloud", "secret.ssh", "secret.notification", "secret.ai", "secret.use", "env.place", "key.view", "key.rotate", "notification.manage", "own.session"] };
const openSession = (device, address, current, more = {}) => ({ id: id("ses_"), current, device, address, country: "DE", network: "192.0.0.0/16", created_at: later(-90000), last_used_at: later(-300), expires_at: later(500000), ...more });
let sessions = [openSession("Chrome on Linux", "192.0.2.7", true), openSession("Safari on iOS", "198.51.100.4", false), openSession("caip on Linux", "2001:db8::7", false, { last_used_at: later(-40000) })];
const knownDevice = (s, more = {}) => ({ id: id("dev_"), current: s.current, device: s.device, address: s.address, country: s.country, network: s.network, first_sign_in_at: later(-9000000), last_sign_in_at: s.created_at, sessions: 1, ...more });
let devices = [...sessions.map((s) => knownDevice(s)), knownDevice(openSession("Edge on Windows", "203.0.113.30", false, { country: null }), { last_sign_in_at: later(-8000000), sessions: 0 })];
const account = { email: "mara@example.org", email_verified_at: null, wanted_email: null, mail };
const passkeys = [{ id: "fac_1", name: "Old phone", added_at: later(-864000), used_at: null, suspended: false }];
const enrolments = [];
let sessionLimits = { idle_minutes: 720, lifetime_minutes: 10080 };
const members = [{ id: "usr_1", email: "mara@example.org", role: "owner", version: 1, created_at: later(-864000), disabled_at: null }];
const invitations = [], tokens = [];
const roleRow = (category, permission, about, roles, token, pilot) => ({ category, permission, about, roles, token, pilot });
const roleRows = [roleRow("Servers", "server.view", "see the servers", ["owner", "admin", "member", "viewer"], true, true), roleRow("Servers", "server.enrol", "enrol a server", ["owner", "admin"], true, false),
  roleRow("Keys", "key.rotate", "rotate a key", ["owner"], false, false)];
const organizations = [{ id: "org_1", name: "Example", role: "owner" }];
const held = { secrets: [{ id: "sec_1", kind: "env_value", name: "DATABASE_URL" }], enrolments: [], by_hand: ["SSH keys and accounts that were put on servers by hand"] };
const secret = (kind, name, more = {}) => ({ id: id("sec_"), kind, name, version: 1, public_key: kind === "ssh_key" ? `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${sha(name).slice(0, 43)} ${name}` : null, created_at: now(), replaced_at: null, placed_on: 0, ...more });
const secrets = [secret("env_value", "DATABASE_URL", { version: 3, replaced_at: later(-3600) }), secret("env_value", "SMTP_PASSWORD"), secret("ssh_key", "deploy"), secret("cloud_key", "hetzner"), secret("ai_provider", "MAIN_MODEL")];
const stored = (key, algorithm, rotates, more = {}) => ({ key, algorithm, generation: 1, state: "current", created_at: later(-864000), age_days: 10, rotates, next_rotation_at: rotates ? later(7e6) : null, ends_at: null, secrets: null, ...more });
const keys = [stored("root", "XAES-256-GCM", true), stored("data", "XAES-256-GCM", true, { secrets: 4 }), stored("jwt", "Ed25519", true), stored("checkpoint", "Ed25519", true),
  stored("order", "Ed25519", true), stored("ca", "ECDSA P-256", true), stored("agent_ca", "ML-DSA-65", true, { servers_waiting: 2 }), stored("pepper", "HMAC-SHA-384", false)];
const operations = new Map();
// Files of the server's users: what was placed, beside the secrets as they are now.
const placed = [{ user: "www-data", operation_id: id("opr_"), state: "placed", at: later(-7200), variables: [{ secret_id: secrets[0].id, version: 2 }, { secret_id: secrets[1].id, version: 1 }] }];
const envFiles = () => placed.map((f) => ({ ...f, variables: f.variables.map((v) => {
  const s = secrets.find((x) => x.id === v.secret_id);
  return { ...v, name: s?.name ?? null, current_version: s?.version ?? null };
}) }));
function envOrder(type, user, s, then) {
  const o = { id: id("opr_"), type, server_id: s.id, unit: null, user, status: "pending", result: null, error: null, created_at: now(), finished_at: null, approval_id: null };
  operations.set(o.id, o);
  setTimeout(() => { then(o); Object.assign(o, { status: "succeeded", finished_at: now() }); tell("operation.updated", { operation_id: o.id, status: o.status }); }, 300);
  return o;
}
const gone = (user) => { const at = placed.findIndex((f) => f.user === user); if (at >= 0) placed.splice(at, 1); };
const placeEnv = (body, s) => envOrder("env.place", body.user, s, (o) => {
  gone(body.user);
  placed.push({ user: body.user, operation_id: o.id, state: "placed", at: now(), variables: body.secrets.map((x) => ({ secret_id: x, version: secrets.find((y) => y.id === x).version })) });
});
const removeEnv = (body, s) => envOrder("env.remove", body.user, s, () => gone(body.user));
const approvals = [];
const conversations = [];
const audit = [];
function log(action, result, more = {}) {
  const entry = { v: 1, at: now(), org: "org_1", actor: { kind: "user", id: "usr_1" }, source: "user", approver: null, action, params: {}, target: servers[0]?.id ?? null,
    result, detail: {}, address: "127.0.0.1", user_agent: "Mozilla/5.0", request: id("req_"), ...more };
  audit.push({ index: audit.length, hash: sha(`\x00${canonical(entry)}`), entry });
  tell("audit.appended", { size: audit.length });
}
function propose(state, verb = "restart", more = {}) {
  const s = servers[0];
  const bytes = JSON.stringify({ action: `unit.${verb}`, server: s.id, unit: "nginx.service", v: 1 });
  const a = { id: id("apr_"), state, intent: "Bring nginx back: it is stopped on web-1, and you asked for it to run.", action: JSON.parse(bytes), impact: "caution",
    target: { server_id: s.id, server_name: s.name, production: countsAsProduction(s) }, bytes, digest: sha(bytes), requested_by: { user_id: "usr_1", email: "mara@example.org", via: "pilot" },
    second_person: ai.second_person && (countsAsProduction(s) || verb === "stop"), decisions: [],
    decided_by: null, reason: null, created_at: now(), expires_at: later(900), operation_id: null, outcome: null, plan: null, surprise: "", ...more };
  approvals.unshift(a);
  log("approval.propose", "completed", { source: "pilot" });
  tell("approval.updated", { id: a.id, state });
  return a;
}
function operate(body, s, then = () => {}) {
  const o = { id: id("opr_"), type: body.type, server_id: s.id, unit: body.unit ?? null, user: null, status: "pending", result: null, error: null, created_at: now(), finished_at: null, approval_id: null };
  operations.set(o.id, o);
  setTimeout(() => {
    const u = services.find((x) => x.unit === body.unit);
    const ok = u !== undefined || body.unit === undefined;
    Object.assign(o, { status: ok ? "succeeded" : "failed", finished_at: now(), error: ok ? null : "unknown unit", result: ok ? machine[body.type] ?? (body.type === "journal.read" ? { lines: journal.split("\n") } : { active: "active" }) : null });
    if (ok && body.type === "unit.stop") Object.assign(u, { active: "inactive", sub: "dead" });
    if (ok && /start$/.test(body.type)) Object.assign(u, { active: "active", sub: "running" });
    log(body.type, ok ? "completed" : "failed", { params: { unit: body.unit } });
    tell("operation.updated", { id: o.id }); tell("services.updated", { server_id: s.id });
    then(o);
  }, 1200);
  return o;
}
const message = (role, text, more = {}) => ({ id: id("msg_"), role, text, label: role === "user" ? null : "built-in, no model", approval_id: null, at: now(), ...more });
const answering = new Set();
const serverKeys = new Map();
function serverKey(s, act) {
  if (!serverKeys.has(s.id)) serverKeys.set(s.id, { state: "good", key: sha(s.id), next_key: null, key_since: later(-86400 * 3), rotation_asked: false, certificate_from: later(-3600), certificate_until: later(82800), renews: true, check: { state: "never", at: null } });
  const k = serverKeys.get(s.id);
  if (act === "rotate") { k.rotation_asked = true; setTimeout(() => { Object.assign(k, { key: sha(s.id + now()), key_since: now(), rotation_asked: false }); tell("server.updated", { server_id: s.id }); }, 300); }
  if (act === "revoke") { k.state = "revoked"; Object.assign(s, { online: false, channel: { status: "offline", group: null } }); tell("server.updated", { server_id: s.id }); }
  if (act === "check") {
    k.check = { ...k.check, state: "running" };
    setTimeout(() => { k.check = { state: "passed", at: now(), group: "X25519MLKEM768", signature: "mldsa65", key: k.key, certificate_until: k.certificate_until, milliseconds: 41 }; tell("server.updated", { server_id: s.id }); }, 300);
  }
  return { ...k, group: s.online ? "X25519MLKEM768" : null, signature: s.online ? "mldsa65" : null };
}
const countsAsProduction = (s) => s.environment === "production" || s.environment === "unknown";
const operation = (name, about) => ({ operation: name, category: name.split(".")[0], about, on: true, category_on: true });
const guarded = { on: true, off_until: null, reason: null, switched_off_by: null };
let ai = { on: true, writes: true, changed_at: null, changed_by: null, production_protection: guarded, second_person: false,
  operations: [operation("unit.start", "start a service"), operation("unit.stop", "stop a service"), operation("unit.restart", "restart a service"), operation("env.place", "place env values")],
  limits: [{ limit: "steps_per_run", about: "calls of tools while the Pilot answers one question", value: 100, least: 1, most: 1000, unset: 100 },
    { limit: "steps_per_plan", about: "changes that the Pilot may put into one plan", value: 10, least: 1, most: 20, unset: 10 }] };
function aiAccess(s) {
  const access = s.ai ?? "full", no = (off) => ({ may: !off, why_not: off || null });
  const stopped = !ai.on && "the AI of this organisation is stopped (setting: AI)", none = access === "none" && "the AI has no access to this server (setting: AI access of the server, none)";
  const gates = (o) => [["AI", stopped], ["write actions", !ai.writes && "the AI of this organisation proposes no changes (setting: write actions of the AI)"],
    ["operations", !(o.on && o.category_on) && `the AI of this organisation does not propose ${o.operation} (setting: operations of the AI, ${o.operation})`],
    ["AI access of the server", none || (access === "read" && "the AI may look at this server and proposes nothing on it (setting: AI access of the server, read)")],
    ["Production Protection", countsAsProduction(s) && ai.production_protection.on && "this server counts as production, where the AI proposes nothing (setting: Production Protection, on)"]];
  const first = (o) => no(gates(o).map(([, off]) => off).find(Boolean));
  const told = ai.operations.find((o) => first(o).may) ?? ai.operations[0];
  return { server_id: s.id, access, look: no(stopped || none), propose: first(told), operations: ai.operations.map((o) => ({ operation: o.operation, ...first(o) })),
    gates: gates(told).map(([setting, off]) => ({ setting, open: !off, why_not: off || null })) };
}
function protect(on, body) {
  ai = { ...ai, production_protection: on ? guarded : { on: false, off_until: later(body.minutes * 60), reason: body.reason, switched_off_by: { user_id: "usr_1", email: "mara@example.org" } } };
  log(on ? "ai.protect_production" : "ai.unprotect_production", "completed");
  tell("ai.updated", { on: ai.on, writes: ai.writes });
  return ai;
}
function setSecondPerson({ required }) {
  ai = { ...ai, second_person: required };
  log("approval.set_second_person", "completed", { params: { required } });
  tell("ai.updated", { on: ai.on, writes: ai.writes });
  return ai;
}
function setOperation({ operation: name, on }) {
  ai = { ...ai, operations: ai.operations.map((o) => ({ ...o, ...(o.operation === name && { on }), ...(o.category === name && { category_on: on }) })) };
  log("ai.set_operation", "completed", { params: { operation: name, on } });
  return ai;
}
let chosenProvider = null;
const choose = (b) => ({ provider: b.provider, base_url: b.base_url ?? vendors.find((v) => v.provider === b.provider).base_url, model: b.model, max_tokens: 2048,
  key: b.secret ? { secret_id: secrets.find((s) => s.name === b.secret)?.id ?? "sec_1", name: b.secret } : null, changed_at: now(), changed_by: { user_id: "usr_1", email: "mara@example.org" } });
const vendors = [["anthropic", "https://api.anthropic.com"], ["openai", "https://api.openai.com/v1"], ["gemini", "https://generativelanguage.googleapis.com/v1beta"],
  ["ollama", "http://localhost:11434"], ["openai_compatible", null]].map(([provider, base_url]) => ({ provider, base_url }));
const aiProvider = () => ({ chosen: chosenProvider, label: chosenProvider?.model ?? "built-in, no model", builtin: !chosenProvider, vendors });
function setLimit({ limit, value }) {
  ai = { ...ai, limits: ai.limits.map((l) => (l.limit === limit ? { ...l, value } : l)) };
  log("ai.set_limit", "completed", { params: { limit, value } });
  return ai;
}
function switchAi(how) {
  ai = { ...ai, ...{ stop: { on: false }, start: { on: true }, "forbid-writes": { writes: false }, "allow-writes": { writes: true } }[how],
    changed_at: now(), changed_by: { user_id: "usr_1", email: "mara@example.org" } };
  if (how === "stop" || how === "forbid-writes")
    for (const a of approvals.filter((x) => x.state === "pending" || x.state === "half_approved")) {
      Object.assign(a, { state: "denied", decided_by: ai.changed_by, reason: "the AI was stopped" });
      tell("approval.updated", { approval_id: a.id });
    }
  log(`ai.${how.replace("-", "_")}`, "completed");
  tell("ai.updated", { on: ai.on, writes: ai.writes });
  return ai;
}
// Plans: steps are approvals; what a plan is about is computed each time it is looked at.
const plans = [];
function proposePlan(c) {
  const plan = id("pln_");
  const steps = [["restart", "caution"], ["start", "caution"], ["stop", "destructive"]].map(([verb, impact], i) => propose("pending", verb, { impact, plan: { id: plan, step: i + 1 }, intent: `Step ${i + 1} of three.` }));
  const bytes = canonical({ plan, steps: steps.map((s) => s.digest), v: 1 });
  const p = { id: plan, mode: c.mode, intent: "Put the shop right", bytes, digest: sha(bytes), steps, requested_by: { user_id: "usr_1", email: "mara@example.org", via: "pilot" }, conversation_id: c.id, created_at: now(), expires_at: later(900) };
  plans.unshift(p);
  return p;
}
const ended = (a) => ["completed", "failed", "denied", "expired", "held"].includes(a.state);
function planView(p) {
  const bad = p.steps.find((s) => ended(s) && s.state !== "completed"), next = p.steps.find((s) => s.state !== "completed"), running = p.steps.find((s) => s.state === "executing");
  const over = bad && p.steps.every((s) => s.plan.step >= bad.plan.step || ended(s));
  return { ...p, state: over ? "stopped" : !next ? "completed" : /pending|half/.test(next.state) ? "waiting" : "running",
    stopped: bad ? { step: bad.plan.step, why: `it was ${bad.state}${bad.reason ? `: ${bad.reason}` : ""}` } : null, running: running?.plan.step ?? null };
}
function advance(p) {
  const set = (a, more) => { Object.assign(a, more); tell("approval.updated", { approval_id: a.id, state: a.state }); };
  const bad = p.steps.find((s) => ended(s) && s.state !== "completed");
  if (bad) for (const s of p.steps) if (s.plan.step > bad.plan.step && !ended(s)) set(s, { state: "held", outcome: `step ${bad.plan.step} did not go as planned: it was ${bad.state}` });
  const next = p.steps.find((s) => s.state !== "completed");
  if (next?.state !== "approved") return;
  set(next, { state: "executing" });
  setTimeout(() => { set(next, { state: "completed", outcome: "nginx.service is active (running)" }); advance(p); }, 600);
}
function decidePlan(p, how, body) {
  if (body.digest !== p.digest) return false;
  const mara = { user_id: "usr_1", email: "mara@example.org" };
  const about = how === "deny" ? p.steps.filter((s) => s.state === "pending") : body.steps.map((n) => p.steps[n - 1]);
  if (about.length === 0 || about.some((s) => s?.state !== "pending" || (how === "approve" && s.impact === "destructive"))) return false;
  for (const s of about) Object.assign(s, { state: how === "deny" ? "denied" : "approved", decided_by: mara, reason: body.reason || null, decisions: [{ ...mara, decision: how === "deny" ? "denied" : "allowed", at: now() }] });
  log(`plan.${how}`, "completed");
  tell("approval.updated", { approval_id: about[0].id, state: about[0].state });
  advance(p);
  return true;
}
async function answer(c) {
  answering.add(c.id);
  await answerNow(c);
  answering.delete(c.id);
}
async function answerNow(c) {
  const say = (m) => { c.messages.push(m); tell("pilot.message", { conversation_id: c.id, message: m }); };
  const wait = (ms) => new Promise((r) => setTimeout(r, ms));
  await wait(500);
  say(message("tool", "service_status web-1 nginx.service\ninactive (dead) since 10:03:10\u202e"));
  const asks = c.mode === "ask";
  const m = message("pilot", asks ? "nginx.service on web-1 is stopped since 10:03. This conversation is in Ask mode: I propose nothing here."
    : "nginx.service on web-1 is stopped since 10:03. I propose to restart it. Nothing runs before you allow it.");
  for (const text of m.text.match(/.{1,9}/gs)) { await wait(60); tell("pilot.delta", { conversation_id: c.id, message_id: m.id, text }); }
  if (!asks) m.approval_id = /as a plan/.test(c.messages.findLast((x) => x.role === "user").text) ? proposePlan(c).steps[0].id : propose("pending").id;
  say(m);
}
function decide(a, how, body) {
  const mara = { user_id: "usr_1", email: "mara@example.org" };
  const waits = a.state === "pending" || (a.state === "half_approved" && a.decisions[0].user_id !== mara.user_id) || how === "deny";
  if (!waits || body.digest !== a.digest) return false;
  a.decisions.push({ ...mara, decision: how === "deny" ? "denied" : "allowed", at: now() });
  log(`approval.${how}`, "completed");
  const set = (more) => { Object.assign(a, more); tell("approval.updated", { id: a.id, state: a.state }); };
  if (how === "deny") { set({ state: "denied", decided_by: mara, reason: body.reason || null }); if (a.plan) advance(plans.find((p) => p.id === a.plan.id)); return true; }
  if (a.second_person && a.decisions.length === 1) { set({ state: "half_approved" }); return true; }
  a.decided_by = mara;
  set({ state: "approved" });
  if (a.plan) { advance(plans.find((p) => p.id === a.plan.id)); return true; }
  setTimeout(() => set({ state: "executing" }), 500);
  setTimeout(() => { a.operation_id = operate({ type: a.action.action, unit: "nginx.service" }, servers[0], () => set({ state: "completed", outcome: "nginx.service is active (running)" })).id; }, 900);
  return true;
}

if (!empty) {
  log("owner.create", "completed", { actor: { kind: "anonymous", id: null } }); log("session.sign_in", "completed"); log("session.sign_in", "denied", { actor: { kind: "anonymous" }, params: { email: "mallory@example.org" } });
  const lena = { user_id: "usr_2", email: "lena@example.org" }, mara = { user_id: "usr_1", email: "mara@example.org" };
  const by = (who, decision) => ({ decided_by: who, decisions: [{ ...who, decision, at: now() }] });
  const half = { second_person: true, impact: "destructive", decisions: [{ ...lena, decision: "allowed", at: now() }] };
  propose("half_approved", "stop", { ...half, intent: "Asked for by whoever looks at it." });
  propose("half_approved", "stop", { ...half, intent: "Asked for by somebody else.", requested_by: { ...lena, via: "pilot" } });
  propose("completed", "restart", { ...by(mara, "allowed"), outcome: "nginx.service is active (running)" });
  propose("denied", "stop", { reason: "Not during the day.", impact: "destructive", ...by(mara, "denied") });
  propose("failed", "start", { outcome: "job failed: \u2066see journal\u2069", ...by(mara, "allowed") });
  propose("expired"); propose("pending", "restart", { digest: sha("something else"), intent: "A card whose digest is not that of its bytes." }); propose("executing"); propose("pending");
  conversations.push({ id: id("cnv_"), title: "nginx on web-1 is down", mode: "plan", messages: [message("user", "What runs on web-1?"), message("pilot", "Six services, one of them failed: backup.service.")] });
  for (let i = 0; i < 70; i++) log("unit.status", i % 9 ? "completed" : "blocked");
  setInterval(() => servers.forEach((s, i) => {
    if (!s.online) return;
    const x = sample(now(), ++tick, i * 2);
    metrics.get(s.id).push(x); s.latest = x; s.last_seen = x.at;
    tell("metrics", { server_id: s.id, sample: x });
  }), 3000);
}

const problem = (status, code, title, detail = "") => ({ status, body: { type: "about:blank", title, status, detail, code, request_id: id("req_") } });
const ok = (body, status = 200) => ({ status, body });
const list = (data, next_cursor = null) => ok({ data, next_cursor });
const missing = () => problem(404, "not_found", "There is no such thing");

const cookie = (v) => ({ "Set-Cookie": `mock=${v}; HttpOnly; SameSite=Lax; Path=/` });

const notifications = notificationsMock({ id, now, later, ok: (...a) => ok(...a), list: (x) => list(x), missing: () => missing(), problem: (...a) => problem(...a), tell });
const sitesOf = sitesMock({ id, now, later, ok: (...a) => ok(...a), list: (x) => list(x), missing: () => missing(), problem: (...a) => problem(...a), servers, operations, log, tell });

function route(method, path, q, body, signedIn) {
  const is = (pattern) => path.match(new RegExp(`^${pattern}$`));
  const on = (m, pattern) => method === m && is(pattern);
  let m;
  if (on("GET", "/setup")) return ok({ needed: !setUp });
  if (on("POST", "/setup")) {
    if (body.token !== "first-use") return problem(403, "forbidden", "The set-up token is not valid", "It may have been used already.");
    setUp = true; session.user.email = body.email; return ok({}, 201);
  }
  if (on("POST", "/sessions")) {
    if (body.password === "wrong") return problem(401, "unauthenticated", "E-mail or password is wrong");
    return { ...ok(session, 201), headers: cookie("in") };
  }
  if (on("GET", "/sign-in/methods")) return ok({ password: true, password_reset: mail, providers: [{ id: "google", label: "Google" }, { id: "github", label: "GitHub" }] });
  if (on("POST", "/sessions/refresh")) return signedIn ? ok(session) : problem(401, "unauthenticated", "Sign in first");
  const dead = () => problem(410, "expired", "This has expired", "this link was used, replaced by a newer one, or has expired; have another letter sent");
  if (on("POST", "/password-resets")) return ok({ queued: true }, 202);
  if (on("POST", "/password-resets/look")) return body.token === "gone" ? dead() : ok({ email: "mara@example.org", second_factor: body.token === "second" });
  if (on("POST", "/password-resets/redeem")) return body.password.length < 15 ? problem(422, "invalid", "That cannot be done", "a password needs at least 15 characters; four or five words do well") : { status: 204 };
  if (on("POST", "/email-confirmations/look") || on("POST", "/email-confirmations")) return body.token === "gone" ? dead() : ok({ email: "mara@new.example.org", change: body.token !== "made", new_password: body.token === "made" });
  if (on("POST", "/sign-ins/look")) return body.token === "gone" ? dead() : ok({ device: "Chrome on Windows", address: "203.0.113.9", at: later(-600) });
  if (on("POST", "/sign-ins/disown")) return { status: 204 };
  if (on("POST", "/invitations/look")) return body.token === "gone" ? problem(410, "expired", "This has expired", "this invitation was used, revoked or has expired; ask for another one")
    : ok({ organization: "Example", email: "vera@example.org", role: "member", invited_by: "mara@example.org", expires_at: later(86400), has_account: false });
  if (on("POST", "/invitations/accept")) return ok({ organization: "Example", email: "vera@example.org" }, 201);
  if (!signedIn) return problem(401, "unauthenticated", "Sign in first");
  if (on("GET", "/session")) return ok(session);
  if (on("GET", "/session/step-up")) return ok({ password: true, passkey: true, code: true, app: true, providers: [{ id: "acme", label: "Acme" }] });
  if (on("POST", "/session/step-up")) {
    if (body.password === "wrong") return problem(422, "invalid", "A value is not acceptable", "the password is wrong");
    if (body.code !== "123456") return problem(422, "invalid", "A value is not acceptable", "the code is wrong, or was used already");
    return ok({ valid_seconds: 300 });
  }
  if (on("DELETE", "/session")) return { status: 204, headers: cookie("out") };
  if (on("GET", "/sessions")) return list(sessions);
  if ((m = on("POST", "/sessions/(.+)/disown"))) return body.password === "too short" ? problem(422, "invalid", "Not accepted", "at least 15 characters; four or five words do well") : { status: 204, headers: cookie("out") };
  if (on("DELETE", "/sessions")) { const n = sessions.length - 1; sessions = sessions.filter((s) => s.current); return ok({ ended: n }); }
  if (on("GET", "/devices")) return list(devices);
  if ((m = on("DELETE", "/devices/(.+)"))) {
    const gone = devices.find((d) => d.id === m[1]), ended = sessions.filter((s) => s.device === gone.device && !s.current);
    [devices, sessions] = [devices.filter((d) => d !== gone), sessions.filter((s) => !ended.includes(s))];
    return ok({ ended: ended.length });
  }
  if ((m = on("DELETE", "/sessions/(.+)"))) { sessions = sessions.filter((s) => s.id !== m[1]); return { status: 204 }; }
  if (on("PUT", "/account/password"))
    return body.password.length < 15 ? problem(422, "invalid", "A value is not acceptable", "a password needs at least 15 characters; four or five words do well") : { status: 204 };
  if (on("GET", "/organization/session-limits")) return ok(sessionLimits);
  if (on("PUT", "/organization/session-limits")) { sessionLimits = body; return ok(body); }
  if (on("GET", "/servers")) return list(servers);
  if (on("GET", "/enrolments")) return list(enrolments);
  if ((m = on("DELETE", "/enrolments/(.+)"))) { enrolments.find((e) => e.id === m[1]).expires_at = later(-1); return { status: 204 }; }
  if (on("POST", "/enrolments")) return ok({ ...(enrolments.unshift({ id: id("enr_"), name: body.name, created_at: now(), expires_at: later(1800), used_at: null }), enrolments[0]),
    install_command: `f=$(mktemp) && openssl s_client -connect localhost:8443 -showcerts </dev/null 2>/dev/null | sed -n '/BEGIN/,/END/p' >"$f" && echo '${sha("ca")}  '"$f" | sha256sum -c && curl --cacert "$f" -fsS https://localhost:8443/install.sh -o i.sh && echo enr_8f1 | sh i.sh` }, 201);
  if ((m = is("/servers/([^/]+)(/.*)?"))) {
    const s = servers.find((x) => x.id === m[1]);
    if (!s) return missing();
    const disconnection = () => ({ name: s.name, leaves_at: s.leaves_at, grace_seconds: 604800, orders: 1, env_values: 2 });
    if (on("GET", "/servers/([^/]+)/disconnection")) return ok(disconnection());
    if (on("POST", "/servers/([^/]+)/disconnection")) { Object.assign(s, { leaves_at: later(604800), online: false, channel: { status: "disconnected", group: null } }); return ok(disconnection()); }
    if (on("DELETE", "/servers/([^/]+)/disconnection")) { Object.assign(s, { leaves_at: null, online: true, channel: { status: "post_quantum", group: "X25519MLKEM768" } }); return { status: 204 }; }
    if (!m[2]) return ok(s);
    if (m[2]?.startsWith("/key")) return ok(serverKey(s, m[2].slice(5)), m[2] === "/key/check" ? 202 : 200);
    if (m[2] === "/metrics") return list(metrics.get(s.id));
    if (m[2] === "/services") return list(services);
    if (method === "GET" && m[2] === "/env") return list(envFiles());
    if (m[2] === "/env") return ok(placeEnv(body, s), 202);
    if (m[2] === "/env/removals") return ok(removeEnv(body, s), 202);
    if (m[2] === "/environment") {
      Object.assign(s, { environment: body.environment, version: s.version + 1 });
      log("server.set_environment", "completed", { params: { server: s.id, environment: s.environment } });
      tell("server.updated", { server_id: s.id });
      return ok(s);
    }
    if (m[2] === "/ai-access") {
      if (method === "PUT") { s.ai = body.access; log("ai.set_access", "completed", { params: { server: s.id, access: s.ai } }); tell("ai.updated", { on: ai.on, writes: ai.writes }); }
      return ok(aiAccess(s));
    }
    if (m[2] === "/actions") return ok(operate(body, s), 202);
  }
  if ((m = on("GET", "/operations/(.+)"))) return operations.has(m[1]) ? ok(operations.get(m[1])) : missing();
  if (on("GET", "/ai")) return ok(ai);
  if ((m = on("POST", "/ai/(stop|start|forbid-writes|allow-writes)"))) return ok(switchAi(m[1]));
  if ((m = on("POST", "/ai/(un)?protect-production"))) return ok(protect(!m[1], body));
  if (on("PUT", "/ai/operations")) return ok(setOperation(body));
  if (on("GET", "/ai/provider")) return ok(aiProvider());
  if (on("PUT", "/ai/provider")) { chosenProvider = choose(body); log("ai.set_provider", "completed", { params: { provider: body.provider } }); return ok(aiProvider()); }
  if (on("DELETE", "/ai/provider")) { chosenProvider = null; log("ai.remove_provider", "completed"); return ok(aiProvider()); }
  if (on("POST", "/ai/provider/test")) {
    log("ai.test_provider", "completed", { params: { provider: body.provider } });
    return body.secret ? ok({ models: ["stand-in-1", "stand-in-2"] }) : problem(403, "forbidden", "You may not do this", "the AI provider's address is not public");
  }
  if (on("PUT", "/ai/limits")) return ok(setLimit(body));
  if (on("PUT", "/ai/second-person")) return ok(setSecondPerson(body));
  if (on("GET", "/pilot")) return ok({ label: "built-in, no model", model: null, builtin: true, examples: ["nginx on web-1 is down, bring it back", "what runs on web-1?", "show the journal of nginx on web-1", "restart nginx on web-1"] });
  if (on("GET", "/pilot/conversations")) return list(conversations.map(({ messages, ...c }) => c));
  if (on("POST", "/pilot/conversations")) { const c = { id: id("cnv_"), title: "", mode: body?.mode ?? "plan", messages: [] }; conversations.unshift(c); return ok(c, 201); }
  if ((m = is("/pilot/conversations/([^/]+)(/messages|/mode)?"))) {
    const c = conversations.find((x) => x.id === m[1]);
    if (!c) return missing();
    if (!m[2]) return ok({ ...c, answering: answering.has(c.id) });
    if (m[2] === "/mode") {
      c.mode = body.mode;
      log("pilot.set_mode", "completed", { params: { conversation: c.id, mode: c.mode } });
      tell("pilot.mode", { conversation_id: c.id, mode: c.mode });
      return ok({ id: c.id, title: c.title, mode: c.mode });
    }
    const mine = message("user", body.text);
    c.messages.push(mine); c.title ||= body.text.slice(0, 60); void answer(c);
    return ok({ message: mine }, 202);
  }
  if (on("GET", "/approvals")) return list(approvals.filter((a) => !q.get("state") || a.state === q.get("state")));
  if ((m = is("/plans/([^/]+)(?:/(approve|deny))?"))) {
    const p = plans.find((x) => x.id === m[1]);
    if (!p) return missing();
    return !m[2] || decidePlan(p, m[2], body) ? ok(planView(p)) : problem(409, "conflict", "This is already decided", "A step of it is.");
  }
  if (on("GET", "/plans")) return list(plans.map(planView));
  if ((m = is("/approvals/([^/]+)(?:/(approve|deny))?"))) {
    const a = approvals.find((x) => x.id === m[1]);
    if (!a) return missing();
    return !m[2] || decide(a, m[2], body) ? ok(a) : problem(409, "conflict", "This approval is already decided", `It is ${a.state}.`);
  }
  if (path.startsWith("/sites")) return sitesOf(on, body) ?? missing();
  if (path.startsWith("/notifications/")) return notifications(on, q, body);
  if (on("GET", "/secrets")) return list(secrets.filter((s) => s.kind === q.get("kind")));
  if (on("GET", "/secrets/inventory")) return ok({ keys, seals: [{ id: "seal-1", kind: "key-file", created_at: now() }], memory_locked: true,
    classes: ["env_value", "cloud_key", "ssh_key", "notification", "ai_provider"].map((kind) => ({ kind, use: kind, algorithm: "XAES-256-GCM", count: secrets.filter((s) => s.kind === kind).length })) });
  if (on("POST", "/secrets/rotations")) { const k = keys.find((x) => x.key === body.key && x.state === "current"); k.generation++; k.age_days = 0; return ok({ key: body.key, state: "started" }, 202); }
  if (on("POST", "/secrets")) {
    if (secrets.some((s) => s.kind === body.kind && s.name === body.name)) return problem(409, "conflict", "Conflict", "a secret of this kind has this name already");
    const s = secret(body.kind, body.name); secrets.push(s); return ok(s, 201);
  }
  if ((m = is("/secrets/(.+)"))) {
    const s = secrets.find((x) => x.id === m[1]);
    if (!s) return missing();
    if (method === "PUT") { s.version++; s.replaced_at = now(); return ok(s); }
    secrets.splice(secrets.indexOf(s), 1); return { status: 204 };
  }
  if (on("GET", "/account")) return ok(account);
  if (on("POST", "/account/verification")) return ok({ queued: true }, 202);
  if (on("PUT", "/account/email")) { account.wanted_email = body.email === account.email ? null : body.email; return ok({ queued: true }, 202); }
  if (on("GET", "/account/identities")) return ok({ password: true, identities: [{ id: id("idt_"), provider: "github", shown: "octocat", linked_at: later(-86400), used_at: null }] });
  if (on("GET", "/account/history")) return ok({ next_cursor: q.get("cursor") ? null : "next", data: q.get("cursor")
    ? [{ index: 1, at: later(-86400), action: "member.change_role", result: "completed", by: "other", address: "", user_agent: "", what: "owner", reason: "" }]
    : [{ index: 9, at: now(), action: "session.sign_in", result: "completed", by: "self", address: "192.0.2.7", user_agent: "Mozilla/5.0", what: "", reason: "" },
       { index: 7, at: later(-600), action: "session.sign_in", result: "blocked", by: "anonymous", address: "203.0.113.9", user_agent: "curl/8", what: "", reason: "wrong password" }] });
  if (on("GET", "/account/factors")) return ok({ totp: null, passkeys, recovery_codes: 9 });
  if ((m = on("PATCH", "/account/factors/(.+)"))) { passkeys.find((k) => k.id === m[1]).name = body.name; return { status: 204 }; }
  if (on("GET", "/members")) return list(members);
  if (on("POST", "/members")) { const p = { id: id("usr_"), email: body.email, role: body.role, version: 1, created_at: now(), disabled_at: null }; members.push(p); return ok(p, 201); }
  if ((m = on("POST", "/members/([^/]+)/(disable|enable)"))) { const p = members.find((x) => x.id === m[1]); p.disabled_at = m[2] === "disable" ? now() : null; p.version++; return ok(p); }
  if ((m = on("PATCH", "/members/(.+)"))) { const p = members.find((x) => x.id === m[1]); p.role = body.role; p.version++; return ok(p); }
  if (on("GET", "/roles")) return list(roleRows);
  if (on("GET", "/servers/([^/]+)/access")) return list([{ user: session.user, role: "owner", may: [{ permission: "server.view", about: "see the servers", because: "role owner" }],
    tokens: [{ id: "tok_1", name: "deploy", networks: ["192.0.2.0/24"], expires_at: later(86400), may: [{ permission: "server.view", about: "see the servers", because: "scope of the token, and role owner" }] }] }]);
  if (on("GET", "/invitations")) return list(invitations.map(({ link, mailed, ...i }) => i));
  if (on("POST", "/invitations")) {
    const i = { id: id("inv_"), email: body.email, role: body.role, state: "open", inviter_id: "usr_1", created_at: now(), expires_at: later(86400 * body.days), mailed: mail, link: !mail ? `https://localhost:8443/invitation#token=${sha(body.email).slice(0, 43)}` : null };
    invitations.unshift(i); return ok(i, 201);
  }
  if ((m = on("POST", "/invitations/([^/]+)/resend"))) return ok({ ...invitations.find((x) => x.id === m[1]), link: !mail ? `https://localhost:8443/invitation#token=${sha(now()).slice(0, 43)}` : null });
  if ((m = on("DELETE", "/invitations/(.+)"))) { invitations.find((x) => x.id === m[1]).state = "revoked"; return { status: 204 }; }
  if (on("GET", "/tokens")) return list(tokens);
  if (on("POST", "/tokens")) {
    const t = { id: id("tok_"), name: body.name, user: session.user, scopes: body.scopes, networks: body.networks, created_at: now(), expires_at: later(86400 * body.days), last_used_at: null };
    tokens.unshift(t); return ok({ ...t, token: `caip_pat_${sha(t.id).slice(0, 49)}` }, 201);
  }
  if ((m = on("DELETE", "/tokens/(.+)"))) { tokens.splice(tokens.findIndex((x) => x.id === m[1]), 1); return { status: 204 }; }
  if (on("POST", "/members/([^/]+)/ownership")) return ok(members.at(-1));
  if ((m = on("DELETE", "/members/(.+)"))) { members.splice(members.findIndex((x) => x.id === m[1]), 1); return ok({ still_held: held }); }
  if (on("GET", "/organizations")) return list(organizations.map((o) => ({ ...o, current: o.id === session.organization.id, may_found_others: true, ends: o.ends ?? null })));
  if (on("POST", "/organizations")) { const o = { id: id("org_"), name: body.name, role: "owner" }; organizations.push(o); return ok({ ...o, current: false, may_found_others: true, ends: null }, 201); }
  if (on("POST", "/session/organization")) { session.organization = organizations.find((o) => o.id === body.organization_id); return ok(session); }
  const acting = organizations.find((o) => o.id === session.organization.id);
  const goes = () => ({ ends: acting.ends ?? null, grace_seconds: 604800, members: 3, invitations: 1, tokens: 2, servers: 4, secrets: 5 });
  if (on("GET", "/organization/deletion")) return ok(goes());
  if (on("POST", "/organization/deletion")) { acting.ends = later(604800); return ok(goes(), 201); }
  if (on("DELETE", "/organization/deletion")) { acting.ends = null; return { status: 204 }; }
  if (on("POST", "/organization/leave")) return ok({ still_held: held });
  if (on("GET", "/audit/entries")) {
    const all = audit.filter((r) => (!q.get("action") || r.entry.action === q.get("action")) && (!q.get("result") || r.entry.result === q.get("result"))
      && (!q.get("source") || r.entry.source === q.get("source")) && (!q.get("text") || canonical(r.entry).toLowerCase().includes(q.get("text").toLowerCase()))).reverse();
    const from = Number(q.get("cursor") ?? 0), n = Number(q.get("limit") ?? 50);
    return list(all.slice(from, from + n), from + n < all.length ? String(from + n) : null);
  }
  if (on("GET", "/audit/checkpoint")) return { status: 200, text: `cloudaipilot.local/log\n${audit.length}\n${tree(leaves()).toString("base64")}\n\n— cloudaipilot.local/log AbCdEfGh0123=\n` };
  if (on("GET", "/audit/witnesses")) {
    const data = servers.map((s, i) => ({ server_id: s.id, name: s.name, online: true, size: i === 0 ? audit.length : 0, cosigned_at: i === 0 ? now() : null, contradicted_at: null }));
    return ok({ data, size: audit.length, anchored_at: now(), have: 1, needed: Math.floor(data.length / 2) + 1, reached: data.length < 2 });
  }
  if (on("GET", "/audit/proofs/inclusion")) {
    const index = Number(q.get("index")), size = Number(q.get("size"));
    return ok({ index, size, hashes: pathTo(index, leaves().slice(0, size)).map((x) => x.toString("hex")) });
  }
  return missing();
}

function file(res, path) {
  let f = join(dist, normalize(path));
  if (!f.startsWith(dist) || !existsSync(f) || statSync(f).isDirectory()) f = join(dist, "index.html");
  res.writeHead(200, { "Content-Type": types[extname(f)] ?? "application/octet-stream", "Content-Security-Policy": csp, "X-Content-Type-Options": "nosniff" });
  createReadStream(f).pipe(res);
}

createServer((req, res) => {
  const url = new URL(req.url, "http://x");
  if (!url.pathname.startsWith("/api/v1/")) return file(res, url.pathname);
  const path = url.pathname.slice("/api/v1".length);
  const signedIn = /mock=in/.test(req.headers.cookie ?? "");
  if (path === "/events" && signedIn) {
    res.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
    res.write(": hello\n\n");
    streams.push(res);
    return req.on("close", () => { streams = streams.filter((s) => s !== res); });
  }
  let text = "";
  req.on("data", (d) => (text += d)).on("end", () => {
    const acts = req.method === "POST" && !/^\/(setup|session|password-resets|email-confirmations|sign-ins|account\/(verification|email-confirmations)|invitations\/(look|accept))/.test(path);
    const r = acts && !/^".+"$/.test(req.headers["idempotency-key"] ?? "")
      ? problem(400, "invalid", "Idempotency-Key is missing") : route(req.method, path, url.searchParams, text ? JSON.parse(text) : {}, signedIn);
    res.writeHead(r.status, { "Content-Type": r.text ? "text/plain" : r.status >= 400 ? "application/problem+json" : "application/json", "Cache-Control": "no-store", ...r.headers });
    res.end(r.text ?? (r.body ? JSON.stringify(r.body) : ""));
  });
}).listen(Number(process.argv[2] ?? 8090), "127.0.0.1", function () { console.log(`http://127.0.0.1:${this.address().port}`); });
