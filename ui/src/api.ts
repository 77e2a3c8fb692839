// The API as this UI uses it. Every string in here comes from outside: render it with <Foreign>.
export type Impact = "safe" | "caution" | "destructive";
export type ApprovalState =
  | "pending" | "half_approved" | "approved" | "executing" | "completed" | "failed" | "denied" | "expired" | "held";

export interface Session {
  user: { id: string; email: string };
  role: string;
  organization: { id: string; name: string };
  permissions: string[];
  expires_at: string;
}
export interface Sample {
  cpu_ratio: number; mem_used: number; mem_total: number; disk_used: number; disk_total: number;
  net_rx_bps: number; net_tx_bps: number; load1: number; at: string;
}
export type Environment = "unknown" | "development" | "staging" | "production";
export interface Server {
  id: string; name: string; online: boolean; last_seen: string | null;
  channel: { status: string; group: string | null };
  environment: Environment; version: number; os: string; kernel: string; latest: Sample | null;
  leaves_at: string | null;
}
export interface ServerDisconnection { name: string; leaves_at: string | null; grace_seconds: number; orders: number; env_values: number }
export interface ServerKey {
  state: "good" | "revoked" | "quarantined"; key: string | null; next_key: string | null; key_since: string; rotation_asked: boolean;
  certificate_from: string | null; certificate_until: string | null; renews: boolean; signature: string | null; group: string | null;
  check: { state: "never" | "running" | "passed" | "failed"; at: string | null; why?: string; group?: string; signature?: string; key?: string; milliseconds?: number };
}
export interface Service { unit: string; description: string; load: string; active: string; sub: string; file_state: string; control: "no" | "caution" | "destructive" }
export interface Operation {
  id: string; type: string; server_id: string; unit: string | null; user: string | null; site: string | null;
  status: "pending" | "running" | "succeeded" | "failed" | "expired";
  result: unknown; error: unknown; created_at: string; finished_at: string | null; approval_id: string | null;
}
export interface Site {
  id: string; server_id: string; name: string; state: "creating" | "live" | "changing" | "deleting" | "deleted" | "restoring" | "unknown";
  kind: "static" | "proxy"; domains: string[]; port: number | null; redirect: boolean; ends_at: string | null; operation_id: string | null; created_at: string; changed_at: string;
}
export interface SiteDeletion { name: string; ends_at: string | null; hours: number; least_hours: number; most_hours: number; domains: string[]; files: boolean }
export interface SiteOnServer { exists: boolean; ends_at: string | null; answers: string[]; silent: string[]; bytes: number; bytes_whole: boolean; upstream: boolean | null }
export interface Enrolment { id: string; name: string; expires_at: string; used_at: string | null; install_command?: string }
export type Mode = "ask" | "plan" | "agent";
export interface Conversation { id: string; title: string; mode: Mode; messages?: Message[]; answering?: boolean }
export interface Message {
  id: string; role: "user" | "pilot" | "tool"; text: string;
  label: string | null; approval_id: string | null; at: string;
}
interface Person { user_id: string; email: string }
export interface Protection { on: boolean; off_until: string | null; reason: string | null; switched_off_by: Person | null }
export interface Limit { limit: string; about: string; value: number; least: number; most: number; unset: number }
export interface Ai {
  on: boolean; writes: boolean; changed_at: string | null; changed_by: Person | null; production_protection: Protection; second_person: boolean;
  operations: { operation: string; category: string; about: string; on: boolean; category_on: boolean }[];
  limits: Limit[];
}
export interface AiProvider {
  chosen: { provider: string; base_url: string; model: string; key: { secret_id: string; name: string | null } | null; max_tokens: number; changed_at: string; changed_by: Person } | null;
  label: string; builtin: boolean; vendors: { provider: string; base_url: string | null }[];
}
interface May { may: boolean; why_not: string | null }
export interface AiAccess {
  server_id: string; access: "none" | "read" | "full"; look: May; propose: May;
  operations: (May & { operation: string })[]; gates: { setting: string; open: boolean; why_not: string | null }[];
}
export interface PilotInfo { label: string; model: string | null; builtin: boolean; examples: string[] }
export interface Approval {
  id: string; state: ApprovalState; intent: string; impact: Impact;
  target: { server_id: string; server_name: string; production: boolean };
  bytes: string; digest: string;
  requested_by: { user_id: string; email: string; via: string };
  second_person: boolean; decisions: (Person & { decision: "allowed" | "denied"; at: string | null })[];
  decided_by: Person | null; reason: string | null; created_at: string; expires_at: string;
  operation_id: string | null; outcome: unknown; plan: { id: string; step: number } | null; surprise: string;
}
/** Several proposals in an order; each step is an approval of its own. */
export interface Plan {
  id: string; mode: "plan" | "agent"; state: "waiting" | "running" | "completed" | "stopped"; stopped: { step: number; why: string } | null; running: number | null;
  intent: string; bytes: string; digest: string; steps: Approval[]; requested_by: { user_id: string; email: string; via: string }; created_at: string; expires_at: string;
}
export interface Member { id: string; email: string; role: string; version: number; created_at: string; disabled_at: string | null }
export interface OpenSession {
  id: string; current: boolean; device: string; address: string; country: string | null; network: string; created_at: string; last_used_at: string; expires_at: string;
}
export interface KnownDevice {
  id: string; current: boolean; device: string; address: string; country: string | null; network: string; first_sign_in_at: string; last_sign_in_at: string; sessions: number;
}
export interface AccountEvent {
  index: number; at: string; action: string; result: string; by: "self" | "other" | "anonymous" | "system";
  address: string; user_agent: string; what: string; reason: string;
}
export interface SessionLimits { idle_minutes: number; lifetime_minutes: number }
export interface Organization { id: string; name: string; role: string; current: boolean; may_found_others: boolean; ends: string | null }
export interface OrganizationDeletion { ends: string | null; grace_seconds: number; members: number; invitations: number; tokens: number; servers: number; secrets: number }
export interface Held { secrets: { id: string; kind: string; name: string }[]; enrolments: { id: string; name: string; expires_at: string }[]; by_hand: string[] }
export interface Invitation { id: string; email: string; role: string; state: string; inviter_id: string; created_at: string; expires_at: string }
export interface NewInvitation extends Invitation { link: string | null; mailed: boolean }
export interface Account { email: string; email_verified_at: string | null; wanted_email: string | null; mail: boolean }
export interface ResetOffer { email: string; second_factor: boolean }
export interface NewSignIn { device: string; address: string; at: string }
export interface Confirmation { email: string; change: boolean; new_password: boolean }
export interface Offer { organization: string; email: string; role: string; invited_by: string; expires_at: string; has_account: boolean }
export interface RoleRow { permission: string; category: string; about: string; roles: string[]; token: boolean; pilot: boolean }
export interface DeadLetter { id: string; kind: string; address: string | null; tries: number; outcome: string; created_at: string; last_try_at: string | null }
interface Grant { permission: string; about: string; because: string }
export interface AccessRow {
  user: { id: string; email: string }; role: string; may: Grant[];
  tokens: { id: string; name: string; networks: string[]; expires_at: string; may: Grant[] }[];
}
export interface ApiToken {
  id: string; name: string; user: { id: string; email: string }; scopes: string[]; networks: string[];
  created_at: string; expires_at: string; last_used_at: string | null;
}
export interface NewApiToken extends ApiToken { token: string }
export interface Secret {
  id: string; kind: string; name: string; version: number; public_key: string | null; created_at: string; replaced_at: string | null;
  placed_on: number;
}
export interface EnvFile {
  user: string; operation_id: string; state: "sent" | "placed" | "unknown"; at: string;
  variables: { secret_id: string; name: string | null; version: number; current_version: number | null }[];
}
export interface StoredKey {
  key: string; algorithm: string; generation: number; state: string; created_at: string; age_days: number; rotates: boolean;
  next_rotation_at: string | null; ends_at: string | null; secrets: number | null; servers_waiting: number | null;
}
export interface KeyInventory {
  keys: StoredKey[]; seals: { id: string; kind: string; created_at: string }[]; memory_locked: boolean;
  classes: { kind: string; use: string; count: number; algorithm: string }[];
}
export interface Notice { id: string; event: string; severity: string; title: string; text: string; link: string; created_at: string; read: boolean; personal: boolean }
export interface EventKind { event: string; severity: string; title: string; in_app_only: boolean }
export interface NotifyChannel {
  id: string; kind: string; name: string; has_credential: boolean; least_severity: string; events: string[]; verified: boolean;
  target: { host?: string; port?: number; security?: string; user?: string; from?: string; to?: string; chat?: string; url?: string };
  paused: string | null; version: number; created_at: string; previous_secret_until: string | null;
}
export interface Delivery {
  id: string; channel_id: string; channel_name: string; channel_kind: string; event: string; state: string; tries: number; outcome: string;
  created_at: string; last_try_at: string | null; next_try_at: string | null;
}
export interface Witness { server_id: string; name: string; online: boolean; size: number; cosigned_at: string | null; contradicted_at: string | null }
export interface Quorum { data: Witness[]; size: number; anchored_at: string | null; have: number; needed: number; reached: boolean }
export interface AuditRow { index: number; hash: string; entry: Record<string, unknown> | string }
export interface List<T> { data: T[]; next_cursor: string | null }

export class Problem extends Error {
  constructor(readonly status: number, readonly code: string, title: string, readonly detail: string,
              readonly requestId: string) {
    super(title);
  }
}

const base = "/api/v1";

// Which organisation this page shows. In another tab the session may go to another one: from then on nothing is
// done, or shown, here in the name of the one for the other.
let shown = "";
export function showOrganization(id: string) { shown = id; }

let refreshing: Promise<boolean> | null = null;

async function renew(): Promise<boolean> {
  try {
    if ((await fetch(`${base}/session`)).ok) return true;  // another tab was faster
    const body = { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" };
    return (await fetch(`${base}/sessions/refresh`, body)).ok;
  } catch { return false; }
}

// The access token lives for minutes. One refresh at a time, over all tabs, because a refresh token
// that is used twice ends the session.
function refresh(): Promise<boolean> {
  refreshing ??= (async () => await navigator.locks.request("caip-refresh", renew))().finally(() => { refreshing = null; });
  return refreshing;
}

async function problem(r: Response): Promise<Problem> {
  const body = (await r.json().catch(() => ({}))) as Record<string, unknown>;
  const s = (v: unknown, d: string) => (typeof v === "string" ? v : d);
  return new Problem(r.status, s(body["code"], "unknown"), s(body["title"], `The server answered ${r.status}`),
    s(body["detail"], ""), s(body["request_id"], ""));
}

async function send(method: string, path: string, body: unknown, extra: Record<string, string>): Promise<Response> {
  const headers: Record<string, string> = { ...extra };
  if (shown) headers["Caip-Organization"] = shown;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  try {
    return await fetch(base + path, { method, headers, body: body === undefined ? null : JSON.stringify(body) });
  } catch {
    throw new Problem(0, "unreachable", "CloudAIPilot cannot be reached", "Check the connection and try again.", "");
  }
}

// What is risky asks who is there (403, step_up_needed). Whoever shows the dialog registers here
// and says whether the session has stepped up; the request is then sent once more, with the same idempotency key.
let stepUp: (() => Promise<boolean>) | null = null;
let steppingUp: Promise<boolean> | null = null;
export function onStepUp(ask: (() => Promise<boolean>) | null) { stepUp = ask; }

async function request(method: string, path: string, body?: unknown, extra: Record<string, string> = {}): Promise<Response> {
  let r = await send(method, path, body, extra);
  if (r.status === 401 && !path.startsWith("/sessions") && !path.startsWith("/setup") && (await refresh()))
    r = await send(method, path, body, extra);
  if (r.ok) return r;
  const refused = await problem(r);
  if (refused.status === 412 && method === "GET") window.location.assign("/");
  if (refused.code !== "step_up_needed" || !stepUp) throw refused;
  steppingUp ??= stepUp().finally(() => { steppingUp = null; });
  if (!(await steppingUp)) throw refused;
  r = await send(method, path, body, extra);
  if (!r.ok) throw await problem(r);
  return r;
}

const json = async <T>(r: Promise<Response>) => (await r).json() as Promise<T>;
export const get = <T>(path: string) => json<T>(request("GET", path));
/** A whole list, page by page; where more than 2000 are there, the first 2000. */
export async function getAll<T>(path: string): Promise<List<T>> {
  const data: T[] = [];
  let cursor: string | null = null;
  do {
    const page: List<T> = await get<List<T>>(`${path}${path.includes("?") ? "&" : "?"}limit=200${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
    data.push(...page.data);
    cursor = page.next_cursor;
  } while (cursor && data.length < 2000);
  return { data, next_cursor: cursor };
}
/** One piece of an export, and where the next one begins; null at the end. */
export async function getPiece(path: string) {
  const r = await request("GET", path);
  return { text: await r.text(), next: r.headers.get("Caip-Next-Place") };
}
export const getText = async (path: string) => (await request("GET", path)).text();
export const remove = async (path: string) => { await request("DELETE", path); };
/** POST without an idempotency key: set-up and sessions only. */
export const postPlain = <T>(path: string, body: unknown) => json<T>(request("POST", path, body));
/** POST that creates or acts; a repeat after a lost reply does not act twice. */
export const post = <T>(path: string, body: unknown) =>
  json<T>(request("POST", path, body, { "Idempotency-Key": `"${crypto.randomUUID()}"` }));
/** PUT where the last one wins: one's own password, a setting. */
export const act = async (path: string, body: unknown) => { await request("POST", path, body); };
export const putPlain = async (path: string, body: unknown) => { await request("PUT", path, body); };
/** Replace and delete the version that was shown, or nothing. */
export const put = <T>(path: string, body: unknown, version: number) =>
  json<T>(request("PUT", path, body, { "If-Match": `"${version}"` }));
/** All notices up to this one have been read. */
export const mark = async (notice: string) => { await request("PUT", "/notifications/inbox/read", { up_to: notice }); };
export const removeVersion = async (path: string, version: number) => { await request("DELETE", path, undefined, { "If-Match": `"${version}"` }); };
/** Changes the version that was shown, or nothing. */
export const patchPlain = async (path: string, body: unknown) => { await request("PATCH", path, body); };
export const patch = <T>(path: string, body: unknown, version: number) =>
  json<T>(request("PATCH", path, body, { "If-Match": `"${version}"` }));

/** PATCH and DELETE of what answers with an operation. */
export const patchAnswered = <T>(path: string, body: unknown) => json<T>(request("PATCH", path, body));
export const removeAnswered = <T>(path: string) => json<T>(request("DELETE", path));

/** DELETE and POST of the version that was shown, with an answer. */
export const removeShown = <T>(path: string, version: number) => json<T>(request("DELETE", path, undefined, { "If-Match": `"${version}"` }));
export const postVersion = <T>(path: string, body: unknown, version: number) =>
  json<T>(request("POST", path, body, { "Idempotency-Key": `"${crypto.randomUUID()}"`, "If-Match": `"${version}"` }));

export const may = (s: Session, permission: string) => s.permissions.includes(permission);
