// First set-up, sign-in, refresh, the session itself.
#include "auth/accounts.h"
#include "auth/sessions.h"
#include "authorization/authorizer.h"
#include "cookies.h"
#include "crypto/random.h"
#include "permits.h"
#include "web/api.h"

namespace caip::web {
namespace {

constexpr std::size_t kMaxPassword = 1024;
constexpr std::size_t kMaxToken = 512;

Reply setup(const Rooms& rooms, Call& call) {
  Members m(call.body);
  CAIP_TRY(token, m.string("token", kMaxToken));
  CAIP_TRY(email_text, m.string("email", 254));
  CAIP_TRY(password, m.string("password", kMaxPassword));
  CAIP_TRY(organization, m.string("organization", 64));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(email, Email::parse(email_text));
  CAIP_TRY(name, OrgName::parse(organization));
  auto permit = rooms.authorizer.authorize_anonymous(
      call.origin(), CreateOwner{crypto::random_id<UserId>(), crypto::random_id<OrgId>(), email, name});
  if (!permit) return std::unexpected(refused(rooms, permit.error()));
  CAIP_TRY(receipt, rooms.accounts.create_owner(std::move(*permit), token, SecretBytes(password)));
  if (rooms.owner_created) rooms.owner_created(receipt.action().org);
  return json_reply(201, json::object{{"user", json::object{{"id", receipt.action().user.str()}, {"email", email.str()}}},
                                      {"organization", json::object{{"id", receipt.action().org.str()}, {"name", name.str()}}}});
}

Reply sign_in(const Rooms& rooms, Call& call) {
  Members m(call.body);
  CAIP_TRY(email_text, m.string("email", 254));
  CAIP_TRY(password, m.string("password", kMaxPassword));
  CAIP_TRY(client, m.optional_string("client", 16));
  CAIP_TRY(device, m.optional_string("device_token", kMaxToken));
  CAIP_CHECKED(m.finish());
  if (client && *client != "browser" && *client != "cli") return fail(Code::invalid, "client is \"browser\" or \"cli\"");
  CAIP_TRY(email, Email::parse(email_text));
  auto permit = rooms.authorizer.authorize_anonymous(call.origin(), SignIn{email});
  if (!permit) return std::unexpected(refused(rooms, permit.error()));
  CAIP_TRY(step, rooms.accounts.sign_in(std::move(*permit), SecretBytes(password), device ? *device : cookie(call.request, kDeviceCookie).value_or("")));
  const bool cli = client == "cli";
  if (const auto* needed = std::get_if<auth::FactorNeeded>(&step)) return owes_factor(*needed, cli);
  const auto& in = std::get<auth::SignedIn>(step);
  return signed_in(in.person, in.tokens, in.device, cli);
}

Reply refresh(const Rooms& rooms, Call& call) {
  Members m(call.body);
  CAIP_TRY(given, m.optional_string("refresh_token", kMaxToken));
  CAIP_CHECKED(m.finish());
  std::string token = given ? *given : cookie(call.request, kRefreshCookie).value_or("");
  if (token.empty()) return fail(Code::unauthenticated, "sign in first");
  CAIP_TRY(session, rooms.sessions.verify_refresh(token, call.origin()));
  CAIP_TRY(permit, permit_for(rooms, session, RefreshSession{session.id()}));
  CAIP_TRY(renewed, rooms.accounts.refresh(std::move(permit), token));
  CAIP_TRY(person, rooms.accounts.person(session));
  json::object body = session_json(person, granted(person.role), renewed.tokens.access_expires);
  if (given) body["access_token"] = renewed.tokens.access;
  if (given) body["refresh_token"] = renewed.tokens.refresh;
  http::Response r = json_reply(200, body);
  if (!given) set_tokens(r, renewed.tokens);
  return r;
}

Reply sign_out(const Rooms& rooms, Call& call) {
  CAIP_TRY(permit, permit_for(rooms, *call.session, SignOut{call.session->id()}));
  CAIP_TRY(receipt, rooms.accounts.sign_out(std::move(permit)));
  http::Response r = empty_reply();
  clear_tokens(r);
  return r;
}

}  // namespace

Error refused(const Rooms& rooms, const Denied& denied) {
  const auto logged = rooms.refuse(denied);
  // Also where the log has no room for another refusal: whoever made so many must not keep the person from proving themselves.
  if (!logged && !(denied.code == Code::step_up_needed && logged.error().code == Code::too_many)) return logged.error();
  if (denied.code == Code::step_up_needed) return Error{denied.code, "show once more that it is you to do this"};
  if (denied.code == Code::approval_needed) return Error{denied.code, "this needs an approval"};
  return Error{denied.code, "your role does not allow this"};
}

void add_session_routes(Router& router, const Rooms& rooms) {
  router.add({.method = "GET", .path = "/api/v1/setup", .operation = "getSetup", .summary = "Whether the first owner is still to be created",
              .permission = {}, .handler = [&rooms](Call&) -> Reply {
                CAIP_TRY(needed, rooms.accounts.setup_needed());
                return json_reply(200, json::object{{"needed", needed}});
              }, .answer = "SetUpState"});
  router.add({.method = "POST", .path = "/api/v1/setup", .operation = "createOwner", .summary = "Create the first owner with the one-time token",
              .permission = {}, .handler = [&rooms](Call& c) { return setup(rooms, c); },
              .body = {{"token", "string"}, {"email", "string"}, {"password", "string"}, {"organization", "string"}}, .success = 201, .answer = "FirstOwner", .limited = true, .slow = true});
  router.add({.method = "POST", .path = "/api/v1/sessions", .operation = "signIn", .summary = "Sign in with e-mail and password",
              .permission = {}, .handler = [&rooms](Call& c) { return sign_in(rooms, c); },
              .body = {{"email", "string"}, {"password", "string"}, {"client", "string", false}, {"device_token", "string", false}}, .success = 201, .answer = "Session", .accepted = "SecondStep", .slow = true});
  router.add({.method = "POST", .path = "/api/v1/sessions/refresh", .operation = "refreshSession", .summary = "Exchange the refresh token",
              .permission = {}, .handler = [&rooms](Call& c) { return refresh(rooms, c); }, .body = {{"refresh_token", "string", false}}, .answer = "Session"});
  router.add({.method = "GET", .path = "/api/v1/session", .operation = "getSession", .summary = "Who is signed in",
              .permission = Permission::own_session, .handler = [&rooms](Call& c) -> Reply {
                CAIP_TRY(person, rooms.accounts.person(*c.session));
                return json_reply(200, session_json(person, held(c.session->principal()), c.session->expires()));
              }, .answer = "Session", .tokens_too = true});
  router.add({.method = "DELETE", .path = "/api/v1/session", .operation = "signOut", .summary = "Sign out",
              .permission = Permission::own_session, .handler = [&rooms](Call& c) { return sign_out(rooms, c); }, .success = 204});
}

}  // namespace caip::web
