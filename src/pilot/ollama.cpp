// Ollama's own API: one JSON object a line. Without num_ctx it would cut the front of what it is told, silently: the tools
// and the instructions.
#include "dialect.h"
#include "transcript.h"

namespace caip::pilot {
namespace {

constexpr std::int64_t kContext = 16384, kMostContext = 131072;

std::string path_of(const Provider&) { return "/api/chat"; }

std::vector<std::string> headers_of(const std::string& key) {
  if (key.empty()) return {};
  return {"Authorization: Bearer " + key};
}

std::string_view name_of(const std::vector<ToolCall>& calls, std::string_view id) {
  for (const auto& c : calls)
    if (c.id == id) return c.name;
  return "unknown";
}

json::array messages_of(const TurnRequest& request) {
  json::array out{json::object{{"role", "system"}, {"content", instructions(request.offer)}}};
  std::vector<ToolCall> calls;
  for (const Message& m : repaired(request.messages)) {
    if (m.speaker == Speaker::user) out.push_back({{"role", "user"}, {"content", m.text}});
    if (m.speaker == Speaker::tool) out.push_back({{"role", "tool"}, {"tool_name", name_of(calls, m.call_id)}, {"tool_call_id", m.call_id}, {"content", m.text}});
    if (m.speaker != Speaker::pilot) continue;
    calls = m.calls;
    json::object said{{"role", "assistant"}, {"content", m.text}};
    json::array made;
    for (const auto& c : m.calls) made.push_back({{"id", c.id}, {"function", {{"name", c.name}, {"arguments", arguments_object(c)}}}});
    if (!made.empty()) said["tool_calls"] = std::move(made);
    out.push_back(std::move(said));
  }
  return out;
}

// Roughly three bytes a token: room for all of it and the answer.
std::int64_t context_for(std::size_t bytes, std::int64_t answer) {
  const auto wanted = static_cast<std::int64_t>(bytes / 3) + answer;
  std::int64_t context = kContext;
  while (context < wanted && context < kMostContext) context *= 2;
  return context;
}

std::string body_of(const TurnRequest& request) {
  json::array offered, messages = messages_of(request);
  for (const Tool& t : tools(request.offer)) offered.push_back({{"type", "function"}, {"function", {{"name", t.name}, {"description", t.description}, {"parameters", schema_of(t)}}}});
  const auto bytes = json::serialize(messages).size() + json::serialize(offered).size();
  return json::serialize(json::object{{"model", request.provider.model}, {"messages", std::move(messages)}, {"tools", std::move(offered)}, {"stream", true},
                                      {"options", {{"num_ctx", context_for(bytes, request.provider.max_tokens)}, {"num_predict", request.provider.max_tokens}}}});
}

class OllamaReader final : public Reader {
 public:
  using Reader::Reader;

 private:
  Result<void> take(const json::object& line) override {
    if (line.contains("error")) return std::unexpected(broken_off());  // after a 200 too
    const auto* message = object_in(line, "message");
    if (message != nullptr) {
      started_ = true;
      CAIP_CHECKED(said_.text(text_in(*message, "content")));
      if (const auto* calls = array_in(*message, "tool_calls"))
        for (const auto& c : *calls) {
          if (!c.is_object()) return std::unexpected(protocol("a tool call is no object"));
          CAIP_CHECKED(take_call(c.get_object()));
        }
    }
    const auto* done = line.if_contains("done");
    done_ = done != nullptr && done->is_bool() && done->get_bool();
    if (done_) reason_ = text_in(line, "done_reason");
    return {};
  }

  Result<void> take_call(const json::object& call) {
    const auto* function = object_in(call, "function");
    if (function == nullptr) return std::unexpected(protocol("a tool call without a function"));
    CAIP_TRY(number, said_.begin_call(text_in(call, "id"), text_in(*function, "name")));
    if (const auto* arguments = object_in(*function, "arguments")) return said_.arguments(number, json::serialize(*arguments));
    return said_.arguments(number, text_in(*function, "arguments"));
  }

  Result<bool> whole() override {
    if (!done_) return fail(Code::unavailable, "the AI provider's answer ended early");
    if (reason_ == "load" || reason_ == "unload") return fail(Code::unavailable, "the AI provider loaded its model and gave no answer");
    const bool cut = reason_ == "length";
    if (cut && !said_.calls().empty()) return fail(Code::unavailable, "the AI's answer was cut at its length limit");
    return cut;
  }

  std::string reason_;
};

Refusal refusal_of(long status, std::string_view body) {
  if (status == 400 && body.contains("does not support tools")) return {{Code::unavailable, "the model cannot call tools; choose one that can"}};
  return common_refusal(status);
}

}  // namespace

const Dialect kOllama{.base_url = "http://localhost:11434", .framing = Framing::lines, .path = path_of, .models_path = "/api/tags", .headers = headers_of, .body = body_of,
                      .reader = [](OnText on_text) -> std::unique_ptr<Reader> { return std::make_unique<OllamaReader>(std::move(on_text)); },
                      .refusal = refusal_of, .models = [](const json::object& answer) { return names_in(answer, "models", "model"); }};

}  // namespace caip::pilot
