// Proving anew, in the middle of a session, who is there.
#include "auth/step_up.h"

#include "accounts_impl.h"
#include "auth/accounts.h"
#include "auth/passkeys.h"

namespace caip::auth {

Result<StepUp> StepUpVerifier::prove(const Session& session) const {
  if (session.principal().source != Source::user || !session.stepped_up()) return fail(Code::step_up_needed);
  StepUp step_up(Badge<StepUpVerifier>{}, session.id(), *session.stepped_up());
  if (!step_up.fresh(clock_.now())) return fail(Code::step_up_needed);
  return step_up;
}

Result<Receipt<StepUpSession>> Accounts::Impl::stepped_up(Authorized<StepUpSession>&& permit, const UserRow& proven, json::object detail, const Also& also) {
  const SessionId session = permit.action().session;
  const Instant now = clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  auto tx = database.begin_write();
  CAIP_TRY(current, live_session(tx, session, now));  // ended, or changed, while the factor was checked?
  const auto changed = [&](const UserRow& u) { return u.id != proven.id || u.epoch != proven.epoch || u.password != proven.password; };
  if (!current || changed(current->member.user)) return not_signed_in();
  CAIP_CHECKED(also(tx, now));
  CAIP_CHECKED(tx.exec("UPDATE sessions SET stepped_up = ?2 WHERE id = ?1", session, now));
  return ledger.commit(std::move(tx), std::move(spent), {.detail = std::move(detail)});
}

Result<UserRow> Accounts::Impl::user_at(const Authorized<StepUpSession>& permit) const {
  auto tx = database.begin_read();
  CAIP_TRY(found, user_by_id(tx, *permit.principal().user));
  if (!found) return not_signed_in();
  return *std::move(found);
}

Result<Accounts::Impl::Second> Accounts::Impl::second_proof(const StepUpSession& action, const Principal& who, const UserId& user, std::string_view code) {
  CAIP_TRY(state, factors.state(user));
  if (!state.any()) return Second{};
  if (code.empty())
    return refuse(action, who, Code::invalid, "no code", state.totp ? "a code of your authenticator app, or a recovery code, is needed too" : "use your passkey; or a recovery code is needed too");
  CAIP_TRY(turn, turn_for_code(action, who, user, code));
  CAIP_TRY(use, right_code(action, who, user, code, turn, Code::invalid));
  return Second{use, std::move(turn)};
}

Result<void> Accounts::Impl::use_up(storage::WriteTx& tx, const UserId& user, const Second& second) {
  if (second.use) return use_up(tx, user, *second.use, second.turn);
  CAIP_TRY(state, factors.state(tx, user));
  if (state.any()) return fail(Code::conflict, "a second factor was added meanwhile; try again");
  return {};
}

Result<Receipt<StepUpSession>> Accounts::Impl::not_twice(const StepUpSession& action, const Principal& who, Result<Receipt<StepUpSession>> done) {
  if (!done && done.error().code == Code::bad_credentials) return refuse(action, who, Code::invalid, "a code that was used already", done.error().detail);
  return done;
}

Result<Receipt<StepUpSession>> Accounts::step_up(Authorized<StepUpSession>&& permit, const SecretBytes& password, std::string_view code) {
  const StepUpSession action = permit.action();
  const Principal who = permit.principal();
  // By session: a thief who has one may try from many addresses, and delays nobody else's.
  const Counters attempts = counters_of_device(action.session.str());
  CAIP_CHECKED(impl_->not_too_many(action, who, attempts));
  CAIP_TRY(user, impl_->user_at(permit));
  if (code.empty()) CAIP_CHECKED(impl_->second_proof(action, who, user.id, code));  // first: nobody learns from it whether the password is right
  CAIP_TRY(same, impl_->passwords.matches(password, user.password, user.id));
  CAIP_CHECKED(impl_->not_too_many(action, who, attempts));  // others failed while this one waited for its turn
  if (!same) return impl_->failed(action, who, attempts, {Code::invalid, "the password is wrong"}, "wrong password");
  CAIP_TRY(second, impl_->second_proof(action, who, user.id, code));
  json::object detail{{"factor", "password"}};
  if (second.use) detail["second"] = text(second.use->kind);
  auto done = impl_->stepped_up(std::move(permit), user, std::move(detail), [&](storage::WriteTx& tx, Instant) -> Result<void> {
    CAIP_CHECKED(impl_->use_up(tx, user.id, second));
    return impl_->forgive(tx, attempts);
  });
  return impl_->not_twice(action, who, std::move(done));
}

Result<Receipt<StepUpSession>> Accounts::step_up_with_passkey(Authorized<StepUpSession>&& permit, const PasskeyUse& use) {
  if (use.user != permit.principal().user) return not_signed_in();
  const StepUpSession action = permit.action();
  const Principal who = permit.principal();
  CAIP_TRY(user, impl_->user_at(permit));
  auto done = impl_->stepped_up(std::move(permit), user, {{"factor", text(FactorKind::passkey)}, {"passkey", use.factor.str()}},
                                [&](storage::WriteTx& tx, Instant now) { return Passkeys::use_up(tx, use, now); });
  if (!done && done.error().code == Code::bad_credentials) return impl_->refuse(action, who, Code::bad_credentials, done.error().detail);
  return done;
}

}  // namespace caip::auth
