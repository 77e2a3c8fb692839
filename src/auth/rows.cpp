#include "rows.h"

#include "crypto/hash.h"

namespace caip::auth {
namespace {

#define USER_COLUMNS "users.id, users.email, users.password, users.epoch, users.created"
#define MEMBER_COLUMNS USER_COLUMNS ", memberships.org, memberships.role, memberships.version, memberships.created, memberships.disabled"
#define MEMBERS "memberships JOIN users ON users.id = memberships.user"
#define LET_IN "memberships.disabled IS NULL"

Result<UserRow> read_user(const storage::Row& r) {
  CAIP_TRY(id, r.id<UserId>(0));
  CAIP_TRY(email, Email::parse(r.text_view(1)));
  return UserRow{id, std::move(email), r.text(2), r.integer(3), r.time(4)};
}

Result<MemberRow> read_member(const storage::Row& r) {
  CAIP_TRY(user, read_user(r));
  CAIP_TRY(org, r.id<OrgId>(5));
  CAIP_TRY(role, parse_role(r.text_view(6)));
  return MemberRow{std::move(user), org, role, r.integer(7), r.time(8), r.optional_time(9)};
}

// Of a query for members; the first that does not parse fails all.
struct Collect {
  std::vector<MemberRow> rows;
  Result<void> bad;
  void operator()(const storage::Row& r) {
    if (auto row = read_member(r)) rows.push_back(*std::move(row));
    else bad = std::unexpected<Error>(std::move(row).error());
  }
  Result<std::vector<MemberRow>> done() && {
    if (!bad) return std::unexpected<Error>(std::move(bad).error());
    return std::move(rows);
  }
};

// A row that does not parse is an error, not an absence.
template <class T>
Result<std::optional<T>> flat(Result<std::optional<Result<T>>> row) {
  if (!row) return std::unexpected<Error>(std::move(row).error());
  if (!*row) return std::optional<T>{};
  if (!**row) return std::unexpected<Error>(std::move(**row).error());
  return std::optional<T>{*std::move(**row)};
}

Result<std::int64_t> number(Result<std::optional<std::int64_t>> row) {
  if (!row) return std::unexpected<Error>(std::move(row).error());
  return row->value_or(0);
}

std::int64_t first(const storage::Row& r) { return r.integer(0); }

}  // namespace

Digest refresh_hash(std::string_view token) { return crypto::sha256(view(token)); }

Result<std::optional<UserRow>> user_by_email(storage::Reader& tx, const Email& email) {
  return flat<UserRow>(tx.one<Result<UserRow>>("SELECT " USER_COLUMNS " FROM users WHERE email = ?1", email.str(), read_user));
}

Result<std::optional<UserRow>> user_by_id(storage::Reader& tx, const UserId& user) {
  return flat<UserRow>(tx.one<Result<UserRow>>("SELECT " USER_COLUMNS " FROM users WHERE id = ?1", user, read_user));
}

Result<std::optional<Email>> wanted_email(storage::Reader& tx, const UserId& user) {
  return flat<Email>(tx.one<Result<Email>>("SELECT wanted_email FROM users WHERE id = ?1 AND wanted_email IS NOT NULL", user,
                                           [](const storage::Row& r) { return Email::parse(r.text_view(0)); }));
}

Result<std::optional<MemberRow>> member_of(storage::Reader& tx, const OrgId& org, const UserId& user) {
  return flat<MemberRow>(tx.one<Result<MemberRow>>("SELECT " MEMBER_COLUMNS " FROM " MEMBERS " WHERE memberships.org = ?1 AND memberships.user = ?2 AND " LET_IN,
                                                   org, user, read_member));
}

Result<std::optional<MemberRow>> listed_member(storage::Reader& tx, const OrgId& org, const UserId& user) {
  return flat<MemberRow>(tx.one<Result<MemberRow>>("SELECT " MEMBER_COLUMNS " FROM " MEMBERS " WHERE memberships.org = ?1 AND memberships.user = ?2",
                                                   org, user, read_member));
}

Result<std::optional<OrgId>> last_org(storage::Reader& tx, const UserId& user) {
  CAIP_TRY(all, memberships_of(tx, user));
  return all.empty() ? std::optional<OrgId>{} : std::optional(all.front().org);
}

Result<std::optional<MemberRow>> last_used(storage::Reader& tx, const UserId& user) {
  return flat<MemberRow>(tx.one<Result<MemberRow>>("SELECT " MEMBER_COLUMNS " FROM " MEMBERS " WHERE memberships.user = ?1 AND " LET_IN
                                                   " ORDER BY memberships.used DESC, memberships.created, memberships.org LIMIT 1",
                                                   user, read_member));
}

Result<std::vector<MemberRow>> memberships_of(storage::Reader& tx, const UserId& user) {
  Collect collect;
  CAIP_CHECKED(tx.query("SELECT " MEMBER_COLUMNS " FROM " MEMBERS " WHERE memberships.user = ?1"
                        " ORDER BY memberships.used DESC, memberships.created, memberships.org",
                        user, std::ref(collect)));
  return std::move(collect).done();
}

Result<std::optional<SessionRow>> live_session(storage::Reader& tx, const SessionId& session, Instant now) {
  return flat<SessionRow>(tx.one<Result<SessionRow>>(
      "SELECT " MEMBER_COLUMNS ", min(sessions.expires, sessions.created + orgs.session_lifetime), sessions.stepped_up"
      " FROM sessions JOIN users ON users.id = sessions.user JOIN orgs ON orgs.id = sessions.org"
      " JOIN memberships ON memberships.org = sessions.org AND memberships.user = sessions.user"
      " WHERE sessions.id = ?1 AND " LET_IN " AND " CAIP_SESSION_LIVES,
      session, now, [&](const storage::Row& r) -> Result<SessionRow> {
        CAIP_TRY(member, read_member(r));
        return SessionRow{session, r.time(10), std::move(member), r.optional_time(11)};
      }));
}

Result<std::optional<SessionId>> session_of_refresh(storage::Reader& tx, std::string_view token, Instant now) {
  return flat<SessionId>(tx.one<Result<SessionId>>("SELECT session FROM refresh_tokens WHERE hash = ?1 AND expires > ?2",
                                                   refresh_hash(token), now,
                                                   [](const storage::Row& r) { return r.id<SessionId>(0); }));
}

Result<std::vector<MemberRow>> members_of(storage::Reader& tx, const OrgId& org, const PageAsk& ask) {
  Collect collect;
  const Place last = ask.after.value_or(Place{.number = -1, .id = {}});
  CAIP_CHECKED(tx.query("SELECT " MEMBER_COLUMNS " FROM " MEMBERS " WHERE memberships.org = ?1 AND (memberships.created, memberships.user) > (?2, ?3)"
                        " ORDER BY memberships.created, memberships.user LIMIT ?4",
                        org, last.number, last.id, ask.limit + 1, std::ref(collect)));
  return std::move(collect).done();
}

Result<std::int64_t> other_owners(storage::Reader& tx, const OrgId& org, const UserId& user) {
  return number(tx.one<std::int64_t>("SELECT count(*) FROM memberships WHERE org = ?1 AND user <> ?2 AND role = 'owner' AND " LET_IN, org, user, first));
}

Result<std::int64_t> count_users(storage::Reader& tx) {
  return number(tx.one<std::int64_t>("SELECT count(*) FROM users", first));
}

Result<std::int64_t> end_sessions_but(storage::WriteTx& tx, const UserId& user, const std::optional<SessionId>& kept, Instant now) {
  const std::string but = kept ? kept->str() : std::string();  // no session's id is empty
  // What one of them had asked for is void, too: its link would outlive it.
  CAIP_CHECKED(tx.exec("UPDATE users SET wanted_email = NULL WHERE id = ?1 AND coalesce(wanted_by, '') <> ?2", user, but.empty() ? "-" : but));
  CAIP_CHECKED(tx.exec("DELETE FROM refresh_tokens WHERE session IN (SELECT id FROM sessions WHERE user = ?1 AND id <> ?2)", user, but));
  return tx.exec("UPDATE sessions SET ended = ?3 WHERE user = ?1 AND id <> ?2 AND ended IS NULL", user, but, now);
}

Result<std::int64_t> end_sessions_on(storage::WriteTx& tx, const UserId& user, std::string_view device, const SessionId& kept, Instant now) {
  CAIP_CHECKED(tx.exec("UPDATE users SET wanted_email = NULL WHERE id = ?1 AND wanted_by IN (SELECT id FROM sessions WHERE user = ?1 AND device_id = ?2 AND id <> ?3)", user, device, kept));
  CAIP_CHECKED(tx.exec("DELETE FROM refresh_tokens WHERE session IN (SELECT id FROM sessions WHERE user = ?1 AND device_id = ?2 AND id <> ?3)", user, device, kept));
  return tx.exec("UPDATE sessions SET ended = ?4 WHERE user = ?1 AND device_id = ?2 AND id <> ?3 AND ended IS NULL", user, device, kept, now);
}

Result<std::int64_t> drop_factors(storage::WriteTx& tx, const UserId& user, Instant now) {
  CAIP_CHECKED(tx.exec("DELETE FROM totp WHERE user = ?1", user));
  CAIP_CHECKED(tx.exec("DELETE FROM passkeys WHERE user = ?1", user));
  CAIP_CHECKED(tx.exec("DELETE FROM recovery_codes WHERE user = ?1", user));
  CAIP_CHECKED(tx.exec("UPDATE api_tokens SET ended = ?2 WHERE user = ?1 AND ended IS NULL", user, now));
  CAIP_CHECKED(tx.exec("UPDATE users SET epoch = epoch + 1 WHERE id = ?1", user));  // also for who is between the steps
  return end_sessions_but(tx, user, std::nullopt, now);
}

}  // namespace caip::auth
