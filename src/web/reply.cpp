// Replies, problem documents (RFC 9457), cookies, and what a Call offers to handlers.
#include <charconv>

#include "cursors.h"
#include "web/router.h"

namespace caip::web {

Origin Call::origin() const {
  return Origin{request.address, Foreign(request.header("user-agent"), 256), request.id, command};
}

std::string_view Call::path_text(std::string_view name) const {
  auto it = path.find(name);
  return it == path.end() ? std::string_view() : std::string_view(it->second);
}

std::optional<std::string> Call::query_text(std::string_view name) const {
  auto it = query.find(name);
  return it == query.end() ? std::nullopt : std::optional(it->second);
}

Result<std::int64_t> Call::query_integer(std::string_view name, std::int64_t fallback, std::int64_t min, std::int64_t max) const {
  auto text = query_text(name);
  if (!text) return fallback;
  std::int64_t value = 0;
  auto [end, ec] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (ec != std::errc() || end != text->data() + text->size() || value < min || value > max)
    return fail(Code::malformed, std::string(name) + " must be a whole number from " + std::to_string(min) + " to " + std::to_string(max));
  return value;
}

namespace {

// A cursor is for this list and for this person.
std::string scope_of(const Call& call) { return call.request.path + ' ' + (call.session ? call.session->org().str() + call.session->user().str() : std::string()); }

}  // namespace

Result<PageAsk> Call::page() const {
  CAIP_TRY(limit, query_integer("limit", 50, 1, 200));
  PageAsk ask{.limit = static_cast<std::size_t>(limit), .after = std::nullopt};
  if (const auto cursor = query_text("cursor")) {
    CAIP_TRY(place, cursors->open(*cursor, scope_of(*this)));
    ask.after = std::move(place);
  }
  return ask;
}

std::string Call::cursor_after(const Place& place) const { return cursors->seal(place, scope_of(*this)); }

Result<std::int64_t> Call::if_match() const {
  std::string_view tag = request.header("if-match");
  if (tag.empty()) return fail(Code::precondition_required, "send If-Match with the version you saw");
  if (tag.size() < 3 || tag.size() > 14 || tag.front() != '"' || tag.back() != '"') return fail(Code::malformed, "If-Match is a quoted version");
  std::int64_t version = 0;
  for (char c : tag.substr(1, tag.size() - 2)) {
    if (c < '0' || c > '9') return fail(Code::malformed, "If-Match is a quoted version");
    version = version * 10 + (c - '0');
  }
  return version;
}

http::Response json_reply(int status, const json::value& value) {
  http::Response r;
  r.status = status;
  r.body = json::serialize(value);
  return r;
}

http::Response empty_reply() {
  http::Response r;
  r.status = 204;
  return r;
}

http::Response text_reply(std::string content_type, std::string body) {
  http::Response r;
  r.content_type = std::move(content_type);
  r.body = std::move(body);
  return r;
}

std::optional<std::string> cookie(const http::Request& request, std::string_view name) {
  for (const auto& [key, value] : request.headers) {
    if (key != "cookie") continue;
    std::string_view rest = value;
    while (!rest.empty()) {
      auto end = rest.find(';');
      std::string_view pair = rest.substr(0, end);
      rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
      while (pair.starts_with(' ')) pair.remove_prefix(1);
      if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=')
        return std::string(pair.substr(name.size() + 1));
    }
  }
  return std::nullopt;
}

}  // namespace caip::web
