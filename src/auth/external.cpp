// Signing in by what a provider says.
#include "accounts_impl.h"
#include "auth/accounts.h"
#include "base/text.h"
#include "identity_rows.h"

namespace caip::auth {
namespace {

constexpr const char* kNotLinked =
    "this account is not linked to anybody here. Sign in with your password and link it under Account security, or ask an "
    "administrator to invite you";

}  // namespace

Result<bool> Accounts::Impl::has_better(storage::Reader& tx, const UserRow& user) {
  CAIP_TRY(passkey, tx.one<bool>("SELECT 1 FROM passkeys WHERE user = ?1 AND suspended IS NULL LIMIT 1", user.id, [](const storage::Row&) { return true; }));
  return !user.password.empty() || passkey;
}

Result<Step<SignInWith>> Accounts::sign_in_with(Authorized<SignInWith>&& permit, const ExternalIdentity& who, std::string_view device_token) {
  const SignInWith action = permit.action();
  const Principal principal = permit.principal();
  std::optional<LinkedIdentity> link;
  std::optional<UserRow> user;
  {
    auto tx = impl_->database.begin_read();
    CAIP_TRY(found, link_of(tx, who));
    link = found;
    if (link) {
      CAIP_TRY(owner, user_by_id(tx, link->user));
      user = std::move(owner);
    }
  }
  if (!link || !user) return impl_->refuse(action, principal, Code::forbidden, "linked to nobody", kNotLinked);
  return impl_->admit(std::move(permit), *user, device_token, "identity:" + link->id.str(), [&](storage::WriteTx& tx, Instant now) -> Result<void> {
    // Unlinked since it was looked up? Then it lets nobody in.
    CAIP_TRY(still, tx.exec("UPDATE identities SET used = ?3, shown = ?4 WHERE issuer = ?1 AND subject = ?2 AND user = ?5", who.issuer(), who.subject(), now,
                            cut(who.shown(), 254), user->id));
    if (still != 1) return fail(Code::conflict, "the account changed; try again");
    return {};
  }, {}, link->id);
}

Result<Receipt<StepUpSession>> Accounts::step_up_with(Authorized<StepUpSession>&& permit, const ExternalIdentity& who, AtProvider how, std::string_view code) {
  const StepUpSession action = permit.action();
  const Principal principal = permit.principal();
  CAIP_TRY(user, impl_->user_at(permit));
  bool theirs = false, better = false;
  {
    auto tx = impl_->database.begin_read();
    CAIP_TRY(link, link_of(tx, who));
    CAIP_TRY(better_there, Impl::has_better(tx, user));
    theirs = link && link->user == user.id;
    better = better_there;
  }
  if (!theirs) return impl_->refuse(action, principal, Code::forbidden, "not an account of theirs at " + who.provider(), "this is not an account that is linked to you");
  if (how == AtProvider::was_signed_in && better)
    return impl_->refuse(action, principal, Code::forbidden, who.provider() + " did not say that they signed in anew",
                         "that service cannot say that you signed in anew; use your password or a passkey");
  CAIP_TRY(second, impl_->second_proof(action, principal, user.id, code));
  json::object detail{{"factor", "provider"}, {"provider", who.provider()}};
  if (second.use) detail["second"] = text(second.use->kind);
  auto done = impl_->stepped_up(std::move(permit), user, std::move(detail), [&](storage::WriteTx& tx, Instant now) -> Result<void> {
    CAIP_CHECKED(impl_->use_up(tx, user.id, second));
    CAIP_TRY(still, tx.exec("UPDATE identities SET used = ?4 WHERE issuer = ?1 AND subject = ?2 AND user = ?3", who.issuer(), who.subject(), user.id, now));
    if (still != 1) return fail(Code::conflict, "the account was unlinked meanwhile");
    return {};
  });
  return impl_->not_twice(action, principal, std::move(done));
}

}  // namespace caip::auth
