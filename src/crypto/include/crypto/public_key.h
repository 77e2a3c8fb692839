// crypto/public_key.h: public keys of others and what they signed. A key has one algorithm for all its
// life, so that no text from outside can ask for another: RSA is PKCS #1 v1.5 with SHA-256 (RS256), P-256
// is ECDSA with SHA-256 and a signature of r and s (ES256), Ed25519 is RFC 8032.
#pragma once
#include <memory>

#include "base/bytes.h"
#include "base/result.h"

namespace caip::crypto {

class PublicKey final {  // thread-safe; copies share the key
 public:
  // Big-endian numbers. Refused: a modulus under 2048 or over 8192 bits, an exponent that is even, under 3
  // or over 32 bits.
  static Result<PublicKey> rsa(BytesView modulus, BytesView exponent);
  static Result<PublicKey> p256(BytesView x, BytesView y);  // 32 bytes each, a point of the curve
  static Result<PublicKey> ed25519(BytesView key);          // 32 bytes
  bool verify(BytesView message, BytesView signature) const noexcept;

 private:
  struct Impl;
  explicit PublicKey(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace caip::crypto
