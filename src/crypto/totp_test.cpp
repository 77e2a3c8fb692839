#include "crypto/totp.h"

#include <catch2/catch_test_macros.hpp>

using namespace caip;
using namespace caip::crypto;

TEST_CASE("the codes of RFC 6238 appendix B, of six digits") {
  const SecretBytes secret(std::string_view("12345678901234567890"));
  const std::pair<std::int64_t, const char*> vectors[] = {{59, "287082"}, {1'111'111'109, "081804"}, {1'111'111'111, "050471"},
                                                          {1'234'567'890, "005924"}, {2'000'000'000, "279037"}, {20'000'000'000, "353130"}};
  for (const auto& [seconds, code] : vectors) CHECK(totp_code(secret, totp_step(Instant{seconds * 1'000'000})) == code);
}

TEST_CASE("base32 as RFC 4648 section 10 has it, without padding") {
  const std::pair<const char*, const char*> vectors[] = {{"", ""}, {"f", "MY"}, {"fo", "MZXQ"}, {"foo", "MZXW6"}, {"foob", "MZXW6YQ"}, {"fooba", "MZXW6YTB"}, {"foobar", "MZXW6YTBOI"}};
  for (const auto& [plain, text] : vectors) CHECK(base32(view(plain)) == text);
}
