// What a sign-in answers with, whichever way it went: the session, and cookies for a browser. Private.
#pragma once
#include "auth/accounts.h"
#include "web/router.h"

namespace caip::web {

enum class Site : std::uint8_t { lax, strict };

json::object session_json(const auth::Person&, PermissionSet may, Instant expires);
void set_cookie(http::Response&, std::string_view name, std::string_view value, Duration age, Site = Site::lax);
void clear_cookie(http::Response&, std::string_view name);
// The answer to whoever is in: cookies for a browser, tokens for the command line.
http::Response signed_in(const auth::Person&, const auth::Tokens&, const std::string& device, bool cli);
// And to whoever owes a second factor.
http::Response owes_factor(const auth::FactorNeeded&, bool cli);
inline constexpr std::string_view kPendingCookie = "__Host-caip_pending";
void set_tokens(http::Response&, const auth::Tokens&);
void set_device(http::Response&, const std::string& token);
void clear_tokens(http::Response&);

}  // namespace caip::web
