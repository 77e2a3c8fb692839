// Passkeys: signing in with one alone, and adding them. Bytes travel as base64url, as browsers give them.
#include "auth/accounts.h"
#include "auth/passkeys.h"
#include "authorization/authorizer.h"
#include "base/product.h"
#include "cookies.h"
#include "crypto/random.h"
#include "permits.h"
#include "web/api.h"

namespace caip::web {
namespace {

constexpr std::string_view kChallengeCookie = "__Host-caip_passkey";

Result<Bytes> bytes_member(Members& m, std::string_view name, std::size_t most) {
  CAIP_TRY(text, m.string(name, most));
  auto bytes = from_base64url(text);
  if (!bytes) return fail(Code::malformed, std::string(name) + " is base64url");
  return *std::move(bytes);
}

Result<std::string> text_member(Members& m, std::string_view name, std::size_t most) {
  CAIP_TRY(bytes, bytes_member(m, name, most));
  return std::string(text_of(bytes));
}

http::Response challenged(const auth::PasskeyChallenge& c, json::object body) {
  body["challenge"] = c.challenge;
  body["site"] = c.site;
  http::Response r = json_reply(201, body);
  set_cookie(r, kChallengeCookie, c.token, auth::Passkeys::kChallengeLifetime, Site::strict);
  return r;
}

Reply begin(const Rooms& rooms, Call& call) {
  CAIP_CHECKED(Members(call.body).finish());
  CAIP_TRY(c, rooms.passkeys.challenge(std::nullopt, call.request.address));
  return challenged(c, {});
}

// Whatever was wrong with it, one text: the reason is in the log.
Error not_accepted(const Error& error) {
  if (error.code != Code::bad_credentials) return error;
  return Error{Code::forbidden, "the passkey was not accepted; sign in another way"};
}

Reply sign_in(const Rooms& rooms, Call& call) {
  Members m(call.body);
  CAIP_TRY(credential, bytes_member(m, "credential", 1400));
  CAIP_TRY(client_data, text_member(m, "client_data", 12'000));
  CAIP_TRY(data, bytes_member(m, "authenticator_data", 6000));
  CAIP_TRY(signature, bytes_member(m, "signature", 1400));
  CAIP_CHECKED(m.finish());
  Principal nobody;
  nobody.origin = call.origin();
  auto use = rooms.passkeys.recognise(nobody, cookie(call.request, kChallengeCookie).value_or(""), credential, {std::move(client_data), std::move(data), std::move(signature)});
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
              .body = {{"credential", "string"}, {"client_data", "string"}, {"authenticator_data", "string"}, {"signature", "string"}}, .success = 201, .answer = "Session", .limited = true});
  router.add({.method = "POST", .path = "/api/v1/account/factors/passkey-offers", .operation = "offerPasskey", .summary = "A challenge for a new passkey of one's own",
              .permission = Permission::own_session, .handler = [&rooms](Call& c) { return offer(rooms, c); }, .success = 201, .answer = "PasskeyOffer"});
  router.add({.method = "POST", .path = "/api/v1/account/factors/passkeys", .operation = "addPasskey", .summary = "Add the passkey that was made for it",
              .permission = Permission::own_session, .handler = [&rooms](Call& c) { return add(rooms, c); },
              .body = {{"name", "string"}, {"client_data", "string"}, {"attestation", "string"}}, .success = 201, .answer = "RecoveryCodes"});
}

}  // namespace caip::web
