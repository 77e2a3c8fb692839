// Turns and tool calls in alternation. The model's calls are drafts: only a declared tool with
// checked arguments reaches the host, and every call gets an answer, or the next turn of most
// providers would fail.
#include "pilot/client.h"

namespace caip::pilot {
namespace {

constexpr std::size_t kMaxTurns = 8;
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

}  // namespace

Result<std::vector<Message>> converse(PilotClient& client, std::vector<Message> history, const ToolHost& host, const Terms& terms) {
  const std::size_t start = history.size();
  const auto said = [&] { return std::vector<Message>(history.begin() + static_cast<std::ptrdiff_t>(start), history.end()); };
  for (std::size_t turn = 0; turn < kMaxTurns; ++turn) {
    CAIP_TRY(answer, client.turn(history, terms));
    // Ids of ours: some models give none, or one twice.
    for (std::size_t i = 0; i < answer.calls.size(); ++i) answer.calls[i].id = "call_" + std::to_string(turn) + "_" + std::to_string(i);
    const auto calls = answer.calls;
    history.push_back({Speaker::pilot, answer.text.raw(), calls, {}});
    if (calls.empty()) return said();
    for (std::size_t i = 0; i < calls.size(); ++i) {
      if (terms.stop.stop_requested()) return fail(Code::unavailable, "the pilot was stopped");
      history.push_back({Speaker::tool, result_text(carried_out(calls[i], host, terms.offer, i >= kMaxCalls)), {}, calls[i].id});
    }
  }
  history.push_back({Speaker::pilot, "I stopped after " + std::to_string(kMaxTurns) + " steps without an answer.", {}, {}});
  return said();
}

}  // namespace caip::pilot
