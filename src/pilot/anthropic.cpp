// Anthropic's Messages API, streamed (version 2023-06-01).
#include "dialect.h"
#include "transcript.h"

namespace caip::pilot {
namespace {

std::string path_of(const Provider&) { return "/v1/messages"; }

std::vector<std::string> headers_of(const std::string& key) {
  std::vector<std::string> out{"anthropic-version: 2023-06-01"};
  if (!key.empty()) out.push_back("x-api-key: " + key);
  return out;
}

json::array content_of(const Message& m) {
  json::array out;
  if (m.speaker == Speaker::tool) {
    json::object result{{"type", "tool_result"}, {"tool_use_id", m.call_id}, {"content", m.text}};
    if (says_error(m)) result["is_error"] = true;
    out.push_back(std::move(result));
    return out;
  }
  each_piece(m, [&](const json::object& kept) { out.push_back(kept); },
             [&](const ToolCall& c, const json::object&) { out.push_back({{"type", "tool_use"}, {"id", c.id}, {"name", c.name}, {"input", arguments_object(c)}}); },
             [&](std::string_view text, const json::object&) { if (!blank(text)) out.push_back({{"type", "text"}, {"text", text}}); });
  return out;
}

// One message a side: all results of a turn stand in the one that follows it, before what is said then.
json::array messages_of(std::span<const Message> history) {
  json::array out;
  for (const Message& m : repaired(history)) {
    const std::string_view role = m.speaker == Speaker::pilot ? "assistant" : "user";
    json::array content = content_of(m);
    if (content.empty()) continue;
    if (!out.empty() && text_in(out.back().get_object(), "role") == role) {
      auto& before = out.back().at("content").as_array();
      before.insert(before.end(), content.begin(), content.end());
    } else {
      out.push_back({{"role", role}, {"content", std::move(content)}});
    }
  }
  return out;
}

std::string body_of(const TurnRequest& request) {
  json::array offered;
  for (const Tool& t : tools(request.offer)) offered.push_back({{"name", t.name}, {"description", t.description}, {"input_schema", schema_of(t)}});
  return json::serialize(json::object{{"model", request.provider.model}, {"max_tokens", request.provider.max_tokens}, {"system", instructions(request.offer)},
                                      {"messages", messages_of(request.messages)}, {"tools", std::move(offered)}, {"tool_choice", {{"type", "auto"}}}, {"stream", true}});
}

class AnthropicReader final : public Reader {
 public:
  using Reader::Reader;

 private:
  struct Block {
    std::int64_t index = 0;
    std::string type;
    std::size_t call = 0;
    bool open = true;
    json::object kept;       // of thinking, which goes back as it came
    std::string text;
  };
  static constexpr std::size_t kMaxBlocks = 256;

  Result<void> take(const json::object& event) override {
    const std::string_view type = text_in(event, "type");
    if (type == "content_block_start") return begin(event);
    if (type == "content_block_delta") return go_on(event);
    if (type == "content_block_stop") return close(event);
    if (type == "message_delta") {
      if (const auto* delta = object_in(event, "delta"); delta != nullptr && !text_in(*delta, "stop_reason").empty()) reason_ = text_in(*delta, "stop_reason");
    } else if (type == "message_stop") {
      done_ = true;
    } else if (type == "error") {
      return std::unexpected(broken_off());
    }
    return {};  // message_start, ping, what is new
  }

  Block* block(const json::object& event) {
    const auto index = integer_in(event, "index");
    for (auto& b : blocks_)
      if (index == b.index) return &b;
    return nullptr;
  }

  Result<void> begin(const json::object& event) {
    started_ = true;
    const auto index = integer_in(event, "index");
    const auto* given = object_in(event, "content_block");
    if (!index || given == nullptr || block(event) != nullptr) return std::unexpected(protocol("a block that is none"));
    if (blocks_.size() >= kMaxBlocks) return fail(Code::too_large, "the AI's answer has too many parts");
    Block b{.index = *index, .type = std::string(text_in(*given, "type").substr(0, 64)), .call = 0, .open = true, .kept = {}, .text = {}};
    if (b.type == "tool_use") {
      CAIP_TRY(number, said_.begin_call(text_in(*given, "id"), text_in(*given, "name")));
      b.call = number;
      if (const auto* whole = object_in(*given, "input"); whole != nullptr && !whole->empty()) CAIP_CHECKED(said_.arguments(number, json::serialize(*whole)));
    }
    if (b.type == "thinking" || b.type == "redacted_thinking") b.kept = *given;
    blocks_.push_back(std::move(b));
    if (blocks_.back().type == "text") return text(blocks_.back(), text_in(*given, "text"));
    return {};
  }

  Result<void> text(Block& b, std::string_view piece) {
    b.text += piece;
    return said_.text(piece);
  }

  Result<void> append(Block& b, std::string_view name, std::string_view piece) {
    kept_bytes_ += piece.size();
    if (kept_bytes_ > kMaxReply) return fail(Code::too_large, "what the AI thinks is too long");
    b.kept[name] = std::string(text_in(b.kept, name)) + std::string(piece);
    return {};
  }

  Result<void> go_on(const json::object& event) {
    Block* b = block(event);
    const auto* delta = object_in(event, "delta");
    if (b == nullptr || delta == nullptr) return std::unexpected(protocol("a piece of nothing"));
    const std::string_view type = text_in(*delta, "type");
    if (type == "text_delta" && b->type == "text") return text(*b, text_in(*delta, "text"));
    if (type == "input_json_delta" && b->type == "tool_use") return said_.arguments(b->call, text_in(*delta, "partial_json"));
    if (type == "thinking_delta" && b->type == "thinking") return append(*b, "thinking", text_in(*delta, "thinking"));
    if (type == "signature_delta" && b->type == "thinking") return append(*b, "signature", text_in(*delta, "signature"));
    return {};
  }

  Result<void> close(const json::object& event) {
    Block* b = block(event);
    if (b == nullptr || !b->open) return std::unexpected(protocol("the end of nothing"));
    b->open = false;
    if (b->type == "tool_use") return said_.keep({{"call", b->call}});
    if (b->type == "text") return b->text.empty() ? Result<void>{} : said_.keep({{"text", b->text}});
    return b->kept.empty() ? Result<void>{} : said_.keep(b->kept);
  }

  Result<bool> whole() override {
    if (!done_) return fail(Code::unavailable, "the AI provider's answer ended early");
    for (const Block& b : blocks_)
      if (b.open) return std::unexpected(protocol("a block without an end"));
    if (reason_ == "refusal") return fail(Code::unavailable, "the AI provider's model refused to answer");
    const bool cut = reason_ == "max_tokens" || reason_ == "model_context_window_exceeded";
    if (!said_.calls().empty() && reason_ != "tool_use") return fail(Code::unavailable, "the AI's answer was cut at its length limit");  // its calls may be half
    return cut;
  }

  std::vector<Block> blocks_;
  std::size_t kept_bytes_ = 0;
  std::string reason_;
};

Refusal refusal_of(long status, std::string_view body) {
  if (status == 400 && body.contains("prompt is too long")) return {{Code::too_large, "the conversation is too long for the model"}};
  if (status == 400 && body.contains("credit balance")) return {{Code::unavailable, "the AI provider's quota is used up"}};
  Refusal r = common_refusal(status);
  if (status == 429 && body.contains("spend limit")) r = {{Code::unavailable, "the AI provider's quota is used up"}};
  return r;
}

Result<std::vector<std::string>> models_of(const json::object& answer) { return names_in(answer, "data", "id"); }

}  // namespace

const Dialect kAnthropic{.base_url = "https://api.anthropic.com", .framing = Framing::events, .path = path_of, .models_path = "/v1/models?limit=1000", .headers = headers_of, .body = body_of,
                         .reader = [](OnText on_text) -> std::unique_ptr<Reader> { return std::make_unique<AnthropicReader>(std::move(on_text)); },
                         .refusal = refusal_of, .models = models_of};

}  // namespace caip::pilot
