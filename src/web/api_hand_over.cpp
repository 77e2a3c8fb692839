// One more program of a person who is signed in, as the command line: the browser asks for a code and takes it there, the
// program exchanges it (auth/hand_over.h). The code is worth nothing without the verifier, which the browser never has.
#include "auth/accounts.h"
#include "cookies.h"
#include "permits.h"
#include "web/api.h"

namespace caip::web {
namespace {

constexpr std::size_t kMaxToken = 512;

Reply offer(const Rooms& rooms, Call& call) {
  Members m(call.body);
  CAIP_TRY(text, m.string("challenge", 64));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(challenge, auth::Challenge::parse(text));
  CAIP_TRY(permit, permit_for(rooms, *call.session, HandOverSession{call.session->id()}));
  CAIP_TRY(code, rooms.accounts.hand_over(std::move(permit), challenge));
  return json_reply(201, json::object{{"code", code.text}, {"expires_at", code.until.str()}});
}

Reply exchange(const Rooms& rooms, Call& call) {
  Members m(call.body);
  CAIP_TRY(code, m.string("code", kMaxToken));
  CAIP_TRY(verifier, m.string("verifier", 128));
  CAIP_TRY(device, m.optional_string("device_token", kMaxToken));
  CAIP_CHECKED(m.finish());
  Principal nobody;
  nobody.origin = call.origin();
  CAIP_TRY(given, rooms.accounts.handed_over(std::move(nobody), code, verifier));
  auto permit = rooms.authorizer.authorize_anonymous(call.origin(), SignInBySession{given.session}, given.org);
  if (!permit) return std::unexpected(refused(rooms, permit.error()));
  CAIP_TRY(in, rooms.accounts.sign_in_by(std::move(*permit), given, device.value_or("")));
  return signed_in(in.person, in.tokens, in.device, true);
}

}  // namespace

void add_hand_over_routes(Router& router, const Rooms& rooms) {
  router.add({.method = "POST", .path = "/api/v1/session/hand-overs", .operation = "handOverSession", .summary = "Let a program of one's own in: a code for it, for a minute",
              .permission = Permission::own_session, .handler = [&rooms](Call& c) { return offer(rooms, c); },
              .body = {{"challenge", "string"}}, .success = 201, .answer = "HandOver"});
  router.add({.method = "POST", .path = "/api/v1/sessions/handed-over", .operation = "signInBySession", .summary = "Sign in with the code that a browser brought",
              .permission = {}, .handler = [&rooms](Call& c) { return exchange(rooms, c); },
              .body = {{"code", "string"}, {"verifier", "string"}, {"device_token", "string", false}}, .success = 201, .answer = "Session", .limited = true});
}

}  // namespace caip::web
