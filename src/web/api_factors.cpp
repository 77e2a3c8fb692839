// Second factors: the second step of a sign-in, and what people set up for it.
#include "auth/accounts.h"
#include "auth/factors.h"
#include "auth/passkeys.h"
#include "authorization/authorizer.h"
#include "cookies.h"
#include "crypto/random.h"
#include "permits.h"
#include "web/api.h"

namespace caip::web {
namespace {

constexpr std::size_t kMostCode = 64;

Reply second_step(const Rooms& rooms, Call& call) {
  Members m(call.body);
  CAIP_TRY(code, m.string("code", kMostCode));
  CAIP_TRY(given, m.optional_string("pending_token", 128));
  CAIP_CHECKED(m.finish());
  const std::string token = given ? *given : cookie(call.request, kPendingCookie).value_or("");
  CAIP_TRY(user, rooms.accounts.halfway(token));
  auto permit = rooms.authorizer.authorize_anonymous(call.origin(), ProveFactor{user});
  if (!permit) return std::unexpected(refused(rooms, permit.error()));
  CAIP_TRY(in, rooms.accounts.prove_factor(std::move(*permit), token, code));
  http::Response r = signed_in(in.person, in.tokens, in.device, given.has_value());
  if (!given) clear_cookie(r, kPendingCookie);
  return r;
}

Reply state(const Rooms& rooms, Call& call) {
  CAIP_TRY(s, rooms.factors.state(call.session->user()));
  json::object totp;
  if (s.totp) totp = json::object{{"id", s.totp->str()}, {"since", s.totp_since->str()}};
  CAIP_TRY(keys, rooms.passkeys.list(call.session->user()));
  json::array passkeys;
  for (const auto& k : keys)
    passkeys.push_back(json::object{{"id", k.id.str()}, {"name", k.name}, {"added_at", k.added.str()}, {"used_at", k.used ? json::value(k.used->str()) : json::value(nullptr)}, {"suspended", k.suspended}});
  return json_reply(200, json::object{{"totp", s.totp ? json::value(totp) : json::value(nullptr)}, {"passkeys", passkeys}, {"recovery_codes", s.recovery_codes}});
}

Reply offer(const Rooms& rooms, Call& call) {
  CAIP_CHECKED(Members(call.body).finish());
  CAIP_CHECKED(permit_for(rooms, *call.session, AddFactor{crypto::random_id<FactorId>(), FactorKind::totp}));  // who may not add one begins nothing
  CAIP_TRY(person, rooms.accounts.person(*call.session));
  CAIP_TRY(offered, rooms.factors.offer_totp(*call.session, person.email));
  return json_reply(201, json::object{{"secret", offered.secret}, {"uri", offered.uri}});
}

http::Response codes_reply(const auth::RecoveryCodes& codes) {
  json::array out;
  for (const auto& c : codes) out.emplace_back(c);
  return json_reply(201, json::object{{"recovery_codes", out}});
}

Reply add(const Rooms& rooms, Call& call) {
  Members m(call.body);
  CAIP_TRY(code, m.string("code", kMostCode));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(permit, permit_for(rooms, *call.session, AddFactor{crypto::random_id<FactorId>(), FactorKind::totp}));
  CAIP_TRY(codes, rooms.factors.add_totp(std::move(permit), code));
  return codes_reply(codes);
}

Reply remove(const Rooms& rooms, Call& call) {
  CAIP_TRY(id, call.id<FactorId>());
  CAIP_CHECKED(Members(call.body).finish());
  CAIP_TRY(permit, permit_for(rooms, *call.session, RemoveFactor{id}));
  CAIP_CHECKED(on_record(rooms, *call.session, RemoveFactor{id}, rooms.factors.remove(std::move(permit))));
  return empty_reply();
}

Reply rename(const Rooms& rooms, Call& call) {
  CAIP_TRY(id, call.id<FactorId>());
  Members m(call.body);
  CAIP_TRY(name, m.string("name", 256));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(permit, permit_for(rooms, *call.session, RenameFactor{id}));
  CAIP_CHECKED(on_record(rooms, *call.session, RenameFactor{id}, rooms.passkeys.rename(std::move(permit), name)));
  return empty_reply();
}

Reply renew(const Rooms& rooms, Call& call) {
  CAIP_CHECKED(Members(call.body).finish());
  CAIP_TRY(permit, permit_for(rooms, *call.session, RenewRecoveryCodes{}));
  CAIP_TRY(codes, rooms.factors.renew_codes(std::move(permit)));
  return codes_reply(codes);
}

}  // namespace

void add_factor_routes(Router& router, const Rooms& rooms) {
  router.add({.method = "POST", .path = "/api/v1/sessions/second-factor", .operation = "proveSecondFactor", .summary = "The second step of a sign-in: a code",
              .permission = {}, .handler = [&rooms](Call& c) { return second_step(rooms, c); },
              .body = {{"code", "string"}, {"pending_token", "string", false}}, .success = 201, .answer = "Session"});
  router.add({.method = "GET", .path = "/api/v1/account/factors", .operation = "getFactors", .summary = "One's own second factors",
              .permission = Permission::own_session, .handler = [&rooms](Call& c) { return state(rooms, c); }, .answer = "Factors"});
  router.add({.method = "POST", .path = "/api/v1/account/factors/totp-offers", .operation = "offerTotp", .summary = "A secret for an authenticator app; on only once a code of it was given",
              .permission = Permission::own_session, .handler = [&rooms](Call& c) { return offer(rooms, c); }, .success = 201, .answer = "TotpOffer"});
  router.add({.method = "POST", .path = "/api/v1/account/factors/totp", .operation = "addTotp", .summary = "Turn the offered authenticator app on with its first code",
              .permission = Permission::own_session, .handler = [&rooms](Call& c) { return add(rooms, c); }, .body = {{"code", "string"}}, .success = 201, .answer = "RecoveryCodes"});
  router.add({.method = "POST", .path = "/api/v1/account/factors/recovery-codes", .operation = "renewRecoveryCodes", .summary = "New recovery codes; the old ones end",
              .permission = Permission::own_session, .handler = [&rooms](Call& c) { return renew(rooms, c); }, .success = 201, .answer = "RecoveryCodes"});
  router.add({.method = "PATCH", .path = "/api/v1/account/factors/{id}", .operation = "renameFactor", .summary = "Call a passkey something else",
              .permission = Permission::own_session, .handler = [&rooms](Call& c) { return rename(rooms, c); }, .body = {{"name", "string"}}, .success = 204});
  router.add({.method = "DELETE", .path = "/api/v1/account/factors/{id}", .operation = "removeFactor", .summary = "Remove a second factor",
              .permission = Permission::own_session, .handler = [&rooms](Call& c) { return remove(rooms, c); }, .success = 204});
}

}  // namespace caip::web
