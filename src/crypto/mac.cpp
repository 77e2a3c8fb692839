#include "crypto/mac.h"

#include "openssl.h"

namespace caip::crypto {
namespace {

Bytes hmac(const char* hash, std::size_t length, const SecretBytes& key, BytesView message) {
  Bytes out(length);
  key.expose(Use::compute_mac, [&](BytesView k) {
    std::size_t size = 0;
    CAIP_ASSERT(EVP_Q_mac(nullptr, "HMAC", nullptr, hash, nullptr, k.data(), k.size(), message.data(), message.size(),
                          out.data(), out.size(), &size) != nullptr && size == length);
  });
  return out;
}

}  // namespace

Bytes hmac_sha384(const SecretBytes& key, BytesView message) { return hmac("SHA384", 48, key, message); }
Bytes hmac_sha256(const SecretBytes& key, BytesView message) { return hmac("SHA256", 32, key, message); }

}  // namespace caip::crypto
