// Proving anew who is there, with a password, a passkey, or at another service.
#include <algorithm>

#include "auth/accounts.h"
#include "auth/factors.h"
#include "auth/identities.h"
#include "cookies.h"
#include "passkey_call.h"
#include "permits.h"
#include "round_trip.h"
#include "secret_member.h"

namespace caip::web {
namespace {

using federation::Purpose;

constexpr std::size_t kMostCode = 64;

json::object lasting() { return json::object{{"valid_seconds", std::chrono::duration_cast<std::chrono::seconds>(kStepUpLifetime).count()}}; }

// A service that cannot say when somebody signed in there counts for those alone who have nothing better
// (Accounts::step_up_with).
Reply ways(const Rooms& rooms, Call& call) {
  const UserId user = call.session->user();
  CAIP_TRY(methods, rooms.identities.methods(user));
  CAIP_TRY(passkeys, rooms.passkeys.list(user));
  CAIP_TRY(factors, rooms.factors.state(user));
  const bool passkey = std::ranges::any_of(passkeys, [](const auto& p) { return !p.suspended; });
  json::array providers;
  for (const auto& p : rooms.providers.list()) {
    const bool linked = std::ranges::any_of(methods.identities, [&](const auto& i) { return i.provider == p.id; });
    if (linked && (p.kind == federation::Kind::openid || (!methods.password && !passkey))) providers.push_back(json::object{{"id", p.id}, {"label", p.label}});
  }
  return json_reply(200, json::object{{"password", methods.password}, {"passkey", passkey}, {"code", factors.any()}, {"app", factors.totp.has_value()}, {"providers", providers}});
}

Reply by_password(const Rooms& rooms, Call& call) {
  CAIP_TRY(password, take_password(call.body));
  Members m(call.body);
  CAIP_TRY(code, m.optional_string("code", kMostCode));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(permit, permit_for(rooms, *call.session, StepUpSession{call.session->id()}));
  CAIP_CHECKED(rooms.accounts.step_up(std::move(permit), password, code.value_or("")));
  return json_reply(200, lasting());
}

Reply begin_passkey(const Rooms& rooms, Call& call) {
  CAIP_CHECKED(Members(call.body).finish());
  CAIP_CHECKED(permit_for(rooms, *call.session, StepUpSession{call.session->id()}));
  CAIP_TRY(c, rooms.passkeys.challenge_again(*call.session));
  json::array known;
  for (const auto& k : c.known) known.emplace_back(k);
  return challenged(c, {{"known", known}});
}

Reply by_passkey(const Rooms& rooms, Call& call) {
  CAIP_TRY(answer, passkey_answer(call));
  auto use = rooms.passkeys.recognise_again(*call.session, answer.token, answer.credential, answer.said);
  if (!use) return std::unexpected(not_accepted(use.error()));
  CAIP_TRY(permit, permit_for(rooms, *call.session, StepUpSession{call.session->id()}));
  auto done = rooms.accounts.step_up_with_passkey(std::move(permit), *use);
  if (!done) return std::unexpected(not_accepted(done.error()));
  http::Response r = json_reply(200, lasting());
  clear_cookie(r, kChallengeCookie);
  return r;
}

Reply by_provider(const Rooms& rooms, Call& call) {
  CAIP_TRY(code, Members(call.body).optional_string("factor_code", kMostCode));
  call.body.erase("factor_code");
  CAIP_TRY(back, returned(call, Purpose::step_up));
  CAIP_TRY(factors, rooms.factors.state(call.session->user()));
  if (factors.any() && !code) return fail(Code::invalid, "factor_code is missing: of an authenticator app, or a recovery code");  // what came back is not used up
  const StepUpSession action{call.session->id()};
  auto proven = rooms.providers.finish(back);
  if (!proven) return std::unexpected(not_proven(rooms, action, call.session->principal(), proven.error()));
  CAIP_TRY(permit, permit_for(rooms, *call.session, action));
  CAIP_CHECKED(rooms.accounts.step_up_with(std::move(permit), proven->identity, proven->anew ? auth::AtProvider::signed_in_anew : auth::AtProvider::was_signed_in, code.value_or("")));
  json::object body = lasting();
  body["next"] = proven->next;
  http::Response r = json_reply(200, body);
  clear_cookie(r, kAttemptCookie);
  return r;
}

std::vector<Field> with_code() {
  auto fields = returned_fields();
  fields.push_back({"factor_code", "string", false});
  return fields;
}

}  // namespace

void add_step_up_routes(Router& router, const Rooms& rooms) {
  constexpr auto kOwn = Permission::own_session;
  router.add({.method = "GET", .path = "/api/v1/session/step-up", .operation = "getStepUpWays", .summary = "How one can show once more that it is oneself",
              .permission = kOwn, .handler = [&rooms](Call& c) { return ways(rooms, c); }, .answer = "StepUpWays"});
  router.add({.method = "POST", .path = "/api/v1/session/step-up", .operation = "stepUp", .summary = "Enter the password again, for what answers step_up_needed; who has an authenticator app, its code too",
              .permission = kOwn, .handler = [&rooms](Call& c) { return by_password(rooms, c); }, .body = {{"password", "string"}, {"code", "string", false}}, .answer = "SteppedUp", .slow = true});
  router.add({.method = "POST", .path = "/api/v1/session/step-up/passkey-challenges", .operation = "challengeStepUp", .summary = "A challenge for one's own passkeys, for a step-up",
              .permission = kOwn, .handler = [&rooms](Call& c) { return begin_passkey(rooms, c); }, .success = 201, .answer = "StepUpChallenge"});
  router.add({.method = "POST", .path = "/api/v1/session/step-up/passkey", .operation = "stepUpWithPasskey", .summary = "Step up with a passkey of one's own",
              .permission = kOwn, .handler = [&rooms](Call& c) { return by_passkey(rooms, c); }, .body = passkey_fields(), .answer = "SteppedUp"});
  router.add({.method = "POST", .path = "/api/v1/session/step-up/attempts", .operation = "beginStepUp", .summary = "Begin a step-up at another service: where to go",
              .permission = kOwn, .handler = [&rooms](Call& c) { return begin_round_trip(rooms, c, Purpose::step_up); }, .body = begin_fields(), .success = 201, .answer = "Departure"});
  router.add({.method = "POST", .path = "/api/v1/session/step-up/callbacks", .operation = "finishStepUp", .summary = "Finish it with what the service sent back",
              .permission = kOwn, .handler = [&rooms](Call& c) { return by_provider(rooms, c); }, .body = with_code(), .answer = "SteppedUpThere"});
}

}  // namespace caip::web
