// A person's own sessions, and how long an organisation lets them last.
#include <limits>

#include "accounts_impl.h"
#include "auth/accounts.h"
#include "link_rows.h"

namespace caip::auth {
namespace {

constexpr std::int64_t kMinute = 60'000'000;

Result<OpenSession> read_open(const storage::Row& r) {
  CAIP_TRY(id, r.id<SessionId>(0));
  return OpenSession{id, r.text(1), r.text(2), {}, {}, r.time(3), r.time(4), r.time(5)};
}

}  // namespace

Result<Page<OpenSession>> Accounts::sessions(const Session& session, const PageAsk& ask) const {
  std::vector<OpenSession> found;
  Result<void> bad;
  const Place last = ask.after.value_or(Place{.number = std::numeric_limits<std::int64_t>::max(), .id = {}});
  auto tx = impl_->database.begin_read();
  CAIP_CHECKED(tx.query("SELECT sessions.id, sessions.device, sessions.address, sessions.created, sessions.used,"
                        " min(sessions.expires, sessions.created + orgs.session_lifetime)"
                        " FROM sessions JOIN orgs ON orgs.id = sessions.org"
                        " WHERE sessions.user = ?1 AND (sessions.created, sessions.id) < (?3, ?4) AND " CAIP_SESSION_LIVES
                        " ORDER BY sessions.created DESC, sessions.id DESC LIMIT ?5",
                        session.user(), impl_->clock.now(), last.number, last.id, ask.limit + 1, [&](const storage::Row& r) {
    if (auto one = read_open(r)) found.push_back(*std::move(one));
    else bad = std::unexpected<Error>(std::move(one).error());
  }));
  CAIP_CHECKED(std::move(bad));
  for (auto& s : found) {
    auto place = impl_->place_of(s.address);
    s.country = std::move(place.country);
    s.network = std::move(place.network);
  }
  return page_of(std::move(found), ask);
}

Result<Receipt<EndSession>> Accounts::end_session(Authorized<EndSession>&& permit) {
  const EndSession action = permit.action();
  const Principal who = permit.principal();
  const Instant now = impl_->clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  {
    auto tx = impl_->database.begin_write();
    CAIP_TRY(row, live_session(tx, action.session, now));
    if (row && row->member.user.id == who.user) {
      CAIP_CHECKED(impl_->end_session(tx, action.session, now));
      CAIP_CHECKED(tx.exec("UPDATE users SET wanted_email = NULL WHERE id = ?1 AND wanted_by = ?2", *who.user, action.session));
      return impl_->ledger.commit(std::move(tx), std::move(spent));
    }
  }
  return impl_->refuse(action, who, Code::not_found, "not a live session of theirs", "there is no such session");
}

Result<std::int64_t> Accounts::end_other_sessions(Authorized<EndOtherSessions>&& permit) {
  const EndOtherSessions action = permit.action();
  const UserId user = *permit.principal().user;
  const Instant now = impl_->clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  auto tx = impl_->database.begin_write();
  CAIP_TRY(ended, end_sessions_but(tx, user, action.session, now));
  CAIP_CHECKED(impl_->ledger.commit(std::move(tx), std::move(spent), {.detail = {{"ended", ended}}}));
  return ended;
}

Result<Receipt<ChangePassword>> Accounts::change_password(Authorized<ChangePassword>&& permit, const SecretBytes& password) {
  const Principal who = permit.principal();
  CAIP_TRY(email, email_of(*who.org, *who.user));
  CAIP_TRY(factor, impl_->factors.state(*who.user));
  CAIP_CHECKED(acceptable(password, {.words = {std::move(email)}, .second_factor = factor.any()}));
  CAIP_TRY(hash, impl_->passwords.hash(password, who.user));
  const Instant now = impl_->clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  auto tx = impl_->database.begin_write();
  CAIP_TRY(current, live_session(tx, *who.session, now));  // ended while the password was hashed?
  if (!current) return not_signed_in();
  CAIP_CHECKED(tx.exec("UPDATE users SET password = ?2 WHERE id = ?1", *who.user, hash));
  CAIP_TRY(ended, end_sessions_but(tx, *who.user, *who.session, now));
  CAIP_CHECKED(forget_links(tx, *who.user, MailKind::reset_password));  // sent to whoever had not this password
  CAIP_CHECKED(impl_->options.notices.changed(tx, *who.user, "the password was changed", now, who.session));
  return impl_->ledger.commit(std::move(tx), std::move(spent), {.detail = {{"ended_sessions", ended}}});
}

Result<SessionLimits> Accounts::session_limits(const OrgId& org) const {
  auto tx = impl_->database.begin_read();
  CAIP_TRY(found, tx.one<SessionLimits>("SELECT session_idle, session_lifetime FROM orgs WHERE id = ?1", org, [](const storage::Row& r) {
    return SessionLimits{r.integer(0) / kMinute, r.integer(1) / kMinute};
  }));
  if (!found) return fail(Code::not_found, "no such organisation");
  return *found;
}

Result<Receipt<SetSessionLimits>> Accounts::set_session_limits(Authorized<SetSessionLimits>&& permit) {
  const SetSessionLimits action = permit.action();
  const Principal who = permit.principal();
  const OrgId org = *who.org;
  const auto most = [](Duration d) { return std::chrono::duration_cast<std::chrono::minutes>(d).count(); };
  if (action.idle_minutes < kLeastIdleMinutes || action.idle_minutes > most(kIdleLifetime)) return fail(Code::invalid, "the idle limit is 30 minutes to 12 hours");
  if (action.lifetime_minutes < kLeastLifetimeMinutes || action.lifetime_minutes > most(kSessionLifetime)) return fail(Code::invalid, "a session lasts 1 hour to 7 days");
  CAIP_TRY(before, session_limits(org));
  CAIP_TRY(spent, std::move(permit).spend(impl_->clock.now()));
  auto tx = impl_->database.begin_write();
  CAIP_CHECKED(impl_->still(tx, who));
  CAIP_CHECKED(tx.exec("UPDATE orgs SET session_idle = ?2, session_lifetime = ?3 WHERE id = ?1", org, action.idle_minutes * kMinute, action.lifetime_minutes * kMinute));
  return impl_->ledger.commit(std::move(tx), std::move(spent), {.detail = {{"idle_before", before.idle_minutes}, {"lifetime_before", before.lifetime_minutes}}});
}

}  // namespace caip::auth
