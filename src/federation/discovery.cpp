#include "federation/discovery.h"

#include <algorithm>
#include <boost/url/parse.hpp>

#include "base/json.h"
#include "members.h"

namespace caip::federation {
namespace {

constexpr std::size_t kMostText = 64 * 1024;
constexpr std::size_t kMostUrl = 1024;

// Left out means client_secret_basic (RFC 8414 section 2).
bool wants_basic(const json::object& o) {
  const auto* methods = o.if_contains("token_endpoint_auth_methods_supported");
  if (!methods || !methods->is_array()) return true;
  return std::ranges::none_of(methods->get_array(), [](const json::value& v) { return v.is_string() && v.get_string() == "client_secret_post"; });
}

bool lists(const json::object& o, std::string_view member, std::string_view word) {
  const auto* all = o.if_contains(member);
  return all && all->is_array() && std::ranges::any_of(all->get_array(), [&](const json::value& v) { return v.is_string() && v.get_string() == word; });
}

}  // namespace

bool good_endpoint(std::string_view text) {
  if (text.size() > kMostUrl) return false;
  const auto url = boost::urls::parse_absolute_uri(text);
  if (!url || url->has_userinfo() || url->host().empty()) return false;
  if (url->scheme() == "https") return true;
  const std::string host = url->host_address();
  return url->scheme() == "http" && (host == "localhost" || host == "127.0.0.1" || host == "::1");
}

Result<Discovery> parse_discovery(std::string_view text, std::string_view issuer) {
  if (text.size() > kMostText) return fail(Code::too_large, "the provider's description of itself is too large");
  CAIP_TRY(o, parse_object(text));
  if (text_in(o, "issuer", kMostUrl) != issuer) return fail(Code::malformed, "the provider says that it is another one");
  const auto endpoint = [&](std::string_view name) { return text_in(o, name, kMostUrl).value_or(""); };
  Discovery d{.authorize = endpoint("authorization_endpoint"), .token = endpoint("token_endpoint"), .keys = endpoint("jwks_uri")};
  for (const auto& url : {d.authorize, d.token, d.keys})
    if (!good_endpoint(url)) return fail(Code::malformed, "the provider names an address that is not https");
  d.userinfo = endpoint("userinfo_endpoint");
  if (!d.userinfo.empty() && !good_endpoint(d.userinfo)) return fail(Code::malformed, "the provider names an address that is not https");
  const auto* says = o.if_contains("authorization_response_iss_parameter_supported");
  d.says_issuer = says && says->is_bool() && says->get_bool();
  d.says_when = lists(o, "claims_supported", "auth_time");
  d.basic = wants_basic(o);
  return d;
}

}  // namespace caip::federation
