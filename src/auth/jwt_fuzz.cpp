// Access tokens from outside, and payloads as if they had been signed by us.
#include "crypto/ed25519.h"
#include "jwt.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace caip;
  static const auto key = crypto::SigningKey::from_seed(SecretBytes(Bytes(32, 7))).value();
  static const Bytes public_key = key.public_key();
  const BytesView input(data, size);
  const Instant now{1'790'000'000'000'000};
  // No fuzzer forges a signature; if this opens, the verification is broken.
  CAIP_ASSERT(!auth::jwt_open(text_of(input), public_key, now));

  const std::string body = base64url(view(R"({"alg":"EdDSA","typ":"JWT"})")) + "." + base64url(input);
  const auto claims = auth::jwt_open(auth::jwt_finish(body, key.sign(view(body))), public_key, now);
  if (claims) CAIP_ASSERT(auth::jwt_input(*claims) == body);  // one text for one meaning
  return 0;
}
