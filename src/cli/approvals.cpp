// approval …: what is approved is what was shown: the digest is computed here from the bytes on
// the screen, and sent along with the yes.
#include "base/bytes.h"
#include "base/text.h"
#include "commands.h"
#include "crypto/hash.h"
#include "find.h"
#include "terminal.h"

namespace caip::cli {
namespace {

int code_of_state(const std::string& state) {
  if (state == "failed") return 1;
  if (state == "denied" || state == "expired" || state == "held" || state == "pending" || state == "half_approved") return 6;
  return 0;
}

std::string target_of(const json::object& approval) {
  const auto* target = object_member(approval, "target");
  if (target == nullptr) return "-";
  const json::value* production = target->if_contains("production");
  const bool is_production = production != nullptr && production->is_bool() && production->get_bool();
  return text_of_member(*target, "server_name") + " (" + text_of_member(*target, "server_id") + ")" + (is_production ? ", PRODUCTION" : "");
}

std::string person(const json::object& approval, std::string_view name) {
  const auto* who = object_member(approval, name);
  if (who == nullptr) return text_of_member(approval, name);
  const std::string via = text_of_member(*who, "via");
  return text_of_member(*who, "email") + (via.empty() ? "" : " via " + via);
}

bool needs_two(const json::object& approval) {
  const json::value* v = approval.if_contains("second_person");
  return v != nullptr && v->is_bool() && v->get_bool();
}

// "a@example.org allowed it at 2026-…; b@example.org denied it at …"
std::string decisions_of(const json::object& approval) {
  const json::value* all = approval.if_contains("decisions");
  std::string out;
  if (all != nullptr && all->is_array())
    for (const auto& item : all->get_array()) {
      const auto& d = item.get_object();
      out += (out.empty() ? "" : "; ") + text_of_member(d, "email") + " " + text_of_member(d, "decision") + " it at " + text_of_member(d, "at");
    }
  return out.empty() ? "-" : out;
}

std::string outcome_of(const json::object& approval) {
  const json::value* v = approval.if_contains("outcome");
  if (v == nullptr || v->is_null()) return "-";
  const std::string text = v->is_string() ? std::string(v->get_string()) : json::serialize(*v);
  return text.empty() ? "-" : text;
}

// "2 of plan pln_…; it runs once the one before it completed"
std::string step_of(const json::object& a) {
  const auto* plan = object_member(a, "plan");
  if (plan == nullptr) return "-";
  const json::value* step = plan->if_contains("step");
  return (step != nullptr ? json::serialize(*step) : "?") + " of plan " + text_of_member(*plan, "id") + "; it runs once those before it completed as planned";
}

void show(const json::object& a) {
  print(table({"approval", text_of_member(a, "id")},
              {{"state", text_of_member(a, "state")},
               {"intent", text_of_member(a, "intent")},
               {"step", step_of(a)},
               {"target", target_of(a)},
               {"impact", text_of_member(a, "impact")},
               {"asked by", person(a, "requested_by")},
               {"valid until", text_of_member(a, "expires_at")},
               {"people it takes", needs_two(a) ? "two; the second is neither the first nor who asked" : "one"},
               {"decisions", decisions_of(a)},
               {"reason", text_of_member(a, "reason")},
               {"outcome", outcome_of(a)},
               {"bytes", text_of_member(a, "bytes")},
               {"SHA-256", text_of_member(a, "digest")}}));
}

Result<void> holds(const json::object& approval) {
  const std::string bytes = text_of_member(approval, "bytes");
  if (hex(crypto::sha256(view(bytes))) == text_of_member(approval, "digest")) return {};
  return fail(Code::digest_mismatch, "the digest is not that of the bytes; nothing was decided");
}

Result<json::object> fetch(Api& api, const std::string& id) { return api.get("/approvals/" + percent_encoded(id)); }

// The digest to decide on: given, or that of what was just shown and confirmed.
Result<std::string> digest_for(Api& api, const Line& line, std::string_view question) {
  if (!line.digest.empty()) return line.digest;
  CAIP_TRY(approval, fetch(api, line.id));
  CAIP_CHECKED(holds(approval));
  if (!line.as_json) show(approval);
  if (!line.yes) {
    if (!at_terminal()) return fail(Code::invalid, "pass --digest with the SHA-256 of what you saw, or --yes");
    if (!confirmed(question)) return fail(Code::approval_needed, "nothing was decided");
  }
  return text_of_member(approval, "digest");
}

void report(const json::object& approval, bool as_json) {
  if (as_json) return print_json(approval);
  print(shown(text_of_member(approval, "id")) + ": " + shown(text_of_member(approval, "state")));
  if (text_of_member(approval, "state") == "half_approved") print("One more person has to allow it, who is neither the first nor who asked, before " + shown(text_of_member(approval, "expires_at")));
  if (const auto outcome = outcome_of(approval); outcome != "-") print(shown_lines(outcome));
}

}  // namespace

Result<int> approval_list(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(all, api.list(line.state.empty() ? "/approvals" : "/approvals?state=" + percent_encoded(line.state)));
  if (line.as_json) {
    print_json(json::object{{"data", all}});
    return 0;
  }
  std::vector<Row> rows;
  for (const auto& item : all) {
    const auto& a = item.get_object();
    rows.push_back({text_of_member(a, "id"), text_of_member(a, "state"), text_of_member(a, "impact"), target_of(a), text_of_member(a, "intent")});
  }
  print(table({"ID", "STATE", "IMPACT", "TARGET", "INTENT"}, rows));
  return 0;
}

Result<int> approval_show(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(approval, fetch(api, line.id));
  if (line.as_json) print_json(approval);
  else show(approval);
  CAIP_CHECKED(holds(approval));
  return 0;
}

Result<int> approval_approve(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(digest, digest_for(api, line, "Run exactly these bytes?"));
  CAIP_TRY(decided, api.post("/approvals/" + percent_encoded(line.id) + "/approve", {{"digest", digest}}));
  if (text_of_member(decided, "state") == "half_approved") {  // what is missing is not a server's answer
    report(decided, line.as_json);
    return code_of_state("half_approved");
  }
  if (line.no_wait) {
    report(decided, line.as_json);
    return 0;
  }
  CAIP_TRY(finished, wait_approval(api, line.id, line.timeout));
  report(finished, line.as_json);
  return code_of_state(text_of_member(finished, "state"));
}

Result<int> approval_deny(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  Line sure = line;
  sure.yes = true;  // a no changes nothing
  CAIP_TRY(digest, digest_for(api, sure, ""));
  CAIP_TRY(decided, api.post("/approvals/" + percent_encoded(line.id) + "/deny", {{"digest", digest}, {"reason", line.reason}}));
  report(decided, line.as_json);
  return 0;
}

}  // namespace caip::cli
