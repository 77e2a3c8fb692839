// crypto/aead.h: XAES-256-GCM (C2SP, c2sp.org/XAES-256-GCM): AES-256-GCM under a key that is derived for
// each message from a 256-bit key and the first half of a random 192-bit nonce (NIST SP 800-108r1
// KDF over CMAC). Sealed bytes are nonce (24), ciphertext, tag (16).
//
// Why nonces cannot repeat: 192 random bits collide with probability 2^-32 only after 2^80 messages
// under one key, so no counter has to survive a crash, a restored backup or a cloned machine. Users
// of a key re-key it long before (secrets/keeper.h: 2^32 seals), which is a second, independent bound.
#pragma once
#include "base/bytes.h"
#include "base/result.h"
#include "crypto/secret.h"

namespace caip::crypto {

inline constexpr std::size_t kAeadKeyBytes = 32;
inline constexpr std::size_t kAeadNonceBytes = 24;
inline constexpr std::size_t kAeadOverhead = kAeadNonceBytes + 16;

class AeadKey final {  // thread-safe
 public:
  static AeadKey generate();
  static Result<AeadKey> from(SecretBytes&& key);  // 32 bytes
  AeadKey clone() const;
  Bytes seal(BytesView plaintext, BytesView associated) const;
  // Code::storage_failed when a single bit of key, sealed bytes or associated data is another.
  Result<SecretBytes> open(BytesView sealed, BytesView associated) const;
  // To be sealed under another key. Never for anything else.
  const SecretBytes& material() const { return key_; }
  // For the published test vectors: anyone else lets seal() choose the nonce.
  Bytes seal_with_nonce_for_test(BytesView plaintext, BytesView associated, BytesView nonce) const;

 private:
  explicit AeadKey(SecretBytes&& key) : key_(std::move(key)) {}
  Bytes encrypt(BytesView plaintext, BytesView associated, BytesView nonce) const;
  SecretBytes key_;
};

}  // namespace caip::crypto
