// crypto/mldsa.h: ML-DSA-44 (FIPS 204) signatures, pure, with an empty context. Public keys are
// 1,312 bytes, signatures 2,420. Private keys stay inside CosigningKey, made and kept by
// caip-keeper; they are stored as their seed of 32 bytes.
#pragma once
#include <memory>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/secret.h"

namespace caip::crypto {

inline constexpr std::size_t kMldsaPublic = 1312;
inline constexpr std::size_t kMldsaSignature = 2420;

bool mldsa44_verify(BytesView public_key, BytesView message, BytesView signature) noexcept;

class CosigningKey final {  // thread-safe once made
 public:
  static CosigningKey generate();
  static Result<CosigningKey> from_seed(const SecretBytes& seed);  // 32 bytes
  CosigningKey(CosigningKey&&) noexcept;
  CosigningKey& operator=(CosigningKey&&) noexcept;
  ~CosigningKey();
  Bytes public_key() const;
  Bytes sign(BytesView message) const;

 private:
  struct Impl;
  explicit CosigningKey(std::unique_ptr<Impl>);
  std::unique_ptr<Impl> impl_;
};

}  // namespace caip::crypto
