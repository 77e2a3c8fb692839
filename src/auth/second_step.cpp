// The second step of a sign-in, whatever the first was.
#include "accounts_impl.h"
#include "auth/accounts.h"
#include "auth/passkeys.h"

namespace caip::auth {

Result<UserId> Accounts::halfway(std::string_view token) const {
  const auto found = impl_->waiting.find(token, impl_->clock.now());
  if (!found) return fail(Code::unauthenticated, "sign in again: the second step took too long or failed too often");
  return found->user.id;
}

Result<std::optional<UserId>> Accounts::first_step_of(std::string_view token) const {
  const auto found = impl_->waiting.find(token, impl_->clock.now());
  if (!found) return std::optional<UserId>{};
  auto tx = impl_->database.begin_read();
  CAIP_TRY(now_on, user_by_id(tx, found->user.id));
  const bool same = now_on && now_on->epoch == found->user.epoch && now_on->password == found->user.password;
  return same ? std::optional(found->user.id) : std::nullopt;
}

namespace {

// The account that somebody began with must be theirs still.
Result<void> still_linked(storage::Reader& tx, const Halfway::Person& p) {
  if (!p.identity) return {};
  CAIP_TRY(there, tx.one<bool>("SELECT 1 FROM identities WHERE id = ?1 AND user = ?2", *p.identity, p.user.id, [](const storage::Row&) { return true; }));
  if (!there) return fail(Code::conflict, "the account that you signed in with was unlinked meanwhile; sign in again");
  return {};
}

// Somebody was faster, or the account changed: no fault of the system, and worth an entry.
bool lost(const Error& e) { return e.code == Code::bad_credentials || e.code == Code::conflict; }

}  // namespace

Result<Entered<ProveFactor>> Accounts::prove_factor(Authorized<ProveFactor>&& permit, std::string_view token, std::string_view code) {
  const ProveFactor action = permit.action();
  const auto found = impl_->waiting.find(token, impl_->clock.now());
  if (!found || found->user.id != action.user) return not_signed_in();
  Principal about = permit.principal();
  CAIP_TRY(org, impl_->acted_last_in(action.user));
  about.org = org;  // whose entry a wrong code is
  CAIP_TRY(turn, impl_->turn_for_code(action, about, action.user, code));
  if (!impl_->waiting.take_try(token, impl_->clock.now())) return not_signed_in();
  CAIP_TRY(use, impl_->right_code(action, about, action.user, code, turn, Code::bad_credentials));
  if (!impl_->waiting.leave(token)) return not_signed_in();
  const auto note = [&](storage::WriteTx& tx, Instant) -> Result<void> {
    CAIP_CHECKED(still_linked(tx, *found));
    return impl_->use_up(tx, action.user, use, turn);
  };
  auto in = impl_->enter(std::move(permit), found->user, found->device_token, found->identity ? "identity:" + found->identity->str() : "password", note, {{"first", found->method}, {"factor", text(use.kind)}});
  if (!in && lost(in.error())) return impl_->refuse(action, about, in.error().code, in.error().detail, in.error().detail);
  return in;
}

Result<Entered<ProveFactor>> Accounts::sign_in_with_passkey(Authorized<ProveFactor>&& permit, const PasskeyUse& use, std::string_view device_token) {
  const ProveFactor action = permit.action();
  Principal about = permit.principal();
  CAIP_TRY(org, impl_->acted_last_in(use.user));
  about.org = org;
  std::optional<UserRow> user;
  {
    auto tx = impl_->database.begin_read();
    CAIP_TRY(found, user_by_id(tx, use.user));
    user = std::move(found);
  }
  if (!user) return not_signed_in();
  auto in = impl_->enter(std::move(permit), *user, device_token, "passkey:" + use.factor.str(), [&](storage::WriteTx& tx, Instant now) { return Passkeys::use_up(tx, use, now); },
                         {{"factor", text(FactorKind::passkey)}, {"passkey", use.factor.str()}, {"second", use.second}});
  if (!in && lost(in.error())) return impl_->refuse(action, about, in.error().code, in.error().detail, in.error().detail);
  if (in) impl_->waiting.forget(use.user);
  return in;
}

}  // namespace caip::auth
