// An authenticator with one ES256 credential, made for a test: what it says can be made wrong.
#pragma once
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

#include <initializer_list>
#include <string>

#include "base/json.h"
#include "crypto/hash.h"
#include "passkeys/webauthn.h"

namespace caip::passkeys {

inline void add(Bytes& to, BytesView more) { to.insert(to.end(), more.begin(), more.end()); }
inline void add(Bytes& to, std::initializer_list<int> more) {
  for (const int b : more) to.push_back(static_cast<std::uint8_t>(b));
}

struct Authenticator {  // ES256
  EVP_PKEY* key = EVP_EC_gen("P-256");
  Bytes id = Bytes(20, 7);
  std::string challenge = "dGhlIGNoYWxsZW5nZQ", origin, site, type;
  json::value cross_origin = false;
  int flags = 0x05;
  std::uint32_t count = 1;

  explicit Authenticator(const Site& s) : origin(s.origin), site(s.id) {}
  Authenticator(const Authenticator&) = delete;
  Authenticator& operator=(const Authenticator&) = delete;
  ~Authenticator() { EVP_PKEY_free(key); }
  std::string client_data(const std::string& ceremony) const {
    return json::serialize(json::object{{"type", type.empty() ? ceremony : type}, {"challenge", challenge}, {"origin", origin}, {"crossOrigin", cross_origin}});
  }
  Bytes head(int more) const {
    Bytes out;
    add(out, crypto::sha256(view(site)));
    add(out, {flags | more, 0, 0, 0, static_cast<int>(count)});
    return out;
  }
  Bytes coordinate(const char* name) const {
    BIGNUM* n = nullptr;
    EVP_PKEY_get_bn_param(key, name, &n);
    Bytes out(32);
    BN_bn2binpad(n, out.data(), 32);
    BN_free(n);
    return out;
  }
  Bytes attestation() const {
    Bytes data = head(0x40);
    add(data, Bytes(16));  // the make
    add(data, {0, static_cast<int>(id.size())});
    add(data, id);
    add(data, {0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20});  // COSE: EC2, ES256, P-256
    add(data, coordinate(OSSL_PKEY_PARAM_EC_PUB_X));
    add(data, {0x22, 0x58, 0x20});
    add(data, coordinate(OSSL_PKEY_PARAM_EC_PUB_Y));
    Bytes out{0xa3};
    add(out, {0x63, 'f', 'm', 't', 0x64, 'n', 'o', 'n', 'e', 0x67, 'a', 't', 't', 'S', 't', 'm', 't', 0xa0, 0x68, 'a', 'u', 't', 'h', 'D', 'a', 't', 'a', 0x58,
              static_cast<int>(data.size())});
    add(out, data);
    return out;
  }
  Assertion use() const {
    Assertion a{client_data("webauthn.get"), head(0), {}};
    Bytes input = a.authenticator_data;
    add(input, crypto::sha256(view(a.client_data)));
    a.signature.resize(128);
    std::size_t size = a.signature.size();
    EVP_MD_CTX* ctx = EVP_MD_CTX_new();
    EVP_DigestSignInit(ctx, nullptr, EVP_sha256(), nullptr, key);
    EVP_DigestSign(ctx, a.signature.data(), &size, input.data(), input.size());
    EVP_MD_CTX_free(ctx);
    a.signature.resize(size);
    return a;
  }
};

}  // namespace caip::passkeys
