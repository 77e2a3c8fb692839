// crypto/ed25519.h: RFC 8032 signatures. Public keys are 32 raw bytes, signatures 64. Private keys
// stay inside SigningKey and are made and kept by caip-keeper.
#pragma once
#include <memory>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/secret.h"

namespace caip::crypto {

bool ed25519_verify(BytesView public_key, BytesView message, BytesView signature) noexcept;

class SigningKey final {  // thread-safe once made
 public:
  static SigningKey generate();
  static Result<SigningKey> from_seed(const SecretBytes& seed);  // 32 bytes
  SigningKey(SigningKey&&) noexcept;
  SigningKey& operator=(SigningKey&&) noexcept;
  ~SigningKey();
  Bytes public_key() const;
  Bytes sign(BytesView message) const;
  SecretBytes seed() const;

 private:
  struct Impl;
  explicit SigningKey(std::unique_ptr<Impl>);
  std::unique_ptr<Impl> impl_;
};

}  // namespace caip::crypto
