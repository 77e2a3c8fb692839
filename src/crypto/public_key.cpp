#include "crypto/public_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "openssl.h"

namespace caip::crypto {
namespace {

enum class Kind : std::uint8_t { rsa, p256, ed25519 };

using Number = std::unique_ptr<BIGNUM, Freed<BN_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, Freed<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, Freed<OSSL_PARAM_free>>;
using EcdsaSignature = std::unique_ptr<ECDSA_SIG, Freed<ECDSA_SIG_free>>;

std::unexpected<Error> bad_key(std::string why) {
  ERR_clear_error();
  return fail(Code::malformed, std::move(why));
}

Number number(BytesView b) { return Number(BN_bin2bn(b.data(), static_cast<int>(b.size()), nullptr)); }

Pkey from_params(const char* type, const Params& params) {
  EVP_PKEY* key = nullptr;
  const PkeyCtx ctx(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  if (!params || !ctx || EVP_PKEY_fromdata_init(ctx.get()) != 1 || EVP_PKEY_fromdata(ctx.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) return {};
  return Pkey(key);
}

// ECDSA as JOSE has it (RFC 7518 section 3.4), in the form that OpenSSL takes.
Bytes der_of(BytesView raw) {
  Number r = number(raw.first(32)), s = number(raw.subspan(32));
  const EcdsaSignature signature(ECDSA_SIG_new());
  if (!r || !s || !signature || ECDSA_SIG_set0(signature.get(), r.get(), s.get()) != 1) return {};
  (void)r.release(), (void)s.release();  // the signature owns them now
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &der);
  Bytes out(der, der + std::max(size, 0));
  OPENSSL_free(der);
  return out;
}

}  // namespace

struct PublicKey::Impl {
  Kind kind;
  Pkey key;
};

Result<PublicKey> PublicKey::rsa(BytesView modulus, BytesView exponent) {
  if (modulus.empty() || modulus.size() > 1025 || exponent.empty() || exponent.size() > 8) return bad_key("an RSA key of an odd size");
  const Number n = number(modulus), e = number(exponent);
  if (!n || !e || BN_num_bits(n.get()) < 2048 || BN_num_bits(n.get()) > 8192) return bad_key("an RSA key has 2048 to 8192 bits");
  if (!BN_is_odd(e.get()) || BN_num_bits(e.get()) < 2 || BN_num_bits(e.get()) > 32) return bad_key("an RSA exponent is odd, and at least 3");
  const Builder b(OSSL_PARAM_BLD_new());
  if (!b || OSSL_PARAM_BLD_push_BN(b.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 || OSSL_PARAM_BLD_push_BN(b.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1)
    return openssl_failed("RSA key");
  Pkey key = from_params("RSA", Params(OSSL_PARAM_BLD_to_param(b.get())));
  if (!key) return bad_key("not an RSA key");
  return PublicKey(std::make_shared<const Impl>(Kind::rsa, std::move(key)));
}

Result<PublicKey> PublicKey::p256(BytesView x, BytesView y) {
  if (x.size() != 32 || y.size() != 32) return bad_key("a P-256 coordinate has 32 bytes");
  Bytes point{0x04};
  point.insert(point.end(), x.begin(), x.end());
  point.insert(point.end(), y.begin(), y.end());
  const Builder b(OSSL_PARAM_BLD_new());
  if (!b || OSSL_PARAM_BLD_push_utf8_string(b.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(b.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) != 1)
    return openssl_failed("P-256 key");
  Pkey key = from_params("EC", Params(OSSL_PARAM_BLD_to_param(b.get())));
  const PkeyCtx ctx(key ? EVP_PKEY_CTX_new(key.get(), nullptr) : nullptr);
  if (!ctx || EVP_PKEY_public_check(ctx.get()) != 1) return bad_key("not a point of P-256");
  return PublicKey(std::make_shared<const Impl>(Kind::p256, std::move(key)));
}

Result<PublicKey> PublicKey::ed25519(BytesView raw) {
  if (raw.size() != 32) return bad_key("an Ed25519 key has 32 bytes");
  Pkey key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, raw.data(), raw.size()));
  if (!key) return bad_key("not an Ed25519 key");
  return PublicKey(std::make_shared<const Impl>(Kind::ed25519, std::move(key)));
}

bool PublicKey::verify(BytesView message, BytesView signature) const noexcept {
  Bytes der;
  if (impl_->kind == Kind::p256) {
    if (signature.size() != 64) return false;
    der = der_of(signature);
    signature = der;
  }
  const EVP_MD* digest = impl_->kind == Kind::ed25519 ? nullptr : EVP_sha256();  // RSA's padding is PKCS #1 v1.5 unless told otherwise
  const MdCtx ctx(EVP_MD_CTX_new());
  const bool good = !signature.empty() && ctx && EVP_DigestVerifyInit(ctx.get(), nullptr, digest, nullptr, impl_->key.get()) == 1 &&
                    EVP_DigestVerify(ctx.get(), signature.data(), signature.size(), message.data(), message.size()) == 1;
  ERR_clear_error();
  return good;
}

}  // namespace caip::crypto
