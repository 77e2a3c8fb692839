// What the tests of this room share: keys of all three kinds, made here, and tokens signed with them.
#pragma once
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/core_names.h>
#include <openssl/bn.h>
#include <openssl/rsa.h>

#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/json.h"

namespace caip::federation {

class TestKey {
 public:
  static TestKey rsa(unsigned bits = 2048) { return TestKey("RS256", EVP_RSA_gen(bits)); }
  static TestKey p256() { return TestKey("ES256", EVP_EC_gen("P-256")); }
  static TestKey ed25519() { return TestKey("EdDSA", EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")); }

  const std::string& algorithm() const { return algorithm_; }

  json::object jwk(const std::string& kid) const {
    json::object o{{"kid", kid}, {"use", "sig"}, {"alg", algorithm_}};
    if (algorithm_ == "RS256") {
      o["kty"] = "RSA", o["n"] = number(OSSL_PKEY_PARAM_RSA_N, 0), o["e"] = number(OSSL_PKEY_PARAM_RSA_E, 0);
    } else if (algorithm_ == "ES256") {
      o["kty"] = "EC", o["crv"] = "P-256", o["x"] = number(OSSL_PKEY_PARAM_EC_PUB_X, 32), o["y"] = number(OSSL_PKEY_PARAM_EC_PUB_Y, 32);
    } else {
      Bytes raw(32);
      std::size_t size = raw.size();
      EVP_PKEY_get_raw_public_key(key_.get(), raw.data(), &size);
      o["kty"] = "OKP", o["crv"] = "Ed25519", o["x"] = base64url(raw);
    }
    return o;
  }

  std::string sign(const std::string& input) const {
    EVP_MD_CTX* ctx = EVP_MD_CTX_new();
    std::size_t size = 0;
    EVP_DigestSignInit(ctx, nullptr, algorithm_ == "EdDSA" ? nullptr : EVP_sha256(), nullptr, key_.get());
    EVP_DigestSign(ctx, nullptr, &size, nullptr, 0);
    Bytes out(size);
    EVP_DigestSign(ctx, out.data(), &size, view(input).data(), input.size());
    EVP_MD_CTX_free(ctx);
    out.resize(size);
    return base64url(algorithm_ == "ES256" ? raw_of(out) : out);
  }

  std::string token(const json::object& header, const json::object& claims) const {
    return token(json::serialize(header), json::serialize(claims));
  }
  std::string token(const std::string& header, const std::string& claims) const {
    const std::string input = base64url(view(header)) + "." + base64url(view(claims));
    return input + "." + sign(input);
  }

 private:
  struct Free {
    void operator()(EVP_PKEY* k) const { EVP_PKEY_free(k); }
  };
  TestKey(std::string algorithm, EVP_PKEY* key) : algorithm_(std::move(algorithm)), key_(key) {}

  std::string number(const char* name, int width) const {
    BIGNUM* n = nullptr;
    EVP_PKEY_get_bn_param(key_.get(), name, &n);
    Bytes out(static_cast<std::size_t>(width ? width : BN_num_bytes(n)));
    BN_bn2binpad(n, out.data(), static_cast<int>(out.size()));
    BN_free(n);
    return base64url(out);
  }
  static Bytes raw_of(const Bytes& der) {
    const unsigned char* p = der.data();
    ECDSA_SIG* s = d2i_ECDSA_SIG(nullptr, &p, static_cast<long>(der.size()));
    Bytes out(64);
    BN_bn2binpad(ECDSA_SIG_get0_r(s), out.data(), 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(s), out.data() + 32, 32);
    ECDSA_SIG_free(s);
    return out;
  }
  std::string algorithm_;
  std::unique_ptr<EVP_PKEY, Free> key_;
};

inline std::string key_set_text(std::initializer_list<json::object> keys) {
  json::array all;
  for (const auto& k : keys) all.push_back(k);
  return json::serialize(json::object{{"keys", all}});
}

}  // namespace caip::federation
