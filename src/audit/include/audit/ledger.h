// audit/ledger.h: the only way to commit. An entry is appended in the transaction of the change
// it records, the tree grows, each durable group gets a signed checkpoint; then the receipt.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/json.h"
#include "base/time.h"
#include "base/token_bucket.h"
#include "model/actions.h"
#include "proofs/authorized.h"
#include "proofs/receipt.h"
#include "storage/tx.h"

namespace caip::storage { class Database; }
namespace caip::crypto { struct NoteSignature; }

namespace caip::audit {

enum class Ending : std::uint8_t { completed, failed, denied, expired, blocked, pending };
std::string_view text(Ending) noexcept;

struct Outcome {
  Ending result = Ending::completed;
  json::object detail = {};             // integers, text, booleans; never a secret
  std::optional<OrgId> org = {};        // where it is not the principal's (sign-in, joining, founding)
  std::optional<UserId> user = {};      // who it turned out to be (sign-in)
};

using Signer = std::function<Result<Bytes>(BytesView)>;
struct LogKey {  // Ed25519 signs each checkpoint; ML-DSA-44, the second key, cosigns them
  Signer sign;
  Bytes public_key;
};

inline constexpr Pace kUnknown{.burst = 600, .per_second = 5};  // all of them together
inline constexpr Pace kKnown{.burst = 600, .per_second = 1};    // each session, or API token: a stolen one uses up no other's

// What the log asks about people, inside the transaction that is about to be committed; it does not know them itself.
struct People {
  // Whether who was permitted something still stands where they stood: session or token alive, a member of
  // that organisation, in no lower role. A permit is up to 30 s old, and much happens in the lane meanwhile.
  std::function<Result<void>(storage::Reader&, const Principal&)> still;
  // Where that person belongs: what is done to an account concerns all of them.
  std::function<Result<std::vector<OrgId>>(storage::Reader&, const UserId&)> organizations;
};

class Query;

class Ledger final {
 public:
  // The database must carry audit::migrations(). Records the public keys at first use and refuses
  // others later than those the log was handed over to.
  static Result<std::unique_ptr<Ledger>> open(storage::Database&, const Clock&, Signer, Bytes public_key, std::optional<LogKey> second = {});
  struct Keys {
    Bytes first, second, order;
  };
  static Result<Keys> keys_of(storage::Database&);  // the newest that the log names; empty: none, and of orders before they were handed over
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;
  void know(People);  // at start, before any thread

  // Appends the entry, commits, returns when both are durable. A change whose principal carries a
  // Command (an Idempotency-Key) is made once a day: a second commit is undone and refused with
  // already_done, or key_reused for another payload. Of somebody who may no more (People::still) it is
  // undone, refused with that error, and on the record. An entry about an account stands in the log of
  // each of its person's organisations.
  template <Action A>
  Result<Receipt<A>> commit(storage::WriteTx&&, Spent<A>&&, Outcome = {});
  // One more entry in the same transaction, before commit(); returns its index.
  template <Action A>
  Result<std::uint64_t> append(storage::WriteTx&, Spent<A>&&, Outcome = {});
  // A refusal, in a transaction of its own: result "blocked". Of people who are not signed in together, and of
  // each session or API token, so many (kUnknown, kKnown) are written: or anyone could fill the disk. Beyond:
  // Code::too_many, and the next that is written says how many were not.
  // `about`: whose account it concerns, where that is known and they did not speak themselves.
  // `change`: what the refusal itself changes, a count of failures, a suspended passkey; in the same transaction.
  // Room::always: it must not be lost for want of room; the caller sees to it that it happens seldom.
  using InRefusal = std::function<Result<void>(storage::WriteTx&)>;
  enum class Room : std::uint8_t { if_there_is, always };
  Result<void> refuse(const Denied&, const InRefusal& change = {}, const std::optional<UserId>& about = {}, Room = Room::if_there_is);

  // A key hands over to the next. `make` is given the size that the log will have with this
  // transaction's own entry, which must be the next thing that is written to it, with what is returned
  // in its detail. The checkpoint of that size is the first that the new key signs: a checkpoint is
  // the new key's exactly if it covers the entry that names that key.
  using MakeSuccession = std::function<Result<std::string>(std::uint64_t size)>;
  Result<json::object> hand_over(storage::WriteTx&, const MakeSuccession& make);
  Result<bool> hands_over_to(BytesView public_key) const;  // an entry says so
  void add_key(LogKey);  // it can sign when the log says so; and, of the key before, for as long as it is here
  void drop_key(BytesView public_key);

  // Stores the second signature on the newest checkpoint; returns its size, nothing when it was
  // stored before. Ask once a second: each is 3 KiB.
  Result<std::optional<std::uint64_t>> anchor();
  // Stores cosignatures of witnesses, verified by the caller, on a checkpoint of that size.
  Result<void> keep(std::uint64_t size, std::span<const crypto::NoteSignature>);
  // Brings the index of the log nearer to its end, by at most `most` entries; true: there is more.
  Result<bool> index_some(std::size_t most = 500);

 private:
  friend class Query;
  struct Parts;
  explicit Ledger(std::unique_ptr<Parts>);
  Result<std::uint64_t> put(storage::WriteTx&, const AnyAction&, const Principal&, const std::optional<UserId>& approver, const Outcome&);
  // commit(), whatever the action: what it does is not compiled anew for each.
  Result<std::uint64_t> commit_any(storage::WriteTx&&, const AnyAction&, const Principal&, const std::optional<UserId>& approver, Outcome);
  Result<void> remember(storage::WriteTx&, const Principal&);
  // The same entry in the logs of the person's other organisations.
  Result<void> put_elsewhere(storage::WriteTx&, const UserId&, const AnyAction&, const Principal&, const std::optional<UserId>& approver, Outcome, std::uint64_t& index);
  Result<void> finish(storage::WriteTx&&, std::uint64_t index);
  std::unique_ptr<Parts> parts_;
};

}  // namespace caip::audit
