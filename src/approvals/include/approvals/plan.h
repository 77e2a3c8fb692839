// approvals/plan.h: several proposals in an order. Each step is an approval of its own, with its own bytes, digest, decision and
// warrant; what is added is that a step runs only after the one before it completed as planned. There is no other way for a
// step to run than for any approval.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "approvals/approval.h"

namespace caip::approvals {

inline constexpr std::int64_t kMostSteps = 20;  // the limit steps_per_plan is no higher

struct Plan {
  PlanId id;
  OrgId org;
  PilotMode mode = PilotMode::plan;  // of the conversation, when it was proposed. agent: it is allowed as a whole
  Foreign intent;
  UserId requester;
  std::optional<ConversationId> conversation;
  Digest digest{};  // SHA-256 of plan_bytes()
  Instant created_at;
  std::vector<Approval> steps = {};  // in their order, all of them
};

struct Wanted {  // one step, as it is proposed
  ServerAction action;
  Foreign intent;
};

// RFC 8785 JSON: {"plan":"pln_…","steps":["<digest of the first>",…],"v":1}.
std::string plan_bytes(const PlanId&, const std::vector<Digest>& steps);

// The first step that did not go as planned, and why; nullopt: none so far.
struct Stop {
  std::int64_t step;
  std::string why;
};
std::optional<Stop> stop_of(const std::vector<Approval>& steps);
std::string why_stopped(State, const std::string& reason, const std::string& outcome, const std::string& surprise);

// Never decided together with others: what is destructive.
bool decided_alone(const Approval&);

json::object view(const Plan&, const World&);  // the JSON of the public API

}  // namespace caip::approvals
