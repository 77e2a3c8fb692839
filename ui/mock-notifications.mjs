// The stand-in API's notifications.
export function notificationsMock({ id, now, later, ok, list, missing, problem, tell }) {
  const channel = (kind, name, target, more = {}) => ({ id: id("nch_"), kind, name, target, has_credential: true, least_severity: "info", events: [], verified: kind !== "email", paused: null,
    version: 1, created_at: now(), previous_secret_until: null, ...more });
  const channels = [channel("slack", "Ops room", {}, { least_severity: "warning" }),
    channel("email", "On call", { host: "mail.example.org", port: 587, security: "starttls", user: "caip", from: "caip@example.org", to: "oncall@example.org" }),
    channel("webhook", "Ticket system", { url: "https://tickets.example.org/hooks/caip" }, { events: ["operation.failed"], previous_secret_until: later(3600) }),
    channel("discord", "Old room", {}, { paused: "the receiver wants no more (410)" })];
  const notice = (event, severity, title, text, more = {}) => ({ id: id("ntc_"), event, severity, title, text, link: "", created_at: later(-300), read: false, personal: false, ...more });
  const notices = [notice("approval.waiting", "warning", "Approval needed", "The pilot proposes unit.restart nginx.service on web-1. It waits for a decision."),
    notice("account.new_sign_in", "warning", "New sign-in", "A sign-in from a device or place not seen before: Firefox, Berlin.", { personal: true, link: "ses_elsewhere" }),
    notice("server.offline", "critical", "Server offline", "Not connected any more: <img src=x onerror=alert(1)>.", { read: true })];
  const kinds = [["approval.waiting", "warning", "Approval needed"], ["operation.failed", "warning", "Operation failed"], ["server.offline", "critical", "Server offline"], ["key.rotated", "info", "Key rotated"],
    ["notification.failed", "warning", "Notification not delivered"]].map(([event, severity, title]) => ({ event, severity, title, in_app_only: event === "notification.failed" }));
  const delivery = (c, event, state, outcome, more = {}) => ({ id: id("dlv_"), channel_id: c.id, channel_name: c.name, channel_kind: c.kind, event, state, tries: 1, outcome, created_at: later(-60),
    last_try_at: now(), next_try_at: state === "queued" ? later(60) : null, ...more });
  const deliveries = [delivery(channels[0], "approval.waiting", "delivered", "the server answered 200"), delivery(channels[2], "operation.failed", "queued", "no connection", { tries: 3 }),
    delivery(channels[3], "server.offline", "dead", "the receiver wants no more (410)", { tries: 10 })];
  const queue = (c, event) => { const d = delivery(c, event, "queued", "", { tries: 0 }); deliveries.unshift(d); setTimeout(() => { d.state = "delivered"; d.tries = 1; d.outcome = "taken"; tell("delivery.updated", {}); }, 300); return ok({ delivery_id: d.id }, 202); };

  return (on, q, body) => {
    let m;
    if (on("GET", "/notifications/inbox")) return list(notices);
    if (on("GET", "/notifications/inbox/unread")) return ok({ unread: notices.filter((n) => !n.read).length });
    if (on("PUT", "/notifications/inbox/read")) { notices.forEach((n) => { n.read = true; }); return { status: 204 }; }
    if (on("GET", "/notifications/dead-letters")) return list([{ id: "dlv_1", kind: "invitation", address: "guest@example.org", tries: 10, outcome: "the server answered 550", created_at: later(-90000), last_try_at: later(-80000) },
      { id: "dlv_2", kind: "verify_email", address: null, tries: 10, outcome: "no connection", created_at: later(-90000), last_try_at: later(-80000) }]);
    if (on("GET", "/notifications/event-kinds")) return ok({ events: kinds });
    if (on("GET", "/notifications/channels")) return list(channels);
    if (on("POST", "/notifications/channels")) {
      if (body.target.url?.includes("127.0.0.1")) return problem(403, "forbidden", "Not allowed", "the address is not public, and the configuration allows no network with it");
      const c = channel(body.kind, body.name, body.target); channels.push(c);
      return ok(body.kind === "webhook" && !body.credential ? { ...c, signing_secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" } : c, 201);
    }
    if ((m = on("POST", "/notifications/channels/([^/]+)/(test|code|verify|credential)"))) {
      const c = channels.find((x) => x.id === m[1]);
      if (m[2] === "test" || m[2] === "code") return queue(c, m[2] === "test" ? "notification.test" : "notification.verification");
      if (m[2] === "verify" && body.code !== "123456") return problem(422, "invalid", "Not acceptable", "not the code that was sent last, or too late; have another one sent");
      c.version++; c.verified = true; c.paused = null;
      return ok(c);
    }
    if ((m = on("PATCH", "/notifications/channels/([^/]+)") || on("DELETE", "/notifications/channels/([^/]+)"))) {
      const at = channels.findIndex((x) => x.id === m[1]);
      if (on("DELETE", ".*")) { channels.splice(at, 1); return { status: 204 }; }
      const { paused, ...rest } = body;
      Object.assign(channels[at], rest, paused === undefined ? {} : { paused: paused ? "paused" : null }); channels[at].version++;
      return ok(channels[at]);
    }
    if (on("GET", "/notifications/deliveries")) return list(deliveries.filter((d) => !q.get("state") || d.state === q.get("state")));
    if ((m = on("GET", "/notifications/deliveries/([^/]+)"))) return ok(deliveries.find((d) => d.id === m[1]));
    if ((m = on("POST", "/notifications/deliveries/([^/]+)/retry"))) { const d = deliveries.find((x) => x.id === m[1]); d.state = "queued"; d.tries = 0; return ok(d, 202); }
    return missing();
  };
}
