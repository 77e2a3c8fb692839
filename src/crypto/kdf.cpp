#include "crypto/kdf.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <array>

#include "openssl.h"

namespace caip::crypto {
namespace {

using Kdf = std::unique_ptr<EVP_KDF, Freed<EVP_KDF_free>>;
using KdfCtx = std::unique_ptr<EVP_KDF_CTX, Freed<EVP_KDF_CTX_free>>;
constexpr std::size_t kOut = 32;

OSSL_PARAM octets(const char* name, BytesView b) {
  return OSSL_PARAM_construct_octet_string(name, const_cast<std::uint8_t*>(b.data()), b.size());  // read only
}

bool derive(const char* algorithm, Bytes& out, const OSSL_PARAM* params) {
  const Kdf kdf(EVP_KDF_fetch(nullptr, algorithm, nullptr));
  const KdfCtx ctx(kdf ? EVP_KDF_CTX_new(kdf.get()) : nullptr);
  return ctx && EVP_KDF_derive(ctx.get(), out.data(), out.size(), params) == 1;
}

}  // namespace

SecretBytes hkdf_sha256(const SecretBytes& secret, BytesView salt, BytesView info) {
  Bytes out(kOut);
  secret.expose(Use::derive_key, [&](BytesView key) {
    char digest[] = "SHA256";
    const std::array params{OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0), octets(OSSL_KDF_PARAM_KEY, key),
                            octets(OSSL_KDF_PARAM_SALT, salt), octets(OSSL_KDF_PARAM_INFO, info), OSSL_PARAM_construct_end()};
    CAIP_ASSERT(derive("HKDF", out, params.data()));
  });
  return SecretBytes(std::move(out));
}

Result<SecretBytes> argon2id(const SecretBytes& passphrase, BytesView salt, const Argon2Cost& cost) {
  if (cost.memory_kib < 8 * 1024 || cost.memory_kib > 2 * 1024 * 1024 || cost.passes < 1 || cost.passes > 64 || cost.lanes < 1 || cost.lanes > 16)
    return fail(Code::invalid, "the cost of a passphrase seal is out of bounds");
  if (salt.size() < 16) return fail(Code::invalid, "a salt has at least 16 bytes");
  Bytes out(kOut);
  bool done = false;
  passphrase.expose(Use::derive_key, [&](BytesView secret) {
    std::uint32_t memory = cost.memory_kib, passes = cost.passes, lanes = cost.lanes, threads = 1;
    const std::array params{octets(OSSL_KDF_PARAM_PASSWORD, secret), octets(OSSL_KDF_PARAM_SALT, salt),
                            OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_ITER, &passes), OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_THREADS, &threads),
                            OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_ARGON2_LANES, &lanes),
                            OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_ARGON2_MEMCOST, &memory), OSSL_PARAM_construct_end()};
    done = derive("ARGON2ID", out, params.data());
  });
  SecretBytes key(std::move(out));
  if (!done) return openssl_failed("Argon2id");
  return key;
}

}  // namespace caip::crypto
