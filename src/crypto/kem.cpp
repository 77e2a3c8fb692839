#include "crypto/kem.h"

#include "openssl.h"

namespace caip::crypto {
namespace {

constexpr const char* kAlgorithm = "X25519MLKEM768";

}  // namespace

Result<KemPair> kem_generate() {
  const Pkey key(EVP_PKEY_Q_keygen(nullptr, nullptr, kAlgorithm));
  if (!key) return openssl_failed("a key of X25519MLKEM768");
  KemPair pair;
  std::size_t size = 0;
  if (EVP_PKEY_get_raw_public_key(key.get(), nullptr, &size) != 1) return openssl_failed("public key");
  pair.public_key.resize(size);
  if (EVP_PKEY_get_raw_public_key(key.get(), pair.public_key.data(), &size) != 1) return openssl_failed("public key");
  if (EVP_PKEY_get_raw_private_key(key.get(), nullptr, &size) != 1) return openssl_failed("private key");
  Bytes secret(size);
  const bool got = EVP_PKEY_get_raw_private_key(key.get(), secret.data(), &size) == 1;
  pair.private_key = SecretBytes(std::move(secret));
  if (!got) return openssl_failed("private key");
  return pair;
}

Result<Encapsulated> kem_encapsulate(BytesView public_key) {
  const Pkey key(EVP_PKEY_new_raw_public_key_ex(nullptr, kAlgorithm, nullptr, public_key.data(), public_key.size()));
  const PkeyCtx ctx(key ? EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr) : nullptr);
  std::size_t wrapped = 0, secret = 0;
  if (!ctx || EVP_PKEY_encapsulate_init(ctx.get(), nullptr) != 1 || EVP_PKEY_encapsulate(ctx.get(), nullptr, &wrapped, nullptr, &secret) != 1) {
    ERR_clear_error();
    return fail(Code::malformed, "not a public key of X25519MLKEM768");
  }
  Encapsulated out;
  out.ciphertext.resize(wrapped);
  Bytes shared(secret);
  const bool done = EVP_PKEY_encapsulate(ctx.get(), out.ciphertext.data(), &wrapped, shared.data(), &secret) == 1;
  out.shared = SecretBytes(std::move(shared));
  if (!done) return openssl_failed("encapsulation");
  return out;
}

Result<SecretBytes> kem_decapsulate(const SecretBytes& private_key, BytesView ciphertext) {
  Pkey key;
  private_key.expose(Use::load_key, [&](BytesView b) { key.reset(EVP_PKEY_new_raw_private_key_ex(nullptr, kAlgorithm, nullptr, b.data(), b.size())); });
  const PkeyCtx ctx(key ? EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr) : nullptr);
  std::size_t size = 0;
  if (!ctx || EVP_PKEY_decapsulate_init(ctx.get(), nullptr) != 1 ||
      EVP_PKEY_decapsulate(ctx.get(), nullptr, &size, ciphertext.data(), ciphertext.size()) != 1) {
    ERR_clear_error();
    return fail(Code::malformed, "not a key or ciphertext of X25519MLKEM768");
  }
  Bytes shared(size);
  const bool done = EVP_PKEY_decapsulate(ctx.get(), shared.data(), &size, ciphertext.data(), ciphertext.size()) == 1;
  SecretBytes secret(std::move(shared));
  if (!done) {
    ERR_clear_error();
    return fail(Code::malformed, "not a ciphertext of X25519MLKEM768");
  }
  return secret;
}

}  // namespace caip::crypto
