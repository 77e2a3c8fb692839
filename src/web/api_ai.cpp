// What the organisation's AI may do at all: the switch that stops it, and whether it may propose changes.
#include "approvals/ai_controls.h"
#include "auth/accounts.h"
#include "permits.h"
#include "servers/server_service.h"
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

// What it could do on one server, and if not, which setting keeps it from that: the first one that does.
Reply on_server(const Rooms& rooms, const servers::Server& server, AiAccess access) {
  CAIP_TRY(settings, rooms.ai.of(server.org));
  const auto may = [&](approvals::AiUse use) {
    auto off = approvals::keeps_from(settings, use);
    if (!off) off = approvals::keeps_from(access, use);
    return json::object{{"may", !off}, {"why_not", off ? json::value(off->detail) : json::value(nullptr)}};
  };
  return json_reply(200, json::object{{"server_id", server.id.str()}, {"access", text(access)},
                                      {"look", may(approvals::AiUse::talk)}, {"propose", may(approvals::AiUse::propose)}});
}

Reply look_at_access(const Rooms& rooms, Call& call) {
  CAIP_TRY(id, call.id<ServerId>());
  CAIP_TRY(server, rooms.servers.get(*call.session, id));
  CAIP_TRY(access, rooms.ai.access(server.org, id));
  return on_server(rooms, server, access);
}

Reply set_access(const Rooms& rooms, Call& call) {
  CAIP_TRY(id, call.id<ServerId>());
  Members m(call.body);
  CAIP_TRY(access_text, m.string("access", 16));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(access, parse_ai_access(access_text));
  const SetAiAccess action{id, access};
  CAIP_TRY(permit, permit_for(rooms, *call.session, action));
  CAIP_TRY(server, on_record(rooms, *call.session, action, rooms.servers.get(*call.session, id)));
  CAIP_TRY(now, rooms.ai.set_access(std::move(permit)));
  return on_server(rooms, server, now);
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
  router.add({.method = "GET", .path = "/api/v1/servers/{id}/ai-access", .operation = "getAiAccess",
              .summary = "What the AI could do on this server, and if not, which setting keeps it from that",
              .permission = Permission::pilot_view, .handler = [&rooms](Call& c) { return look_at_access(rooms, c); }, .answer = "AiAccess"});
  router.add({.method = "PUT", .path = "/api/v1/servers/{id}/ai-access", .operation = "setAiAccess",
              .summary = "none: to the AI there is no such server; read: it looks; full: it looks and proposes (step-up but for none)",
              .permission = Permission::ai_control, .handler = [&rooms](Call& c) { return set_access(rooms, c); },
              .body = {{"access", "string"}}, .answer = "AiAccess"});
}

}  // namespace caip::web
