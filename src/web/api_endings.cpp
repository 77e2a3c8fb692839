// The end of the organisation that one acts in: what it would take with it, the date, and taking that back.
#include "auth/endings.h"
#include "auth/sessions.h"
#include "permits.h"
#include "servers/server_service.h"
#include "vault/secret_store.h"
#include "web/api.h"

namespace caip::web {
namespace {

Result<json::object> facts(const Rooms& rooms, const Session& session) {
  CAIP_TRY(planned, rooms.endings.planned_for(session));
  CAIP_TRY(own, rooms.endings.belongings(session.org()));
  CAIP_TRY(servers, rooms.servers.list(session));
  CAIP_TRY(kinds, rooms.secrets.counts(session.org()));
  std::int64_t secrets = 0;
  for (const auto& kind : kinds) secrets += kind.count;
  const auto ends = planned.find(session.org());
  return json::object{{"ends", ends == planned.end() ? json::value(nullptr) : json::value(ends->second.str())},
                      {"grace_seconds", rooms.endings.grace() / std::chrono::seconds(1)},
                      {"members", own.members}, {"invitations", own.invitations}, {"tokens", own.tokens},
                      {"servers", servers.size()}, {"secrets", secrets}};
}

Reply look(const Rooms& rooms, Call& call) {
  CAIP_TRY(all, facts(rooms, *call.session));
  return json_reply(200, std::move(all));
}

// It says which one, and its name: what a session acts in may have changed since the person was asked.
Reply plan(const Rooms& rooms, Call& call) {
  Members m(call.body);
  CAIP_TRY(id, m.string("organization_id", 64));
  CAIP_TRY(typed, m.string("name", 64));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(org, OrgId::parse(id));
  CAIP_TRY(name, OrgName::parse(typed));
  if (org != call.session->org()) return fail(Code::conflict, "you act in another organisation now; go to the one that you want to delete");
  CAIP_TRY(permit, permit_for(rooms, *call.session, DeleteOrganization{org}));
  CAIP_CHECKED(rooms.endings.plan(std::move(permit), name));
  CAIP_TRY(all, facts(rooms, *call.session));
  return json_reply(201, std::move(all));
}

Reply restore(const Rooms& rooms, Call& call) {
  CAIP_TRY(permit, permit_for(rooms, *call.session, RestoreOrganization{call.session->org()}));
  CAIP_CHECKED(rooms.endings.restore(std::move(permit)));
  return empty_reply();
}

}  // namespace

void add_ending_routes(Router& router, const Rooms& rooms) {
  constexpr auto kPath = "/api/v1/organization/deletion";
  router.add({.method = "GET", .path = kPath, .operation = "getOrganizationDeletion", .summary = "What deleting the organisation would take with it, and the date if one is set",
              .permission = Permission::organization_delete, .handler = [&rooms](Call& c) { return look(rooms, c); }, .answer = "OrganizationDeletion"});
  router.add({.method = "POST", .path = kPath, .operation = "deleteOrganization",
              .summary = "Set the date on which the organisation is deleted for good (step-up); until then it goes on and can be restored",
              .permission = Permission::organization_delete, .handler = [&rooms](Call& c) { return plan(rooms, c); },
              .body = {{"organization_id", "string"}, {"name", "string"}}, .idempotency_key = true, .success = 201, .answer = "OrganizationDeletion"});
  router.add({.method = "DELETE", .path = kPath, .operation = "restoreOrganization", .summary = "Take the date back: the organisation stays",
              .permission = Permission::organization_delete, .handler = [&rooms](Call& c) { return restore(rooms, c); }, .success = 204});
}

}  // namespace caip::web
