// Signing in with other services, and linking them. The provider sends the browser back to a page of the
// user interface; that page POSTs what came with it, so that no GET changes anything.
#include "auth/accounts.h"
#include "auth/identities.h"
#include "cookies.h"
#include "crypto/random.h"
#include "permits.h"
#include "round_trip.h"
#include "web/api.h"

namespace caip::web {
namespace {

using federation::Purpose;

Reply methods(const Rooms& rooms, Call&) {
  json::array providers;
  for (const auto& p : rooms.providers.list()) providers.push_back(json::object{{"id", p.id}, {"label", p.label}});
  return json_reply(200, json::object{{"password", true}, {"password_reset", rooms.mail}, {"providers", providers}});
}

Principal nobody(Call& call) {
  Principal p;
  p.origin = call.origin();
  return p;
}

Reply finish_sign_in(const Rooms& rooms, Call& call) {
  CAIP_TRY(back, returned(call, Purpose::sign_in));
  auto proven = rooms.providers.finish(back);
  if (!proven) return std::unexpected(not_proven(rooms, SignInWith{cut(shown(back.provider), 32), Foreign()}, nobody(call), proven.error()));
  return came_in(rooms, call, *proven);
}

json::object identity_json(const auth::Identity& i) {
  return json::object{{"id", i.id.str()}, {"provider", i.provider}, {"shown", i.shown}, {"linked_at", i.linked.str()},
                      {"used_at", i.used ? json::value(i.used->str()) : json::value(nullptr)}};
}

Reply list(const Rooms& rooms, Call& call) {
  CAIP_TRY(found, rooms.identities.methods(call.session->user()));
  json::array data;
  for (const auto& i : found.identities) data.push_back(identity_json(i));
  return json_reply(200, json::object{{"password", found.password}, {"identities", data}});
}

Reply link(const Rooms& rooms, Call& call) {
  CAIP_TRY(back, returned(call, Purpose::link));
  const LinkIdentity action{crypto::random_id<IdentityId>(), cut(shown(back.provider), 32)};
  CAIP_TRY(permit, permit_for(rooms, *call.session, action));  // first: a step-up that is missing must not use up what came back
  auto proven = rooms.providers.finish(back);
  if (!proven) return std::unexpected(not_proven(rooms, action, call.session->principal(), proven.error()));
  CAIP_TRY(receipt, rooms.identities.link(std::move(permit), proven->identity));
  http::Response r = json_reply(201, json::object{{"id", receipt.action().identity.str()}, {"next", proven->next}});
  clear_cookie(r, kAttemptCookie);
  return r;
}

Reply unlink(const Rooms& rooms, Call& call) {
  CAIP_TRY(id, call.id<IdentityId>());
  CAIP_CHECKED(Members(call.body).finish());
  CAIP_TRY(permit, permit_for(rooms, *call.session, UnlinkIdentity{id}));
  CAIP_CHECKED(on_record(rooms, *call.session, UnlinkIdentity{id}, rooms.identities.unlink(std::move(permit))));
  return empty_reply();
}

}  // namespace

// Beginning and finishing ask the provider over the network: not in the pool that hashes passwords, which a
// slow provider would then hold up, but in the common one, of which federation::Providers takes a few at most.
void add_sign_in_routes(Router& router, const Rooms& rooms) {
  router.add({.method = "GET", .path = "/api/v1/sign-in/methods", .operation = "getSignInMethods", .summary = "The ways to sign in",
              .permission = {}, .handler = [&rooms](Call& c) { return methods(rooms, c); }, .answer = "SignInMethods"});
  router.add({.method = "POST", .path = "/api/v1/sign-in/attempts", .operation = "beginSignIn", .summary = "Begin a sign-in with another service: where to go",
              .permission = {}, .handler = [&rooms](Call& c) { return begin_round_trip(rooms, c, Purpose::sign_in); }, .body = begin_fields(), .success = 201, .answer = "Departure", .limited = true, .allocates = true});
  router.add({.method = "POST", .path = "/api/v1/sign-in/callbacks", .operation = "finishSignIn", .summary = "Finish it with what the service sent back",
              .permission = {}, .handler = [&rooms](Call& c) { return finish_sign_in(rooms, c); }, .body = returned_fields(), .success = 201, .answer = "Session", .accepted = "SecondStep", .limited = true});
  router.add({.method = "GET", .path = "/api/v1/account/identities", .operation = "getIdentities", .summary = "Accounts at other services that are linked to one's own",
              .permission = Permission::own_session, .handler = [&rooms](Call& c) { return list(rooms, c); }, .answer = "Identities"});
  router.add({.method = "POST", .path = "/api/v1/account/identities/attempts", .operation = "beginLink", .summary = "Begin to link an account at another service",
              .permission = Permission::own_session, .handler = [&rooms](Call& c) { return begin_round_trip(rooms, c, Purpose::link); }, .body = begin_fields(), .success = 201, .answer = "Departure"});
  router.add({.method = "POST", .path = "/api/v1/account/identities", .operation = "linkIdentity", .summary = "Link it, with what the service sent back",
              .permission = Permission::own_session, .handler = [&rooms](Call& c) { return link(rooms, c); }, .body = returned_fields(), .success = 201, .answer = "Linked"});
  router.add({.method = "DELETE", .path = "/api/v1/account/identities/{id}", .operation = "unlinkIdentity", .summary = "Unlink it; never the last way to sign in",
              .permission = Permission::own_session, .handler = [&rooms](Call& c) { return unlink(rooms, c); }, .success = 204});
}

}  // namespace caip::web
