// OpenAI's Responses API, streamed. Nothing is kept there (store: false); what it wants back, encrypted, goes back.
#include <algorithm>

#include "dialect.h"
#include "transcript.h"

namespace caip::pilot {
namespace {

std::string path_of(const Provider&) { return "/responses"; }

std::vector<std::string> headers_of(const std::string& key) {
  if (key.empty()) return {};
  return {"Authorization: Bearer " + key};
}

void add_input(json::array& out, const Message& m) {
  if (m.speaker == Speaker::user) out.push_back({{"role", "user"}, {"content", json::array{json::object{{"type", "input_text"}, {"text", m.text}}}}});
  if (m.speaker == Speaker::tool) out.push_back({{"type", "function_call_output"}, {"call_id", m.call_id}, {"output", m.text}});
  if (m.speaker != Speaker::pilot) return;
  each_piece(m, [&](const json::object& kept) { out.push_back(kept); },
             [&](const ToolCall& c, const json::object&) { out.push_back({{"type", "function_call"}, {"call_id", c.id}, {"name", c.name}, {"arguments", json::serialize(arguments_object(c))}}); },
             [&](std::string_view text, const json::object&) {
               if (!text.empty()) out.push_back({{"type", "message"}, {"role", "assistant"}, {"content", json::array{json::object{{"type", "output_text"}, {"text", text}, {"annotations", json::array{}}}}}});
             });
}

std::string body_of(const TurnRequest& request) {
  json::array input, offered;
  for (const Message& m : repaired(request.messages)) add_input(input, m);
  for (const Tool& t : tools(request.offer))
    offered.push_back({{"type", "function"}, {"name", t.name}, {"description", t.description}, {"parameters", schema_of(t)}, {"strict", true}});
  return json::serialize(json::object{{"model", request.provider.model}, {"instructions", instructions(request.offer)}, {"input", std::move(input)}, {"tools", std::move(offered)},
                                      {"tool_choice", "auto"}, {"max_output_tokens", std::max<std::int64_t>(request.provider.max_tokens, 16)}, {"store", false},
                                      {"include", json::array{"reasoning.encrypted_content"}}, {"stream", true}});
}

// Deltas are for show; what counts are the items that are done, and the last event.
class ResponsesReader final : public Reader {
 public:
  using Reader::Reader;

 private:
  Result<void> take(const json::object& event) override {
    const std::string_view type = text_in(event, "type");
    if (type == "response.output_item.added") started_ = true;
    if (type == "response.output_text.delta" || type == "response.refusal.delta") {
      started_ = true;
      shown_ = true;
      return said_.text(text_in(event, "delta"));
    }
    if (type == "response.output_item.done") return item(event);
    if (type == "response.completed" || type == "response.incomplete") return end(event);
    if (type == "response.failed" || type == "error") return failed(event);
    return {};
  }

  Result<void> item(const json::object& event) {
    started_ = true;
    const auto* item = object_in(event, "item");
    if (item == nullptr) return std::unexpected(protocol("an item that is none"));
    const std::string_view type = text_in(*item, "type");
    if (type == "function_call") {
      CAIP_TRY(number, said_.begin_call(text_in(*item, "call_id"), text_in(*item, "name")));
      CAIP_CHECKED(said_.arguments(number, text_in(*item, "arguments")));
      return said_.keep({{"call", number}});
    }
    if (type == "reasoning") return reasoning(*item);
    if (type == "message") return message(*item);
    return {};
  }

  // Without its id: that names something which the provider was asked not to keep.
  Result<void> reasoning(const json::object& item) {
    if (text_in(item, "encrypted_content").empty()) return {};
    json::object back{{"type", "reasoning"}, {"summary", json::array{}}, {"encrypted_content", text_in(item, "encrypted_content")}};
    if (const auto* summary = array_in(item, "summary")) back["summary"] = *summary;
    return said_.keep(std::move(back));
  }

  Result<void> message(const json::object& item) {
    std::string whole;
    if (const auto* content = array_in(item, "content"))
      for (const auto& part : *content)
        if (const auto* p = part.if_object()) whole += std::string(text_in(*p, "text")) + std::string(text_in(*p, "refusal"));
    if (!shown_) CAIP_CHECKED(said_.text(whole));  // one that was not streamed
    shown_ = false;
    return whole.empty() ? Result<void>{} : said_.keep({{"text", whole}});
  }

  Result<void> end(const json::object& event) {
    done_ = true;
    const auto* response = object_in(event, "response");
    status_ = response != nullptr ? text_in(*response, "status") : std::string_view{};
    const auto* why = response != nullptr ? object_in(*response, "incomplete_details") : nullptr;
    reason_ = why != nullptr ? text_in(*why, "reason") : std::string_view{};
    if (text_in(event, "type") == "response.incomplete") status_ = "incomplete";
    return {};
  }

  Result<void> failed(const json::object& event) {
    const auto* response = object_in(event, "response");
    const auto* inner = response != nullptr ? object_in(*response, "error") : object_in(event, "error");
    const std::string_view code = text_in(inner != nullptr ? *inner : event, "code");
    if (code == "context_length_exceeded") return fail(Code::too_large, "the conversation is too long for the model");
    if (code == "insufficient_quota") return fail(Code::unavailable, "the AI provider's quota is used up");
    return std::unexpected(broken_off());
  }

  Result<bool> whole() override {
    if (!done_) return fail(Code::unavailable, "the AI provider's answer ended early");
    if (reason_ == "content_filter") return fail(Code::unavailable, "the AI provider's filter blocked the answer");
    const bool cut = status_ == "incomplete";
    if (cut && !said_.calls().empty()) return fail(Code::unavailable, "the AI's answer was cut at its length limit");
    return cut;
  }

  std::string status_, reason_;
  bool shown_ = false;
};

}  // namespace

const Dialect kResponses{.base_url = "https://api.openai.com/v1", .framing = Framing::events, .path = path_of, .models_path = "/models", .headers = headers_of, .body = body_of,
                         .reader = [](OnText on_text) -> std::unique_ptr<Reader> { return std::make_unique<ResponsesReader>(std::move(on_text)); },
                         .refusal = [](long status, std::string_view body) { return kChat.refusal(status, body); },
                         .models = [](const json::object& answer) { return names_in(answer, "data", "id"); }};

}  // namespace caip::pilot
