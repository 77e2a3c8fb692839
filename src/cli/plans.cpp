// plan …: several proposed actions in an order. What is approved is what was shown: each step's digest and the plan's are computed
// here from the bytes on the screen, and the plan's is sent along with the yes.
#include <algorithm>

#include "base/bytes.h"
#include "base/text.h"
#include "commands.h"
#include "crypto/hash.h"
#include "find.h"
#include "terminal.h"

namespace caip::cli {
namespace {

const json::array& steps_of(const json::object& plan) {
  static const json::array kNone;
  const json::value* v = plan.if_contains("steps");
  return v != nullptr && v->is_array() ? v->get_array() : kNone;
}

std::string digest_of(const std::string& bytes) { return hex(crypto::sha256(view(bytes))); }

// The plan's bytes name the digests of its steps, which are those of what each step says.
Result<void> holds(const json::object& plan) {
  const auto wrong = [] { return fail(Code::digest_mismatch, "the digest is not that of the bytes; nothing was decided"); };
  const std::string bytes = text_of_member(plan, "bytes");
  if (digest_of(bytes) != text_of_member(plan, "digest")) return wrong();
  CAIP_TRY(said, parse_object(bytes));
  const json::array& named = steps_of(said);
  const json::array& steps = steps_of(plan);
  if (text_of_member(said, "plan") != text_of_member(plan, "id") || named.size() != steps.size()) return wrong();
  for (std::size_t i = 0; i < steps.size(); ++i)
    if (!named[i].is_string() || !steps[i].is_object() || digest_of(text_of_member(steps[i].get_object(), "bytes")) != std::string(named[i].get_string())) return wrong();
  return {};
}

std::string server_of(const json::object& step) {
  const auto* target = object_member(step, "target");
  return target == nullptr ? "-" : text_of_member(*target, "server_name");
}

std::string outcome_of(const json::object& step) {
  for (const char* name : {"surprise", "outcome", "reason"})
    if (auto text = text_of_member(step, name); !text.empty()) return text;
  return "-";
}

std::string stop_of(const json::object& plan) {
  const auto* stop = object_member(plan, "stopped");
  if (stop == nullptr) return {};
  const json::value* step = stop->if_contains("step");
  return "step " + (step != nullptr ? json::serialize(*step) : "?") + " did not go as planned: " + text_of_member(*stop, "why");
}

void show(const json::object& plan) {
  const auto* by = object_member(plan, "requested_by");
  print(table({"plan", text_of_member(plan, "id")},
              {{"state", text_of_member(plan, "state")},
               {"intent", text_of_member(plan, "intent")},
               {"decided", text_of_member(plan, "mode") == "agent" ? "as a whole, but for destructive steps" : "each step by itself, or several together; destructive ones by themselves"},
               {"asked by", by == nullptr ? "-" : text_of_member(*by, "email")},
               {"valid until", text_of_member(plan, "expires_at")},
               {"stopped", stop_of(plan).empty() ? "-" : stop_of(plan)},
               {"SHA-256", text_of_member(plan, "digest")}}));
  std::vector<Row> rows;
  for (const auto& item : steps_of(plan)) {
    const auto& a = item.get_object();
    rows.push_back({std::to_string(rows.size() + 1), text_of_member(a, "state"), text_of_member(a, "impact"), server_of(a), text_of_member(a, "bytes"), text_of_member(a, "intent"),
                    outcome_of(a), text_of_member(a, "id")});
  }
  print(table({"STEP", "STATE", "IMPACT", "TARGET", "EXACT BYTES", "INTENT", "OUTCOME", "APPROVAL"}, rows));
}

Result<json::object> fetch(Api& api, const std::string& id) { return api.get("/plans/" + percent_encoded(id)); }

// Those that one yes can be about: undecided, and not destructive.
std::vector<std::int64_t> open_steps(const json::object& plan) {
  std::vector<std::int64_t> out;
  std::int64_t number = 0;
  for (const auto& item : steps_of(plan)) {
    const auto& a = item.get_object();
    const std::string state = text_of_member(a, "state");
    ++number;
    if ((state == "pending" || state == "half_approved") && text_of_member(a, "impact") != "destructive") out.push_back(number);
  }
  return out;
}

std::string listed(const std::vector<std::int64_t>& steps) {
  std::string out;
  for (const auto n : steps) out += (out.empty() ? "" : ", ") + std::to_string(n);
  return out;
}

// The plan as it was shown and agreed to: with its digest, given or computed.
Result<json::object> agreed(Api& api, const Line& line, const std::string& question, bool asks) {
  CAIP_TRY(plan, fetch(api, line.id));
  CAIP_CHECKED(holds(plan));
  if (!line.digest.empty()) {
    plan["digest"] = line.digest;
    return plan;
  }
  if (!line.as_json) show(plan);
  if (!asks || line.yes) return plan;
  if (!at_terminal()) return fail(Code::invalid, "pass --digest with the SHA-256 of the plan you saw, or --yes");
  const auto steps = line.steps.empty() ? open_steps(plan) : line.steps;
  if (!confirmed(question + listed(steps) + "?")) return fail(Code::approval_needed, "nothing was decided");
  return plan;
}

int report(const json::object& plan, bool as_json) {
  if (as_json) print_json(plan);
  else show(plan);
  const std::string state = text_of_member(plan, "state");
  if (state == "stopped") return 1;
  return state == "waiting" ? 6 : 0;
}

}  // namespace

Result<int> plan_list(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(all, api.list("/plans"));
  if (line.as_json) return print_json(json::object{{"data", all}}), 0;
  std::vector<Row> rows;
  for (const auto& item : all) {
    const auto& p = item.get_object();
    rows.push_back({text_of_member(p, "id"), text_of_member(p, "state"), std::to_string(steps_of(p).size()), text_of_member(p, "created_at"), text_of_member(p, "intent")});
  }
  print(table({"ID", "STATE", "STEPS", "MADE", "INTENT"}, rows));
  return 0;
}

Result<int> plan_show(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(plan, fetch(api, line.id));
  if (line.as_json) print_json(plan);
  else show(plan);
  CAIP_CHECKED(holds(plan));
  return 0;
}

Result<int> plan_approve(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(plan, agreed(api, line, "Run exactly these bytes, one after the other, of step ", true));
  std::vector<std::int64_t> steps = line.steps.empty() ? open_steps(plan) : line.steps;
  std::ranges::sort(steps);
  if (steps.empty()) return fail(Code::already_decided, "no step waits that could be allowed together; a destructive one is allowed by itself: caip approval approve");
  CAIP_TRY(decided, api.post("/plans/" + percent_encoded(line.id) + "/approve", {{"digest", text_of_member(plan, "digest")}, {"steps", json::array(steps.begin(), steps.end())}}));
  if (line.no_wait) return report(decided, line.as_json), 0;
  CAIP_TRY(finished, wait_plan(api, line.id, line.timeout));
  return report(finished, line.as_json);
}

Result<int> plan_deny(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(plan, agreed(api, line, "", false));
  CAIP_TRY(decided, api.post("/plans/" + percent_encoded(line.id) + "/deny", {{"digest", text_of_member(plan, "digest")}, {"reason", line.reason}}));
  report(decided, line.as_json);
  return 0;
}

}  // namespace caip::cli
