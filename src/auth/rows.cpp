#include "rows.h"

#include "crypto/hash.h"

namespace caip::auth {
namespace {

#define USER_COLUMNS "users.id, users.org, users.email, users.role, users.password, users.epoch, users.version, users.created"

Result<UserRow> read_user(const storage::Row& r) {
  CAIP_TRY(id, r.id<UserId>(0));
  CAIP_TRY(org, r.id<OrgId>(1));
  CAIP_TRY(email, Email::parse(r.text_view(2)));
  CAIP_TRY(role, parse_role(r.text_view(3)));
  return UserRow{id, org, std::move(email), role, r.text(4), r.integer(5), r.integer(6), r.time(7)};
}

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

Result<std::optional<UserRow>> user_by_id(storage::Reader& tx, const OrgId& org, const UserId& user) {
  return flat<UserRow>(tx.one<Result<UserRow>>("SELECT " USER_COLUMNS " FROM users WHERE id = ?1 AND org = ?2", user, org, read_user));
}

Result<std::optional<UserRow>> user_by_id(storage::Reader& tx, const UserId& user) {
  return flat<UserRow>(tx.one<Result<UserRow>>("SELECT " USER_COLUMNS " FROM users WHERE id = ?1", user, read_user));
}

Result<std::optional<SessionRow>> live_session(storage::Reader& tx, const SessionId& session, Instant now) {
  return flat<SessionRow>(tx.one<Result<SessionRow>>(
      "SELECT " USER_COLUMNS ", min(sessions.expires, sessions.created + orgs.session_lifetime), sessions.stepped_up"
      " FROM sessions JOIN users ON users.id = sessions.user JOIN orgs ON orgs.id = users.org"
      " WHERE sessions.id = ?1 AND " CAIP_SESSION_LIVES,
      session, now, [&](const storage::Row& r) -> Result<SessionRow> {
        CAIP_TRY(user, read_user(r));
        return SessionRow{session, r.time(8), std::move(user), r.optional_time(9)};
      }));
}

Result<std::optional<SessionId>> session_of_refresh(storage::Reader& tx, std::string_view token, Instant now) {
  return flat<SessionId>(tx.one<Result<SessionId>>("SELECT session FROM refresh_tokens WHERE hash = ?1 AND expires > ?2",
                                                   refresh_hash(token), now,
                                                   [](const storage::Row& r) { return r.id<SessionId>(0); }));
}

Result<std::vector<UserRow>> users_of(storage::Reader& tx, const OrgId& org, const PageAsk& ask) {
  std::vector<UserRow> users;
  Result<void> bad;
  const Place last = ask.after.value_or(Place{.number = -1, .id = {}});
  CAIP_CHECKED(tx.query("SELECT " USER_COLUMNS " FROM users WHERE org = ?1 AND (created, id) > (?2, ?3) ORDER BY created, id LIMIT ?4",
                        org, last.number, last.id, ask.limit + 1, [&](const storage::Row& r) {
    if (auto user = read_user(r)) users.push_back(*std::move(user));
    else bad = std::unexpected<Error>(std::move(user).error());
  }));
  CAIP_CHECKED(std::move(bad));
  return users;
}

Result<std::int64_t> count_owners(storage::Reader& tx, const OrgId& org) {
  return number(tx.one<std::int64_t>("SELECT count(*) FROM users WHERE org = ?1 AND role = 'owner'", org, first));
}

Result<std::int64_t> count_users(storage::Reader& tx) {
  return number(tx.one<std::int64_t>("SELECT count(*) FROM users", first));
}

Result<std::int64_t> end_sessions_but(storage::WriteTx& tx, const UserId& user, const std::optional<SessionId>& kept, Instant now) {
  const std::string but = kept ? kept->str() : std::string();  // no session's id is empty
  CAIP_CHECKED(tx.exec("DELETE FROM refresh_tokens WHERE session IN (SELECT id FROM sessions WHERE user = ?1 AND id <> ?2)", user, but));
  return tx.exec("UPDATE sessions SET ended = ?3 WHERE user = ?1 AND id <> ?2 AND ended IS NULL", user, but, now);
}

}  // namespace caip::auth
