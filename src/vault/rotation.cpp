#include "vault/rotation.h"

#include <algorithm>
#include <array>
#include <map>

#include "audit/ledger.h"
#include "authorization/authorizer.h"
#include "outbox/outbox.h"
#include "rotation_parts.h"
#include "storage/database.h"
#include "vault/log_keys.h"

namespace caip::vault {
namespace {

bool older_than_period(KeyClass key, Instant created, Instant now) {
  const auto period = rotation_period(key);
  return period && now - created >= *period;
}

// Of a key that hands over to its successor in the log.
std::optional<secrets::SigningUse> use_of(KeyClass key) {
  switch (key) {
    case KeyClass::checkpoint: return secrets::SigningUse::checkpoint;
    case KeyClass::cosign: return secrets::SigningUse::cosign;
    case KeyClass::order: return secrets::SigningUse::order;
    default: return std::nullopt;
  }
}
// Those of which there is one at any time.
constexpr std::array kReplaced{KeyClass::root, KeyClass::ca, KeyClass::agent_ca};
bool is_replaced(KeyClass key) { return std::ranges::contains(kReplaced, key); }
constexpr std::array kHandOver{KeyClass::checkpoint, KeyClass::cosign, KeyClass::order};

// Its generations, the newest first.
std::vector<secrets::KeyInfo> generations_of(const secrets::Inventory& inventory, KeyClass key) {
  std::vector<secrets::KeyInfo> out;
  for (const auto& k : inventory.keys)
    if (k.key == key) out.push_back(k);
  return out;
}

}  // namespace

std::optional<Duration> rotation_period(KeyClass key) noexcept {
  using std::chrono::hours;
  switch (key) {
    case KeyClass::root: return hours(24 * 365);
    case KeyClass::data: return hours(24 * 90);
    case KeyClass::jwt: return hours(24 * 30);
    case KeyClass::checkpoint:
    case KeyClass::cosign:
    case KeyClass::order:
    case KeyClass::ca:
    case KeyClass::agent_ca: return hours(24 * 365);
    default: return std::nullopt;
  }
}

std::string_view algorithm_of(KeyClass key) noexcept {
  switch (key) {
    case KeyClass::root:
    case KeyClass::data: return "XAES-256-GCM";
    case KeyClass::jwt:
    case KeyClass::checkpoint:
    case KeyClass::order: return "Ed25519";
    case KeyClass::cosign: return "ML-DSA-44";
    case KeyClass::ca: return "ECDSA P-256";
    case KeyClass::agent_ca: return "ML-DSA-65";
    case KeyClass::pepper: break;
  }
  return "HMAC-SHA-384";
}

Rotation::Rotation(storage::Database& db, audit::Ledger& ledger, secrets::Keeper& keeper, const authorization::Authorizer& authorizer, const Clock& clock)
    : db_(db), ledger_(ledger), keeper_(keeper), authorizer_(authorizer), clock_(clock), started_(clock.now()) {}

void Rotation::wait_for(Waiting waiting, Duration at_most) {
  waiting_ = std::move(waiting);
  at_most_ = at_most;
}

void Rotation::on_new_key(std::function<void(KeyClass)> f) { new_key_ = std::move(f); }

void Rotation::run_by(std::function<Result<std::optional<OrgId>>()> operators) { operators_ = std::move(operators); }

std::unexpected<Error> Rotation::refuse(const Authorized<RotateKey>& permit, Code code, std::string why) {
  if (auto logged = ledger_.refuse(Denied{AnyAction{permit.action()}, permit.principal(), code, why}); !logged)
    return std::unexpected<Error>(std::move(logged).error());
  return fail(code, std::move(why));
}

Result<void> Rotation::start(Authorized<RotateKey>&& permit) {
  const KeyClass key = permit.action().key;
  const auto org = permit.principal().org;
  if (key != KeyClass::data) {
    CAIP_TRY(operators, operators_ ? operators_() : Result<std::optional<OrgId>>(std::nullopt));
    if (!operators || operators != org)
      return refuse(permit, Code::forbidden, "this key is the installation's: an Owner of the organisation that runs it rotates it");
  }
  if (!rotation_period(key)) return refuse(permit, Code::invalid, "the key " + std::string(text(key)) + " does not rotate; all others do");
  const std::scoped_lock lock(one_at_a_time_);
  CAIP_TRY(again, unsaid(key));
  const auto inventory = keeper_.inventory();
  const auto generations = std::ranges::count_if(inventory.keys, [&](const auto& k) { return k.key == key && (key != KeyClass::data || k.org == org); });
  if (generations > 1 && !again) return refuse(permit, Code::in_progress, "the last rotation of this key is not over");
  if (generations == 0) return refuse(permit, Code::not_found, "there is no such key yet");
  if (leaves_behind(key)) return refuse(permit, Code::in_progress, "servers that are away have not followed the last rotations of this key, and could not follow one more; disconnect them, or wait");
  if (use_of(key)) {
    CAIP_TRY(spent, std::move(permit).spend(clock_.now()));
    return hand_over(key, std::move(spent), {*org});
  }
  // The entry first, and with it that the rotation began: whatever happens before there is a new key, tick() makes it.
  CAIP_TRY(spent, std::move(permit).spend(clock_.now()));
  auto tx = db_.begin_write();
  CAIP_CHECKED(note_begun(tx, key, *org));
  CAIP_CHECKED(outbox::raise(tx, {.kind = EventKind::key_rotated, .org = *org, .subject = std::string(text(key))}, clock_.now()));
  CAIP_TRY(receipt, ledger_.commit(std::move(tx), std::move(spent)));
  static_cast<void>(receipt);
  return begin(key, org);
}

Result<void> Rotation::begin_scheduled(KeyClass key, const std::optional<OrgId>& org, const std::vector<OrgId>& told) {
  CAIP_TRY(recorded, has_begun(key, org));
  if (recorded) return begin(key, org);
  auto permit = authorizer_.authorize_system(RotateKeyOnSchedule{key}, org);
  if (!permit) return refused(permit.error());
  CAIP_TRY(spent, std::move(*permit).spend(clock_.now()));
  if (use_of(key)) return hand_over(key, std::move(spent), told);
  auto tx = db_.begin_write();
  CAIP_CHECKED(note_begun(tx, key, org));
  for (const auto& id : told) CAIP_CHECKED(outbox::raise(tx, {.kind = EventKind::key_rotated, .org = id, .subject = std::string(text(key))}, clock_.now()));
  CAIP_TRY(receipt, ledger_.commit(std::move(tx), std::move(spent)));
  static_cast<void>(receipt);
  return begin(key, org);
}

// Whoever runs the installation, once for a generation, however often its rotation is tried.
std::vector<OrgId> Rotation::told_of(KeyClass key, std::uint32_t generation) {
  const auto operators = operators_ ? operators_() : Result<std::optional<OrgId>>(std::nullopt);
  if (!operators || !*operators || !told_.emplace(key, generation).second) return {};
  return {**operators};
}

std::uint32_t Rotation::newest(KeyClass key) const {
  std::uint32_t out = 0;
  for (const auto& k : keeper_.inventory().keys)
    if (k.key == key) out = std::max(out, k.generation);
  return out;
}

Result<void> Rotation::note_begun(storage::WriteTx& tx, KeyClass key, const std::optional<OrgId>& org) const {
  if (key == KeyClass::data) CAIP_CHECKED(tx.exec("UPDATE secret_keys SET shred = ?2 WHERE org = ?1", *org, kBegun));
  else CAIP_CHECKED(tx.exec("INSERT OR REPLACE INTO rotations (key, generation, destroyed) VALUES (?1, ?2, 0)", text(key), newest(key)));
  return {};
}

// An authority of the agents' channel is followed over the last few. Were one more made, a server that has not could not.
bool Rotation::leaves_behind(KeyClass key) const {
  if (key != KeyClass::agent_ca || !waiting_ || waiting_(key, {}) == 0) return false;
  return secrets::is_full(keeper_.authority(key));
}

// The entry is there, and perhaps no new key yet.
Result<bool> Rotation::has_begun(KeyClass key, const std::optional<OrgId>& org) const {
  auto tx = db_.begin_read();
  if (key == KeyClass::data) {
    CAIP_TRY(state, tx.one<std::int64_t>("SELECT shred FROM secret_keys WHERE org = ?1", *org, [](const storage::Row& r) { return r.integer(0); }));
    return state == kBegun;
  }
  CAIP_TRY(of, tx.one<std::int64_t>("SELECT generation FROM rotations WHERE key = ?1 AND destroyed = 0", text(key), [](const storage::Row& r) { return r.integer(0); }));
  return of == newest(key);
}

// Of the product's own keys; an organisation's begin again with begin_shreds().
Result<void> Rotation::resume_begun() {
  for (const KeyClass key : {KeyClass::root, KeyClass::jwt, KeyClass::ca, KeyClass::agent_ca}) {
    CAIP_TRY(begun, has_begun(key, std::nullopt));
    if (begun) CAIP_CHECKED(begin(key, std::nullopt));
  }
  for (const KeyClass key : kReplaced) CAIP_CHECKED(end_replaced(key));
  return {};
}

// A key that is gone, and no entry says so yet.
Result<void> Rotation::end_replaced(KeyClass key) {
  std::optional<std::int64_t> old;
  {
    auto tx = db_.begin_read();
    CAIP_TRY(row, tx.one<std::int64_t>("SELECT generation FROM rotations WHERE key = ?1 AND destroyed = 0 AND generation < ?2", text(key), newest(key),
                                       [](const storage::Row& r) { return r.integer(0); }));
    old = row;
  }
  if (!old) return {};
  CAIP_CHECKED(destroyed(key, static_cast<std::uint32_t>(*old), std::nullopt));
  if (new_key_) new_key_(key);
  return {};
}

Result<void> Rotation::begin(KeyClass key, const std::optional<OrgId>& org) {
  if (key == KeyClass::data) {
    CAIP_TRY(generation, keeper_.new_data_key(*org));
    static_cast<void>(generation);
    return {};
  }
  CAIP_CHECKED(keeper_.rotate(key));
  // The keyring was replaced whole. Every key in it is wrapped under a new root, and the old root is in no seal any more; an
  // authority's key has signed who comes after it, and is not in it any more.
  return is_replaced(key) ? end_replaced(key) : Result<void>();
}

// The new key first, beside the old one and unused. What the old one says of it is made in the
// writer's lane, because it names its own place in the log; so the keeper is waited for there, once
// in a year. Then both are durable together: the entry that names the key, and its first signature.
template <class A>
Result<void> Rotation::hand_over(KeyClass key, Spent<A>&& spent, const std::vector<OrgId>& told) {
  CAIP_TRY(again, unsaid(key));
  if (!again) CAIP_CHECKED(keeper_.new_signing_key(key));
  const auto keys = generations_of(keeper_.inventory(), key);
  const auto committed = [&]() -> Result<void> {
    auto tx = db_.begin_write();
    for (const auto& id : told) CAIP_CHECKED(outbox::raise(tx, {.kind = EventKind::key_rotated, .org = id, .subject = std::string(text(key))}, clock_.now()));
    if (key != KeyClass::order)
      ledger_.add_key(log_key(keeper_, *use_of(key), keys[0].public_key));
    CAIP_TRY(detail, ledger_.hand_over(tx, [&](std::uint64_t size) { return keeper_.succession(key, size); }));
    CAIP_TRY(receipt, ledger_.commit(std::move(tx), std::move(spent), {.detail = std::move(detail)}));
    static_cast<void>(receipt);
    return {};
  }();
  if (!committed) {
    ledger_.drop_key(keys[0].public_key);
    return committed;
  }
  if (new_key_) new_key_(key);
  return {};
}

// A newest key that no entry names. A crash, or a refusal, came before it was told to anybody; or the database is an older
// one than the keys, and servers go by this key already. So it is not destroyed for that: the next handing over is to it.
Result<bool> Rotation::unsaid(KeyClass key) const {
  const auto keys = generations_of(keeper_.inventory(), key);
  if (!use_of(key) || keys.size() < 2) return false;
  CAIP_TRY(known, ledger_.hands_over_to(keys[0].public_key));
  return !known;
}

// A key that handed over goes when no server waits for it any more. What it said of its successor
// stays in the log: who comes later follows that, and needs no more of it than its public half.
Result<void> Rotation::end_handed_over() {
  for (const KeyClass key : kHandOver) {
    const auto keys = generations_of(keeper_.inventory(), key);
    CAIP_TRY(nobodys, unsaid(key));
    if (keys.size() < 2 || nobodys) continue;
    const std::int64_t left = waiting_ ? waiting_(key, keys[0].public_key) : 0;
    if (left > 0 && clock_.now() - keys[0].created < at_most_) continue;
    CAIP_CHECKED(destroyed(key, keys[1].generation, std::nullopt, left));
    ledger_.drop_key(keys[1].public_key);
    CAIP_CHECKED(keeper_.destroy_signing_key(key, keys[1].generation));
  }
  return {};
}

Result<void> Rotation::destroyed(KeyClass key, std::uint32_t generation, const std::optional<OrgId>& org, std::int64_t left) {
  auto permit = authorizer_.authorize_system(DestroyKey{key, generation, left}, org);
  if (!permit) return refused(permit.error());
  CAIP_TRY(spent, std::move(*permit).spend(clock_.now()));
  auto tx = db_.begin_write();
  if (is_replaced(key)) CAIP_CHECKED(tx.exec("UPDATE rotations SET destroyed = 1 WHERE key = ?1", text(key)));
  CAIP_TRY(receipt, ledger_.commit(std::move(tx), std::move(spent)));
  static_cast<void>(receipt);
  return {};
}

// What fails for one key or organisation is tried again with the next tick, and everything else goes on.
Result<bool> Rotation::tick() {
  const std::scoped_lock lock(one_at_a_time_);
  std::optional<Error> failed;
  const auto did = [&](const auto& done) {
    if (!done && !failed) failed = done.error();
    return done.has_value();
  };
  did(destroy_keys_of_ended());
  did(resume_begun());
  std::set<OrgId> stuck;
  for (const auto& [org, keys] : data_keys(keeper_.inventory())) {
    if (keys.newest == keys.oldest) continue;
    const auto went = go_on(org, keys.newest);
    if (!did(went) || *went == Went::stuck) stuck.insert(org);
    else if (*went == Went::done) did(finish(org, keys.newest, keys.oldest));
  }
  did(end_signing_keys());
  did(end_handed_over());
  did(begin_due());
  did(begin_shreds());
  if (failed) return std::unexpected(*std::move(failed));
  return std::ranges::any_of(data_keys(keeper_.inventory()), [&](const auto& k) { return k.second.newest != k.second.oldest && !stuck.contains(k.first); });
}

Result<void> Rotation::end_signing_keys() {
  const Instant now = clock_.now();
  for (const auto& k : keeper_.inventory().keys) {
    if (!k.ends || now < *k.ends) continue;
    CAIP_CHECKED(destroyed(k.key, k.generation, std::nullopt));
    CAIP_CHECKED(keeper_.destroy_previous(k.key));
  }
  return {};
}

// Whether some server has not said that it goes by today's key: perhaps its agent is of a version that says nothing, and
// would get no orders after a handing over. As long as for an old key's end, from when it is due or from our start, or one
// machine that is gone for good would keep all keys for ever.
bool Rotation::too_early(const secrets::KeyInfo& k, Instant now) const {
  const Instant since = std::max(k.created + *rotation_period(k.key), started_);
  return use_of(k.key) && waiting_ && now - since < at_most_ && waiting_(k.key, k.public_key) > 0;
}

Result<void> Rotation::begin_due() {
  const Instant now = clock_.now();
  const auto inventory = keeper_.inventory();
  for (const auto& k : inventory.keys) {
    if (k.key == KeyClass::data || k.ends || !older_than_period(k.key, k.created, now)) continue;
    CAIP_TRY(again, unsaid(k.key));
    if (use_of(k.key) && generations_of(inventory, k.key).size() > 1 && !again) continue;  // the last one is not over
    if (too_early(k, now) || leaves_behind(k.key)) continue;
    CAIP_CHECKED(begin_scheduled(k.key, std::nullopt, told_of(k.key, k.generation)));
  }
  for (const auto& [org, keys] : data_keys(inventory))
    if (keys.newest == keys.oldest && older_than_period(KeyClass::data, keys.created, now)) CAIP_CHECKED(begin_scheduled(KeyClass::data, org, {org}));
  return {};
}

Result<KeyInventory> Rotation::inventory(const OrgId& org) const {
  std::map<std::int64_t, std::int64_t> rows;
  {
    auto tx = db_.begin_read();
    CAIP_CHECKED(tx.query("SELECT generation, count(*) FROM secrets WHERE org = ?1 GROUP BY generation", org,
                          [&](const storage::Row& r) { rows[r.integer(0)] = r.integer(1); }));
  }
  const auto known = keeper_.inventory();
  KeyInventory out{.keys = {}, .seals = {}, .memory_locked = known.memory_locked};
  std::map<KeyClass, std::uint32_t> newest;
  for (const auto& k : known.keys) {
    if (k.key == KeyClass::data && k.org != org) continue;
    const bool current = newest.try_emplace(k.key, k.generation).first->second == k.generation;
    const auto period = rotation_period(k.key);
    KeyStatus s{.key = k.key, .generation = k.generation, .created = k.created, .current = current, .next_rotation = {}, .ends = k.ends, .sealed = {}, .waiting = {}};
    if (!current && use_of(k.key)) s.waiting = waiting_ ? waiting_(k.key, generations_of(known, k.key)[0].public_key) : 0;
    if (k.key == KeyClass::agent_ca) s.waiting = waiting_ ? waiting_(k.key, {}) : 0;
    if (current && period) s.next_rotation = k.created + *period;
    if (k.key == KeyClass::data) s.sealed = rows[k.generation];
    out.keys.push_back(std::move(s));
  }
  for (const auto& s : known.seals) out.seals.push_back({s.id, s.kind, s.created});
  return out;
}

}  // namespace caip::vault
