#include "jwt.h"

#include "auth/sessions.h"
#include "base/json.h"
#include "crypto/ed25519.h"

namespace caip::auth {
namespace {

constexpr std::string_view kHeader = R"({"alg":"EdDSA","typ":"JWT"})";
constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kMaxSeconds = 100'000'000'000;

std::string header() { return base64url(view(kHeader)); }

Result<Claims> read(std::string_view payload) {
  CAIP_TRY(value, parse_canonical(payload));
  if (!value.is_object()) return not_signed_in();
  Members m(value.get_object());
  CAIP_TRY(sub, m.string("sub", 64));
  CAIP_TRY(org, m.string("org", 64));
  CAIP_TRY(sid, m.string("sid", 64));
  CAIP_TRY(epoch, m.integer("epoch", 0, kMaxSeconds));
  CAIP_TRY(iat, m.integer("iat", 0, kMaxSeconds));
  CAIP_TRY(exp, m.integer("exp", 0, kMaxSeconds));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(user_id, UserId::parse(sub));
  CAIP_TRY(org_id, OrgId::parse(org));
  CAIP_TRY(session_id, SessionId::parse(sid));
  return Claims{user_id, org_id, session_id, epoch, Instant{iat * kSecond}, Instant{exp * kSecond}};
}

}  // namespace

std::string jwt_input(const Claims& c) {
  const json::object payload{{"sub", c.user.str()}, {"org", c.org.str()}, {"sid", c.session.str()}, {"epoch", c.epoch},
                             {"iat", c.issued.micros() / kSecond}, {"exp", c.expires.micros() / kSecond}};
  return header() + "." + base64url(view(canonical(payload)));
}

std::string jwt_finish(std::string input, BytesView signature) { return std::move(input) + "." + base64url(signature); }

Result<Claims> jwt_open(std::string_view token, BytesView public_key, Instant now) {
  if (token.size() > kMostToken) return not_signed_in();
  const auto first = token.find('.');
  const auto last = token.rfind('.');
  if (first == token.npos || last == first || token.find('.', first + 1) != last) return not_signed_in();
  if (token.substr(0, first) != header()) return not_signed_in();
  const auto signature = from_base64url(token.substr(last + 1));
  if (!signature || !crypto::ed25519_verify(public_key, view(token.substr(0, last)), *signature)) return not_signed_in();

  const auto payload = from_base64url(token.substr(first + 1, last - first - 1));
  if (!payload) return not_signed_in();
  auto claims = read(text_of(*payload));
  if (!claims) return not_signed_in();
  if (!jwt_current(*claims, now)) return not_signed_in();
  return claims;
}

bool jwt_current(const Claims& claims, Instant now) {
  constexpr Duration kSkew = std::chrono::seconds(60);
  return now < claims.expires && claims.issued <= now + kSkew && claims.expires - claims.issued <= kAccessLifetime;
}

}  // namespace caip::auth
