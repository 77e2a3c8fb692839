#include "audit/ledger.h"

#include <algorithm>

#include "crypto/note.h"
#include "entry.h"
#include "parts.h"
#include "tables.h"

namespace caip::audit {

Result<merkle::Frontier*> Ledger::Parts::edge(storage::Reader& tx, const storage::LogWriter& log) {
  if (!frontier || undone != log.undone()) {
    frontier.reset();
    undone = log.undone();
    CAIP_TRY(size, log_size(tx));
    CAIP_TRY(loaded, merkle::Frontier::load(size, node_reader(tx)));
    frontier = std::move(loaded);
  }
  return &*frontier;
}

// Runs once per group, in it: what becomes durable has its signed checkpoint.
Result<void> Ledger::Parts::seal(storage::Reader& tx, storage::LogWriter& log) {
  CAIP_TRY(tree, edge(tx, log));
  CAIP_TRY(last, tx.one<std::int64_t>("SELECT size FROM log_checkpoints ORDER BY size DESC LIMIT 1",
                                      [](const storage::Row& r) { return r.integer(0); }));
  const auto size = static_cast<std::int64_t>(tree->size());
  if (size == last.value_or(0)) return {};
  const crypto::Checkpoint checkpoint{.size = tree->size(), .root = tree->root()};
  CAIP_TRY(signature, signer(view(crypto::checkpoint_text(checkpoint))));
  return log.insert("INSERT INTO log_checkpoints VALUES (?1, ?2)", size,
                    crypto::checkpoint_note(checkpoint, public_key, signature));
}

void Ledger::Parts::tell(std::uint64_t size) {
  std::scoped_lock lock(watchers->mutex);
  if (size <= watchers->told) return;  // another member of the group told it
  watchers->told = size;
  for (const auto& f : watchers->all) f(size);
}

Ledger::Ledger(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Ledger::~Ledger() { parts_->database.set_seal(Badge<Ledger>(), {}); }

Result<std::unique_ptr<Ledger>> Ledger::open(storage::Database& db, const Clock& clock, Signer signer, Bytes key) {
  std::unique_ptr<Ledger> ledger(new Ledger(std::make_unique<Parts>(db, clock, std::move(signer), std::move(key))));
  Parts& p = *ledger->parts_;
  auto tx = db.begin_write();
  CAIP_TRY(known, tx.one<Bytes>("SELECT public_key FROM log_key WHERE id = 1", [](const storage::Row& r) { return r.blob(0); }));
  if (!known) {
    CAIP_CHECKED(tx.log(Badge<Ledger>()).insert("INSERT INTO log_key VALUES (1, ?1, ?2)", crypto::kLogOrigin, p.public_key));
  } else if (*known != p.public_key) {
    return fail(Code::storage_failed, "the log was signed with another key than DATA/keys has");
  }
  CAIP_TRY(tree, p.edge(tx, tx.log(Badge<Ledger>())));
  CAIP_TRY(note, newest_checkpoint(tx));
  if (note) {
    CAIP_TRY(checkpoint, crypto::open_checkpoint(*note, p.public_key));
    if (checkpoint.size != tree->size() || checkpoint.root != tree->root())
      return fail(Code::storage_failed, "the log does not match its checkpoint; run `caip audit verify`");
  } else if (tree->size() != 0) {
    return fail(Code::storage_failed, "the log has entries but no checkpoint; run `caip audit verify`");
  }
  p.watchers->told = tree->size();
  CAIP_CHECKED(std::move(tx).commit(Badge<Ledger>()));
  db.set_seal(Badge<Ledger>(), [&p](storage::Reader& r, storage::LogWriter& w) { return p.seal(r, w); });
  return ledger;
}

Result<std::uint64_t> Ledger::put(storage::WriteTx& tx, const std::string& body) {
  if (body.size() > kMostBytes) return fail(Code::too_large, "a log entry has at most 64 KiB");
  auto log = tx.log(Badge<Ledger>());
  CAIP_TRY(tree, parts_->edge(tx, log));
  const std::uint64_t index = tree->size();
  const Digest leaf = merkle::leaf_hash(view(body));
  CAIP_CHECKED(log.insert("INSERT INTO log_entries VALUES (?1, ?2, ?3)", index, body, leaf));
  for (const auto& made : tree->append(leaf))
    CAIP_CHECKED(log.insert("INSERT INTO log_nodes VALUES (?1, ?2, ?3)", made.id.level, made.id.index, made.hash));
  return index;
}

Result<void> Ledger::finish(storage::WriteTx&& tx, std::uint64_t index) {
  CAIP_CHECKED(std::move(tx).commit(Badge<Ledger>()));
  parts_->tell(index + 1);
  return {};
}

template <Action A>
Result<std::uint64_t> Ledger::append(storage::WriteTx& tx, Spent<A>&& spent, Outcome outcome) {
  return put(tx, entry_body(parts_->clock.now(), spent.action(), spent.principal(), spent.approver(), outcome));
}

// Once per command: the change, its entry and this row stand or fall together.
Result<void> Ledger::remember(storage::WriteTx& tx, const Principal& who) {
  if (!who.origin.command || !who.user) return {};
  constexpr Duration kKept = std::chrono::hours(24);
  const Command& command = *who.origin.command;
  const Instant now = parts_->clock.now();
  CAIP_TRY(payload, tx.one<Bytes>("SELECT payload FROM commands WHERE who = ?1 AND key = ?2 AND at > ?3", *who.user, command.key,
                                  now + -kKept, [](const storage::Row& r) { return r.blob(0); }));
  if (payload && !std::ranges::equal(*payload, command.payload)) return fail(Code::key_reused, "this key was used with another request");
  if (payload) return fail(Code::already_done, "it was carried out before the control plane restarted; look at what is there now");
  CAIP_CHECKED(tx.exec("DELETE FROM commands WHERE at <= ?1", now + -kKept));
  CAIP_CHECKED(tx.exec("INSERT INTO commands VALUES (?1, ?2, ?3, ?4)", *who.user, command.key, command.payload, now));
  return {};
}

template <Action A>
Result<Receipt<A>> Ledger::commit(storage::WriteTx&& tx, Spent<A>&& spent, Outcome outcome) {
  storage::WriteTx own = std::move(tx);  // whatever happens, the lane is free when we return
  A action = spent.action();
  CAIP_CHECKED(remember(own, spent.principal()));
  CAIP_TRY(index, append(own, std::move(spent), std::move(outcome)));
  CAIP_CHECKED(finish(std::move(own), index));
  return Receipt<A>(Badge<Ledger>(), std::move(action), index);
}

Result<void> Ledger::refuse(const Denied& d) {
  auto tx = parts_->database.begin_write();
  const Outcome outcome{.result = Ending::blocked, .detail = {{"code", code_text(d.code)}, {"reason", d.reason}}};
  CAIP_TRY(index, put(tx, entry_body(parts_->clock.now(), d.action, d.principal, std::nullopt, outcome)));
  return finish(std::move(tx), index);
}

namespace {

// The bodies stand here and not in the header, so that nobody can specialise them and borrow
// the badge; every action of the product gets its two.
template <class... A>
consteval auto every(TypeList<A...>) {
  return std::tuple{static_cast<Result<std::uint64_t> (Ledger::*)(storage::WriteTx&, Spent<A>&&, Outcome)>(&Ledger::append<A>)...,
                    static_cast<Result<Receipt<A>> (Ledger::*)(storage::WriteTx&&, Spent<A>&&, Outcome)>(&Ledger::commit<A>)...};
}
[[gnu::used]] constinit const auto kEvery = every(AllActions{});

}  // namespace
}  // namespace caip::audit
