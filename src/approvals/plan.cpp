#include "approvals/plan.h"

#include <algorithm>

namespace caip::approvals {
namespace {

bool stopped(const Approval& a) { return is_final(a.state) && (a.state != State::completed || !a.surprise.empty()); }

std::string_view state_of(const std::vector<Approval>& steps, const std::optional<Stop>& stop) {
  const auto goes_on = [&](const Approval& a) { return a.step < stop->step && !is_final(a.state); };
  if (stop && std::ranges::none_of(steps, goes_on)) return "stopped";
  const auto open = std::ranges::find_if(steps, [](const Approval& a) { return a.state != State::completed; });
  if (open == steps.end()) return "completed";
  return undecided(open->state) ? "waiting" : "running";
}

json::value running(const std::vector<Approval>& steps) {
  const auto at = std::ranges::find(steps, State::executing, &Approval::state);
  return at == steps.end() ? json::value(nullptr) : json::value(at->step);
}

}  // namespace

std::string plan_bytes(const PlanId& id, const std::vector<Digest>& steps) {
  json::array all;
  for (const Digest& d : steps) all.emplace_back(hex(d));
  return canonical(json::object{{"plan", id.str()}, {"steps", std::move(all)}, {"v", 1}});
}

std::string why_stopped(State state, const std::string& reason, const std::string& outcome, const std::string& surprise) {
  switch (state) {
    case State::denied: return "it was denied" + (reason.empty() ? std::string() : ": " + reason);
    case State::expired: return "it was not allowed, or not run, in time";
    case State::failed: return "it failed: " + outcome;
    case State::held: return "it was held: " + outcome;
    default: return surprise;
  }
}

std::optional<Stop> stop_of(const std::vector<Approval>& steps) {
  const auto at = std::ranges::find_if(steps, stopped);
  if (at == steps.end()) return std::nullopt;
  return Stop{at->step, why_stopped(at->state, at->reason, at->outcome, at->surprise)};
}

bool decided_alone(const Approval& a) { return a.impact == Impact::destructive; }

json::object view(const Plan& p, const World& world) {
  const auto member = world.member(p.org, p.requester);
  const auto stop = stop_of(p.steps);
  std::vector<Digest> digests;
  json::array steps;
  for (const Approval& a : p.steps) {
    digests.push_back(a.digest);
    steps.push_back(view(a, world));
  }
  json::object v;
  v["id"] = p.id.str();
  v["mode"] = text(p.mode);
  v["state"] = state_of(p.steps, stop);
  v["stopped"] = stop ? json::value{{"step", stop->step}, {"why", stop->why}} : json::value(nullptr);
  v["running"] = running(p.steps);
  v["intent"] = p.intent.raw();
  v["bytes"] = plan_bytes(p.id, digests);
  v["digest"] = hex(p.digest);
  v["steps"] = std::move(steps);
  v["requested_by"] = {{"user_id", p.requester.str()}, {"email", member ? member->email : ""}, {"via", "pilot"}};
  v["conversation_id"] = p.conversation ? json::value(p.conversation->str()) : json::value(nullptr);
  v["created_at"] = p.created_at.str();
  v["expires_at"] = (p.steps.empty() ? p.created_at : p.steps.front().expires_at).str();
  return v;
}

}  // namespace caip::approvals
