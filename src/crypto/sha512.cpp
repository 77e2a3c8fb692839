#include "crypto/sha512.h"

#include <openssl/evp.h>

#include "base/result.h"

namespace caip::crypto {

std::array<std::uint8_t, 64> sha512(BytesView bytes) {
  std::array<std::uint8_t, 64> out{};
  std::size_t size = 0;
  CAIP_ASSERT(EVP_Q_digest(nullptr, "SHA512", nullptr, bytes.data(), bytes.size(), out.data(), &size) == 1 && size == out.size());
  return out;
}

}  // namespace caip::crypto
