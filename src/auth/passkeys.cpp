#include "auth/passkeys.h"

#include "additions.h"

#include "audit/ledger.h"
#include "base/make_room.h"
#include "base/network.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "rows.h"
#include "storage/database.h"

namespace caip::auth {
namespace {

constexpr std::size_t kMostName = 64;

Result<void> good_name(std::string_view name) {
  if (name.empty() || name.size() > kMostName || has_hidden(name)) return fail(Code::invalid, "a passkey's name is 1 to 64 visible characters");
  return {};
}

std::string unguessable() { return base64url(crypto::random_bytes(32)); }

Result<std::vector<std::string>> credentials_of(storage::Reader& tx, const UserId& user, bool suspended) {
  std::vector<std::string> out;
  CAIP_CHECKED(tx.query("SELECT credential FROM passkeys WHERE user = ?1 AND (?2 OR suspended IS NULL)", user, suspended, [&](const storage::Row& r) { out.push_back(base64url(r.blob_view(0))); }));
  return out;
}

}  // namespace

struct Passkeys::Known {
  PasskeyUse owner;
  passkeys::Credential credential;
  bool suspended;
  std::optional<OrgId> org;  // whose log has its refusals: where its owner acted last
};

Result<std::optional<Passkeys::Known>> Passkeys::by_credential(storage::Reader& tx, BytesView credential) {
  CAIP_TRY(row, tx.one<Result<Known>>("SELECT user, id, algorithm, public_key, count, suspended FROM passkeys WHERE credential = ?1",
                                      credential, [&](const storage::Row& r) -> Result<Known> {
    CAIP_TRY(user, r.id<UserId>(0));
    CAIP_TRY(id, r.id<FactorId>(1));
    return Known{{user, id, r.integer(4), 0},
                 {.id = Bytes(credential.begin(), credential.end()), .algorithm = static_cast<int>(r.integer(2)), .public_key = r.blob(3), .count = r.integer(4)},
                 r.optional_time(5).has_value(), std::nullopt};
  }));
  if (!row) return std::optional<Known>{};
  CAIP_TRY(found, *std::move(row));
  CAIP_TRY(there, last_org(tx, found.owner.user));
  found.org = there;
  return std::optional<Known>{std::move(found)};
}

Result<std::vector<PasskeyInfo>> Passkeys::list(const UserId& user) const {
  auto tx = database_.begin_read();
  std::vector<PasskeyInfo> out;
  Result<void> bad;
  CAIP_CHECKED(tx.query("SELECT id, name, created, used, suspended FROM passkeys WHERE user = ?1 ORDER BY created, id", user, [&](const storage::Row& r) {
    auto id = r.id<FactorId>(0);
    if (!id) bad = std::unexpected<Error>(std::move(id).error());
    else out.push_back({*id, r.text(1), r.time(2), r.optional_time(3), r.optional_time(4).has_value()});
  }));
  CAIP_CHECKED(std::move(bad));
  return out;
}

Result<PasskeyChallenge> Passkeys::challenge(const std::optional<UserId>& user, std::string_view address) {
  PasskeyChallenge out{unguessable(), unguessable(), site_.id, {}};
  if (user) {
    auto tx = database_.begin_read();
    CAIP_TRY(known, credentials_of(tx, *user, true));
    if (known.size() >= kMostOfOne) return fail(Code::conflict, "too many passkeys; remove one first");
    out.known = std::move(known);
  }
  keep({crypto::sha256(view(out.token)), out.challenge, user, {}, user ? user->str() : network_of(address), clock_.now() + kChallengeLifetime});
  return out;
}

Result<PasskeyChallenge> Passkeys::challenge_again(const Session& session) {
  PasskeyChallenge out{unguessable(), unguessable(), site_.id, {}};
  auto tx = database_.begin_read();
  CAIP_TRY(known, credentials_of(tx, session.user(), false));
  if (known.empty()) return fail(Code::not_found, "you have no passkey");
  out.known = std::move(known);
  keep({crypto::sha256(view(out.token)), out.challenge, {}, session.id(), session.user().str(), clock_.now() + kChallengeLifetime});
  return out;
}

void Passkeys::keep(Waiting fresh) {
  const Instant now = clock_.now();
  waiting_.with([&](std::list<Waiting>& all) {
    all.remove_if([&](const Waiting& w) { return w.until <= now; });
    make_room(all, [&](const Waiting& w) { return w.owner == fresh.owner; }, kMostChallengesOfOne, kMostChallenges);
    all.push_back(std::move(fresh));
  });
}

Result<Passkeys::Waiting> Passkeys::take(std::string_view token, const Purpose& of) {
  const Instant now = clock_.now();
  auto found = waiting_.with([name = crypto::sha256(view(token))](std::list<Waiting>& all) -> std::optional<Waiting> {
    const auto it = std::ranges::find(all, name, &Waiting::token);
    if (it == all.end()) return std::nullopt;
    std::optional out(std::move(*it));
    all.erase(it);
    return out;
  });
  if (!found || found->until <= now || found->user != of.user || found->session != of.session) return fail(Code::bad_credentials, "no challenge was given to this browser, or it is too old");
  return *std::move(found);
}

Result<RecoveryCodes> Passkeys::add(Authorized<AddFactor>&& permit, std::string_view token, std::string_view name, std::string_view client_data,
                                    BytesView attestation) {
  const AddFactor action = permit.action();
  const UserId user = *permit.principal().user;
  const SessionId session = *permit.principal().session;
  CAIP_CHECKED(good_name(name));
  CAIP_TRY(waiting, take(token, {.user = user}));
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
  CAIP_TRY(ended, end_sessions_but(tx, user, session, now));
  CAIP_CHECKED(note_addition(tx, user, session, "passkey", action.factor.str(), now));
  CAIP_CHECKED(notices_.changed(tx, user, "a passkey was added", now, session));  // its name is whatever somebody typed
  CAIP_CHECKED(ledger_.commit(std::move(tx), std::move(spent), {.detail = {{"name", std::string(name)}, {"ended_sessions", ended}}}));
  return codes;
}

Result<Receipt<RenameFactor>> Passkeys::rename(Authorized<RenameFactor>&& permit, std::string_view name) {
  const RenameFactor action = permit.action();
  const UserId user = *permit.principal().user;
  const auto session = permit.principal().session;
  CAIP_CHECKED(good_name(name));
  CAIP_TRY(spent, std::move(permit).spend(clock_.now()));
  auto tx = database_.begin_write();
  CAIP_TRY(before, tx.one<std::string>("SELECT name FROM passkeys WHERE user = ?1 AND id = ?2", user, action.factor, [](const storage::Row& r) { return r.text(0); }));
  if (!before) return fail(Code::not_found, "no such passkey");
  CAIP_CHECKED(tx.exec("UPDATE passkeys SET name = ?3 WHERE user = ?1 AND id = ?2", user, action.factor, name));
  // Whoever swaps names has the owner remove the wrong one.
  CAIP_CHECKED(notices_.changed(tx, user, "a passkey was given another name", clock_.now(), session));
  return ledger_.commit(std::move(tx), std::move(spent), {.detail = {{"from", *before}, {"name", std::string(name)}}});
}

// One text, whatever it was: the reason is for the log, which is that of the passkey's owner where it is known.
std::unexpected<Error> Passkeys::refuse(const Principal& who, const std::optional<Known>& known, const Error& error) {
  Denied denied{SignInWith{"passkey", Foreign()}, who, Code::bad_credentials, error.detail};
  if (known) {
    denied.action = ProveFactor{known->owner.user};
    denied.principal.org = known->org;
  }
  return refuse(std::move(denied), known, error);
}

std::unexpected<Error> Passkeys::refuse(Denied denied, const std::optional<Known>& known, const Error& error) {
  const bool copied = known && error.code == Code::conflict;
  if (known) denied.reason += " (" + known->owner.factor.str() + ")";
  const auto logged = ledger_.refuse(denied, [&](storage::WriteTx& tx) -> Result<void> {
    if (!copied) return {};
    CAIP_CHECKED(tx.exec("UPDATE passkeys SET suspended = ?2 WHERE id = ?1", known->owner.factor, clock_.now()));
    return notices_.changed(tx, known->owner.user, "a passkey was suspended: it may have been copied", clock_.now());
  }, {}, copied ? audit::Ledger::Room::always : audit::Ledger::Room::if_there_is);
  if (!logged) return std::unexpected(logged.error());
  return fail(Code::bad_credentials, "the passkey was not accepted");
}

Result<PasskeyUse> Passkeys::recognise(const Principal& who, std::string_view token, BytesView credential, const passkeys::Assertion& said, const std::optional<UserId>& first_step) {
  const auto waiting = take(token, {});
  std::optional<Known> known;
  {
    auto tx = database_.begin_read();
    CAIP_TRY(found, by_credential(tx, credential));
    known = std::move(found);
  }
  if (!waiting) return refuse(who, known, waiting.error());
  if (!known) return refuse(who, known, Error{Code::bad_credentials, "this passkey is not known here"});
  known->owner.second = first_step == known->owner.user;
  if (known->suspended && !known->owner.second) return refuse(who, known, Error{Code::bad_credentials, "this passkey is suspended: it may have been copied"});
  const auto count = passkeys::verify_assertion(site_, waiting->challenge, known->credential, said);
  if (!count) return refuse(who, known, count.error());
  known->owner.count = *count;
  return known->owner;
}

Result<PasskeyUse> Passkeys::recognise_again(const Session& session, std::string_view token, BytesView credential, const passkeys::Assertion& said) {
  std::optional<Known> known;
  {
    auto tx = database_.begin_read();
    CAIP_TRY(found, by_credential(tx, credential));
    known = std::move(found);
  }
  const bool theirs = known && known->owner.user == session.user();
  const auto no = [&](const Error& error) {  // whose passkey it is instead is not for this person's log
    return refuse(Denied{StepUpSession{session.id()}, session.principal(), Code::bad_credentials, error.detail}, theirs ? known : std::nullopt, error);
  };
  const auto waiting = take(token, {.session = session.id()});
  if (!waiting) return no(waiting.error());
  if (!known) return no(Error{Code::bad_credentials, "this passkey is not known here"});
  if (!theirs) return no(Error{Code::bad_credentials, "another person's passkey"});
  if (known->suspended) return no(Error{Code::bad_credentials, "this passkey is suspended: it may have been copied"});
  const auto count = passkeys::verify_assertion(site_, waiting->challenge, known->credential, said);
  if (!count) return no(count.error());
  known->owner.count = *count;
  return known->owner;
}

Result<void> Passkeys::use_up(storage::WriteTx& tx, const PasskeyUse& use, Instant now) {
  CAIP_TRY(taken, tx.exec("UPDATE passkeys SET count = ?3, used = ?4 WHERE id = ?1 AND count = ?2 AND (suspended IS NULL OR ?5)", use.factor, use.before, use.count, now, use.second));
  if (taken != 1) return fail(Code::bad_credentials, "the passkey was used or removed meanwhile");
  return {};
}

}  // namespace caip::auth
