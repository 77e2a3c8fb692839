// The organisations of a person, and which of them the session acts in.
#include "auth/endings.h"
#include "auth/sessions.h"
#include "auth/team.h"
#include "authorization/authorizer.h"
#include "cookies.h"
#include "crypto/random.h"
#include "leaver.h"
#include "permits.h"
#include "web/api.h"

namespace caip::web {
namespace {

struct Shown {
  OrgId id;
  OrgName name;
  Role role;
  bool current, may_found;
  std::optional<Instant> ends = {};
};

json::object organization_json(const Shown& o) {
  return json::object{{"id", o.id.str()}, {"name", o.name.str()}, {"role", text(o.role)}, {"current", o.current}, {"may_found_others", o.may_found},
                      {"ends", o.ends ? json::value(o.ends->str()) : json::value(nullptr)}};
}

std::optional<Instant> date_of(const std::map<OrgId, Instant>& planned, const OrgId& org) {
  const auto it = planned.find(org);
  return it == planned.end() ? std::nullopt : std::optional(it->second);
}

Reply list(const Rooms& rooms, Call& call) {
  CAIP_TRY(ask, call.page());
  CAIP_TRY(all, rooms.team.organizations(*call.session));
  // A program acts in one organisation, and is not told of its maker's others.
  if (call.session->principal().token) std::erase_if(all, [&](const auth::Person& p) { return p.org != call.session->org(); });
  CAIP_TRY(may_found, rooms.accounts.may_found(*call.session));
  CAIP_TRY(planned, rooms.endings.planned_for(*call.session));
  const auto place = [](const auth::Person& p) { return Place{0, p.org.str()}; };
  auto page = page_of(std::move(all), ask, place);
  return list_reply(call, page, place, [&](const auth::Person& p) { return organization_json({p.org, p.org_name, p.role, p.org == call.session->org(), may_found, date_of(planned, p.org)}); });
}

Result<OrgName> name_in(Call& call) {
  Members m(call.body);
  CAIP_TRY(text, m.string("name", 64));
  CAIP_CHECKED(m.finish());
  return OrgName::parse(text);
}

Reply create(const Rooms& rooms, Call& call) {
  CAIP_TRY(name, name_in(call));
  CAIP_TRY(permit, permit_for(rooms, *call.session, CreateOrganization{crypto::random_id<OrgId>(), name}));
  CAIP_TRY(receipt, rooms.team.create(std::move(permit)));
  return json_reply(201, organization_json({receipt.action().organization, name, Role::owner, false, true}));
}

Reply rename(const Rooms& rooms, Call& call) {
  CAIP_TRY(name, name_in(call));
  CAIP_TRY(permit, permit_for(rooms, *call.session, RenameOrganization{name}));
  CAIP_TRY(receipt, rooms.team.rename(std::move(permit)));
  CAIP_TRY(may_found, rooms.accounts.may_found(*call.session));
  CAIP_TRY(planned, rooms.endings.planned_for(*call.session));
  const OrgId org = call.session->org();
  return json_reply(200, organization_json({org, receipt.action().name, call.session->principal().role, true, may_found, date_of(planned, org)}));
}

// Tokens go back the way they came: in cookies to a browser, in the body to a program.
Reply switch_to(const Rooms& rooms, Call& call) {
  Members m(call.body);
  CAIP_TRY(text, m.string("organization_id", 64));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(org, OrgId::parse(text));
  CAIP_TRY(permit, permit_for(rooms, *call.session, SwitchOrganization{call.session->id(), org}));
  CAIP_TRY(switched, rooms.team.switch_to(std::move(permit)));
  json::object body = session_json(switched.person, granted(switched.person.role), switched.tokens.access_expires);
  if (!call.by_cookie) body["access_token"] = switched.tokens.access;
  if (!call.by_cookie) body["refresh_token"] = switched.tokens.refresh;
  http::Response r = json_reply(200, body);
  if (call.by_cookie) set_tokens(r, switched.tokens);
  return r;
}

// It says which one: what a session acts in may have changed since the person was asked.
Reply leave(const Rooms& rooms, Call& call) {
  Members m(call.body);
  CAIP_TRY(text, m.string("organization_id", 64));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(org, OrgId::parse(text));
  if (org != call.session->org()) return fail(Code::conflict, "you act in another organisation now; go to the one that you want to leave");
  const UserId me = call.session->user();
  CAIP_TRY(permit, permit_for(rooms, *call.session, LeaveOrganization{me}));
  CAIP_TRY(receipt, rooms.team.leave(std::move(permit)));
  CAIP_TRY(held, still_held(rooms, *call.session, me));
  http::Response r = json_reply(200, json::object{{"still_held", held}});
  if (call.by_cookie) clear_tokens(r);
  return r;
}

}  // namespace

void add_organization_routes(Router& router, const Rooms& rooms) {
  router.add({.method = "GET", .path = "/api/v1/organizations", .operation = "listOrganizations", .summary = "Where one belongs, and as what",
              .permission = Permission::own_session, .handler = [&rooms](Call& c) { return list(rooms, c); }, .list = true, .answer = "Organization", .tokens_too = true});
  router.add({.method = "POST", .path = "/api/v1/organizations", .operation = "createOrganization", .summary = "Found an organisation; its maker is Owner",
              .permission = Permission::own_session, .handler = [&rooms](Call& c) { return create(rooms, c); },
              .body = {{"name", "string"}}, .idempotency_key = true, .success = 201, .answer = "Organization"});
  router.add({.method = "PATCH", .path = "/api/v1/organization", .operation = "renameOrganization", .summary = "Rename the organisation one acts in",
              .permission = Permission::organization_rename, .handler = [&rooms](Call& c) { return rename(rooms, c); }, .body = {{"name", "string"}}, .answer = "Organization"});
  router.add({.method = "POST", .path = "/api/v1/session/organization", .operation = "switchOrganization",
              .summary = "Act in another of one's organisations; the tokens of before end",
              .permission = Permission::own_session, .handler = [&rooms](Call& c) { return switch_to(rooms, c); }, .body = {{"organization_id", "string"}}, .answer = "Session"});
  router.add({.method = "POST", .path = "/api/v1/organization/leave", .operation = "leaveOrganization",
              .summary = "Leave the organisation one acts in; the answer says what one still holds",
              .permission = Permission::own_session, .handler = [&rooms](Call& c) { return leave(rooms, c); }, .body = {{"organization_id", "string"}}, .idempotency_key = true, .answer = "StillHeld"});
}

}  // namespace caip::web
