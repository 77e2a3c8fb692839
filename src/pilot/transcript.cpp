#include "transcript.h"

#include <algorithm>

namespace caip::pilot {
namespace {

constexpr std::string_view kNoResult = R"({"error":"there is no result: the answer was interrupted"})";

// [a-zA-Z0-9_-]{1,64}: what all providers take. A model may have made another one up.
std::string tool_name(std::string name) {
  for (char& c : name)
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-')) c = '_';
  name.resize(std::min<std::size_t>(name.size(), 64));
  return name.empty() ? "unknown" : name;
}

// From there on, up to the next thing that somebody says: the result of this call, the first one that there is.
const Message* result_of(const ToolCall& call, std::span<const Message> rest) {
  for (const Message& m : rest) {
    if (m.speaker != Speaker::tool) return nullptr;
    if (m.call_id == call.id) return &m;
  }
  return nullptr;
}

void put_with_results(std::vector<Message>& out, Message m, std::span<const Message> rest) {
  std::vector<ToolCall> calls;
  for (auto& c : m.calls)
    if (!std::ranges::contains(calls, c.id, &ToolCall::id)) calls.push_back({c.id, tool_name(c.name), c.arguments});
  m.calls = calls;
  out.push_back(std::move(m));
  for (const auto& c : calls) {
    const Message* result = result_of(c, rest);
    out.push_back({Speaker::tool, result != nullptr && !result->text.empty() ? result->text : std::string(kNoResult), {}, c.id});
  }
}

}  // namespace

bool blank(std::string_view text) noexcept { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }
bool says_error(const Message& m) { return m.text.starts_with(R"({"error":)"); }

std::vector<Message> repaired(std::span<const Message> history) {
  std::vector<Message> out;
  for (std::size_t i = 0; i < history.size(); ++i) {
    const Message& m = history[i];
    if (m.speaker == Speaker::pilot && !m.calls.empty()) put_with_results(out, m, history.subspan(i + 1));
    else if (m.speaker != Speaker::tool && !blank(m.text)) out.push_back({m.speaker, m.text, {}, {}});  // a result is put behind its call, or belongs to none
  }
  if (out.empty() || out.back().speaker == Speaker::pilot) out.push_back({Speaker::user, "Go on.", {}, {}});
  return out;
}

}  // namespace caip::pilot
