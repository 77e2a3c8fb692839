// The keys, unwrapped, and what is done with them: the inside of caip-keeper. It touches no file
// after open_core(). A change of keys is prepared here, written by the caller, and adopted when it
// is durable; a crash in between leaves either the old file or the new one, both whole. Private.
#pragma once
#include <map>
#include <mutex>
#include <optional>
#include <variant>
#include <vector>

#include "authorities.h"
#include "crypto/ed25519.h"
#include "crypto/mldsa.h"
#include "key_files.h"
#include "keyring.h"
#include "secrets/keeper.h"
#include "secrets/serve.h"

namespace caip::secrets {

struct KeyChange {
  enum class What : std::uint8_t { rotate = 1, destroy_previous, new_data_key, destroy_data_keys, new_signing_key, destroy_signing_key } what;
  KeyClass key = KeyClass::data;
  std::string org;
  std::uint32_t generation = 0;  // rotate: the one that is replaced, so that a lost answer is no second rotation; destroy_data_keys: below it, 0: all; destroy_signing_key: this one
};

class KeyCore {  // thread-safe
 public:
  static Result<Core> make(Keyring, const Clock&);

  Result<Bytes> sign(SigningUse, BytesView message);
  Result<Bytes> sign_with(SigningUse, BytesView public_key, BytesView message);
  Result<std::string> succession(KeyClass, std::uint64_t log_size);
  Result<Bytes> pepper_hmac(BytesView password);
  Result<std::string> issue_agent_certificate(const std::string& csr_pem, const ServerId&, Instant from, Duration life);
  Result<TlsIdentity> issue_server_certificate(KeyClass authority, const std::vector<std::string>& names);
  Authority authority(KeyClass);
  Result<Items> seal(const OrgId&, Items);
  Result<Items> open(const OrgId&, SecretUse, Items);
  Result<Items> reseal(const OrgId&, Items);
  Result<SshKey> make_ssh_key(const OrgId&, Item);
  Result<Bytes> ssh_sign(const OrgId&, Item, BytesView message);
  Inventory inventory();

  Result<std::string> prepare(const KeyChange&);  // the keyring file as it must be
  Result<void> adopt();                           // it is durable; nothing prepared: nothing to do
  void memory_is_locked() { locked_ = true; }
  void hold(FolderLock lock) { folder_ = std::move(lock); }
  void sealed_already_for_test(const OrgId&, std::uint64_t times);  // under its newest data key

 private:
  friend struct CoreDeleter;
  struct DataKey {
    crypto::AeadKey key;
    std::uint64_t seals = 0;
  };
  using DataKeys = std::map<std::pair<std::string, std::uint32_t>, DataKey>;
  struct Signing {
    KeyClass key;
    std::uint32_t generation;
    std::variant<crypto::SigningKey, crypto::CosigningKey> value;
    Bytes public_key;
    Bytes sign(BytesView message) const;
  };
  struct Loaded {  // made from a keyring, replaced with it
    std::vector<Signing> signing;  // of each class the newest first
    std::map<KeyClass, AuthorityKey> authorities;
    DataKeys data;
  };
  KeyCore(Keyring ring, Loaded loaded, const Clock& clock) : ring_(std::move(ring)), loaded_(std::move(loaded)), clock_(clock) {}
  static Result<Loaded> load(const Keyring&);
  static Result<Signing> load_signing(const Key&);
  std::vector<const Signing*> signing(KeyClass) const;  // the newest first
  DataKey* newest(const OrgId&, std::uint32_t& generation);
  Result<SecretBytes> open_one(const OrgId&, const Item&);
  Result<SecretBytes> seal_one(const OrgId&, const Item&);

  std::mutex mutex_;
  Keyring ring_;
  Loaded loaded_;
  std::optional<Keyring> next_;
  bool locked_ = false;
  FolderLock folder_{-1};
  const Clock& clock_;
};

Result<void> change_keyring(Keyring&, const KeyChange&, Instant now);

}  // namespace caip::secrets
