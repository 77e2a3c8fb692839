// vault/rotation.h: new keys in place of old ones, while everything goes on. A rotation is over
// when a count finds nothing under the old key; then that key is destroyed. There is no state
// beside what is there (generations in the keyring, in the rows and in the log, and which rotation
// of a product's key began), so whatever kills the process between two steps, tick() goes on from the
// same place. What fails for one organisation is not the others'. Thread-safe.
//
// Checkpoint, cosign and order keys are known to servers by heart. The old one says in the log who
// comes after it (crypto/succession.h), and is destroyed when every server goes by the new one, or
// when an operator does not want to wait any longer for those that are away.
#pragma once
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include "base/time.h"
#include "proofs/authorized.h"
#include "vault/secret_store.h"

namespace caip::authorization { class Authorizer; }

namespace caip::secrets { struct KeyInfo; }

namespace caip::vault {

// The authorities (ca, agent_ca) are known by heart, too, to browsers, the command line and agents. The old one certifies the
// new one (crypto/certificates.h, links) and is destroyed at once: whoever trusts the old one follows the link. What it signed
// for agents counts until they have something of the new one, which a count says.

// How old a key may get. Password hashes hang on the pepper: it is not rotated.
std::optional<Duration> rotation_period(KeyClass) noexcept;
std::string_view algorithm_of(KeyClass) noexcept;

struct KeyStatus {
  KeyClass key;
  std::uint32_t generation = 1;
  Instant created;
  bool current = true;
  std::optional<Instant> next_rotation;  // of a current one
  std::optional<Instant> ends;           // of a previous signing key
  std::optional<std::int64_t> sealed;    // data keys: rows under it
  std::optional<std::int64_t> waiting;   // servers that do not go by the newest one yet: of a previous key that handed over, of the agents' authority
};
struct SealStatus {
  std::string id, kind;
  Instant created;
};
struct KeyInventory {
  std::vector<KeyStatus> keys;  // the product's, and the organisation's own data keys
  std::vector<SealStatus> seals;
  bool memory_locked = false;
};

class Rotation final {
 public:
  Rotation(storage::Database&, audit::Ledger&, secrets::Keeper&, const authorization::Authorizer&, const Clock&);

  // Returns when the new key is in use; the old one's end comes with the next ticks. `data` is the
  // caller's organisation's. Code::invalid for a key that does not rotate, Code::in_progress while
  // the last rotation of this key is not over.
  // All keys but `data` are the installation's: only the organisation that runs it rotates them.
  Result<void> start(Authorized<RotateKey>&&);
  void run_by(std::function<Result<std::optional<OrgId>>()> operators);  // at start; until then nobody runs it
  // At start: how many servers do not go by that public key yet, and for how long to wait for them.
  using Waiting = std::function<std::int64_t(KeyClass, BytesView newest)>;
  void wait_for(Waiting, Duration at_most);
  void on_new_key(std::function<void(KeyClass)>);  // at start; told when a key has handed over

  // Goes on with what was begun, begins what is due. A secret that does not open keeps its old key alive, and is named
  // once in the log of its organisation. Returns whether there is more to do at once.
  Result<bool> tick();

  Result<KeyInventory> inventory(const OrgId&) const;

 private:
  enum class Went : std::uint8_t { on, done, stuck };  // stuck: what is left does not open
  std::unexpected<Error> refuse(const Authorized<RotateKey>&, Code, std::string why);
  std::uint32_t newest(KeyClass) const;
  Result<void> note_begun(storage::WriteTx&, KeyClass, const std::optional<OrgId>&) const;
  bool leaves_behind(KeyClass) const;
  Result<bool> has_begun(KeyClass, const std::optional<OrgId>&) const;
  Result<void> resume_begun();
  Result<void> end_replaced(KeyClass);
  Result<void> begin(KeyClass, const std::optional<OrgId>&);
  template <class A>
  Result<void> hand_over(KeyClass, Spent<A>&&, const std::vector<OrgId>& told);
  Result<bool> unsaid(KeyClass) const;
  Result<void> end_handed_over();
  Result<void> begin_scheduled(KeyClass, const std::optional<OrgId>&, const std::vector<OrgId>& told = {});
  std::vector<OrgId> told_of(KeyClass, std::uint32_t generation);
  struct OldRow;
  Result<std::vector<OldRow>> next_batch(const OrgId&, std::uint32_t newest);
  Result<std::vector<secrets::Item>> reseal(const OrgId&, const std::vector<OldRow>&);
  Result<void> does_not_open(const OrgId&, const SecretId&);
  Result<Went> left_under_old(const OrgId&, std::uint32_t newest);
  Result<Went> go_on(const OrgId&, std::uint32_t newest);
  Result<void> finish(const OrgId&, std::uint32_t newest, std::uint32_t old);
  Result<void> destroy_keys_of_ended();
  Result<void> end_signing_keys();
  Result<void> begin_due();
  bool too_early(const secrets::KeyInfo&, Instant now) const;
  Result<void> begin_shreds();
  Result<void> destroyed(KeyClass, std::uint32_t generation, const std::optional<OrgId>&, std::int64_t left = 0);
  storage::Database& db_;
  audit::Ledger& ledger_;
  secrets::Keeper& keeper_;
  const authorization::Authorizer& authorizer_;
  const Clock& clock_;
  const Instant started_;
  std::function<Result<std::optional<OrgId>>()> operators_;
  Waiting waiting_;
  Duration at_most_ = std::chrono::days(30);
  std::function<void(KeyClass)> new_key_;
  std::set<std::pair<KeyClass, std::uint32_t>> told_;  // by the one who ticks
  std::map<OrgId, std::set<SecretId>> unreadable_;                // by the one who ticks, too
  std::mutex one_at_a_time_;
};

}  // namespace caip::vault
