// The stand-in API's sites.
export function sitesMock({ id, now, later, ok, list, missing, problem, servers, operations, log, tell }) {
  const site = (name, more = {}) => ({ id: id("site_"), server_id: servers[0]?.id ?? "srv_1", name, state: "live", kind: "static", domains: [`${name}.example`, `www.${name}.example`], port: null, redirect: true,
    ends_at: null, operation_id: null, created_at: later(-86400), changed_at: later(-3600), ...more });
  const sites = servers.length === 0 ? [] : [site("shop"), site("app", { kind: "proxy", port: 3000, domains: ["app.example", "xn--bcher-kva.example"], redirect: false }),
    site("old", { state: "deleted", ends_at: later(500000), domains: ["old.example"], redirect: false }), site("late", { state: "unknown", domains: ["late.example"], redirect: false })];
  function order(type, s, then, result = null) {
    const o = { id: id("opr_"), type, server_id: s.server_id, unit: null, user: null, site: s.id, status: "pending", result: null, error: null, created_at: now(), finished_at: null, approval_id: null };
    operations.set(o.id, o);
    if (type !== "site.check") s.operation_id = o.id;
    setTimeout(() => {
      s.operation_id = null;
      const bad = s.domains.includes("refused.example");
      if (bad) { Object.assign(o, { status: "failed", finished_at: now(), error: "invalid: nginx does not take its configuration with this change: [emerg] \u202eno" }); sites.splice(sites.indexOf(s), 1); }
      else { then(s); Object.assign(o, { status: "succeeded", finished_at: now(), result }); }
      log(type, bad ? "failed" : "completed");
      tell("operation.updated", { operation_id: o.id, status: o.status });
    }, 400);
    return ok({ ...o }, 202);
  }
  return (on, body) => {
    let m;
    if (on("GET", "/sites")) return list([...sites].sort((a, b) => (a.name < b.name ? -1 : 1)));
    if (on("POST", "/sites")) {
      if (sites.some((s) => s.name === body.name)) return problem(409, "conflict", "That does not go together", "there is a site of this name");
      const s = site(body.name, { port: null, ...body, state: "creating" });
      sites.push(s);
      return order("site.create", s, () => { s.state = "live"; });
    }
    if (!(m = on("GET", "/sites/([^/]+)(/deletion)?") || on("PATCH", "/sites/([^/]+)") || on("POST", "/sites/([^/]+)/(deletion|checks)") || on("DELETE", "/sites/([^/]+)/(deletion)"))) return null;
    const s = sites.find((x) => x.id === m[1]);
    if (!s) return missing();
    if (on("GET", "/sites/[^/]+/deletion")) return ok({ name: s.name, ends_at: s.ends_at, hours: 168, least_hours: 1, most_hours: 720, domains: s.domains, files: s.kind === "static" });
    if (on("GET", ".*")) return ok(s);
    if (on("PATCH", ".*")) return order("site.change", s, () => Object.assign(s, body, { changed_at: now() }));
    if (on("POST", ".*/checks")) return order("site.check", s, () => { if (s.state === "unknown") s.state = "live"; },
      { site: { exists: true, ends_at: s.ends_at, kind: s.kind, domains: s.domains, port: s.port, redirect: s.redirect, answers: s.domains.slice(0, 1), silent: s.domains.slice(1), bytes: 73400320, bytes_whole: true, upstream: s.port ? false : null } });
    if (on("POST", ".*")) {
      if (body.name !== s.name) return problem(422, "invalid", "A value is not acceptable", "this is not the site's name; type it as it is");
      return order("site.delete", s, () => Object.assign(s, { state: "deleted", ends_at: later(body.hours * 3600) }));
    }
    return order("site.restore", s, () => Object.assign(s, { state: "live", ends_at: null }));
  };
}
