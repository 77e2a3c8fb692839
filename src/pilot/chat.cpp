#include "chat.h"

#include "transcript.h"

namespace caip::pilot {
namespace {

json::array tools_json(Offer offer) {
  json::array out;
  for (const Tool& t : tools(offer))
    out.push_back({{"type", "function"}, {"function", {{"name", t.name}, {"description", t.description}, {"parameters", schema_of(t)}}}});
  return out;
}

json::object message_json(const Message& m) {
  if (m.speaker == Speaker::user) return {{"role", "user"}, {"content", m.text}};
  if (m.speaker == Speaker::tool) return {{"role", "tool"}, {"tool_call_id", m.call_id}, {"content", m.text}};
  json::object out{{"role", "assistant"}, {"content", m.text}};
  if (m.calls.empty()) return out;
  json::array calls;
  for (const auto& c : m.calls)
    calls.push_back({{"id", c.id}, {"type", "function"}, {"function", {{"name", c.name}, {"arguments", c.arguments.empty() ? "{}" : c.arguments}}}});
  out["tool_calls"] = calls;
  return out;
}

}  // namespace

std::string chat_body(const TurnRequest& request) {
  const Provider& p = request.provider;
  json::array list{{{"role", "system"}, {"content", instructions(request.offer)}}};
  for (const auto& m : repaired(request.messages)) list.push_back(message_json(m));
  json::object body{{"model", p.model}, {"messages", list}, {"tools", tools_json(request.offer)}, {"tool_choice", "auto"}, {"stream", true}};
  body[p.max_tokens_field] = p.max_tokens;
  return json::serialize(body);
}

Result<void> StreamReader::take(const json::object& chunk) {
  started_ = true;
  if (const auto* e = chunk.if_contains("error"); e != nullptr && !e->is_null()) return std::unexpected(broken_off());
  const auto* choices = array_in(chunk, "choices");
  if (choices == nullptr || choices->empty()) return {};  // usage, keep-alive
  const auto* choice = choices->front().if_object();
  if (choice == nullptr) return std::unexpected(protocol("a choice is no object"));
  if (const auto reason = text_in(*choice, "finish_reason"); !reason.empty()) finish_reason_ = reason;
  const auto* delta = object_in(*choice, "delta");
  if (delta == nullptr) return {};
  CAIP_CHECKED(said_.text(text_in(*delta, "content")));
  CAIP_CHECKED(said_.text(text_in(*delta, "refusal")));
  const auto* calls = array_in(*delta, "tool_calls");
  if (calls == nullptr) return {};
  for (const auto& call : *calls) {
    if (!call.is_object()) return std::unexpected(protocol("a tool call is no object"));
    CAIP_CHECKED(take_call(call.get_object()));
  }
  return {};
}

// By index; without one: a new id begins a call, anything else goes on with the last.
Result<std::size_t> StreamReader::call_for(const json::object& fragment) {
  const auto index = integer_in(fragment, "index");
  const std::string_view id = text_in(fragment, "id");
  const auto* function = object_in(fragment, "function");
  const std::string_view name = function != nullptr ? text_in(*function, "name") : std::string_view{};
  if (index) {
    for (auto& p : partials_)
      if (p.index == index) return p.call;
  } else if (!partials_.empty()) {
    for (auto& p : partials_)
      if (!id.empty() && said_.call(p.call).id == id) return p.call;
    if (id.empty() && name.empty()) return partials_.back().call;
  }
  CAIP_TRY(call, said_.begin_call(id, name));
  partials_.push_back({index, call});
  return call;
}

Result<void> StreamReader::take_call(const json::object& fragment) {
  CAIP_TRY(number, call_for(fragment));
  ToolCall& call = said_.call(number);
  if (call.id.empty()) call.id = cut(text_in(fragment, "id"), 200);
  const auto* function = object_in(fragment, "function");
  if (function == nullptr) return {};
  if (call.name.empty()) call.name = cut(text_in(*function, "name"), 200);
  if (const auto* whole = object_in(*function, "arguments")) return said_.arguments(number, json::serialize(*whole));
  return said_.arguments(number, text_in(*function, "arguments"));
}

Result<bool> StreamReader::whole() {
  if (!done_ && finish_reason_.empty()) return fail(Code::unavailable, "the AI provider's answer ended early");
  if (finish_reason_ == "content_filter") return fail(Code::unavailable, "the AI provider's filter blocked the answer");
  const bool cut = finish_reason_ == "length";
  if (cut && !said_.calls().empty()) return fail(Code::unavailable, "the AI's answer was cut at its length limit");
  return cut;
}

Refusal chat_refusal(long status, std::string_view body) {
  const bool quota = body.contains("insufficient_quota") || body.contains("billing");
  if (status == 429 && quota) return common_refusal(402);
  if (status == 400 && body.contains("context_length")) return {{Code::too_large, "the conversation is too long for the model"}};
  return common_refusal(status);
}

const Dialect kChat{.base_url = "", .framing = Framing::events, .path = [](const Provider&) -> std::string { return "/chat/completions"; }, .models_path = "/models",
                    .headers = [](const std::string& key) { return key.empty() ? std::vector<std::string>{} : std::vector<std::string>{"Authorization: Bearer " + key}; },
                    .body = chat_body, .reader = [](OnText on_text) -> std::unique_ptr<Reader> { return std::make_unique<StreamReader>(std::move(on_text)); },
                    .refusal = chat_refusal, .models = [](const json::object& answer) { return names_in(answer, "data", "id"); }};

}  // namespace caip::pilot
