#include "crypto/hash.h"

#include <openssl/evp.h>

#include <memory>

#include "base/result.h"

namespace caip::crypto {
namespace {

// Fetching the algorithm and making a context cost more than hashing a short entry.
const EVP_MD* algorithm() {
  static const EVP_MD* const md = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return md;
}

struct Free {
  void operator()(EVP_MD_CTX* c) const { EVP_MD_CTX_free(c); }
};

}  // namespace

Digest sha256(std::initializer_list<BytesView> parts) {
  thread_local const std::unique_ptr<EVP_MD_CTX, Free> ctx(EVP_MD_CTX_new());
  CAIP_ASSERT(ctx && EVP_DigestInit_ex2(ctx.get(), algorithm(), nullptr) == 1);
  for (BytesView p : parts) CAIP_ASSERT(EVP_DigestUpdate(ctx.get(), p.data(), p.size()) == 1);
  Digest out;
  CAIP_ASSERT(EVP_DigestFinal_ex(ctx.get(), out.data(), nullptr) == 1);
  return out;
}

Digest sha256(BytesView bytes) { return sha256({bytes}); }

}  // namespace caip::crypto
