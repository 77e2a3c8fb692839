// Passkeys: signing in with one alone, and adding them. Bytes travel as base64url, as browsers give them.
#include "auth/accounts.h"
#include "auth/passkeys.h"
#include "authorization/authorizer.h"
#include "base/product.h"
#include "cookies.h"
#include "crypto/random.h"
#include "passkey_call.h"
#include "permits.h"
#include "web/api.h"

namespace caip::web {
namespace {

Reply begin(const Rooms& rooms, Call& call) {
  CAIP_CHECKED(Members(call.body).finish());
  CAIP_TRY(c, rooms.passkeys.challenge(std::nullopt, call.request.address));
  return challenged(c, {});
}

Reply sign_in(const Rooms& rooms, Call& call) {
  CAIP_TRY(answer, passkey_answer(call));
  Principal nobody;
  nobody.origin = call.origin();
  CAIP_TRY(first_step, rooms.accounts.first_step_of(cookie(call.request, kPendingCookie).value_or("")));
  auto use = rooms.passkeys.recognise(nobody, answer.token, answer.credential, answer.said, first_step);
  if (!use) return std::unexpected(not_accepted(use.error()));
  auto permit = rooms.authorizer.authorize_anonymous(call.origin(), ProveFactor{use->user});
  if (!permit) return std::unexpected(refused(rooms, permit.error()));
  auto in = rooms.accounts.sign_in_with_passkey(std::move(*permit), *use, cookie(call.request, kDeviceCookie).value_or(""));
  if (!in) return std::unexpected(not_accepted(in.error()));
  http::Response r = signed_in(in->person, in->tokens, in->device, false);
  clear_cookie(r, kPendingCookie);
  clear_cookie(r, kChallengeCookie);
  return r;
}

Reply offer(const Rooms& rooms, Call& call) {
  CAIP_CHECKED(Members(call.body).finish());
  CAIP_CHECKED(permit_for(rooms, *call.session, AddFactor{crypto::random_id<FactorId>(), FactorKind::passkey}));  // who may not add one begins nothing
  CAIP_TRY(person, rooms.accounts.person(*call.session));
  CAIP_TRY(c, rooms.passkeys.challenge(person.user, call.request.address));
  json::array known;
  for (const auto& k : c.known) known.emplace_back(k);
  return challenged(c, {{"site_name", kProductName}, {"user", base64url(view(person.user.str()))}, {"user_name", person.email.str()}, {"known", known}});
}

Reply add(const Rooms& rooms, Call& call) {
  Members m(call.body);
  CAIP_TRY(name, m.string("name", 64));
  CAIP_TRY(client_data, text_member(m, "client_data", 12'000));
  CAIP_TRY(attestation, bytes_member(m, "attestation", 90'000));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(permit, permit_for(rooms, *call.session, AddFactor{crypto::random_id<FactorId>(), FactorKind::passkey}));
  CAIP_TRY(codes, rooms.passkeys.add(std::move(permit), cookie(call.request, kChallengeCookie).value_or(""), name, client_data, attestation));
  json::array out;
  for (const auto& c : codes) out.emplace_back(c);
  http::Response r = json_reply(201, json::object{{"recovery_codes", out}});
  clear_cookie(r, kChallengeCookie);
  return r;
}

}  // namespace

void add_passkey_routes(Router& router, const Rooms& rooms) {
  router.add({.method = "POST", .path = "/api/v1/sessions/passkey-challenges", .operation = "challengePasskey", .summary = "A challenge for any passkey of this site",
              .permission = {}, .handler = [&rooms](Call& c) { return begin(rooms, c); }, .success = 201, .answer = "PasskeyChallenge", .limited = true, .allocates = true});
  router.add({.method = "POST", .path = "/api/v1/sessions/passkey", .operation = "signInWithPasskey", .summary = "Sign in with a passkey alone",
              .permission = {}, .handler = [&rooms](Call& c) { return sign_in(rooms, c); },
              .body = passkey_fields(), .success = 201, .answer = "Session", .limited = true});
  router.add({.method = "POST", .path = "/api/v1/account/factors/passkey-offers", .operation = "offerPasskey", .summary = "A challenge for a new passkey of one's own",
              .permission = Permission::own_session, .handler = [&rooms](Call& c) { return offer(rooms, c); }, .success = 201, .answer = "PasskeyOffer"});
  router.add({.method = "POST", .path = "/api/v1/account/factors/passkeys", .operation = "addPasskey", .summary = "Add the passkey that was made for it",
              .permission = Permission::own_session, .handler = [&rooms](Call& c) { return add(rooms, c); },
              .body = {{"name", "string"}, {"client_data", "string"}, {"attestation", "string"}}, .success = 201, .answer = "RecoveryCodes"});
}

}  // namespace caip::web
