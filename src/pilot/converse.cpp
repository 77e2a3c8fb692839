// Turns and tool calls in alternation. The model's calls are drafts: only a declared tool with
// checked arguments reaches the host, and every call gets an answer, or the next turn of most
// providers would fail.
#include "pilot/client.h"

namespace caip::pilot {
namespace {

constexpr std::size_t kMaxCalls = 8;
constexpr std::size_t kMaxResult = 65536;

json::object error_result(const Error& e) {
  return {{"error", shown(e.detail.empty() ? std::string(code_title(e.code)) : e.detail)}};
}

json::object carried_out(const ToolCall& call, const ToolHost& host, Offer offer, bool too_many) {
  if (too_many) return {{"error", "too many calls at once; this one was not carried out"}};
  const auto arguments = checked_arguments(call.name, call.arguments, offer);
  // What is not on offer reaches the host without arguments, to be refused there on the record.
  const bool refused = !arguments && arguments.error().code == Code::not_found;
  if (!arguments && !refused) return error_result(arguments.error());
  auto result = host(call.name, refused ? json::object{} : *arguments);
  return result ? *std::move(result) : error_result(result.error());
}

std::string result_text(const json::object& result) {
  std::string text = json::serialize(result);
  if (text.size() <= kMaxResult) return text;
  // Cut inside a string, so that it stays JSON.
  return json::serialize(json::object{{"cut", cut(text, kMaxResult)}});
}

std::string limit_text(std::size_t steps) {
  return "I stopped: this answer reached the limit of " + std::to_string(steps) + (steps == 1 ? " step" : " steps") +
         " (setting: steps_per_run). Ask me to go on; an Owner or Admin changes the limit in the AI settings or with caip ai limit steps_per_run.";
}

}  // namespace

Result<Answer> converse(PilotClient& client, std::vector<Message> history, const ToolHost& host, const Terms& terms) {
  const std::size_t start = history.size();
  Answer out;
  const auto said = [&] {
    out.messages.assign(history.begin() + static_cast<std::ptrdiff_t>(start), history.end());
    return out;
  };
  const auto end = std::chrono::steady_clock::now() + terms.patience;
  Terms rest = terms;  // of the turns that are left
  for (std::size_t turn = 0;; ++turn) {
    rest.patience = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    if (rest.patience <= std::chrono::milliseconds(0)) return fail(Code::timeout, "the whole answer took too long");
    if (terms.before_turn) CAIP_CHECKED(terms.before_turn());
    CAIP_TRY(answer, client.turn(history, rest));
    // Ids of ours: some models give none, or one twice.
    for (std::size_t i = 0; i < answer.calls.size(); ++i) answer.calls[i].id = "call_" + std::to_string(turn) + "_" + std::to_string(i);
    const auto calls = answer.calls;
    history.push_back({Speaker::pilot, answer.text.raw(), calls, {}, answer.state});
    if (calls.empty()) return said();
    for (std::size_t i = 0; i < calls.size(); ++i) {
      if (terms.stop.stop_requested()) return fail(Code::unavailable, "the pilot was stopped");
      if (out.steps == terms.steps) {
        out.beyond = calls[i].name;
        history.push_back({Speaker::pilot, limit_text(terms.steps), {}, {}});
        return said();
      }
      ++out.steps;
      history.push_back({Speaker::tool, result_text(carried_out(calls[i], host, terms.offer, i >= kMaxCalls)), {}, calls[i].id});
    }
  }
}

}  // namespace caip::pilot
