// A person's own account: where they are signed in and known, their password; and how long sessions of the organisation last.
#include "auth/accounts.h"
#include "cookies.h"
#include "permits.h"
#include "secret_member.h"
#include "web/api.h"

namespace caip::web {
namespace {

constexpr std::size_t kMostPassword = 1024;

json::object session_json(const auth::OpenSession& s, const SessionId& here) {
  return json::object{{"id", s.id.str()}, {"current", s.id == here}, {"device", s.device}, {"address", s.address},
                      {"country", s.country.empty() ? json::value(nullptr) : json::value(s.country)}, {"network", s.network},
                      {"created_at", s.created.str()}, {"last_used_at", s.used.str()}, {"expires_at", s.expires.str()}};
}

Reply list(const Rooms& rooms, Call& call) {
  CAIP_TRY(ask, call.page());
  CAIP_TRY(page, rooms.accounts.sessions(*call.session, ask));
  return list_reply(call, page, [](const auth::OpenSession& s) { return Place{s.created.micros(), s.id.str()}; },
                    [&](const auth::OpenSession& s) { return session_json(s, call.session->id()); });
}

Reply end(const Rooms& rooms, Call& call) {
  CAIP_TRY(id, call.id<SessionId>());
  CAIP_TRY(permit, permit_for(rooms, *call.session, EndSession{id}));
  CAIP_CHECKED(rooms.accounts.end_session(std::move(permit)));
  return empty_reply();
}

Reply disown(const Rooms& rooms, Call& call) {
  CAIP_TRY(id, call.id<SessionId>());
  CAIP_TRY(password, take_secret(call.body, "password", kMostPassword));
  CAIP_CHECKED(Members(call.body).finish());
  CAIP_TRY(permit, permit_for(rooms, *call.session, DisownSession{id}));
  CAIP_CHECKED(rooms.accounts.disown(std::move(permit), password ? *std::move(password) : SecretBytes()));
  http::Response r = empty_reply();
  clear_tokens(r);
  return r;
}

Reply end_others(const Rooms& rooms, Call& call) {
  CAIP_TRY(permit, permit_for(rooms, *call.session, EndOtherSessions{call.session->id()}));
  CAIP_TRY(ended, rooms.accounts.end_other_sessions(std::move(permit)));
  return json_reply(200, json::object{{"ended", ended}});
}

json::object device_json(const auth::KnownDevice& d) {
  return json::object{{"id", d.id.str()}, {"current", d.here}, {"device", d.device}, {"address", d.address},
                      {"country", d.country.empty() ? json::value(nullptr) : json::value(d.country)}, {"network", d.network},
                      {"first_sign_in_at", d.since.str()}, {"last_sign_in_at", d.last.str()}, {"sessions", d.sessions}};
}

Reply devices(const Rooms& rooms, Call& call) {
  CAIP_TRY(ask, call.page());
  CAIP_TRY(page, rooms.accounts.devices(*call.session, ask));
  return list_reply(call, page, [](const auth::KnownDevice& d) { return Place{d.last.micros(), d.id.str()}; }, device_json);
}

Reply forget_device(const Rooms& rooms, Call& call) {
  CAIP_TRY(id, call.id<DeviceId>());
  CAIP_TRY(permit, permit_for(rooms, *call.session, ForgetDevice{id}));
  CAIP_TRY(ended, rooms.accounts.forget_device(std::move(permit)));
  return json_reply(200, json::object{{"ended", ended}});
}

Reply change_password(const Rooms& rooms, Call& call) {
  CAIP_TRY(password, take_password(call.body));
  CAIP_CHECKED(Members(call.body).finish());
  CAIP_TRY(permit, permit_for(rooms, *call.session, ChangePassword{call.session->user()}));
  CAIP_CHECKED(rooms.accounts.change_password(std::move(permit), password));
  return empty_reply();
}

Reply limits(const Rooms& rooms, Call& call) {
  CAIP_TRY(found, rooms.accounts.session_limits(call.session->org()));
  return json_reply(200, json::object{{"idle_minutes", found.idle_minutes}, {"lifetime_minutes", found.lifetime_minutes}});
}

Reply set_limits(const Rooms& rooms, Call& call) {
  Members m(call.body);
  CAIP_TRY(idle, m.integer("idle_minutes", 0, 1'000'000));
  CAIP_TRY(lifetime, m.integer("lifetime_minutes", 0, 1'000'000));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(permit, permit_for(rooms, *call.session, SetSessionLimits{idle, lifetime}));
  CAIP_CHECKED(rooms.accounts.set_session_limits(std::move(permit)));
  return limits(rooms, call);
}

}  // namespace

void add_account_routes(Router& router, const Rooms& rooms) {
  router.add({.method = "GET", .path = "/api/v1/sessions", .operation = "listSessions", .summary = "Where one is signed in, newest first",
              .permission = Permission::own_session, .handler = [&rooms](Call& c) { return list(rooms, c); }, .list = true, .answer = "OpenSession"});
  router.add({.method = "DELETE", .path = "/api/v1/sessions", .operation = "endOtherSessions", .summary = "End all of one's sessions but this one",
              .permission = Permission::own_session, .handler = [&rooms](Call& c) { return end_others(rooms, c); }, .answer = "EndedSessions"});
  router.add({.method = "DELETE", .path = "/api/v1/sessions/{id}", .operation = "endSession", .summary = "End one of one's sessions",
              .permission = Permission::own_session, .handler = [&rooms](Call& c) { return end(rooms, c); }, .success = 204});
  router.add({.method = "POST", .path = "/api/v1/sessions/{id}/disown", .operation = "disownSession",
              .summary = "It was not me (step-up): end all one's sessions, undo what that one added, shut the way in that it took; with a new password, for who has one",
              .permission = Permission::own_session, .handler = [&rooms](Call& c) { return disown(rooms, c); }, .body = {{"password", "string", false}}, .success = 204, .slow = true});
  router.add({.method = "GET", .path = "/api/v1/devices", .operation = "listDevices", .summary = "The devices on which one is known, the one of the last sign-in first",
              .permission = Permission::own_session, .handler = [&rooms](Call& c) { return devices(rooms, c); }, .list = true, .answer = "KnownDevice"});
  router.add({.method = "DELETE", .path = "/api/v1/devices/{id}", .operation = "forgetDevice",
              .summary = "Forget one of one's devices: its next sign-in is one on a new device; ends the sessions on it, but for this one",
              .permission = Permission::own_session, .handler = [&rooms](Call& c) { return forget_device(rooms, c); }, .answer = "EndedSessions"});
  router.add({.method = "PUT", .path = "/api/v1/account/password", .operation = "changePassword", .summary = "Change one's password (step-up); ends the other sessions",
              .permission = Permission::own_session, .handler = [&rooms](Call& c) { return change_password(rooms, c); },
              .body = {{"password", "string"}}, .success = 204, .slow = true});
  router.add({.method = "GET", .path = "/api/v1/organization/session-limits", .operation = "getSessionLimits", .summary = "How long sessions last here",
              .permission = Permission::own_session, .handler = [&rooms](Call& c) { return limits(rooms, c); }, .answer = "SessionLimits", .tokens_too = true});
  router.add({.method = "PUT", .path = "/api/v1/organization/session-limits", .operation = "setSessionLimits", .summary = "Shorten them, or back (step-up)",
              .permission = Permission::session_limits, .handler = [&rooms](Call& c) { return set_limits(rooms, c); },
              .body = {{"idle_minutes", "integer"}, {"lifetime_minutes", "integer"}}, .answer = "SessionLimits"});
}

}  // namespace caip::web
