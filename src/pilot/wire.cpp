#include "wire.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace caip::pilot {
namespace {

constexpr std::array<std::string_view, 3> kSpeakers{"user", "pilot", "tool"};
constexpr std::array<std::string_view, 3> kOffers{"reads", "all", "asks"};  // each in the order of its enum

json::array calls_json(const std::vector<ToolCall>& calls) {
  json::array out;
  for (const auto& c : calls) out.push_back({{"id", c.id}, {"name", c.name}, {"arguments", c.arguments}});
  return out;
}

Result<std::vector<ToolCall>> calls_of(const json::value* list) {
  if (list == nullptr || !list->is_array() || list->get_array().size() > kMaxCallCount) return fail(Code::malformed, "bad calls");
  std::vector<ToolCall> out;
  for (const auto& item : list->get_array()) {
    if (!item.is_object()) return fail(Code::malformed, "bad call");
    Members m(item.get_object());
    CAIP_TRY(id, m.string("id", 256));
    CAIP_TRY(name, m.string("name", 256));
    CAIP_TRY(arguments, m.string("arguments", kMaxCallBytes));
    CAIP_CHECKED(m.finish());
    out.push_back({id, name, arguments});
  }
  return out;
}

Result<Message> message_of(const json::value& item) {
  if (!item.is_object()) return fail(Code::malformed, "bad message");
  const auto& object = item.get_object();
  json::object plain = object;
  plain.erase("calls");
  Members m(plain);
  CAIP_TRY(speaker, m.string("speaker", 16));
  CAIP_TRY(text, m.string("text", 1U << 20U));
  CAIP_TRY(call_id, m.string("call_id", 256));
  CAIP_TRY(state, m.string("state", kMaxState));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(calls, calls_of(object.if_contains("calls")));
  const auto which = std::ranges::find(kSpeakers, speaker);
  if (which == kSpeakers.end()) return fail(Code::malformed, "bad speaker");
  return Message{static_cast<Speaker>(which - kSpeakers.begin()), text, calls, call_id, state};
}

constexpr std::size_t kMostNetworks = 64;

Result<std::vector<std::string>> networks_of(const json::value* list) {
  if (list == nullptr || !list->is_array() || list->get_array().size() > kMostNetworks) return fail(Code::malformed, "bad networks");
  std::vector<std::string> out;
  for (const auto& one : list->get_array()) {
    if (!one.is_string()) return fail(Code::malformed, "bad network");
    out.emplace_back(one.get_string());
  }
  return out;
}

Result<Provider> provider_of(const json::object& object) {
  Members m(object);
  Provider p;
  CAIP_TRY(base_url, m.string("base_url", 2048));
  CAIP_TRY(model, m.string("model", 256));
  CAIP_TRY(key_file, m.string("api_key_file", 4096));
  CAIP_TRY(field, m.string("max_tokens_field", 64));
  CAIP_TRY(max_tokens, m.integer("max_tokens", 1, 1'000'000));
  CAIP_TRY(key_follows, m.boolean("key_follows"));
  CAIP_TRY(vendor_name, m.string("vendor", 32));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(vendor, parse_ai_vendor(vendor_name));
  return Provider{base_url, model, key_file, key_follows, field, max_tokens, {}, vendor};
}

constexpr std::size_t kMostModels = 1000;

Result<std::vector<std::string>> models_of(const json::value& list) {
  if (!list.is_array() || list.get_array().size() > kMostModels) return fail(Code::malformed, "bad models");
  std::vector<std::string> out;
  for (const auto& one : list.get_array()) {
    if (!one.is_string() || one.get_string().size() > 256 || has_hidden(one.get_string())) return fail(Code::malformed, "bad model");
    out.emplace_back(one.get_string());
  }
  return out;
}

std::optional<Code> code_named(std::string_view text) {
  for (int i = 0; i <= static_cast<int>(Code::internal); ++i)
    if (code_text(static_cast<Code>(i)) == text) return static_cast<Code>(i);
  return std::nullopt;
}

}  // namespace

std::string encode_request(const Provider& p, std::span<const Message> messages, Offer offer, std::string_view what) {
  json::array list;
  for (const auto& m : messages)
    list.push_back({{"speaker", kSpeakers[static_cast<std::size_t>(m.speaker)]}, {"text", Foreign(m.text, 1U << 20U).raw()},
                    {"calls", calls_json(m.calls)}, {"call_id", m.call_id}, {"state", m.state}});
  return json::serialize(json::object{{"provider", {{"base_url", p.base_url}, {"model", p.model}, {"api_key_file", p.api_key_file.string()},
                                                    {"max_tokens_field", p.max_tokens_field}, {"max_tokens", p.max_tokens}, {"key_follows", p.key_follows}, {"vendor", text(p.vendor)}}},
                                      {"networks", json::array(p.allow_networks.begin(), p.allow_networks.end())},
                                      {"offer", kOffers.at(static_cast<std::size_t>(offer))},
                                      {"what", what},
                                      {"messages", list}});
}

Result<TurnRequest> decode_request(std::string_view line) {
  CAIP_TRY(object, parse_object(line));
  const auto* provider = object.if_contains("provider");
  const auto* list = object.if_contains("messages");
  const auto* offer = object.if_contains("offer");
  const auto which = offer != nullptr && offer->is_string() ? std::ranges::find(kOffers, std::string_view(offer->get_string())) : kOffers.end();
  const auto* what = object.if_contains("what");
  if (what == nullptr || (*what != "turn" && *what != "models")) return fail(Code::malformed, "bad request");
  if (object.size() != 5 || which == kOffers.end() || provider == nullptr || !provider->is_object() || list == nullptr || !list->is_array())
    return fail(Code::malformed, "bad request");
  TurnRequest out;
  out.offer = static_cast<Offer>(which - kOffers.begin());
  out.models = *what == "models";
  CAIP_TRY(p, provider_of(provider->get_object()));
  out.provider = p;
  CAIP_TRY(networks, networks_of(object.if_contains("networks")));
  out.provider.allow_networks = std::move(networks);
  for (const auto& item : list->get_array()) {
    CAIP_TRY(m, message_of(item));
    out.messages.push_back(m);
  }
  return out;
}

std::string encode_event(const Event& e) {
  json::object out;
  if (e.delta) out["delta"] = *e.delta;
  else if (e.done) out["done"] = json::object{{"text", e.done->text.raw()}, {"calls", calls_json(e.done->calls)}, {"state", e.done->state}};
  else if (e.models) out["models"] = json::array(e.models->begin(), e.models->end());
  else if (e.error) out["error"] = json::object{{"code", code_text(e.error->code)}, {"detail", e.error->detail}};
  return json::serialize(out);
}

Result<Event> decode_event(std::string_view line) {
  CAIP_TRY(object, parse_object(line));
  if (object.size() != 1) return fail(Code::malformed, "bad event");
  const auto& [name, value] = *object.begin();
  Event out;
  if (name == "delta" && value.is_string()) {
    out.delta = std::string(value.get_string());
    return out;
  }
  if (name == "models") {
    CAIP_TRY(models, models_of(value));
    out.models = std::move(models);
    return out;
  }
  if (!value.is_object()) return fail(Code::malformed, "bad event");
  const auto& body = value.get_object();
  if (name == "done") {
    const auto* text = body.if_contains("text");
    const auto* state = body.if_contains("state");
    if (body.size() != 3 || text == nullptr || !text->is_string() || state == nullptr || !state->is_string() || state->get_string().size() > kMaxState)
      return fail(Code::malformed, "bad event");
    CAIP_TRY(calls, calls_of(body.if_contains("calls")));
    out.done = Turn{Foreign(text->get_string(), kMaxText + 64), calls, std::string(state->get_string())};
    return out;
  }
  if (name != "error") return fail(Code::malformed, "bad event");
  Members m(body);
  CAIP_TRY(code, m.string("code", 64));
  CAIP_TRY(detail, m.string("detail", 4096));
  CAIP_CHECKED(m.finish());
  out.error = Error{code_named(code).value_or(Code::unavailable), shown(detail)};
  return out;
}

Result<void> LineReader::more() {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - std::chrono::steady_clock::now()).count();
  if (left <= 0) return fail(Code::timeout, "the pilot took too long");
  pollfd p{fd_, POLLIN, 0};
  const int ready = ::poll(&p, 1, static_cast<int>(std::min<std::int64_t>(left, 1000)));
  if (ready == 0 || (ready < 0 && errno == EINTR)) return {};
  std::array<char, 16384> piece;
  const ssize_t n = ::recv(fd_, piece.data(), piece.size(), 0);
  if (n < 0 && errno == EINTR) return {};
  if (n <= 0) return fail(Code::unavailable, "the pilot ended before its answer did");
  const auto size = static_cast<std::size_t>(n);
  if (size > left_) return fail(Code::too_large, "the pilot said too much");
  left_ -= size;
  buffer_.append(piece.data(), size);
  return {};
}

Result<std::string> LineReader::line() {
  for (std::size_t searched = 0;;) {
    if (const auto end = buffer_.find('\n', searched); end != std::string::npos) {
      std::string out = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return out;
    }
    searched = buffer_.size();
    CAIP_CHECKED(more());
  }
}

Result<void> send_line(int fd, std::string line) {
  line += '\n';
  for (std::string_view rest = line; !rest.empty();) {
    const ssize_t n = ::send(fd, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail(Code::unavailable, "the pilot's process is gone");
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

}  // namespace caip::pilot
