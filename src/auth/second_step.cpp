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

Result<Entered<ProveFactor>> Accounts::prove_factor(Authorized<ProveFactor>&& permit, std::string_view token, std::string_view code) {
  const ProveFactor action = permit.action();
  const Principal who = permit.principal();
  const std::string account = action.user.str();
  const auto found = impl_->waiting.find(token, impl_->clock.now());
  if (!found || found->user.id != action.user) return not_signed_in();
  // By account: whoever is here has the password, from wherever.
  const Counters attempts = counters_of_device("second step of " + account);
  CAIP_CHECKED(impl_->throttle.check(attempts));
  std::optional<FactorUse> use;
  std::optional<OrgId> org;  // whose entry a wrong code is
  {
    auto tx = impl_->database.begin_read();
    CAIP_TRY(known, impl_->factors.recognise(tx, action.user, code));
    use = known;
    CAIP_TRY(there, last_used(tx, action.user));
    if (there) org = there->org;
  }
  if (!use) {
    impl_->waiting.failed(token);
    Principal about = who;
    about.org = org;
    return impl_->failed(action, about, attempts, {Code::bad_credentials, "the code is wrong, or was used already"}, "wrong code");
  }
  if (!impl_->waiting.leave(token)) return not_signed_in();
  const auto note = [&](storage::WriteTx& tx, Instant) -> Result<void> {
    CAIP_CHECKED(impl_->forgive(tx, attempts));
    return Factors::use_up(tx, action.user, *use);
  };
  return impl_->enter(std::move(permit), found->user, note,
                      {{"first", found->method}, {"factor", text(use->kind)}});
}

Result<Entered<ProveFactor>> Accounts::sign_in_with_passkey(Authorized<ProveFactor>&& permit, const PasskeyUse& use) {
  std::optional<UserRow> user;
  {
    auto tx = impl_->database.begin_read();
    CAIP_TRY(found, user_by_id(tx, use.user));
    user = std::move(found);
  }
  if (!user) return not_signed_in();
  return impl_->enter(std::move(permit), *user, [&](storage::WriteTx& tx, Instant now) { return Passkeys::use_up(tx, use, now); },
                      {{"factor", text(FactorKind::passkey)}, {"passkey", use.factor.str()}});
}

}  // namespace caip::auth
