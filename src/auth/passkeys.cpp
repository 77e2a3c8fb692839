#include "auth/passkeys.h"

#include "audit/ledger.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "storage/database.h"

namespace caip::auth {
namespace {

constexpr std::size_t kMostName = 64;

std::string unguessable() { return base64url(crypto::random_bytes(32)); }

Result<std::vector<std::string>> credentials_of(storage::Reader& tx, const UserId& user) {
  std::vector<std::string> out;
  CAIP_CHECKED(tx.query("SELECT credential FROM passkeys WHERE user = ?1", user, [&](const storage::Row& r) { out.push_back(base64url(r.blob_view(0))); }));
  return out;
}

struct Known {
  PasskeyUse owner;
  passkeys::Credential credential;
};

Result<std::optional<Known>> by_credential(storage::Reader& tx, BytesView credential) {
  CAIP_TRY(row, tx.one<Result<Known>>("SELECT user, id, algorithm, public_key, count FROM passkeys WHERE credential = ?1",
                                      credential, [&](const storage::Row& r) -> Result<Known> {
    CAIP_TRY(user, r.id<UserId>(0));
    CAIP_TRY(id, r.id<FactorId>(1));
    return Known{{user, id, r.integer(4), 0},
                 {.id = Bytes(credential.begin(), credential.end()), .algorithm = static_cast<int>(r.integer(2)), .public_key = r.blob(3), .count = r.integer(4)}};
  }));
  if (!row) return std::optional<Known>{};
  CAIP_TRY(found, *std::move(row));
  return std::optional<Known>{std::move(found)};
}

}  // namespace

Result<std::vector<PasskeyInfo>> Passkeys::list(const UserId& user) const {
  auto tx = database_.begin_read();
  std::vector<PasskeyInfo> out;
  Result<void> bad;
  CAIP_CHECKED(tx.query("SELECT id, name, created, used FROM passkeys WHERE user = ?1 ORDER BY created, id", user, [&](const storage::Row& r) {
    auto id = r.id<FactorId>(0);
    if (!id) bad = std::unexpected<Error>(std::move(id).error());
    else out.push_back({*id, r.text(1), r.time(2), r.optional_time(3)});
  }));
  CAIP_CHECKED(std::move(bad));
  return out;
}

Result<PasskeyChallenge> Passkeys::challenge(const std::optional<UserId>& user) {
  PasskeyChallenge out{unguessable(), unguessable(), site_.id, {}};
  if (user) {
    auto tx = database_.begin_read();
    CAIP_TRY(known, credentials_of(tx, *user));
    if (known.size() >= kMostOfOne) return fail(Code::conflict, "too many passkeys; remove one first");
    out.known = std::move(known);
  }
  const Instant now = clock_.now();
  const bool room = waiting_.with([&](auto& all) {
    std::erase_if(all, [&](const auto& w) { return w.second.until <= now; });
    if (all.size() >= kMostChallenges) return false;
    all.emplace(crypto::sha256(view(out.token)), Waiting{out.challenge, user, now + kChallengeLifetime});
    return true;
  });
  if (!room) return fail(Code::too_many, "too many sign-ins at once; try again in a few minutes");
  return out;
}

Result<Passkeys::Waiting> Passkeys::take(std::string_view token, const std::optional<UserId>& user) {
  const Instant now = clock_.now();
  auto found = waiting_.with([&](auto& all) -> std::optional<Waiting> {
    const auto node = all.extract(crypto::sha256(view(token)));
    return node ? std::optional(std::move(node.mapped())) : std::nullopt;
  });
  if (!found || found->until <= now || found->user != user) return fail(Code::bad_credentials, "no challenge was given to this browser, or it is too old");
  return *std::move(found);
}

Result<RecoveryCodes> Passkeys::add(Authorized<AddFactor>&& permit, std::string_view token, std::string_view name, std::string_view client_data,
                                    BytesView attestation) {
  const AddFactor action = permit.action();
  const UserId user = *permit.principal().user;
  if (name.empty() || name.size() > kMostName || has_hidden(name)) return fail(Code::invalid, "a passkey's name is 1 to 64 visible characters");
  CAIP_TRY(waiting, take(token, user));
  auto made = passkeys::verify_registration(site_, waiting.challenge, client_data, attestation);
  if (!made) return fail(Code::invalid, made.error().detail);
  const Instant now = clock_.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  auto tx = database_.begin_write();
  CAIP_TRY(taken, by_credential(tx, made->id));
  if (taken) return fail(Code::conflict, "this passkey is known already");
  CAIP_CHECKED(tx.exec("INSERT INTO passkeys (id, user, credential, algorithm, public_key, count, name, created) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                       action.factor, user, made->id, static_cast<std::int64_t>(made->algorithm), made->public_key, made->count, name, now));
  CAIP_TRY(codes, Factors::codes_if_none(tx, user));
  CAIP_CHECKED(ledger_.commit(std::move(tx), std::move(spent), {.detail = {{"name", std::string(name)}}}));
  return codes;
}

Result<PasskeyUse> Passkeys::recognise(std::string_view token, BytesView credential, const passkeys::Assertion& said) {
  CAIP_TRY(waiting, take(token, std::nullopt));
  auto tx = database_.begin_read();
  CAIP_TRY(known, by_credential(tx, credential));
  if (!known) return fail(Code::bad_credentials, "this passkey is not known here");
  CAIP_TRY(count, passkeys::verify_assertion(site_, waiting.challenge, known->credential, said));
  known->owner.count = count;
  return known->owner;
}

Result<void> Passkeys::use_up(storage::WriteTx& tx, const PasskeyUse& use, Instant now) {
  CAIP_TRY(taken, tx.exec("UPDATE passkeys SET count = ?3, used = ?4 WHERE id = ?1 AND count = ?2", use.factor, use.before, use.count, now));
  if (taken != 1) return fail(Code::bad_credentials, "the passkey was used or removed meanwhile");
  return {};
}

}  // namespace caip::auth
