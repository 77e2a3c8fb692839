#include "cookies.h"

#include "auth/sessions.h"

namespace caip::web {

json::object session_json(const auth::Person& person, PermissionSet may, Instant expires) {
  json::array permissions;
  for (Permission p : all_permissions())
    if (row_of(p) != nullptr && may.has(p)) permissions.emplace_back(text(p));
  return json::object{{"user", json::object{{"id", person.user.str()}, {"email", person.email.str()}}},
                      {"role", text(person.role)},
                      {"organization", json::object{{"id", person.org.str()}, {"name", person.org_name.str()}}},
                      {"permissions", permissions},
                      {"expires_at", expires.str()}};
}

void set_cookie(http::Response& r, std::string_view name, std::string_view value, Duration age, Site site) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(age).count();
  r.headers.emplace_back("Set-Cookie", std::string(name) + "=" + std::string(value) + "; Path=/; Max-Age=" + std::to_string(seconds) +
                                           "; HttpOnly; Secure; SameSite=" + (site == Site::strict ? "Strict" : "Lax"));
}

void clear_cookie(http::Response& r, std::string_view name) { set_cookie(r, name, "", Duration(0)); }

http::Response signed_in(const auth::Person& person, const auth::Tokens& tokens, const std::string& device, bool cli) {
  json::object body = session_json(person, granted(person.role), tokens.access_expires);
  if (cli) body["access_token"] = tokens.access;
  if (cli) body["refresh_token"] = tokens.refresh;
  if (cli) body["device_token"] = device;
  http::Response r = json_reply(201, body);
  if (!cli) set_tokens(r, tokens);
  if (!cli) set_device(r, device);
  return r;
}

http::Response owes_factor(const auth::FactorNeeded& needed, bool cli) {
  json::object body{{"second_factor", true}, {"expires_at", needed.until.str()}};
  if (cli) body["pending_token"] = needed.token;
  http::Response r = json_reply(202, body);
  if (!cli) set_cookie(r, kPendingCookie, needed.token, std::chrono::minutes(5), Site::strict);
  return r;
}

void set_tokens(http::Response& r, const auth::Tokens& tokens) {
  set_cookie(r, kSessionCookie, tokens.access, auth::kAccessLifetime);
  set_cookie(r, kRefreshCookie, tokens.refresh, auth::kRefreshLifetime);
}

void set_device(http::Response& r, const std::string& token) { set_cookie(r, kDeviceCookie, token, std::chrono::hours(24 * 365)); }

void clear_tokens(http::Response& r) {
  clear_cookie(r, kSessionCookie);
  clear_cookie(r, kRefreshCookie);
}

}  // namespace caip::web
