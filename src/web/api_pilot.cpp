// Talking to the pilot.
#include "authorization/authorizer.h"
#include "crypto/random.h"
#include "permits.h"
#include "pilot/client.h"
#include "runner/conversations.h"
#include "web/pilot_desk.h"

namespace caip::web {
namespace {

Reply about(PilotDesk& desk, const OrgId& org) {
  auto a = desk.about(org);
  json::array examples;
  for (const auto& e : a.examples) examples.emplace_back(e);
  json::object body{{"label", a.label}, {"model", nullptr}, {"builtin", a.builtin}, {"examples", examples}};
  if (a.model) body["model"] = *a.model;
  return json_reply(200, body);
}

Reply create(const Rooms& rooms, PilotDesk& desk, Call& call) {
  Members m(call.body);
  CAIP_TRY(name, m.optional_string("mode", 16));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(mode, parse_pilot_mode(name.value_or("plan")));
  CAIP_CHECKED(rooms.authorizer.require_view(*call.session, Permission::pilot_use));
  return json_reply(201, runner::view(desk.conversations().create(*call.session, mode), true));
}

Reply set_mode(const Rooms& rooms, PilotDesk& desk, Call& call) {
  CAIP_TRY(id, call.id<ConversationId>());
  Members m(call.body);
  CAIP_TRY(name, m.string("mode", 16));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(mode, parse_pilot_mode(name));
  CAIP_TRY(permit, permit_for(rooms, *call.session, SetPilotMode{id, mode}));
  CAIP_TRY(now, desk.conversations().set_mode(std::move(permit)));
  return json_reply(200, runner::view(now, false));
}

Reply list(PilotDesk& desk, Call& call) {
  CAIP_TRY(ask, call.page());
  CAIP_TRY(page, desk.conversations().list(*call.session, ask));
  return list_reply(call, page, [](const runner::Conversation& c) { return Place{c.created_at.micros(), c.id.str()}; },
                    [](const runner::Conversation& c) { return runner::view(c, false); });
}

Reply ask(const Rooms& rooms, PilotDesk& desk, Call& call) {
  CAIP_TRY(id, call.id<ConversationId>());
  Members m(call.body);
  CAIP_TRY(text, m.string("text", 8192));
  CAIP_CHECKED(m.finish());
  if (text.empty()) return fail(Code::invalid, "say something");
  if (desk.busy(id)) return fail(Code::in_progress, "the pilot is still answering");
  CAIP_TRY(permit, permit_for(rooms, *call.session, AskPilot{id, crypto::random_id<MessageId>()}));
  CAIP_TRY(message, desk.conversations().ask(std::move(permit), text));
  CAIP_TRY(reply, desk.answer(*call.session, call.origin(), id));
  return json_reply(202, json::object{{"message", runner::view(message)}, {"reply_id", reply.str()}});
}

}  // namespace

void add_pilot_routes(Router& router, const Rooms& rooms, PilotDesk& desk) {
  router.add({.method = "GET", .path = "/api/v1/pilot", .operation = "getPilot", .summary = "Who answers, and what it understands",
              .permission = Permission::pilot_view, .handler = [&desk](Call& c) { return about(desk, c.session->org()); }, .answer = "Pilot"});
  router.add({.method = "GET", .path = "/api/v1/pilot/conversations", .operation = "listConversations", .summary = "One's own conversations",
              .permission = Permission::pilot_view, .handler = [&desk](Call& c) { return list(desk, c); }, .list = true, .answer = "ConversationTitle"});
  router.add({.method = "POST", .path = "/api/v1/pilot/conversations", .operation = "createConversation", .summary = "Begin a conversation",
              .permission = Permission::pilot_use, .handler = [&rooms, &desk](Call& c) { return create(rooms, desk, c); },
              .body = {{"mode", "string", false}}, .idempotency_key = true, .success = 201, .answer = "Conversation"});
  router.add({.method = "GET", .path = "/api/v1/pilot/conversations/{id}", .operation = "getConversation", .summary = "A conversation with its messages",
              .permission = Permission::pilot_view, .handler = [&desk](Call& c) -> Reply {
                CAIP_TRY(id, c.id<ConversationId>());
                // Not answering, and the last word is the person's: the answer was lost. Asked first, because
                // an answer is kept before it counts as over.
                const bool answering = desk.busy(id);
                CAIP_TRY(conversation, desk.conversations().get(*c.session, id));
                json::object body = runner::view(conversation, true);
                body["answering"] = answering;
                return json_reply(200, body);
              }, .answer = "Conversation"});
  router.add({.method = "PUT", .path = "/api/v1/pilot/conversations/{id}/mode", .operation = "setPilotMode",
              .summary = "ask: it reads and explains and proposes nothing, and what it proposed here is denied; plan: each write that it wants is a card of its own; agent: a plan of several is allowed as a whole, but for what is destructive",
              .permission = Permission::pilot_use, .handler = [&rooms, &desk](Call& c) { return set_mode(rooms, desk, c); },
              .body = {{"mode", "string"}}, .answer = "ConversationTitle"});
  router.add({.method = "POST", .path = "/api/v1/pilot/conversations/{id}/messages", .operation = "askPilot", .summary = "Ask the pilot",
              .permission = Permission::pilot_use, .handler = [&rooms, &desk](Call& c) { return ask(rooms, desk, c); },
              .body = {{"text", "string"}}, .idempotency_key = true, .success = 202, .answer = "Asked"});
}

}  // namespace caip::web
