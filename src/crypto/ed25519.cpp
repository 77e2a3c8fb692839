#include "crypto/ed25519.h"

#include "openssl.h"

namespace caip::crypto {

bool ed25519_verify(BytesView public_key, BytesView message, BytesView signature) noexcept {
  if (public_key.size() != 32 || signature.size() != 64) return false;
  Pkey key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, public_key.data(), public_key.size()));
  MdCtx ctx(EVP_MD_CTX_new());
  const bool good = key && ctx && EVP_DigestVerifyInit(ctx.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
                    EVP_DigestVerify(ctx.get(), signature.data(), signature.size(), message.data(), message.size()) == 1;
  ERR_clear_error();
  return good;
}

struct SigningKey::Impl {
  Pkey key;
};

SigningKey::SigningKey(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SigningKey::SigningKey(SigningKey&&) noexcept = default;
SigningKey& SigningKey::operator=(SigningKey&&) noexcept = default;
SigningKey::~SigningKey() = default;

SigningKey SigningKey::generate() {
  auto key = from_seed(SecretBytes(random_bytes(32)));
  CAIP_ASSERT(key.has_value());
  return *std::move(key);
}

Result<SigningKey> SigningKey::from_seed(const SecretBytes& seed) {
  if (seed.size() != 32) return fail(Code::malformed, "an Ed25519 key has 32 bytes");
  Pkey key;
  seed.expose(Use::load_key, [&](BytesView b) { key.reset(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, b.data(), b.size())); });
  if (!key) return openssl_failed("Ed25519 key");
  return SigningKey(std::make_unique<Impl>(std::move(key)));
}

Bytes SigningKey::public_key() const {
  Bytes out(32);
  std::size_t size = out.size();
  CAIP_ASSERT(EVP_PKEY_get_raw_public_key(impl_->key.get(), out.data(), &size) == 1 && size == 32);
  return out;
}

Bytes SigningKey::sign(BytesView message) const {
  Bytes out(64);
  std::size_t size = out.size();
  MdCtx ctx(EVP_MD_CTX_new());
  CAIP_ASSERT(ctx && EVP_DigestSignInit(ctx.get(), nullptr, nullptr, nullptr, impl_->key.get()) == 1);
  CAIP_ASSERT(EVP_DigestSign(ctx.get(), out.data(), &size, message.data(), message.size()) == 1 && size == 64);
  return out;
}

SecretBytes SigningKey::seed() const {
  Bytes out(32);
  std::size_t size = out.size();
  CAIP_ASSERT(EVP_PKEY_get_raw_private_key(impl_->key.get(), out.data(), &size) == 1 && size == 32);
  return SecretBytes(std::move(out));
}

}  // namespace caip::crypto
