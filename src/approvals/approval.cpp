#include "approvals/approval.h"

namespace caip::approvals {

const ServerId& server_of(const Approval& a) {
  return std::visit([](const auto& x) -> const ServerId& { return x.server; }, a.action);
}

namespace {

json::object person(const World& world, const OrgId& org, const UserId& user) {
  const auto who = world.member(org, user);
  return {{"user_id", user.str()}, {"email", who ? who->email : ""}};
}

json::object decision(json::object who, std::string_view what, const std::optional<Instant>& at) {
  who["decision"] = what;
  who["at"] = at ? json::value(at->str()) : json::value(nullptr);
  return who;
}

// What people said, in their order.
json::array decisions(const Approval& a, const World& world) {
  json::array out;
  if (a.first_by) out.push_back(decision(person(world, a.org, *a.first_by), "allowed", a.first_at));
  if (a.decided_by) out.push_back(decision(person(world, a.org, *a.decided_by), a.state == State::denied ? "denied" : "allowed", a.decided_at));
  return out;
}

}  // namespace

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
  v["decided_by"] = a.decided_by ? json::value(person(world, a.org, *a.decided_by)) : json::value(nullptr);
  v["plan"] = a.plan ? json::value{{"id", a.plan->str()}, {"step", a.step}} : json::value(nullptr);
  v["surprise"] = a.surprise;
  v["second_person"] = a.second_person;
  v["decisions"] = decisions(a, world);
  v["reason"] = a.reason;
  v["created_at"] = a.created_at.str();
  v["expires_at"] = a.expires_at.str();
  v["operation_id"] = a.operation ? json::value(a.operation->str()) : json::value(nullptr);
  v["outcome"] = a.outcome;
  return v;
}

}  // namespace caip::approvals
