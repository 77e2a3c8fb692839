#include "federation/id_token.h"

#include <algorithm>

#include "base/json.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "crypto/sha512.h"
#include "members.h"

namespace caip::federation {
namespace {

constexpr std::int64_t kSkew = 60;
constexpr std::int64_t kOldest = 600;  // an attempt lives that long
constexpr double kLast = 100'000'000'000;
constexpr std::size_t kMostAudiences = 16;

std::unexpected<Error> refuse(std::string why) { return fail(Code::bad_credentials, std::move(why)); }

struct Header {
  Algorithm algorithm;
  std::optional<std::string> key;
};

// jku, jwk, x5u and x5c are not looked at: a token does not bring its own key.
Result<Header> read_header(std::string_view part) {
  const auto bytes = from_base64url(part);
  if (!bytes) return refuse("the ID token's header is not base64url");
  auto o = parse_object(text_of(*bytes));
  if (!o) return refuse("the ID token's header is not JSON");
  const auto algorithm = parse_algorithm(text_in(*o, "alg", 16).value_or(""));
  if (!algorithm) return refuse("the ID token's algorithm is not one of RS256, ES256 and EdDSA");
  if (o->contains("crit")) return refuse("the ID token has a critical header that nobody here knows");
  if (o->contains("typ") && text_in(*o, "typ", 16) != "JWT") return refuse("not an ID token but something else");
  if (o->contains("kid") && !text_in(*o, "kid", 256)) return refuse("the ID token's key has no usable name");
  return Header{*algorithm, text_in(*o, "kid", 256)};
}

std::optional<std::int64_t> seconds_in(const json::object& o, std::string_view name) {
  const auto* v = o.if_contains(name);
  if (v == nullptr) return std::nullopt;
  const double at = v->is_int64() ? static_cast<double>(v->get_int64()) : v->is_double() ? v->get_double() : -1;
  if (!(at >= 0 && at <= kLast)) return std::nullopt;
  return static_cast<std::int64_t>(at);
}

bool for_us(const json::object& o, const std::string& client) {
  const auto* aud = o.if_contains("aud");
  if (aud == nullptr) return false;
  if (o.contains("azp") && text_in(o, "azp", 512) != client) return false;
  if (aud->is_string()) return aud->get_string() == client;
  if (!aud->is_array() || aud->get_array().size() > kMostAudiences) return false;
  const auto& all = aud->get_array();
  if (!std::ranges::all_of(all, [](const json::value& v) { return v.is_string(); })) return false;
  if (all.size() > 1 && !o.contains("azp")) return false;  // whom of them it was made for must be said
  return std::ranges::any_of(all, [&](const json::value& v) { return v.get_string() == client; });
}

Result<void> check_times(const json::object& o, Instant now_at) {
  const std::int64_t now = now_at.micros() / 1'000'000;
  const auto exp = seconds_in(o, "exp"), iat = seconds_in(o, "iat");
  if (!exp || *exp + kSkew <= now) return refuse("the ID token has expired");
  if (!iat || *iat > now + kSkew) return refuse("the ID token is from the future");
  if (*iat + kOldest + kSkew < now) return refuse("the ID token is too old for a sign-in of now");
  if (o.contains("nbf") && seconds_in(o, "nbf").value_or(now + kSkew + 1) > now + kSkew) return refuse("the ID token is not valid yet");
  return {};
}

// OpenID Connect Core section 3.1.3.6: the left half of the hash that belongs to the algorithm.
std::string half_hash(std::string_view access_token, Algorithm algorithm) {
  if (algorithm == Algorithm::eddsa) return base64url(BytesView(crypto::sha512(view(access_token))).first(32));
  return base64url(BytesView(crypto::sha256(view(access_token))).first(16));
}

bool same(const std::optional<std::string>& said, std::string_view wanted) { return said && crypto::equal_ct(view(*said), view(wanted)); }

// Google's tokens may still carry its issuer's old name (Google's own documentation of `iss`); nobody else's may.
bool issued_by(std::string_view said, std::string_view issuer) {
  return said == issuer || (issuer == "https://accounts.google.com" && said == "accounts.google.com");
}

Result<void> check_claims(const json::object& o, const Expected& e, Algorithm algorithm) {
  if (!issued_by(text_in(o, "iss", 1024).value_or(""), e.issuer)) return refuse("the ID token is another issuer's");
  if (!for_us(o, e.client_id)) return refuse("the ID token is for another client");
  CAIP_CHECKED(check_times(o, e.now));
  if (e.nonce.empty() || !same(text_in(o, "nonce", 256), e.nonce)) return refuse("the ID token belongs to another sign-in");
  if (o.contains("at_hash") && (e.access_token.empty() || !same(text_in(o, "at_hash", 128), half_hash(e.access_token, algorithm))))
    return refuse("the access token is not the ID token's");
  if (!e.hosted_domain.empty() && text_in(o, "hd", 255) != e.hosted_domain) return refuse("not an account of the domain that is asked for");
  return {};
}

// auth_time (Core section 2), which an address changed in the browser cannot add.
Result<bool> proven_anew(const json::object& o, const Expected& e) {
  if (!e.proven_since || !o.contains("auth_time")) return false;
  const auto at = seconds_in(o, "auth_time");
  if (!at || *at > e.now.micros() / 1'000'000 + kSkew) return refuse("the ID token's time of sign-in is none");
  if (*at + kSkew < e.proven_since->micros() / 1'000'000) return refuse("nobody signed in anew at the provider");
  return true;
}

bool visible(char c) { return c > ' ' && c < '\x7f'; }

void read_address(const json::object& o, Claimed& c) {
  const auto* verified = o.if_contains("email_verified");
  if (verified && verified->is_bool() && verified->get_bool()) c.email = text_in(o, "email", 254);
  c.name = text_in(o, "email", 254).value_or(text_in(o, "name", 254).value_or(""));
}

Result<Claimed> read_claims(const json::object& o) {
  Claimed c{.subject = text_in(o, "sub", 255).value_or("")};
  if (c.subject.empty() || !std::ranges::all_of(c.subject, visible)) return refuse("the ID token names nobody");
  read_address(o, c);
  return c;
}

}  // namespace

Result<void> add_userinfo(std::string_view text, Claimed& who) {
  CAIP_TRY(o, parse_object(text));
  if (text_in(o, "sub", 255) != who.subject) return refuse("the provider told about somebody else");
  read_address(o, who);
  return {};
}

Result<Claimed> verify_id_token(std::string_view token, const KeySet& keys, const Expected& expected) {
  if (token.size() > kMostIdToken) return refuse("the ID token is too large");
  const auto first = token.find('.'), last = token.rfind('.');
  if (first == token.npos || last == first || token.find('.', first + 1) != last) return refuse("the ID token has not three parts");
  CAIP_TRY(header, read_header(token.substr(0, first)));
  const auto signature = from_base64url(token.substr(last + 1));
  if (!signature || signature->empty()) return refuse("the ID token is not signed");
  const auto key = keys.find(header.key, header.algorithm);
  if (!key) return fail(Code::not_found, "the ID token's key is not one of the provider's");
  if (!key->verify(view(token.substr(0, last)), *signature)) return refuse("the ID token's signature is wrong");
  const auto payload = from_base64url(token.substr(first + 1, last - first - 1));
  if (!payload) return refuse("the ID token's claims are not base64url");
  auto claims = parse_object(text_of(*payload));
  if (!claims) return refuse("the ID token's claims are not JSON");
  CAIP_CHECKED(check_claims(*claims, expected, header.algorithm));
  CAIP_TRY(who, read_claims(*claims));
  CAIP_TRY(anew, proven_anew(*claims, expected));
  who.anew = anew;
  return who;
}

}  // namespace caip::federation
