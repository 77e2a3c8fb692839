#include "crypto/mac.h"

#include "openssl.h"

namespace caip::crypto {

Bytes hmac_sha384(const SecretBytes& key, BytesView message) {
  Bytes out(48);
  key.expose(Use::compute_mac, [&](BytesView k) {
    std::size_t size = 0;
    CAIP_ASSERT(EVP_Q_mac(nullptr, "HMAC", nullptr, "SHA384", nullptr, k.data(), k.size(), message.data(), message.size(),
                          out.data(), out.size(), &size) != nullptr && size == 48);
  });
  return out;
}

}  // namespace caip::crypto
