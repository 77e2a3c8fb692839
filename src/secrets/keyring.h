// The keys, and the file DATA/keys/keyring that holds them wrapped: canonical JSON, replaced whole.
// A tag under the root key covers the file, so that nobody without a seal adds, drops or renames a
// key or a seal. Private to the room.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "crypto/aead.h"
#include "seal.h"
#include "secrets/keeper.h"

namespace caip::secrets {

struct Key {
  KeyClass key;
  std::string scope;  // a data key's organisation, else empty
  std::uint32_t generation = 1;
  Instant created;
  std::optional<Instant> ends;
  SecretBytes value;
};

struct Keyring {
  std::uint32_t generation = 1;  // of the root key
  Instant root_created;
  crypto::AeadKey root = crypto::AeadKey::generate();
  std::vector<Seal> seals;
  std::vector<Key> keys;

  const Key* newest(KeyClass, std::string_view scope = {}) const;
  Keyring copy() const;
  // Another root key, sealed for every seal; what the file holds is wrapped under it alone.
  Result<void> renew_root(Instant now);
};

struct Material {  // what there is to open seals with
  std::optional<SecretBytes> key_file, passphrase, credential;
  const std::optional<SecretBytes>& of(SealKind) const;
};

std::string write_keyring(const Keyring&);
Result<Keyring> open_keyring(std::string_view file, const Material&);
Result<std::vector<Seal>> seals_of(std::string_view file);  // not verified: for listing

}  // namespace caip::secrets
