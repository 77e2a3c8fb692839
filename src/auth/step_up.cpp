// Proving anew, in the middle of a session, who is there.
#include "auth/step_up.h"

#include "accounts_impl.h"
#include "auth/accounts.h"

namespace caip::auth {

Result<StepUp> StepUpVerifier::prove(const Session& session) const {
  if (session.principal().source != Source::user || !session.stepped_up()) return fail(Code::step_up_needed);
  StepUp step_up(Badge<StepUpVerifier>{}, session.id(), *session.stepped_up());
  if (!step_up.fresh(clock_.now())) return fail(Code::step_up_needed);
  return step_up;
}

Result<Receipt<StepUpSession>> Accounts::Impl::stepped_up(Authorized<StepUpSession>&& permit, const UserRow& proven, std::string_view factor) {
  const SessionId session = permit.action().session;
  const Instant now = clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  auto tx = database.begin_write();
  CAIP_TRY(current, live_session(tx, session, now));  // ended, or changed, while the factor was checked?
  const auto changed = [&](const UserRow& u) { return u.id != proven.id || u.epoch != proven.epoch || u.password != proven.password; };
  if (!current || changed(current->member.user)) return not_signed_in();
  CAIP_CHECKED(forgive(tx, counters_of_device(session.str())));
  CAIP_CHECKED(tx.exec("UPDATE sessions SET stepped_up = ?2 WHERE id = ?1", session, now));
  return ledger.commit(std::move(tx), std::move(spent), {.detail = {{"factor", factor}}});
}

Result<Receipt<StepUpSession>> Accounts::step_up(Authorized<StepUpSession>&& permit, const SecretBytes& password) {
  const StepUpSession action = permit.action();
  const Principal who = permit.principal();
  // By session: a thief who has one may try from many addresses, and delays nobody else's.
  const Counters attempts = counters_of_device(action.session.str());
  CAIP_CHECKED(impl_->not_too_many(action, who, attempts));
  std::optional<UserRow> user;
  {
    auto tx = impl_->database.begin_read();
    CAIP_TRY(found, user_by_id(tx, *who.user));
    user = std::move(found);
  }
  if (!user) return not_signed_in();
  CAIP_TRY(same, impl_->passwords.matches(password, user->password, user->id));
  CAIP_CHECKED(impl_->not_too_many(action, who, attempts));  // others failed while this one waited for its turn
  if (!same) return impl_->failed(action, who, attempts, {Code::invalid, "the password is wrong"}, "wrong password");
  return impl_->stepped_up(std::move(permit), *user, "password");
}

}  // namespace caip::auth
