#include "federation/github.h"

#include "members.h"

namespace caip::federation {
namespace {

constexpr std::size_t kMostText = 256 * 1024;

// "read:user,user:email"; people may cut what was asked for.
bool granted_email(std::string_view scopes) {
  while (!scopes.empty()) {
    const auto end = scopes.find(',');
    const std::string_view one = scopes.substr(0, end);
    if (one == "user:email" || one == "user") return true;
    scopes = end == scopes.npos ? std::string_view() : scopes.substr(end + 1);
  }
  return false;
}

bool is_true(const json::object& o, std::string_view name) {
  const auto* v = o.if_contains(name);
  return v && v->is_bool() && v->get_bool();
}

}  // namespace

Result<std::string> parse_github_token(std::string_view text) {
  if (text.size() > kMostText) return fail(Code::too_large, "GitHub's answer is too large");
  CAIP_TRY(o, parse_object(text));
  if (o.contains("error")) return fail(Code::bad_credentials, "GitHub refused the code");
  const auto token = text_in(o, "access_token", 512);
  const auto type = text_in(o, "token_type", 16);
  if (!token || token->empty() || (type != "bearer" && type != "Bearer")) return fail(Code::malformed, "GitHub sent no token");
  if (!granted_email(text_in(o, "scope", 1024).value_or(""))) return fail(Code::bad_credentials, "GitHub was not allowed to tell the e-mail addresses");
  return *token;
}

Result<GithubUser> parse_github_user(std::string_view text) {
  if (text.size() > kMostText) return fail(Code::too_large, "GitHub's answer is too large");
  CAIP_TRY(o, parse_object(text));
  const auto* id = o.if_contains("id");
  if (!id || !id->is_int64() || id->get_int64() <= 0) return fail(Code::bad_credentials, "GitHub named nobody");
  return GithubUser{std::to_string(id->get_int64()), text_in(o, "login", 100).value_or("")};
}

Result<std::optional<std::string>> parse_github_emails(std::string_view text) {
  if (text.size() > kMostText) return fail(Code::too_large, "GitHub's answer is too large");
  CAIP_TRY(list, parse_json(text));
  if (!list.is_array()) return fail(Code::malformed, "GitHub sent no list of addresses");
  for (const auto& item : list.get_array()) {
    if (!item.is_object()) continue;
    const auto& o = item.get_object();
    if (is_true(o, "primary") && is_true(o, "verified")) return text_in(o, "email", 254);
  }
  return std::optional<std::string>{};
}

}  // namespace caip::federation
