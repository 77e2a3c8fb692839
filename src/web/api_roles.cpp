// The matrix as it stands in the source, and who can do what on a server, and why.
#include <array>
#include <map>

#include "auth/accounts.h"
#include "auth/api_tokens.h"
#include "authorization/authorizer.h"
#include "servers/server_service.h"
#include "web/api.h"
#include "web/roles.h"

namespace caip::web {
namespace {

constexpr std::array kOnServers{Permission::server_view, Permission::metrics_view, Permission::unit_view, Permission::unit_start, Permission::unit_stop,
                                Permission::unit_restart, Permission::unit_reload, Permission::unit_enable, Permission::unit_disable, Permission::unit_control_access, Permission::journal_read, Permission::machine_view, Permission::server_reboot,
                                Permission::site_view, Permission::site_manage, Permission::site_delete, Permission::approval_decide};

json::object row_json(const PermissionRow& row) {
  return json::object{{"permission", row.name}, {"category", row.category}, {"about", row.about}, {"roles", roles_of(row)}, {"token", row.token}, {"pilot", row.pilot}};
}

Reply matrix(Call& call) {
  if (call.query_text("format") == "csv") return text_reply("text/csv; charset=utf-8", roles_csv());
  json::array data;
  for (const auto& row : permission_table()) data.push_back(row_json(row));
  return json_reply(200, json::object{{"data", data}, {"next_cursor", nullptr}});
}

json::array may_json(const auth::Member& m, PermissionSet narrowed, const std::string& because) {
  json::array may;
  for (const Permission p : kOnServers)
    if (!m.disabled && granted(m.role, p) && narrowed.has(p)) may.push_back(json::object{{"permission", text(p)}, {"about", row_of(p)->about}, {"because", because}});
  return may;
}

// A token does what it was given for as far as its maker's role allows that; one that can do nothing here is left out.
json::array tokens_json(const auth::Member& m, const std::vector<auth::ApiToken>& tokens) {
  json::array out;
  for (const auto& t : tokens) {
    json::array may = may_json(m, t.scopes, "scope of the token, and role " + std::string(text(m.role)));
    if (may.empty()) continue;
    json::array networks;
    for (const auto& n : t.networks) networks.emplace_back(n);
    out.push_back(json::object{{"id", t.id.str()}, {"name", t.name.str()}, {"networks", std::move(networks)}, {"expires_at", t.expires.str()}, {"may", std::move(may)}});
  }
  return out;
}

json::object person_json(const auth::Member& m, const std::vector<auth::ApiToken>& tokens) {
  return json::object{{"user", json::object{{"id", m.user.str()}, {"email", m.email.str()}}}, {"role", text(m.role)},
                      {"may", may_json(m, PermissionSet::everything(), "role " + std::string(text(m.role)))}, {"tokens", tokens_json(m, tokens)}};
}

// Everybody's for who may see those, else one's own.
Result<std::vector<auth::ApiToken>> seen_tokens(const Rooms& rooms, const Session& session, const auth::Member& of) {
  const Permission needed = of.user == session.user() ? Permission::token_own : Permission::token_view_all;
  if (!holds(session.principal(), needed)) return std::vector<auth::ApiToken>{};
  CAIP_TRY(page, rooms.tokens.list(session.org(), of.user, {.limit = 200, .after = {}}));  // more than kMostTokens: some may have expired
  std::erase_if(page.items, [now = rooms.clock.now()](const auth::ApiToken& t) { return t.expires <= now; });
  return std::move(page.items);
}

// A role counts on every server of the organisation: the server says whose it is, the role what is allowed.
Reply access(const Rooms& rooms, Call& call) {
  CAIP_TRY(id, call.id<ServerId>());
  CAIP_TRY(server, rooms.servers.get(*call.session, id));
  CAIP_TRY(ask, call.page());
  CAIP_TRY(page, rooms.accounts.members(server.org, ask));
  std::map<UserId, std::vector<auth::ApiToken>> tokens;
  for (const auto& m : page.items) {
    CAIP_TRY(theirs, seen_tokens(rooms, *call.session, m));
    tokens[m.user] = std::move(theirs);
  }
  return list_reply(call, page, [](const auth::Member& m) { return Place{m.created.micros(), m.user.str()}; },
                    [&](const auth::Member& m) { return person_json(m, tokens[m.user]); });
}

}  // namespace

void add_role_routes(Router& router, const Rooms& rooms) {
  router.add({.method = "GET", .path = "/api/v1/roles", .operation = "listRoles", .summary = "Which role may do what: the one table that decides (format=csv)",
              .permission = Permission::role_view, .handler = [](Call& c) { return matrix(c); }, .query = {{"format", "string", false}}, .other_types = {"text/csv"}, .answer = "RoleMatrix"});
  router.add({.method = "GET", .path = "/api/v1/servers/{id}/access", .operation = "listAccess", .summary = "Who can do what on this server, and why: people, and the API tokens that the caller may see",
              .permission = Permission::access_view, .handler = [&rooms](Call& c) { return access(rooms, c); }, .list = true, .answer = "Access"});
}

}  // namespace caip::web
