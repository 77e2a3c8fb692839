// Google's Gemini API, streamed as server-sent events (alt=sse). The key is a header, never a part of the address.
#include "dialect.h"
#include "transcript.h"

namespace caip::pilot {
namespace {

// A model's name is a part of the path here: what is not plainly one is not sent.
std::string escaped(std::string_view name) {
  if (name.starts_with("models/")) name.remove_prefix(7);
  std::string out;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    constexpr std::string_view kHex = "0123456789ABCDEF";
    const auto byte = static_cast<unsigned char>(c);
    if (plain) out += c;
    else out += {'%', kHex[byte >> 4U], kHex[byte & 15U]};
  }
  return out;
}

std::string path_of(const Provider& p) { return "/models/" + escaped(p.model) + ":streamGenerateContent?alt=sse"; }

std::vector<std::string> headers_of(const std::string& key) {
  if (key.empty()) return {};
  return {"x-goog-api-key: " + key};
}

constexpr std::string_view kSignature = "thoughtSignature";

json::object signed_as(json::object part, const json::object& kept) {
  if (const std::string_view s = text_in(kept, kSignature); !s.empty()) part[kSignature] = s;
  return part;
}

json::object response_of(const Message& m, std::string_view name) {
  const auto given = parse_object(m.text);
  json::object response;
  if (given && says_error(m)) response["error"] = given->at("error");
  else if (given) response["output"] = *given;
  else response["output"] = m.text;
  return {{"functionResponse", {{"id", m.call_id}, {"name", name}, {"response", std::move(response)}}}};
}

// Which call a result is of: the calls come right before.
std::string_view name_of(const std::vector<ToolCall>& calls, std::string_view id) {
  for (const auto& c : calls)
    if (c.id == id) return c.name;
  return "unknown";
}

json::array contents_of(std::span<const Message> history) {
  json::array out;
  std::vector<ToolCall> calls;
  for (const Message& m : repaired(history)) {
    json::array parts;
    if (m.speaker == Speaker::user) parts.push_back(json::object{{"text", m.text}});
    if (m.speaker == Speaker::tool) parts.push_back(response_of(m, name_of(calls, m.call_id)));
    if (m.speaker == Speaker::pilot) {
      calls = m.calls;
      each_piece(m, [](const json::object&) {},
                 [&](const ToolCall& c, const json::object& kept) { parts.push_back(signed_as({{"functionCall", {{"id", c.id}, {"name", c.name}, {"args", arguments_object(c)}}}}, kept)); },
                 [&](std::string_view text, const json::object& kept) { if (!text.empty() || kept.contains(kSignature)) parts.push_back(signed_as({{"text", text}}, kept)); });
    }
    if (parts.empty()) continue;
    const std::string_view role = m.speaker == Speaker::pilot ? "model" : "user";
    if (!out.empty() && text_in(out.back().get_object(), "role") == role) {
      auto& before = out.back().at("parts").as_array();
      before.insert(before.end(), parts.begin(), parts.end());
    } else {
      out.push_back({{"role", role}, {"parts", std::move(parts)}});
    }
  }
  return out;
}

std::string body_of(const TurnRequest& request) {
  json::array offered;
  for (const Tool& t : tools(request.offer)) offered.push_back({{"name", t.name}, {"description", t.description}, {"parametersJsonSchema", schema_of(t)}});
  return json::serialize(json::object{{"systemInstruction", {{"parts", json::array{json::object{{"text", instructions(request.offer)}}}}}}, {"contents", contents_of(request.messages)},
                                      {"tools", json::array{json::object{{"functionDeclarations", std::move(offered)}}}},
                                      {"toolConfig", {{"functionCallingConfig", {{"mode", "AUTO"}}}}}, {"generationConfig", {{"maxOutputTokens", request.provider.max_tokens}}}});
}

class GeminiReader final : public Reader {
 public:
  using Reader::Reader;

 private:
  Result<void> take(const json::object& chunk) override {
    if (chunk.contains("error")) return std::unexpected(broken_off());
    if (const auto* feedback = object_in(chunk, "promptFeedback"); feedback != nullptr && !text_in(*feedback, "blockReason").empty())
      return fail(Code::unavailable, "the AI provider's filter blocked the question");
    const auto* candidates = array_in(chunk, "candidates");
    if (candidates == nullptr || candidates->empty()) return {};  // usage
    const auto* candidate = candidates->front().if_object();
    if (candidate == nullptr) return std::unexpected(protocol("a candidate is no object"));
    started_ = true;
    if (const auto* content = object_in(*candidate, "content"))
      if (const auto* parts = array_in(*content, "parts"))
        for (const auto& part : *parts) {
          if (!part.is_object()) return std::unexpected(protocol("a part is no object"));
          CAIP_CHECKED(take_part(part.get_object()));
        }
    if (!text_in(*candidate, "finishReason").empty()) reason_ = text_in(*candidate, "finishReason");
    return {};
  }

  Result<void> take_part(const json::object& part) {
    const auto* thought = part.if_contains("thought");
    if (thought != nullptr && thought->is_bool() && thought->get_bool()) return {};
    json::object kept;
    if (const std::string_view s = text_in(part, kSignature); !s.empty()) kept[kSignature] = s;
    if (const auto* call = object_in(part, "functionCall")) {
      CAIP_TRY(number, said_.begin_call(text_in(*call, "id"), text_in(*call, "name")));
      if (const auto* args = object_in(*call, "args")) CAIP_CHECKED(said_.arguments(number, json::serialize(*args)));
      kept["call"] = number;
      return said_.keep(std::move(kept));
    }
    const std::string_view text = text_in(part, "text");
    if (text.empty() && kept.empty()) return {};
    kept["text"] = text;
    CAIP_CHECKED(said_.text(text));
    return said_.keep(std::move(kept));
  }

  // It has no end of its own but a reason; and the reason is STOP with calls too.
  Result<bool> whole() override {
    if (reason_.empty()) return fail(Code::unavailable, "the AI provider's answer ended early");
    if (reason_ == "STOP") return false;
    if (reason_ == "MAX_TOKENS" && said_.calls().empty()) return true;
    if (reason_ == "MAX_TOKENS") return fail(Code::unavailable, "the AI's answer was cut at its length limit");
    if (reason_ == "MALFORMED_FUNCTION_CALL" || reason_ == "UNEXPECTED_TOOL_CALL" || reason_ == "TOO_MANY_TOOL_CALLS")
      return fail(Code::unavailable, "the AI provider's model made a call that makes no sense");
    if (!said_.calls().empty() || reason_ != "OTHER") return fail(Code::unavailable, "the AI provider's filter blocked the answer");
    return false;
  }

  std::string reason_;
};

// "38s" behind "retryDelay", wherever it stands among the details.
std::optional<long> retry_delay(const json::object& error) {
  const auto* details = array_in(error, "details");
  if (details == nullptr) return std::nullopt;
  for (const auto& item : *details) {
    const auto* d = item.if_object();
    const std::string delay(d != nullptr ? text_in(*d, "retryDelay") : std::string_view{});
    if (delay.empty() || delay.size() > 12 || delay.find_first_not_of("0123456789.s") != std::string::npos) continue;
    long seconds = 0;
    for (const char c : delay) {
      if (c < '0' || c > '9') break;
      seconds = seconds * 10 + (c - '0');
    }
    return seconds + 1;
  }
  return std::nullopt;
}

Refusal refusal_of(long status, std::string_view body) {
  if (status == 400 && body.contains("API_KEY_INVALID")) return common_refusal(401);
  if (status == 400 && body.contains("token count")) return {{Code::too_large, "the conversation is too long for the model"}};
  Refusal r = common_refusal(status);
  const auto whole = parse_object(body);
  const auto* e = whole ? object_in(*whole, "error") : nullptr;
  if (e != nullptr) r.wait_seconds = retry_delay(*e);
  if (status == 429 && body.contains("PerDay")) r = {{Code::unavailable, "the AI provider's quota is used up"}};
  return r;
}

}  // namespace

const Dialect kGemini{.base_url = "https://generativelanguage.googleapis.com/v1beta", .framing = Framing::events, .path = path_of, .models_path = "/models?pageSize=1000", .headers = headers_of, .body = body_of,
                      .reader = [](OnText on_text) -> std::unique_ptr<Reader> { return std::make_unique<GeminiReader>(std::move(on_text)); },
                      .refusal = refusal_of, .models = [](const json::object& answer) { return names_in(answer, "models", "name", "models/"); }};

}  // namespace caip::pilot
