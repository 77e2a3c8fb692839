#include "rows.h"

#include "audit/ledger.h"
#include "crypto/ssh.h"
#include "storage/database.h"

namespace caip::vault {
namespace {

constexpr int kTries = 8;
constexpr std::size_t kMostBytes = std::size_t{2} << 20U;  // sealed, in one use: half of what goes to the keeper at once

std::unexpected<Error> no_such_secret() { return fail(Code::not_found, "no such secret"); }

// What the caller holds is on its way into the keeper, whoever it comes from.
Result<void> acceptable(SecretKind kind, const SecretBytes& value) {
  if (value.size() > kMostValue) return fail(Code::too_large, "a secret has at most 32768 bytes");
  if (value.empty() && kind != SecretKind::ssh_key) return fail(Code::invalid, "a secret has at least one byte");
  return {};
}

struct Row {
  SecretInfo info;
  Bytes sealed;
};

Result<std::optional<Row>> row_of(storage::Reader& tx, const OrgId& org, const SecretId& id) {
  CAIP_TRY(found, tx.one<Result<Row>>("SELECT id, kind, name, version, public_key, created, replaced, sealed FROM secrets WHERE org = ?1 AND id = ?2",
                                      org, id, [](const storage::Row& r) -> Result<Row> {
                                        CAIP_TRY(info, read_info(r));
                                        return Row{std::move(info), r.blob(7)};
                                      }));
  if (!found) return std::optional<Row>();
  CAIP_TRY(row, *std::move(found));
  return std::optional<Row>(std::move(row));
}

// Seals outside the transaction (the keeper must not be waited for inside), then stores. A
// rotation that ended in between makes another round: no row is stored under a key that is about
// to be destroyed.
template <class Change>
Result<void> with_key(Change change) {
  for (int n = 0; n < kTries; ++n) {
    CAIP_TRY(stored, change());
    if (stored) return {};
  }
  return fail(Code::unavailable, "the keys are being rotated; try again");
}

SecretBytes copy_of(const SecretBytes& value) {
  Bytes copy;
  value.expose(Use::seal_value, [&](BytesView b) { copy.assign(b.begin(), b.end()); });
  return SecretBytes(std::move(copy));
}

}  // namespace

struct SecretStore::Sealed {
  Bytes bytes;
  std::uint32_t generation = 0;
  std::optional<std::string> public_key;
};

Result<SecretInfo> read_info(const storage::Row& r) {
  CAIP_TRY(id, r.id<SecretId>(0));
  CAIP_TRY(kind, parse_secret_kind(r.text_view(1)));
  CAIP_TRY(name, SecretName::parse(r.text_view(2)));
  return SecretInfo{.id = id, .kind = kind, .name = std::move(name), .version = r.integer(3), .public_key = r.optional_text(4),
                    .created = r.time(5), .replaced = r.optional_time(6)};
}

Result<std::uint32_t> oldest_key(storage::WriteTx& tx, const OrgId& org) {
  CAIP_CHECKED(tx.exec("INSERT OR IGNORE INTO secret_keys (org, oldest, uses, shred) VALUES (?1, 1, 0, 0)", org));
  CAIP_TRY(oldest, tx.one<std::int64_t>("SELECT oldest FROM secret_keys WHERE org = ?1", org, [](const storage::Row& r) { return r.integer(0); }));
  return static_cast<std::uint32_t>(oldest.value_or(1));
}

SecretStore::SecretStore(storage::Database& db, audit::Ledger& ledger, secrets::Keeper& keeper, const Clock& clock)
    : db_(db), ledger_(ledger), keeper_(keeper), clock_(clock) {}

Result<SecretStore::Sealed> SecretStore::seal(const OrgId& org, const SecretId& id, SecretKind kind, const SecretName& name, std::int64_t version,
                                              SecretBytes value) {
  secrets::Item item{.id = id, .kind = kind, .version = static_cast<std::uint32_t>(version), .field = kField, .data = std::move(value)};
  Sealed out;
  SecretBytes sealed;
  if (kind == SecretKind::ssh_key) {
    CAIP_TRY(made, keeper_.make_ssh_key(org, std::move(item)));
    out.public_key = crypto::ssh_authorized_key(made.public_key, name.str());
    sealed = std::move(made.sealed);
  } else {
    secrets::Items one;
    one.push_back(std::move(item));
    CAIP_TRY(done, keeper_.seal(org, std::move(one)));
    sealed = std::move(done.front().data);
  }
  sealed.expose(Use::store_key, [&](BytesView b) { out.bytes.assign(b.begin(), b.end()); });
  CAIP_TRY(generation, secrets::sealed_under(out.bytes));
  out.generation = generation;
  return out;
}

// An organisation gets its data key with its first secret.
Result<void> SecretStore::ready(const OrgId& org) {
  const std::scoped_lock lock(first_key_);
  for (const auto& key : keeper_.inventory().keys)
    if (key.key == KeyClass::data && key.org == org) return {};
  CAIP_TRY(generation, keeper_.new_data_key(org));
  static_cast<void>(generation);
  return {};
}

namespace {

bool refuses(Code c) {
  return c == Code::conflict || c == Code::precondition_failed || c == Code::not_found || c == Code::invalid || c == Code::too_large || c == Code::malformed;
}

// What does not fit the state, or is no value, is refused in the log before its caller hears of it.
template <class A, class F>
auto on_record(audit::Ledger& ledger, const Authorized<A>& permit, F change) -> decltype(change()) {
  const AnyAction asked{permit.action()};
  const Principal who = permit.principal();
  auto done = change();
  if (!done && refuses(done.error().code)) CAIP_CHECKED(ledger.refuse(Denied{asked, who, done.error().code, done.error().detail}));
  return done;
}

}  // namespace

Result<SecretInfo> SecretStore::create(Authorized<CreateSecret>&& permit, SecretBytes value, Also also) {
  return on_record(ledger_, permit, [&]() -> Result<SecretInfo> {
    const CreateSecret action = permit.action();
    const OrgId org = *permit.principal().org;
    CAIP_CHECKED(acceptable(action.kind, value));
    const Instant now = clock_.now();
    CAIP_TRY(spent, std::move(permit).spend(now));
    CAIP_CHECKED(ready(org));
    SecretInfo info{.id = action.secret, .kind = action.kind, .name = action.name, .version = 1, .public_key = {}, .created = now, .replaced = {}};
    auto done = with_key([&]() -> Result<bool> {
      CAIP_TRY(sealed, seal(org, action.secret, action.kind, action.name, 1, copy_of(value)));
      auto tx = db_.begin_write();
      CAIP_TRY(oldest, oldest_key(tx, org));
      if (sealed.generation < oldest) return false;
      CAIP_TRY(taken, tx.one<std::int64_t>("SELECT 1 FROM secrets WHERE org = ?1 AND kind = ?2 AND name = ?3", org, text(action.kind), action.name.str(),
                                           [](const storage::Row& r) { return r.integer(0); }));
      if (taken) return fail(Code::conflict, "a secret of this kind has this name already");
      CAIP_CHECKED(tx.exec("INSERT INTO secrets (id, org, kind, name, version, generation, sealed, public_key, created) VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6, ?7, ?8)",
                           action.secret, org, text(action.kind), action.name.str(), sealed.generation, sealed.bytes, sealed.public_key, now));
      CAIP_CHECKED(tx.exec("UPDATE secret_keys SET uses = uses + 1 WHERE org = ?1", org));
      info.public_key = sealed.public_key;
      if (also) CAIP_CHECKED(also(tx));
      CAIP_TRY(receipt, ledger_.commit(std::move(tx), std::move(spent)));
      static_cast<void>(receipt);
      return true;
    });
    if (!done) return std::unexpected(std::move(done).error());
    return info;
  });
}

Result<SecretInfo> SecretStore::replace(Authorized<ReplaceSecret>&& permit, SecretBytes value, std::int64_t expected) {
  return on_record(ledger_, permit, [&]() -> Result<SecretInfo> {
    const ReplaceSecret action = permit.action();
    const OrgId org = *permit.principal().org;
    CAIP_CHECKED(acceptable(action.kind, value));
    const Instant now = clock_.now();
    CAIP_TRY(spent, std::move(permit).spend(now));
    auto done = with_key([&]() -> Result<bool> {
      CAIP_TRY(sealed, seal(org, action.secret, action.kind, action.name, expected + 1, copy_of(value)));
      auto tx = db_.begin_write();
      CAIP_TRY(oldest, oldest_key(tx, org));
      if (sealed.generation < oldest) return false;
      CAIP_TRY(row, row_of(tx, org, action.secret));
      if (!row || row->info.kind != action.kind || row->info.name != action.name) return no_such_secret();
      if (row->info.version != expected) return fail(Code::precondition_failed, "the secret was replaced meanwhile");
      CAIP_CHECKED(tx.exec("UPDATE secrets SET version = ?2, generation = ?3, sealed = ?4, public_key = ?5, replaced = ?6 WHERE id = ?1", action.secret,
                           expected + 1, sealed.generation, sealed.bytes, sealed.public_key, now));
      // The old value's copies in backups go the way of a deleted secret's.
      CAIP_CHECKED(tx.exec("UPDATE secret_keys SET uses = uses + 1, shred = 1 WHERE org = ?1", org));
      CAIP_TRY(receipt, ledger_.commit(std::move(tx), std::move(spent), {.detail = {{"version", expected + 1}}}));
      static_cast<void>(receipt);
      return true;
    });
    if (!done) return std::unexpected(std::move(done).error());
    return get(org, action.secret);
  });
}

namespace {

// The row is gone, and the organisation's data key will be.
Result<void> erase(storage::WriteTx& tx, const OrgId& org, const DeleteSecret& action, std::optional<std::int64_t> expected) {
  CAIP_TRY(row, row_of(tx, org, action.secret));
  if (!row || row->info.kind != action.kind || row->info.name != action.name) return no_such_secret();
  if (expected && row->info.version != *expected) return fail(Code::precondition_failed, "the secret was replaced meanwhile");
  CAIP_CHECKED(tx.exec("DELETE FROM secrets WHERE id = ?1", action.secret));
  CAIP_CHECKED(tx.exec("UPDATE secret_keys SET shred = 1 WHERE org = ?1", org));
  return {};
}

}  // namespace

Result<void> SecretStore::end_of(storage::WriteTx& tx, const OrgId& org) {
  CAIP_CHECKED(tx.exec("DELETE FROM secrets WHERE org = ?1", org));
  CAIP_CHECKED(tx.exec("DELETE FROM secret_keys WHERE org = ?1", org));
  CAIP_CHECKED(tx.exec("INSERT INTO ended_orgs (org) VALUES (?1)", org));
  return {};
}

Result<void> SecretStore::remove_within(storage::WriteTx& tx, Authorized<DeleteSecret>&& permit) {
  CAIP_CHECKED(erase(tx, *permit.principal().org, permit.action(), std::nullopt));
  CAIP_TRY(spent, std::move(permit).spend(clock_.now()));
  CAIP_CHECKED(ledger_.append(tx, std::move(spent)));
  return {};
}

Result<void> SecretStore::remove(Authorized<DeleteSecret>&& permit, std::int64_t expected) {
  return on_record(ledger_, permit, [&]() -> Result<void> {
    const DeleteSecret action = permit.action();
    const OrgId org = *permit.principal().org;
    CAIP_TRY(spent, std::move(permit).spend(clock_.now()));
    auto tx = db_.begin_write();
    CAIP_CHECKED(erase(tx, org, action, expected));
    CAIP_TRY(receipt, ledger_.commit(std::move(tx), std::move(spent)));
    static_cast<void>(receipt);
    return {};
  });
}

Result<Page<SecretInfo>> SecretStore::list(const OrgId& org, std::optional<SecretKind> kind, const PageAsk& ask) const {
  std::vector<SecretInfo> found;
  std::optional<Error> damage;
  std::optional<std::string> wanted;
  if (kind) wanted = std::string(text(*kind));
  const std::string after = ask.after ? ask.after->id : std::string();
  auto tx = db_.begin_read();
  CAIP_CHECKED(tx.query("SELECT id, kind, name, version, public_key, created, replaced FROM secrets"
                        " WHERE org = ?1 AND id > ?2 AND (?3 IS NULL OR kind = ?3) ORDER BY id LIMIT ?4",
                        org, after, wanted, static_cast<std::int64_t>(ask.limit) + 1, [&](const storage::Row& r) {
                          auto info = read_info(r);
                          if (info) found.push_back(*std::move(info));
                          else damage = info.error();
                        }));
  if (damage) return std::unexpected(*std::move(damage));
  return page_of(std::move(found), ask);
}

Result<SecretInfo> SecretStore::get(const OrgId& org, const SecretId& id) const {
  auto tx = db_.begin_read();
  CAIP_TRY(row, row_of(tx, org, id));
  if (!row) return no_such_secret();
  return std::move(row->info);
}

Result<std::optional<SecretInfo>> SecretStore::find(const OrgId& org, SecretKind kind, const SecretName& name) const {
  auto tx = db_.begin_read();
  CAIP_TRY(found, tx.one<Result<SecretInfo>>("SELECT id, kind, name, version, public_key, created, replaced FROM secrets WHERE org = ?1 AND kind = ?2 AND name = ?3",
                                             org, text(kind), name.str(), read_info));
  if (!found) return std::optional<SecretInfo>();
  CAIP_TRY(info, *std::move(found));
  return std::optional<SecretInfo>(std::move(info));
}

Result<std::vector<KindCount>> SecretStore::counts(const OrgId& org) const {
  std::vector<KindCount> out;
  for (const SecretKind kind : kSecretKinds) out.push_back({kind, 0});
  auto tx = db_.begin_read();
  CAIP_CHECKED(tx.query("SELECT kind, count(*) FROM secrets WHERE org = ?1 GROUP BY kind", org, [&](const storage::Row& r) {
    for (auto& k : out)
      if (text(k.kind) == r.text_view(0)) k.count = r.integer(1);
  }));
  return out;
}

Result<secrets::Items> SecretStore::rows_for(const OrgId& org, SecretUse what, const std::vector<SecretId>& ids) const {
  secrets::Items items;
  auto tx = db_.begin_read();
  items.reserve(ids.size());
  std::size_t bytes = 0;
  for (const auto& id : ids) {
    CAIP_TRY(item, tx.one<Result<secrets::Item>>("SELECT kind, version, sealed FROM secrets WHERE org = ?1 AND id = ?2", org, id,
                                                 [&](const storage::Row& r) -> Result<secrets::Item> {
                                                   CAIP_TRY(kind, parse_secret_kind(r.text_view(0)));
                                                   return secrets::Item{.id = id, .kind = kind, .version = static_cast<std::uint32_t>(r.integer(1)),
                                                                        .field = kField, .data = SecretBytes(r.blob(2))};
                                                 }));
    if (!item) return no_such_secret();
    CAIP_TRY(found, *std::move(item));
    if (use_of(found.kind) != what) return fail(Code::forbidden, "a secret of another kind than this use is for");
    if ((bytes += found.data.size()) > kMostBytes) return fail(Code::too_large, "more than 2 MiB of secrets in one use");
    items.push_back(std::move(found));
  }
  return items;
}

// Logs the use, then has `f` do it; what is refused, or does not open after all, is an entry too. A rotation may end between our read and the keeper's answer:
// then the rows are sealed under the newer key by now, and are read again.
template <class A, class F>
auto SecretStore::use(Authorized<A>&& permit, SecretUse what, Also also, F f) -> decltype(f(secrets::Items())) {
  const std::vector<SecretId> ids = permit.action().secrets;
  const Principal who = permit.principal();
  const OrgId org = *who.org;
  const auto refuse = [&, action = AnyAction{permit.action()}](Error e) -> std::unexpected<Error> {
    if (auto logged = ledger_.refuse(Denied{action, who, e.code, e.detail}); !logged) return std::unexpected(std::move(logged).error());
    return std::unexpected(std::move(e));
  };
  CAIP_TRY(spent, std::move(permit).spend(clock_.now()));
  auto items = rows_for(org, what, ids);
  if (!items) return refuse(std::move(items).error());
  auto tx = db_.begin_write();
  if (also) CAIP_CHECKED(also(tx));
  CAIP_TRY(receipt, ledger_.commit(std::move(tx), std::move(spent)));
  static_cast<void>(receipt);
  auto result = f(*std::move(items));
  for (int n = 1; n < kTries && !result && result.error().code == Code::storage_failed; ++n) {
    auto again = rows_for(org, what, ids);
    if (!again) return refuse(std::move(again).error());
    result = f(*std::move(again));
  }
  if (!result) return refuse(std::move(result).error());
  return result;
}

namespace {

std::vector<SecretBytes> values(secrets::Items opened) {
  std::vector<SecretBytes> out;
  for (auto& item : opened) out.push_back(std::move(item.data));
  return out;
}

}  // namespace

Result<std::vector<SecretBytes>> SecretStore::open(Authorized<UseSecrets>&& permit) {
  const OrgId org = *permit.principal().org;
  const SecretUse what = permit.action().use;
  const std::size_t count = permit.action().secrets.size();
  if (count == 0 || count > kMostUses) return fail(Code::invalid, "a use names 1 to 256 secrets");
  CAIP_TRY(opened, use(std::move(permit), what, {}, [&](secrets::Items items) { return keeper_.open(org, what, std::move(items)); }));
  return values(std::move(opened));
}

Result<std::vector<SecretBytes>> SecretStore::open_to_send(Authorized<SendNotification>&& permit, Also claim) {
  const OrgId org = *permit.principal().org;
  CAIP_TRY(opened, use(std::move(permit), SecretUse::notify, std::move(claim), [&](secrets::Items items) -> Result<secrets::Items> {
             if (items.empty()) return items;
             return keeper_.open(org, SecretUse::notify, std::move(items));
           }));
  return values(std::move(opened));
}

Result<std::vector<NamedValue>> SecretStore::open_to_place(Authorized<SendEnv>&& permit, const std::map<SecretId, std::int64_t>& versions) {
  const OrgId org = *permit.principal().org;
  CAIP_TRY(opened, use(std::move(permit), SecretUse::server_env, {}, [&](secrets::Items items) -> Result<secrets::Items> {
             for (const auto& item : items) {
               const auto wanted = versions.find(item.id);
               if (wanted == versions.end() || wanted->second != item.version) return fail(Code::conflict, "a secret was replaced since; place the env values again");
             }
             return keeper_.open(org, SecretUse::server_env, std::move(items));
           }));
  std::vector<NamedValue> out;
  for (auto& item : opened) {
    CAIP_TRY(info, get(org, item.id));
    out.push_back({info.name, std::move(item.data)});
  }
  return out;
}

Result<Bytes> SecretStore::ssh_sign(Authorized<UseSecrets>&& permit, BytesView message) {
  const OrgId org = *permit.principal().org;
  if (permit.action().use != SecretUse::ssh_sign || permit.action().secrets.size() != 1) return fail(Code::invalid, "one SSH key signs");
  return use(std::move(permit), SecretUse::ssh_sign, {}, [&](secrets::Items items) { return keeper_.ssh_sign(org, std::move(items.front()), message); });
}

}  // namespace caip::vault
