#include "jwt.h"

#include <catch2/catch_test_macros.hpp>

#include "auth/sessions.h"
#include "crypto/ed25519.h"
#include "crypto/random.h"
#include "token_cache.h"

using namespace caip;
using namespace caip::auth;

namespace {

const Instant kNow{1'790'000'000'000'000};
const crypto::SigningKey& key() {
  static const auto k = crypto::SigningKey::generate();
  return k;
}
Claims claims(Instant issued = kNow, Duration life = kAccessLifetime) {
  return {crypto::random_id<UserId>(), crypto::random_id<OrgId>(), crypto::random_id<SessionId>(), 3, issued, issued + life};
}
std::string sign(std::string input) {
  const Bytes signature = key().sign(view(input));
  return jwt_finish(std::move(input), signature);
}
bool good(std::string_view token, Instant now = kNow) { return jwt_open(token, key().public_key(), now).has_value(); }
std::string with_header(std::string_view header, const std::string& input) { return base64url(view(header)) + input.substr(input.find('.')); }

}  // namespace

TEST_CASE("the memory of good tokens has an end") {
  TokenCache cache;
  const Claims c = claims();
  Digest name{};
  for (std::size_t i = 0; i < 3 * TokenCache::kMost; ++i) {
    name[0] = static_cast<std::uint8_t>(i);
    name[1] = static_cast<std::uint8_t>(i >> 8);
    cache.keep(name, c);
    REQUIRE(cache.size() <= TokenCache::kMost);
    REQUIRE(cache.find(name)->session == c.session);
  }
  CHECK_FALSE(cache.find(Digest{}));
}

TEST_CASE("a token says what was put in, until it expires") {
  const Claims c = claims();
  auto open = jwt_open(sign(jwt_input(c)), key().public_key(), kNow);
  REQUIRE(open);
  CHECK(open->user == c.user);
  CHECK(open->org == c.org);
  CHECK(open->session == c.session);
  CHECK(open->epoch == 3);
  const auto token = sign(jwt_input(c));
  CHECK(good(token, kNow + (kAccessLifetime - Duration(1))));
  CHECK_FALSE(good(token, kNow + kAccessLifetime));
}

TEST_CASE("every changed, missing or added byte of a token is refused") {
  const std::string token = sign(jwt_input(claims()));
  for (std::size_t i = 0; i < token.size(); ++i) {
    for (const char other : {'A', 'b', '.', '=', '\0', '_'}) {
      if (token[i] == other) continue;
      std::string changed = token;
      changed[i] = other;
      CAPTURE(i, other);
      CHECK_FALSE(good(changed));
    }
    CHECK_FALSE(good(token.substr(0, i)));
    CHECK_FALSE(good(token.substr(0, i) + token.substr(i + 1)));
  }
  CHECK_FALSE(good(token + "A"));
  CHECK_FALSE(good(token + "="));
  CHECK_FALSE(good(token + "."));
  CHECK_FALSE(good(" " + token));
  CHECK_FALSE(good(""));
  CHECK_FALSE(good(".."));
}

TEST_CASE("no other algorithm can be named, signed with our key or not") {
  const std::string input = jwt_input(claims());
  for (const char* header : {R"({"alg":"none","typ":"JWT"})", R"({"alg":"None"})", R"({"alg":"HS256","typ":"JWT"})", R"({"typ":"JWT","alg":"EdDSA"})",
                             R"({"alg":"EdDSA","jwk":{},"typ":"JWT"})", R"({"alg":"EdDSA","kid":"x","typ":"JWT"})", "{}", ""}) {
    const std::string other = with_header(header, input);
    CAPTURE(header);
    CHECK_FALSE(good(sign(other)));
    CHECK_FALSE(good(other + "."));
  }
  CHECK_FALSE(good(input + "."));
  CHECK_FALSE(jwt_open(sign(input), crypto::SigningKey::generate().public_key(), kNow));
}

TEST_CASE("signed nonsense is refused too") {
  const std::string header = jwt_input(claims()).substr(0, jwt_input(claims()).find('.'));
  for (const char* payload : {"", "{}", "[]", "null", R"({"sub":"usr_x"})"}) CHECK_FALSE(good(sign(header + "." + base64url(view(payload)))));
  CHECK_FALSE(good(sign(jwt_input(claims(kNow, kAccessLifetime + std::chrono::seconds(1))))));  // too long a life
  CHECK_FALSE(good(sign(jwt_input(claims(kNow + std::chrono::minutes(5))))));                   // from the future
}
