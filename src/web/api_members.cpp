// The people of an organisation and their roles.
#include "auth/accounts.h"
#include "auth/team.h"
#include "crypto/random.h"
#include "leaver.h"
#include "permits.h"
#include "web/api.h"

namespace caip::web {
namespace {

json::object member_json(const auth::Member& m) {
  return json::object{{"id", m.user.str()}, {"email", m.email.str()}, {"role", text(m.role)},
                      {"version", m.version}, {"created_at", m.created.str()}, {"disabled_at", m.disabled ? json::value(m.disabled->str()) : json::value(nullptr)}};
}

Reply list(const Rooms& rooms, Call& call) {
  CAIP_TRY(ask, call.page());
  CAIP_TRY(page, rooms.accounts.members(call.session->org(), ask));
  return list_reply(call, page, [](const auth::Member& m) { return Place{m.created.micros(), m.user.str()}; }, member_json);
}

Result<json::object> find(const Rooms& rooms, const Session& session, const UserId& user) {
  CAIP_TRY(member, rooms.accounts.member(session.org(), user));
  return member_json(member);
}

Reply add(const Rooms& rooms, Call& call) {
  Members m(call.body);
  CAIP_TRY(email_text, m.string("email", 254));
  CAIP_TRY(role_text, m.string("role", 16));
  CAIP_TRY(password, m.string("password", 1024));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(email, Email::parse(email_text));
  CAIP_TRY(role, parse_role(role_text));
  CAIP_TRY(permit, permit_for(rooms, *call.session, AddMember{crypto::random_id<UserId>(), email, role}));
  CAIP_TRY(receipt, rooms.accounts.add_member(std::move(permit), SecretBytes(password)));
  CAIP_TRY(body, find(rooms, *call.session, receipt.action().user));
  return json_reply(201, body);
}

Reply change(const Rooms& rooms, Call& call) {
  CAIP_TRY(user, call.id<UserId>());
  Members m(call.body);
  CAIP_TRY(role_text, m.string("role", 16));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(role, parse_role(role_text));
  CAIP_TRY(version, call.if_match());
  CAIP_TRY(permit, permit_for(rooms, *call.session, ChangeRole{user, role}));
  CAIP_TRY(receipt, on_record(rooms, *call.session, ChangeRole{user, role}, rooms.accounts.change_role(std::move(permit), version)));
  CAIP_TRY(body, find(rooms, *call.session, receipt.action().user));
  http::Response r = json_reply(200, body);
  r.headers.emplace_back("ETag", '"' + std::to_string(body["version"].as_int64()) + '"');
  return r;
}

// The answer is for whoever looks after what the platform cannot take back.
Reply remove(const Rooms& rooms, Call& call) {
  CAIP_TRY(user, call.id<UserId>());
  CAIP_TRY(version, call.if_match());
  CAIP_TRY(permit, permit_for(rooms, *call.session, RemoveMember{user}));
  CAIP_TRY(receipt, rooms.team.remove(std::move(permit), version));
  CAIP_TRY(held, still_held(rooms, *call.session, user));
  return json_reply(200, json::object{{"still_held", held}});
}

template <Action A>
Reply set_access(const Rooms& rooms, Call& call, Result<Receipt<A>> (auth::Team::*act)(Authorized<A>&&, std::int64_t)) {
  CAIP_TRY(user, call.id<UserId>());
  CAIP_CHECKED(Members(call.body).finish());
  CAIP_TRY(version, call.if_match());
  CAIP_TRY(permit, permit_for(rooms, *call.session, A{user}));
  CAIP_TRY(receipt, (rooms.team.*act)(std::move(permit), version));
  CAIP_TRY(body, find(rooms, *call.session, receipt.action().user));
  return json_reply(200, body);
}

Reply transfer(const Rooms& rooms, Call& call) {
  CAIP_TRY(user, call.id<UserId>());
  CAIP_CHECKED(Members(call.body).finish());
  CAIP_TRY(version, call.if_match());
  CAIP_TRY(permit, permit_for(rooms, *call.session, TransferOwnership{user}));
  CAIP_TRY(receipt, rooms.team.transfer(std::move(permit), version));
  CAIP_TRY(body, find(rooms, *call.session, user));
  return json_reply(200, body);
}

Reply reset_factors(const Rooms& rooms, Call& call) {
  CAIP_TRY(user, call.id<UserId>());
  CAIP_CHECKED(Members(call.body).finish());
  CAIP_TRY(permit, permit_for(rooms, *call.session, ResetFactors{user}));
  CAIP_CHECKED(on_record(rooms, *call.session, ResetFactors{user}, rooms.accounts.reset_factors(std::move(permit))));
  return empty_reply();
}

}  // namespace

void add_member_routes(Router& router, const Rooms& rooms) {
  router.add({.method = "GET", .path = "/api/v1/members", .operation = "listMembers", .summary = "The people of the organisation",
              .permission = Permission::member_view, .handler = [&rooms](Call& c) { return list(rooms, c); }, .list = true, .answer = "Member"});
  router.add({.method = "POST", .path = "/api/v1/members", .operation = "addMember", .summary = "Add a person",
              .permission = Permission::member_add, .handler = [&rooms](Call& c) { return add(rooms, c); },
              .body = {{"email", "string"}, {"role", "string"}, {"password", "string"}}, .idempotency_key = true, .success = 201, .answer = "Member", .slow = true});
  router.add({.method = "PATCH", .path = "/api/v1/members/{id}", .operation = "changeRole", .summary = "Change a person's role (If-Match)",
              .permission = Permission::member_change_role, .handler = [&rooms](Call& c) { return change(rooms, c); }, .body = {{"role", "string"}}, .answer = "Member", .if_match = true});
  router.add({.method = "DELETE", .path = "/api/v1/members/{id}", .operation = "removeMember",
              .summary = "Remove a person (If-Match); the answer says what they still hold elsewhere",
              .permission = Permission::member_remove, .handler = [&rooms](Call& c) { return remove(rooms, c); }, .answer = "StillHeld", .if_match = true});
  router.add({.method = "DELETE", .path = "/api/v1/members/{id}/factors", .operation = "resetFactors", .summary = "Remove all second factors of a person who lost theirs; ends their sessions",
              .permission = Permission::member_change_role, .handler = [&rooms](Call& c) { return reset_factors(rooms, c); }, .success = 204});
  router.add({.method = "POST", .path = "/api/v1/members/{id}/disable", .operation = "disableMember",
              .summary = "Let a member in no more, until enabled again (If-Match); ends sessions, streams and undecided proposals",
              .permission = Permission::member_disable, .handler = [&rooms](Call& c) { return set_access<DisableMember>(rooms, c, &auth::Team::disable); },
              .idempotency_key = true, .answer = "Member", .if_match = true});
  router.add({.method = "POST", .path = "/api/v1/members/{id}/enable", .operation = "enableMember", .summary = "Let a disabled member in again (If-Match)",
              .permission = Permission::member_disable, .handler = [&rooms](Call& c) { return set_access<EnableMember>(rooms, c, &auth::Team::enable); },
              .idempotency_key = true, .answer = "Member", .if_match = true});
  router.add({.method = "POST", .path = "/api/v1/members/{id}/ownership", .operation = "transferOwnership",
              .summary = "Hand one's own ownership to this person (If-Match); one is Admin afterwards",
              .permission = Permission::ownership_transfer, .handler = [&rooms](Call& c) { return transfer(rooms, c); }, .idempotency_key = true, .answer = "Member", .if_match = true});
}

}  // namespace caip::web
