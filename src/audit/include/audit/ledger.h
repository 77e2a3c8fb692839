// audit/ledger.h: the only way to commit. An entry is appended in the transaction of the change
// it records, the tree grows, each durable group gets a signed checkpoint; then the receipt.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <span>

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

using Signer = std::function<Result<Bytes>(BytesView)>;  // Ed25519 by the checkpoint key
struct SecondKey {  // ML-DSA-44: the log cosigns its own checkpoints with it
  Signer sign;
  Bytes public_key;
};

inline constexpr Pace kUnknown{.burst = 600, .per_second = 5};

class Query;

class Ledger final {
 public:
  // The database must carry audit::migrations(). Records the public keys at first use and refuses
  // others later.
  static Result<std::unique_ptr<Ledger>> open(storage::Database&, const Clock&, Signer, Bytes public_key,
                                              std::optional<SecondKey> = {});
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  // Appends the entry, commits, returns when both are durable. A change whose principal carries a
  // Command (an Idempotency-Key) is made once a day: a second commit is undone and refused with
  // already_done, or key_reused for another payload.
  template <Action A>
  Result<Receipt<A>> commit(storage::WriteTx&&, Spent<A>&&, Outcome = {});
  // One more entry in the same transaction, before commit(); returns its index.
  template <Action A>
  Result<std::uint64_t> append(storage::WriteTx&, Spent<A>&&, Outcome = {});
  // A refusal, in a transaction of its own: result "blocked". Of people who are not signed in, so
  // many (kUnknown) are written: or anyone could fill the disk. Beyond: Code::too_many, and the next
  // that is written says how many were not.
  // `change`: what the refusal itself changes, a count of failures; in the same transaction.
  using InRefusal = std::function<Result<void>(storage::WriteTx&)>;
  Result<void> refuse(const Denied&, const InRefusal& change = {});

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
  Result<void> remember(storage::WriteTx&, const Principal&);
  Result<void> finish(storage::WriteTx&&, std::uint64_t index);
  std::unique_ptr<Parts> parts_;
};

}  // namespace caip::audit
