#include "api.h"

#include <array>

#include "commands.h"
#include "terminal.h"

#include "base/bytes.h"
#include "base/text.h"
#include "crypto/random.h"

namespace caip::cli {
namespace {

std::optional<Code> code_named(std::string_view text) {
  for (int i = 0; i <= static_cast<int>(Code::internal); ++i)
    if (code_text(static_cast<Code>(i)) == text) return static_cast<Code>(i);
  return std::nullopt;
}

Code code_for_status(long status) {
  for (int i = 0; i <= static_cast<int>(Code::internal); ++i)
    if (code_status(static_cast<Code>(i)) == status) return static_cast<Code>(i);
  return Code::internal;
}

std::string idempotency_key() {
  std::array<std::uint8_t, 16> bytes{};
  crypto::random_bytes(bytes);
  return "Idempotency-Key: \"" + hex(bytes) + "\"";
}

}  // namespace

int exit_code(Code code) noexcept {
  switch (code) {
    case Code::invalid: return 2;  // what was typed is not acceptable
    case Code::not_found: return 3;
    case Code::unauthenticated:
    case Code::bad_credentials:
    case Code::forbidden:
    case Code::step_up_needed:
    case Code::ai_off:
    case Code::csrf: return 4;
    case Code::conflict:
    case Code::already_decided:
    case Code::in_progress:
    case Code::precondition_failed:
    case Code::digest_mismatch:
    case Code::key_reused: return 5;
    case Code::approval_needed: return 6;
    case Code::timeout:
    case Code::expired: return 7;
    default: return 1;
  }
}

Error problem_of(const Reply& reply) {
  const auto parsed = parse_object(reply.body);
  if (!parsed) return {code_for_status(reply.status), "the server answered " + std::to_string(reply.status)};
  const auto code = code_named(text_of_member(*parsed, "code"));
  const Code known = code ? *code : code_for_status(reply.status);
  std::string detail = shown(text_of_member(*parsed, "detail"));
  return {known, detail.empty() ? std::string(code_title(known)) : detail};
}

Result<json::object> understood(const Reply& reply) {
  if (reply.status / 100 != 2) return std::unexpected(problem_of(reply));
  if (reply.body.empty()) return json::object{};
  auto parsed = parse_object(reply.body);
  if (!parsed) return fail(Code::internal, "the server's answer is not what the API promises");
  return parsed;
}

Result<Api> Api::open(const Line& line) {
  CAIP_TRY(paths, xdg_paths());
  CAIP_TRY(config, load_config(paths));
  Api api(paths, config);
  api.password_file_ = line.password_file;
  return api;
}

std::optional<std::filesystem::path> Api::ca() const {
  if (config_.ca.empty()) return std::nullopt;
  return paths_.config / config_.ca;
}

Result<void> Api::refresh(const std::string& used_access) {
  const SessionLock lock(paths_);
  CAIP_TRY(tokens, load_tokens(paths_, config_.url));
  if (tokens.access != used_access) return {};  // another process did it
  if (tokens.refresh.empty()) return fail(Code::unauthenticated, "the API token is not valid here, or not any more");
  Request request{.method = "POST", .url = url("/sessions/refresh"), .body = json::serialize(json::object{{"refresh_token", tokens.refresh}})};
  CAIP_TRY(reply, send(request, ca()));
  auto body = understood(reply);
  if (!body) {
    // Only a clear no ends it: a busy or broken server says nothing about the session.
    if (reply.status != 401) return std::unexpected(std::move(body).error());
    forget_tokens(paths_);
    return fail(Code::unauthenticated, "the session has ended: run caip login");
  }
  return write_session(*body);
}

Result<void> Api::write_session(json::object& answer) {
  const Tokens fresh{config_.url, text_of_member(answer, "access_token"), text_of_member(answer, "refresh_token")};
  if (fresh.access.empty() || fresh.refresh.empty()) return fail(Code::internal, "the server sent no tokens");
  answer.erase("access_token");  // what is printed holds no secret
  answer.erase("refresh_token");
  return save_tokens(paths_, fresh);
}

Result<void> Api::keep_session(json::object& answer) {
  const SessionLock lock(paths_);
  return write_session(answer);
}

void Api::end(const std::string& access_token) {  // one that has ended already is as good
  static_cast<void>(send({.method = "DELETE", .url = url("/session"), .headers = {"Authorization: Bearer " + access_token}}, ca()));
}

Result<void> Api::replace_session(json::object& answer) {
  const SessionLock lock(paths_);
  const auto before = load_tokens(paths_, config_.url);
  CAIP_CHECKED(write_session(answer));
  if (before) end(before->access);
  return {};
}

void Api::end_session(const json::object& answer) { end(text_of_member(answer, "access_token")); }

Result<void> Api::keep_api_token(const std::string& token) {
  const SessionLock lock(paths_);
  return save_tokens(paths_, {config_.url, token, ""});
}

Result<Reply> Api::with_token(Request request) {
  CAIP_TRY(tokens, load_tokens(paths_, config_.url));
  const auto base = request.headers;
  request.headers.push_back("Authorization: Bearer " + tokens.access);
  CAIP_TRY(first, send(request, ca()));
  if (first.status != 401) return first;
  CAIP_CHECKED(refresh(tokens.access));
  CAIP_TRY(fresh, load_tokens(paths_, config_.url));
  request.headers = base;
  request.headers.push_back("Authorization: Bearer " + fresh.access);
  return send(request, ca());
}

Result<void> Api::step_up() {
  if (password_file_.empty() && !at_terminal())
    return fail(Code::step_up_needed, "this asks for your password again: run it at a terminal, or with --password-file FILE");
  json::object proof;
  if (password_file_.empty()) {
    CAIP_TRY(answer, typed("Your password, once more", true));
    proof["password"] = answer;
  } else {
    CAIP_TRY(text, first_line_of_file(password_file_));
    proof["password"] = text;
  }
  CAIP_TRY(asked, with_token({.url = url("/session/step-up")}));
  CAIP_TRY(ways, understood(asked));
  if (const auto* needed = ways.if_contains("code"); needed != nullptr && *needed == true) {
    CAIP_TRY(code, password_file_.empty() ? typed("Code of your authenticator app, or a recovery code", false) : second_line_of_file(password_file_));
    proof["code"] = code;
  }
  CAIP_TRY(reply, with_token({.method = "POST", .url = url("/session/step-up"), .body = json::serialize(proof)}));
  CAIP_CHECKED(understood(reply));
  return {};
}

Result<Reply> Api::signed_request(const Request& request) {
  CAIP_TRY(first, with_token(request));
  if (first.status != 403 || problem_of(first).code != Code::step_up_needed) return first;
  CAIP_CHECKED(step_up());
  return with_token(request);
}

Result<json::object> Api::get(const std::string& path) {
  CAIP_TRY(reply, signed_request({.url = url(path)}));
  return understood(reply);
}

Result<std::string> Api::get_text(const std::string& path) {
  CAIP_TRY(reply, signed_request({.url = url(path)}));
  if (reply.status / 100 != 2) return std::unexpected(problem_of(reply));
  return std::move(reply.body);
}

Result<json::object> Api::post(const std::string& path, const json::object& body) {
  CAIP_TRY(reply, signed_request({.method = "POST", .url = url(path), .body = json::serialize(body), .headers = {idempotency_key()}}));
  return understood(reply);
}

Result<json::object> Api::put(const std::string& path, const json::object& body, const std::string& version) {
  Request request{.method = "PUT", .url = url(path), .body = json::serialize(body)};
  if (!version.empty()) request.headers.push_back("If-Match: \"" + version + "\"");
  CAIP_TRY(reply, signed_request(request));
  return understood(reply);
}

Result<json::object> Api::send_json(std::string method, const std::string& path, const std::optional<json::object>& body, const std::string& version) {
  Request request{.method = std::move(method), .url = url(path)};
  if (body) request.body = json::serialize(*body);
  if (request.method == "POST") request.headers.push_back(idempotency_key());
  if (!version.empty()) request.headers.push_back("If-Match: \"" + version + "\"");
  CAIP_TRY(reply, signed_request(request));
  return understood(reply);
}

Result<json::object> Api::remove(const std::string& path, const std::string& version) {
  Request request{.method = "DELETE", .url = url(path)};
  if (!version.empty()) request.headers.push_back("If-Match: \"" + version + "\"");
  CAIP_TRY(reply, signed_request(request));
  return understood(reply);
}

Result<json::array> Api::list(const std::string& path) {
  json::array all;
  std::string cursor;
  for (int page = 0; page < 1000; ++page) {
    const std::string where = cursor.empty() ? path : path + (path.contains('?') ? '&' : '?') + "cursor=" + percent_encoded(cursor);
    CAIP_TRY(body, get(where));
    const json::value* data = body.if_contains("data");
    if (data == nullptr || !data->is_array()) return fail(Code::internal, "the server's answer is not a list");
    for (const auto& item : data->get_array())
      if (item.is_object()) all.push_back(item);
    cursor = text_of_member(body, "next_cursor");
    if (cursor.empty()) break;
  }
  return all;
}

Result<json::object> Api::post_anonymous(const std::string& path, const json::object& body) {
  CAIP_TRY(reply, send({.method = "POST", .url = url(path), .body = json::serialize(body)}, ca()));
  return understood(reply);
}

Result<void> Api::events(long seconds, std::function<bool(std::string_view)> sink, std::function<bool()> cancelled) {
  CAIP_TRY(reply, signed_request({.url = url("/events"), .headers = {"Accept: text/event-stream"}, .timeout_seconds = seconds, .sink = std::move(sink), .cancelled = std::move(cancelled)}));
  if (reply.status / 100 != 2) return std::unexpected(problem_of(reply));
  return {};
}

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kPlain = "-._~";
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto b = static_cast<std::uint8_t>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || kPlain.contains(c);
    if (plain) out += c;
    else out += {'%', kHex[b >> 4U], kHex[b & 15U]};
  }
  return out;
}

double number_member(const json::object& object, std::string_view name) {
  const json::value* v = object.if_contains(name);
  if (v == nullptr || !v->is_number()) return 0;
  return v->to_number<double>();
}

std::string text_of_member(const json::object& object, std::string_view name) {
  const json::value* v = object.if_contains(name);
  if (v == nullptr || !v->is_string()) return {};
  return std::string(v->get_string());
}

std::string version_of(const json::object& object) {
  const json::value* v = object.if_contains("version");
  return v != nullptr && v->is_int64() ? std::to_string(v->get_int64()) : std::string();
}

const json::object* object_member(const json::object& object, std::string_view name) {
  const json::value* v = object.if_contains(name);
  return v != nullptr ? v->if_object() : nullptr;
}

}  // namespace caip::cli
