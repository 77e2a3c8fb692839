#include "crypto/mldsa.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "openssl.h"

namespace caip::crypto {
namespace {

constexpr const char* kName = "ML-DSA-44";

}  // namespace

bool mldsa44_verify(BytesView public_key, BytesView message, BytesView signature) noexcept {
  if (public_key.size() != kMldsaPublic || signature.size() != kMldsaSignature) return false;
  Pkey key(EVP_PKEY_new_raw_public_key_ex(nullptr, kName, nullptr, public_key.data(), public_key.size()));
  MdCtx ctx(EVP_MD_CTX_new());
  const bool good = key && ctx && EVP_DigestVerifyInit_ex(ctx.get(), nullptr, nullptr, nullptr, nullptr, key.get(), nullptr) == 1 &&
                    EVP_DigestVerify(ctx.get(), signature.data(), signature.size(), message.data(), message.size()) == 1;
  ERR_clear_error();
  return good;
}

struct CosigningKey::Impl {
  Pkey key;
};

CosigningKey::CosigningKey(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CosigningKey::CosigningKey(CosigningKey&&) noexcept = default;
CosigningKey& CosigningKey::operator=(CosigningKey&&) noexcept = default;
CosigningKey::~CosigningKey() = default;

CosigningKey CosigningKey::generate() {
  auto key = from_seed(SecretBytes(random_bytes(32)));
  CAIP_ASSERT(key.has_value());
  return *std::move(key);
}

Result<CosigningKey> CosigningKey::from_seed(const SecretBytes& seed) {
  if (seed.size() != 32) return fail(Code::malformed, "an ML-DSA-44 seed has 32 bytes");
  EVP_PKEY* made = nullptr;
  const PkeyCtx ctx(EVP_PKEY_CTX_new_from_name(nullptr, kName, nullptr));
  if (!ctx || EVP_PKEY_fromdata_init(ctx.get()) != 1) return openssl_failed(kName);
  seed.expose(Use::load_key, [&](BytesView b) {
    // OpenSSL takes parameters as pointers to non-const and does not write to them.
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_ML_DSA_SEED, const_cast<std::uint8_t*>(b.data()), b.size()),
                                 OSSL_PARAM_construct_end()};
    if (EVP_PKEY_fromdata(ctx.get(), &made, EVP_PKEY_KEYPAIR, const_cast<OSSL_PARAM*>(params)) != 1) made = nullptr;
  });
  if (made == nullptr) return openssl_failed(kName);
  return CosigningKey(std::make_unique<Impl>(Pkey(made)));
}

Bytes CosigningKey::public_key() const {
  Bytes out(kMldsaPublic);
  std::size_t size = out.size();
  CAIP_ASSERT(EVP_PKEY_get_raw_public_key(impl_->key.get(), out.data(), &size) == 1 && size == kMldsaPublic);
  return out;
}

Bytes CosigningKey::sign(BytesView message) const {
  Bytes out(kMldsaSignature);
  std::size_t size = out.size();
  MdCtx ctx(EVP_MD_CTX_new());
  CAIP_ASSERT(ctx && EVP_DigestSignInit_ex(ctx.get(), nullptr, nullptr, nullptr, nullptr, impl_->key.get(), nullptr) == 1);
  CAIP_ASSERT(EVP_DigestSign(ctx.get(), out.data(), &size, message.data(), message.size()) == 1 && size == kMldsaSignature);
  return out;
}

}  // namespace caip::crypto
