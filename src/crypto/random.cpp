#include "crypto/random.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "base/result.h"
#include "crypto/secret.h"

namespace caip {

void wipe(Bytes& bytes) noexcept {
  OPENSSL_cleanse(bytes.data(), bytes.size());
  bytes.clear();
}

void wipe(std::span<char> text) noexcept { OPENSSL_cleanse(text.data(), text.size()); }

namespace crypto {

void random_bytes(std::span<std::uint8_t> out) { CAIP_ASSERT(RAND_bytes(out.data(), static_cast<int>(out.size())) == 1); }

Bytes random_bytes(std::size_t count) {
  Bytes bytes(count);
  random_bytes(std::span<std::uint8_t>(bytes));
  return bytes;
}

bool equal_ct(BytesView a, BytesView b) noexcept {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace crypto
}  // namespace caip
