// A seal: one way to the root key. It has a key pair of X25519MLKEM768; the private half is wrapped
// under what the seal is made of (a file's bytes, a passphrase through Argon2id, a credential), and
// the root key is encapsulated to the public half. So a new root key is sealed for every seal
// without any of their secrets, and at rest it is behind a hybrid post-quantum layer. Private.
#pragma once
#include <string>

#include "base/json.h"
#include "base/time.h"
#include "crypto/aead.h"
#include "crypto/kdf.h"
#include "secrets/keeper.h"

namespace caip::secrets {

enum class SealKind : std::uint8_t { key_file, passphrase, credential };
std::string_view text(SealKind) noexcept;
Result<SealKind> parse_seal_kind(std::string_view);

struct Seal {
  std::string id;
  SealKind kind = SealKind::key_file;
  Instant created;
  Bytes salt;
  crypto::Argon2Cost cost;  // passphrase
  Bytes public_key;
  Bytes private_wrapped;  // under the seal's secret
  Bytes ciphertext;       // encapsulation
  Bytes root_wrapped;     // under what was encapsulated
};

// Passphrases have at least 12 bytes, other material at least 32.
Result<Seal> make_seal(SealKind, const SecretBytes& material, Instant now);
Result<void> seal_root(Seal&, const crypto::AeadKey& root, std::uint32_t generation);
Result<crypto::AeadKey> open_root(const Seal&, const SecretBytes& material, std::uint32_t generation);

json::object seal_json(const Seal&);
Result<Seal> parse_seal(const json::value&);

}  // namespace caip::secrets
