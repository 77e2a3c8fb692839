// What the organisation's AI may do at all: the switch that stops it, and whether it may propose changes.
#include "approvals/ai_controls.h"
#include "auth/accounts.h"
#include "permits.h"
#include "web/api.h"

namespace caip::web {
namespace {

Reply shown(const Rooms& rooms, const OrgId& org, const approvals::AiSettings& s) {
  json::object body{{"on", s.on}, {"writes", s.writes}, {"changed_at", nullptr}, {"changed_by", nullptr}};
  if (s.changed_at) body["changed_at"] = s.changed_at->str();
  if (s.changed_by) {
    const auto who = rooms.accounts.member(org, *s.changed_by);  // may have left since
    body["changed_by"] = json::object{{"user_id", s.changed_by->str()}, {"email", who ? who->email.str() : ""}};
  }
  return json_reply(200, body);
}

Reply look(const Rooms& rooms, Call& call) {
  CAIP_TRY(settings, rooms.ai.of(call.session->org()));
  return shown(rooms, call.session->org(), settings);
}

template <Action A>
Reply change(const Rooms& rooms, Call& call, Result<approvals::AiSettings> (approvals::AiControls::*how)(Authorized<A>&&)) {
  CAIP_CHECKED(Members(call.body).finish());
  CAIP_TRY(permit, permit_for(rooms, *call.session, A{}));
  CAIP_TRY(settings, (rooms.ai.*how)(std::move(permit)));
  return shown(rooms, call.session->org(), settings);
}

}  // namespace

void add_ai_routes(Router& router, const Rooms& rooms) {
  using approvals::AiControls;
  router.add({.method = "GET", .path = "/api/v1/ai", .operation = "getAi", .summary = "Whether the organisation's AI is on, and whether it may propose changes",
              .permission = Permission::pilot_view, .handler = [&rooms](Call& c) { return look(rooms, c); }, .answer = "Ai"});
  router.add({.method = "POST", .path = "/api/v1/ai/stop", .operation = "stopAi",
              .summary = "Stop the organisation's AI: answers end, what it proposed is denied, nothing new begins until somebody starts it again",
              .permission = Permission::ai_stop, .handler = [&rooms](Call& c) { return change(rooms, c, &AiControls::stop); }, .idempotency_key = true, .answer = "Ai"});
  router.add({.method = "POST", .path = "/api/v1/ai/start", .operation = "startAi", .summary = "Switch the organisation's AI on again (step-up)",
              .permission = Permission::ai_control, .handler = [&rooms](Call& c) { return change(rooms, c, &AiControls::start); }, .idempotency_key = true, .answer = "Ai"});
  router.add({.method = "POST", .path = "/api/v1/ai/forbid-writes", .operation = "forbidAiWrites",
              .summary = "The AI looks and explains and proposes no changes; what it proposed is denied",
              .permission = Permission::ai_control, .handler = [&rooms](Call& c) { return change(rooms, c, &AiControls::forbid_writes); }, .idempotency_key = true, .answer = "Ai"});
  router.add({.method = "POST", .path = "/api/v1/ai/allow-writes", .operation = "allowAiWrites", .summary = "The AI may propose changes again (step-up)",
              .permission = Permission::ai_control, .handler = [&rooms](Call& c) { return change(rooms, c, &AiControls::allow_writes); }, .idempotency_key = true, .answer = "Ai"});
}

}  // namespace caip::web
