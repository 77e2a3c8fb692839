#include "approvals/approval.h"

namespace caip::approvals {

const ServerId& server_of(const Approval& a) {
  return std::visit([](const auto& x) -> const ServerId& { return x.server; }, a.action);
}

json::object view(const Approval& a, const World& world) {
  const ServerId& server = server_of(a);
  const auto member = world.member(a.org, a.requester);
  const auto target = world.target(server);
  auto action = parse_json(a.bytes);
  json::object v;
  v["id"] = a.id.str();
  v["state"] = text(a.state);
  v["intent"] = a.intent.raw();
  v["action"] = action ? *action : json::value(nullptr);
  v["impact"] = text(a.impact);
  v["target"] = {{"server_id", server.str()}, {"server_name", target ? target->name : ""}, {"production", a.production}};
  v["bytes"] = a.bytes;
  v["digest"] = hex(a.digest);
  v["requested_by"] = {{"user_id", a.requester.str()}, {"email", member ? member->email : ""}, {"via", "pilot"}};
  v["conversation_id"] = a.conversation ? json::value(a.conversation->str()) : json::value(nullptr);
  const auto decider = a.decided_by ? world.member(a.org, *a.decided_by) : std::nullopt;
  v["decided_by"] = nullptr;
  if (a.decided_by) v["decided_by"] = {{"user_id", a.decided_by->str()}, {"email", decider ? decider->email : ""}};
  v["reason"] = a.reason;
  v["created_at"] = a.created_at.str();
  v["expires_at"] = a.expires_at.str();
  v["operation_id"] = a.operation ? json::value(a.operation->str()) : json::value(nullptr);
  v["outcome"] = a.outcome;
  return v;
}

}  // namespace caip::approvals
