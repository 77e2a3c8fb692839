// What the organisation's AI may do at all: the gates of approvals/ai_gates.h, their settings, and what they make of one server.
#include <algorithm>
#include <limits>

#include "approvals/ai_controls.h"
#include "auth/accounts.h"
#include "permits.h"
#include "pilot/tools.h"
#include "servers/server_service.h"
#include "web/api.h"

namespace caip::web {
namespace {

using approvals::AiControls;
using approvals::AiSettings;

json::value person(const Rooms& rooms, const OrgId& org, const std::optional<UserId>& user) {
  if (!user) return nullptr;
  const auto who = rooms.accounts.member(org, *user);  // may have left since
  return json::object{{"user_id", user->str()}, {"email", who ? who->email.str() : ""}};
}

json::object protection(const Rooms& rooms, const OrgId& org, const AiSettings& s) {
  const auto now = rooms.ai.now();
  json::object out{{"on", s.protects(now)}, {"off_until", nullptr}, {"reason", nullptr}, {"switched_off_by", nullptr}};
  if (s.protects(now)) return out;
  out["off_until"] = s.unprotected->until.str();
  out["reason"] = s.unprotected->reason;
  out["switched_off_by"] = person(rooms, org, s.unprotected->by);
  return out;
}

json::array operations(const AiSettings& s) {
  json::array out;
  for (const AiOperation& o : ai_operations())
    out.push_back(json::object{{"operation", o.name}, {"category", o.category}, {"about", o.about}, {"on", !s.off.contains(o.name)}, {"category_on", !s.off.contains(o.category)}});
  return out;
}

json::array limits(const AiSettings& s) {
  json::array out;
  for (const AiLimitRow& row : ai_limits())
    if (const auto limit = AiLimit::parse(row.name))
      out.push_back(json::object{{"limit", row.name}, {"about", row.about}, {"value", s.limit(*limit)}, {"least", row.least}, {"most", row.most}, {"unset", row.unset}});
  return out;
}

Reply shown(const Rooms& rooms, const OrgId& org, const AiSettings& s) {
  return json_reply(200, json::object{{"on", s.on}, {"writes", s.writes}, {"changed_at", s.changed_at ? json::value(s.changed_at->str()) : json::value(nullptr)},
                                      {"changed_by", person(rooms, org, s.changed_by)}, {"operations", operations(s)}, {"production_protection", protection(rooms, org, s)}, {"second_person", s.second_person}, {"limits", limits(s)}});
}

Reply look(const Rooms& rooms, Call& call) {
  CAIP_TRY(settings, rooms.ai.of(call.session->org()));
  return shown(rooms, call.session->org(), settings);
}

template <Action A>
Reply change(const Rooms& rooms, Call& call, Result<AiSettings> (AiControls::*how)(Authorized<A>&&)) {
  CAIP_CHECKED(Members(call.body).finish());
  CAIP_TRY(permit, permit_for(rooms, *call.session, A{}));
  CAIP_TRY(settings, (rooms.ai.*how)(std::move(permit)));
  return shown(rooms, call.session->org(), settings);
}

Reply set_operation(const Rooms& rooms, Call& call) {
  Members m(call.body);
  CAIP_TRY(name, m.string("operation", 64));
  CAIP_TRY(on, m.boolean("on"));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(scope, AiScope::parse(name));
  CAIP_TRY(permit, permit_for(rooms, *call.session, SetAiOperation{scope, on}));
  CAIP_TRY(settings, rooms.ai.set_operation(std::move(permit)));
  return shown(rooms, call.session->org(), settings);
}

Reply set_second_person(const Rooms& rooms, Call& call) {
  Members m(call.body);
  CAIP_TRY(required, m.boolean("required"));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(permit, permit_for(rooms, *call.session, SetSecondPerson{required}));
  CAIP_TRY(settings, rooms.ai.set_second_person(std::move(permit)));
  return shown(rooms, call.session->org(), settings);
}

Reply set_limit(const Rooms& rooms, Call& call) {
  Members m(call.body);
  CAIP_TRY(name, m.string("limit", 64));
  CAIP_TRY(value, m.integer("value", 0, std::numeric_limits<std::int64_t>::max()));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(limit, AiLimit::parse(name));
  CAIP_TRY(permit, permit_for(rooms, *call.session, SetAiLimit{limit, value}));
  CAIP_TRY(settings, rooms.ai.set_limit(std::move(permit)));
  return shown(rooms, call.session->org(), settings);
}

Reply unprotect(const Rooms& rooms, Call& call) {
  constexpr auto kMost = approvals::kLongestUnprotected / std::chrono::minutes(1);
  Members m(call.body);
  CAIP_TRY(minutes, m.integer("minutes", 1, kMost));
  CAIP_TRY(reason, m.string("reason", 500));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(permit, permit_for(rooms, *call.session, UnprotectProduction{rooms.ai.now() + std::chrono::minutes(minutes)}));
  CAIP_TRY(settings, rooms.ai.unprotect(std::move(permit), reason));
  return shown(rooms, call.session->org(), settings);
}

json::object may(const std::optional<Error>& off) {
  return {{"may", !off}, {"why_not", off ? json::value(off->detail) : json::value(nullptr)}};
}

// What it could do on one server, and if not, which setting keeps it from that: every gate in its order, for each operation the first that is shut.
Reply on_server(const Rooms& rooms, const servers::Server& server, AiAccess access) {
  CAIP_TRY(settings, rooms.ai.of(server.org));
  const auto write = [&](const AiOperation& o) { return approvals::AiWrite{o, access, counts_as_production(server.environment), rooms.ai.now()}; };
  json::array each;
  std::optional<AiOperation> told;  // the one whose gates are told: the first that nothing keeps it from, else the first that the organisation does not
  bool any = false;
  for (const AiOperation& o : ai_operations()) {
    auto off = approvals::keeps_from(settings, write(o));
    const bool has_tool = std::ranges::contains(pilot::proposable(), o.name);
    if (!off && !has_tool) off = Error{Code::not_found, "the Pilot has no tool that proposes this"};
    json::object one = may(off);
    one["operation"] = o.name;
    each.push_back(std::move(one));
    if (!has_tool) continue;
    if ((!off && !any) || (!told && settings.may(o))) told = o;
    any = any || !off;
  }
  const approvals::AiWrite of = write(told.value_or(ai_operations().front()));
  json::array all;
  for (const auto& gate : approvals::gates(settings, of))
    all.push_back(json::object{{"setting", gate.setting}, {"open", !gate.shut}, {"why_not", gate.shut ? json::value(gate.shut->detail) : json::value(nullptr)}});
  auto no_look = approvals::keeps_from(settings, approvals::AiUse::talk);
  if (!no_look) no_look = approvals::keeps_from_looking(access);
  return json_reply(200, json::object{{"server_id", server.id.str()}, {"access", text(access)}, {"look", may(no_look)}, {"propose", may(approvals::keeps_from(settings, of))},
                                      {"operations", std::move(each)}, {"gates", std::move(all)}});
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

void add_switches(Router& router, const Rooms& rooms) {
  router.add({.method = "GET", .path = "/api/v1/ai", .operation = "getAi", .summary = "What the organisation's AI may do at all: whether it is on, proposes changes, which, and whether production is protected from it",
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
  router.add({.method = "PUT", .path = "/api/v1/ai/operations", .operation = "setAiOperation",
              .summary = "Whether the AI may propose one operation (unit.restart) or a category of them (unit); switching on asks for a step-up, switching off denies what waits",
              .permission = Permission::ai_control, .handler = [&rooms](Call& c) { return set_operation(rooms, c); },
              .body = {{"operation", "string"}, {"on", "boolean"}}, .answer = "Ai"});
  router.add({.method = "PUT", .path = "/api/v1/ai/limits", .operation = "setAiLimit", .summary = "How far the AI goes before it stops and says so: steps_per_run, 1 to 1000 calls of tools while it answers one question; steps_per_plan, 1 to 20 changes in one plan (step-up)",
              .permission = Permission::ai_control, .handler = [&rooms](Call& c) { return set_limit(rooms, c); },
              .body = {{"limit", "string"}, {"value", "integer"}}, .answer = "Ai"});
}

void add_protection(Router& router, const Rooms& rooms) {
  router.add({.method = "PUT", .path = "/api/v1/ai/second-person", .operation = "setSecondPerson",
              .summary = "Whether what the AI proposes for production, or is destructive, needs the yes of two people; withdrawing it asks for a step-up and lets no card off that asked for two",
              .permission = Permission::production_release, .handler = [&rooms](Call& c) { return set_second_person(rooms, c); },
              .body = {{"required", "boolean"}}, .answer = "Ai"});
  router.add({.method = "POST", .path = "/api/v1/ai/unprotect-production", .operation = "unprotectProduction",
              .summary = "Switch Production Protection off for 1 to 1440 minutes, for a reason that every Owner and Admin is told (step-up)",
              .permission = Permission::production_release, .handler = [&rooms](Call& c) { return unprotect(rooms, c); },
              .body = {{"minutes", "integer"}, {"reason", "string"}}, .idempotency_key = true, .answer = "Ai"});
  router.add({.method = "POST", .path = "/api/v1/ai/protect-production", .operation = "protectProduction",
              .summary = "Switch Production Protection on again before its time; what waits on production servers is denied",
              .permission = Permission::ai_control, .handler = [&rooms](Call& c) { return change(rooms, c, &AiControls::protect); }, .idempotency_key = true, .answer = "Ai"});
}

}  // namespace

void add_ai_routes(Router& router, const Rooms& rooms) {
  add_switches(router, rooms);
  add_protection(router, rooms);
  router.add({.method = "GET", .path = "/api/v1/servers/{id}/ai-access", .operation = "getAiAccess",
              .summary = "What the AI could do on this server, and if not, which setting keeps it from that",
              .permission = Permission::pilot_view, .handler = [&rooms](Call& c) { return look_at_access(rooms, c); }, .answer = "AiAccess"});
  router.add({.method = "PUT", .path = "/api/v1/servers/{id}/ai-access", .operation = "setAiAccess",
              .summary = "none: to the AI there is no such server; read: it looks; full: it looks and proposes (step-up but for none)",
              .permission = Permission::ai_control, .handler = [&rooms](Call& c) { return set_access(rooms, c); },
              .body = {{"access", "string"}}, .answer = "AiAccess"});
}

}  // namespace caip::web
