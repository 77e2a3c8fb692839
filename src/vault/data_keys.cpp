// The data keys of organisations: everything under an old one is sealed again under the new one, and what has no
// use for a key any more lets it go. One organisation's trouble is its own: the others' keys go on.
#include <algorithm>

#include "audit/ledger.h"
#include "base/log.h"
#include "rotation_parts.h"
#include "rows.h"
#include "storage/database.h"
#include "vault/rotation.h"

namespace caip::vault {

struct Rotation::OldRow {
  SecretId id;
  SecretKind kind;
  std::int64_t version;
  Bytes sealed;
};

namespace {

constexpr std::int64_t kBatch = 2000;
constexpr std::size_t kMostBytes = std::size_t{2} << 20U;     // of sealed values in a batch: half of what goes to the keeper at once
constexpr std::int64_t kTooManyUses = std::int64_t{1} << 31;  // half of what the keeper allows

}  // namespace

// The next of them, but for those that are known not to open.
Result<std::vector<Rotation::OldRow>> Rotation::next_batch(const OrgId& org, std::uint32_t newest) {
  const auto& without = unreadable_[org];
  auto tx = db_.begin_read();
  std::vector<OldRow> rows;
  std::optional<Error> damage;
  std::size_t bytes = 0;
  CAIP_CHECKED(tx.query("SELECT id, kind, version, sealed FROM secrets WHERE org = ?1 AND generation < ?2 LIMIT ?3", org, newest, kBatch,
                        [&](const storage::Row& r) {
                          if (bytes >= kMostBytes) return;
                          auto id = r.id<SecretId>(0);
                          auto kind = parse_secret_kind(r.text_view(1));
                          if (!id || !kind) return void(damage = Error{Code::storage_failed, "a secret's row is damaged"});
                          if (without.contains(*id)) return;
                          rows.push_back({*id, *kind, r.integer(2), r.blob(3)});
                          bytes += rows.back().sealed.size();
                        }));
  if (damage) return std::unexpected(*std::move(damage));
  return rows;
}

// Opened and sealed again inside the keeper: all, or, where one of them does not open, each that does.
Result<secrets::Items> Rotation::reseal(const OrgId& org, const std::vector<OldRow>& rows) {
  const auto item_of = [](const OldRow& r) {
    return secrets::Item{.id = r.id, .kind = r.kind, .version = static_cast<std::uint32_t>(r.version), .field = kField, .data = SecretBytes(Bytes(r.sealed))};
  };
  secrets::Items items;
  for (const auto& r : rows) items.push_back(item_of(r));
  auto all = keeper_.reseal(org, std::move(items));
  if (all || all.error().code != Code::storage_failed) return all;
  secrets::Items out;
  for (const auto& r : rows) {
    secrets::Items alone;
    alone.push_back(item_of(r));
    auto done = keeper_.reseal(org, std::move(alone));
    if (done) out.push_back(std::move(done->front()));
    else if (done.error().code != Code::storage_failed) return done;
    else CAIP_CHECKED(does_not_open(org, r.id));
  }
  return out;
}

// Said once, on the record of its organisation: the row was changed or damaged. Its key stays until the secret is
// replaced or deleted; everything else goes on.
Result<void> Rotation::does_not_open(const OrgId& org, const SecretId& id) {
  unreadable_[org].insert(id);
  log::error("a secret does not open any more", {{"organization", org.str()}, {"secret", id.str()}});
  Principal system;
  system.source = Source::system;
  system.org = org;
  return ledger_.refuse(Denied{AnyAction{RewrapSecrets{0, 1}}, std::move(system), Code::storage_failed, "the secret " + id.str() + " does not open: replace or delete it"});
}

// Nothing, or only what does not open.
Result<Rotation::Went> Rotation::left_under_old(const OrgId& org, std::uint32_t newest) {
  auto tx = db_.begin_read();
  CAIP_TRY(row, tx.one<bool>("SELECT 1 FROM secrets WHERE org = ?1 AND generation < ?2 LIMIT 1", org, newest, [](const storage::Row&) { return true; }));
  if (row) return Went::stuck;
  unreadable_.erase(org);
  return Went::done;
}

// One batch, stored where nobody replaced it meanwhile.
Result<Rotation::Went> Rotation::go_on(const OrgId& org, std::uint32_t newest) {
  CAIP_TRY(rows, next_batch(org, newest));
  if (rows.empty()) return left_under_old(org, newest);
  std::map<SecretId, const OldRow*> before;
  for (const auto& r : rows) before.emplace(r.id, &r);
  CAIP_TRY(sealed, reseal(org, rows));
  if (sealed.empty()) return Went::on;
  const auto count = static_cast<std::int64_t>(sealed.size());
  auto permit = authorizer_.authorize_system(RewrapSecrets{newest, count}, org);
  if (!permit) return refused(permit.error());
  CAIP_TRY(spent, std::move(*permit).spend(clock_.now()));
  auto tx = db_.begin_write();
  for (const auto& s : sealed) {
    Bytes bytes;
    s.data.expose(Use::store_key, [&](BytesView b) { bytes.assign(b.begin(), b.end()); });
    CAIP_CHECKED(tx.exec("UPDATE secrets SET sealed = ?3, generation = ?4 WHERE id = ?1 AND sealed = ?2", s.id, before.at(s.id)->sealed, bytes, newest));
  }
  CAIP_CHECKED(tx.exec("UPDATE secret_keys SET uses = uses + ?2 WHERE org = ?1", org, count));
  CAIP_TRY(receipt, ledger_.commit(std::move(tx), std::move(spent)));
  static_cast<void>(receipt);
  return Went::on;
}

// The count and the bar on old keys are one transaction: a row that is sealed under the old key
// but not stored yet finds the bar, and is sealed again (SecretStore).
Result<void> Rotation::finish(const OrgId& org, std::uint32_t newest, std::uint32_t old) {
  auto permit = authorizer_.authorize_system(DestroyKey{KeyClass::data, old, 0}, org);
  if (!permit) return refused(permit.error());
  CAIP_TRY(spent, std::move(*permit).spend(clock_.now()));
  {
    auto tx = db_.begin_write();
    CAIP_TRY(oldest, oldest_key(tx, org));
    static_cast<void>(oldest);
    CAIP_TRY(left, tx.one<std::int64_t>("SELECT count(*) FROM secrets WHERE org = ?1 AND generation < ?2", org, newest,
                                        [](const storage::Row& r) { return r.integer(0); }));
    if (left.value_or(1) != 0) return {};  // more came meanwhile: the next tick takes them
    CAIP_TRY(rows, tx.one<std::int64_t>("SELECT count(*) FROM secrets WHERE org = ?1", org, [](const storage::Row& r) { return r.integer(0); }));
    CAIP_CHECKED(tx.exec("UPDATE secret_keys SET oldest = ?2, uses = ?3, shred = shred & 1 WHERE org = ?1", org, newest, rows.value_or(0)));
    CAIP_TRY(receipt, ledger_.commit(std::move(tx), std::move(spent)));
    static_cast<void>(receipt);
  }
  return keeper_.destroy_data_keys(org, newest);
}

// Also one that was made while the organisation ended: nothing was stored under it.
Result<void> Rotation::destroy_keys_of_ended() {
  const auto keys = data_keys(keeper_.inventory());
  std::vector<OrgId> ended;
  {
    auto tx = db_.begin_read();
    CAIP_CHECKED(tx.query("SELECT org FROM ended_orgs WHERE NOT EXISTS (SELECT 1 FROM secrets WHERE secrets.org = ended_orgs.org)", [&](const storage::Row& r) {
      if (auto org = r.id<OrgId>(0); org && keys.contains(*org)) ended.push_back(*org);
    }));
  }
  for (const auto& org : ended) {
    CAIP_CHECKED(destroyed(KeyClass::data, keys.at(org).newest, org));
    CAIP_CHECKED(keeper_.destroy_data_keys(org, std::nullopt));
  }
  return {};
}

// A deleted secret's key is destroyed by giving everything else another one. One that did begin and
// got no new key (the keeper was away, the process died) begins again.
Result<void> Rotation::begin_shreds() {
  std::vector<OrgId> due;
  {
    auto tx = db_.begin_read();
    CAIP_CHECKED(tx.query("SELECT org FROM secret_keys WHERE shred != 0 OR uses > ?1", kTooManyUses, [&](const storage::Row& r) {
      if (auto org = r.id<OrgId>(0)) due.push_back(*org);
    }));
  }
  const auto keys = data_keys(keeper_.inventory());
  for (const auto& org : due)
    if (const auto it = keys.find(org); it != keys.end() && it->second.newest == it->second.oldest) CAIP_CHECKED(begin_scheduled(KeyClass::data, org));
  return {};
}

}  // namespace caip::vault
