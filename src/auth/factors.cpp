#include "auth/factors.h"

#include "additions.h"

#include "audit/ledger.h"
#include "base/product.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "crypto/totp.h"
#include "rows.h"
#include "secrets/keeper.h"
#include "storage/database.h"

namespace caip::auth {
namespace {

struct TotpRow {
  FactorId id;
  Bytes salt;
  std::int64_t last_step = 0;
  Instant created;
};

Result<std::optional<TotpRow>> totp_of(storage::Reader& tx, const UserId& user) {
  CAIP_TRY(row, tx.one<Result<TotpRow>>("SELECT id, salt, last_step, created FROM totp WHERE user = ?1", user, [](const storage::Row& r) -> Result<TotpRow> {
    CAIP_TRY(id, r.id<FactorId>(0));
    return TotpRow{id, r.blob(1), r.integer(2), r.time(3)};
  }));
  if (!row) return std::optional<TotpRow>{};
  CAIP_TRY(found, *std::move(row));
  return std::optional<TotpRow>{std::move(found)};
}

// The step whose code this is, later than the last one that was used.
std::optional<std::int64_t> step_of(const SecretBytes& secret, std::string_view code, std::int64_t after, Instant now) {
  std::optional<std::int64_t> found;
  const std::int64_t here = crypto::totp_step(now);
  for (const std::int64_t step : {here - 1, here, here + 1})
    if (crypto::equal_ct(view(crypto::totp_code(secret, step)), view(code)) && step > after) found = step;
  return found;
}

// As people type it: small or capital letters, with or without the dashes.
Digest code_hash(std::string_view typed) {
  std::string plain;
  for (const char c : typed)
    if (c != '-' && c != ' ') plain += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return crypto::sha256(view(plain));
}

std::string dashed(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 4) out += (i ? "-" : "") + std::string(text.substr(i, 4));
  return out;
}

}  // namespace

bool is_totp(std::string_view code) { return code.size() == 6 && code.find_first_not_of("0123456789") == code.npos; }

// 160 bits, as RFC 4226 section 4 recommends. The keeper's key is under every code; a password that begins
// like this text is hashed further and seen by nobody.
Result<SecretBytes> Factors::totp_secret(const UserId& user, BytesView salt) const {
  CAIP_TRY(mac, keeper_.pepper_hmac(view("caip totp v1\n" + user.str() + "\n" + hex(salt))));
  mac.resize(20);
  return SecretBytes(std::move(mac));
}

Result<FactorState> Factors::state(storage::Reader& tx, const UserId& user) const {
  FactorState s;
  CAIP_TRY(totp, totp_of(tx, user));
  if (totp) s.totp = totp->id, s.totp_since = totp->created;
  CAIP_TRY(left, tx.one<std::int64_t>("SELECT count(*) FROM recovery_codes WHERE user = ?1", user, [](const storage::Row& r) { return r.integer(0); }));
  s.recovery_codes = left.value_or(0);
  CAIP_TRY(passkeys, tx.one<std::int64_t>("SELECT count(*) FROM passkeys WHERE user = ?1", user, [](const storage::Row& r) { return r.integer(0); }));
  s.passkeys = passkeys.value_or(0);
  return s;
}

Result<FactorState> Factors::state(const UserId& user) const {
  auto tx = database_.begin_read();
  return state(tx, user);
}

Result<TotpOffer> Factors::offer_totp(const Session& session, const Email& email) {
  CAIP_TRY(now_on, state(session.user()));
  if (now_on.totp) return fail(Code::conflict, "an authenticator app is set up already; remove it first");
  Bytes salt = crypto::random_bytes(16);
  CAIP_TRY(secret, totp_secret(session.user(), salt));
  const Instant now = clock_.now();
  offers_.with([&](auto& all) {
    std::erase_if(all, [&](const auto& o) { return o.second.until <= now; });
    all.insert_or_assign(session.user(), Offered{std::move(salt), now + kOfferLifetime});
  });
  TotpOffer out;
  secret.expose(Use::hand_to_client, [&](BytesView b) { out.secret = crypto::base32(b); });
  out.uri = "otpauth://totp/" + std::string(kProductName) + ":" + email.str() + "?secret=" + out.secret + "&issuer=" + std::string(kProductName);
  return out;
}

Result<RecoveryCodes> Factors::fresh_codes(storage::WriteTx& tx, const UserId& user) {
  CAIP_CHECKED(tx.exec("DELETE FROM recovery_codes WHERE user = ?1", user));
  RecoveryCodes codes;
  for (std::size_t i = 0; i < kCodes; ++i) {
    codes.push_back(dashed(crypto::base32(crypto::random_bytes(10))));
    CAIP_CHECKED(tx.exec("INSERT INTO recovery_codes (user, hash) VALUES (?1, ?2)", user, code_hash(codes.back())));
  }
  return codes;
}

Result<RecoveryCodes> Factors::codes_if_none(storage::WriteTx& tx, const UserId& user) {
  CAIP_TRY(some, tx.one<bool>("SELECT 1 FROM recovery_codes WHERE user = ?1 LIMIT 1", user, [](const storage::Row&) { return true; }));
  if (some) return RecoveryCodes{};
  return fresh_codes(tx, user);
}

Result<RecoveryCodes> Factors::add_totp(Authorized<AddFactor>&& permit, std::string_view code) {
  const AddFactor action = permit.action();
  const UserId user = *permit.principal().user;
  const SessionId session = *permit.principal().session;
  const Instant now = clock_.now();
  const auto offered = offers_.with([&](auto& all) -> std::optional<Offered> {
    const auto it = all.find(user);
    return it == all.end() || it->second.until <= now ? std::nullopt : std::optional(it->second);
  });
  if (!offered) return fail(Code::expired, "begin again: the offer has expired");
  CAIP_TRY(secret, totp_secret(user, offered->salt));
  const auto step = step_of(secret, code, 0, now);
  if (!step) return fail(Code::invalid, "the code is wrong; check the clock of your device");
  CAIP_TRY(spent, std::move(permit).spend(now));
  auto tx = database_.begin_write();
  CAIP_TRY(before, state(tx, user));
  if (before.totp) return fail(Code::conflict, "an authenticator app is set up already");
  CAIP_CHECKED(tx.exec("INSERT INTO totp (user, id, salt, last_step, created) VALUES (?1, ?2, ?3, ?4, ?5)", user, action.factor, offered->salt, *step, now));
  CAIP_TRY(codes, codes_if_none(tx, user));
  CAIP_TRY(ended, end_sessions_but(tx, user, session, now));
  CAIP_CHECKED(note_addition(tx, user, session, "totp", action.factor.str(), now));
  CAIP_CHECKED(notices_.changed(tx, user, "an authenticator app was added", now, session));
  CAIP_CHECKED(ledger_.commit(std::move(tx), std::move(spent), {.detail = {{"ended_sessions", ended}}}));
  offers_.with([&](auto& all) { all.erase(user); });
  return codes;
}

Result<Receipt<RemoveFactor>> Factors::remove(Authorized<RemoveFactor>&& permit) {
  const RemoveFactor action = permit.action();
  const UserId user = *permit.principal().user;
  const SessionId session = *permit.principal().session;
  const Instant now = clock_.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  auto tx = database_.begin_write();
  CAIP_TRY(gone, tx.exec("DELETE FROM totp WHERE user = ?1 AND id = ?2", user, action.factor));
  CAIP_TRY(passkey, tx.exec("DELETE FROM passkeys WHERE user = ?1 AND id = ?2", user, action.factor));
  if (gone + passkey == 0) return fail(Code::not_found, "no such factor");
  CAIP_TRY(left, state(tx, user));
  if (!left.any()) CAIP_CHECKED(tx.exec("DELETE FROM recovery_codes WHERE user = ?1", user));
  CAIP_TRY(ended, end_sessions_but(tx, user, session, now));
  CAIP_CHECKED(notices_.changed(tx, user, gone ? "an authenticator app was removed" : "a passkey was removed", now, session));
  return ledger_.commit(std::move(tx), std::move(spent), {.detail = {{"ended_sessions", ended}}});
}

Result<RecoveryCodes> Factors::renew_codes(Authorized<RenewRecoveryCodes>&& permit) {
  const UserId user = *permit.principal().user;
  const auto session = permit.principal().session;
  const Instant now = clock_.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  auto tx = database_.begin_write();
  CAIP_TRY(now_on, state(tx, user));
  if (!now_on.any()) return fail(Code::conflict, "recovery codes come with a second factor; set one up first");
  CAIP_TRY(codes, fresh_codes(tx, user));
  CAIP_CHECKED(note_addition(tx, user, session, "codes", "", now));
  CAIP_CHECKED(notices_.changed(tx, user, "new recovery codes were made; the old ones end", now, session));
  CAIP_CHECKED(ledger_.commit(std::move(tx), std::move(spent)));
  return codes;
}

Result<std::optional<FactorUse>> Factors::recognise(storage::Reader& tx, const UserId& user, std::string_view code) const {
  if (code.empty() || code.size() > 64) return std::optional<FactorUse>{};
  if (is_totp(code)) {
    CAIP_TRY(totp, totp_of(tx, user));
    if (!totp) return std::optional<FactorUse>{};
    CAIP_TRY(secret, totp_secret(user, totp->salt));
    const auto step = step_of(secret, code, totp->last_step, clock_.now());
    return step ? std::optional(FactorUse{.kind = FactorKind::totp, .step = *step}) : std::nullopt;
  }
  const Digest hash = code_hash(code);
  CAIP_TRY(found, tx.one<bool>("SELECT 1 FROM recovery_codes WHERE user = ?1 AND hash = ?2", user, hash, [](const storage::Row&) { return true; }));
  return found ? std::optional(FactorUse{.kind = FactorKind::recovery_code, .code = hash}) : std::nullopt;
}

Result<void> Factors::use_up(storage::WriteTx& tx, const UserId& user, const FactorUse& use) {
  if (use.kind == FactorKind::totp) {
    CAIP_TRY(taken, tx.exec("UPDATE totp SET last_step = ?2 WHERE user = ?1 AND last_step < ?2", user, use.step));
    if (taken != 1) return fail(Code::bad_credentials, "this code was used already");
    return {};
  }
  CAIP_TRY(taken, tx.exec("DELETE FROM recovery_codes WHERE user = ?1 AND hash = ?2", user, use.code));
  if (taken != 1) return fail(Code::bad_credentials, "this code was used already");
  return {};
}

}  // namespace caip::auth
