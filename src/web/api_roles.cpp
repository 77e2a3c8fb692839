// The matrix as it stands in the source, and who can do what on a server, and why.
#include <array>

#include "auth/accounts.h"
#include "authorization/authorizer.h"
#include "servers/server_service.h"
#include "web/api.h"
#include "web/roles.h"

namespace caip::web {
namespace {

constexpr std::array kOnServers{Permission::server_view, Permission::metrics_view, Permission::unit_view, Permission::unit_start, Permission::unit_stop,
                                Permission::unit_restart, Permission::unit_control_access, Permission::journal_read, Permission::approval_decide};

json::object row_json(const PermissionRow& row) {
  return json::object{{"permission", row.name}, {"category", row.category}, {"about", row.about}, {"roles", roles_of(row)}, {"token", row.token}, {"pilot", row.pilot}};
}

Reply matrix(Call& call) {
  if (call.query_text("format") == "csv") return text_reply("text/csv; charset=utf-8", roles_csv());
  json::array data;
  for (const auto& row : permission_table()) data.push_back(row_json(row));
  return json_reply(200, json::object{{"data", data}, {"next_cursor", nullptr}});
}

json::object person_json(const auth::Member& m) {
  json::array may;
  for (const Permission p : kOnServers)
    if (!m.disabled && granted(m.role, p)) may.push_back(json::object{{"permission", text(p)}, {"about", row_of(p)->about}, {"because", "role " + std::string(text(m.role))}});
  return json::object{{"user", json::object{{"id", m.user.str()}, {"email", m.email.str()}}}, {"role", text(m.role)}, {"may", may}};
}

// A role counts on every server of the organisation: the server says whose it is, the role what is allowed.
Reply access(const Rooms& rooms, Call& call) {
  CAIP_TRY(id, call.id<ServerId>());
  CAIP_TRY(server, rooms.servers.get(*call.session, id));
  CAIP_TRY(ask, call.page());
  CAIP_TRY(page, rooms.accounts.members(server.org, ask));
  return list_reply(call, page, [](const auth::Member& m) { return Place{m.created.micros(), m.user.str()}; }, person_json);
}

}  // namespace

void add_role_routes(Router& router, const Rooms& rooms) {
  router.add({.method = "GET", .path = "/api/v1/roles", .operation = "listRoles", .summary = "Which role may do what: the one table that decides (format=csv)",
              .permission = Permission::role_view, .handler = [](Call& c) { return matrix(c); }, .query = {{"format", "string", false}}, .other_types = {"text/csv"}, .answer = "RoleMatrix"});
  router.add({.method = "GET", .path = "/api/v1/servers/{id}/access", .operation = "listAccess", .summary = "Who can do what on this server, and why",
              .permission = Permission::access_view, .handler = [&rooms](Call& c) { return access(rooms, c); }, .list = true, .answer = "Access"});
}

}  // namespace caip::web
