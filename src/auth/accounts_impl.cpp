#include "accounts_impl.h"

#include <algorithm>

namespace caip::auth {

Result<Minted> Accounts::Impl::mint(const UserRow& user, const SessionId& session, Instant session_expires) {
  const Instant now = clock.now();
  const Instant issued{now.micros() / 1'000'000 * 1'000'000};
  const Instant access_until = issued + kAccessLifetime;
  std::string input = jwt_input({user.id, user.org, session, user.epoch, issued, access_until});
  CAIP_TRY(signature, keeper.sign(secrets::SigningUse::jwt, view(input)));
  Tokens tokens{jwt_finish(std::move(input), signature), base64url(crypto::random_bytes(32)), access_until,
                std::min(now + kRefreshLifetime, session_expires)};
  const Digest hash = refresh_hash(tokens.refresh);
  return Minted{std::move(tokens), hash};
}

Result<void> Accounts::Impl::unchanged(storage::Reader& tx, const UserRow& user) {
  CAIP_TRY(current, user_by_id(tx, user.org, user.id));
  if (!current || current->epoch != user.epoch || current->password != user.password) return fail(Code::conflict, "the account changed; try again");
  return {};
}

Result<void> Accounts::Impl::insert_user(storage::WriteTx& tx, const UserRow& u) {
  CAIP_CHECKED(tx.exec("INSERT INTO users (id, org, email, role, password, epoch, version, created)"
                       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                       u.id, u.org, u.email.str(), text(u.role), u.password, u.epoch, u.version, u.created));
  return {};
}

Result<void> Accounts::Impl::insert_refresh(storage::WriteTx& tx, const Minted& m, const SessionId& session) {
  CAIP_CHECKED(tx.exec("INSERT INTO refresh_tokens (hash, session, expires) VALUES (?1, ?2, ?3)", m.hash, session, m.tokens.refresh_expires));
  return {};
}

Result<void> Accounts::Impl::end_session(storage::WriteTx& tx, const SessionId& session, Instant now) {
  CAIP_CHECKED(tx.exec("UPDATE sessions SET ended = ?2 WHERE id = ?1 AND ended IS NULL", session, now));
  CAIP_CHECKED(tx.exec("DELETE FROM refresh_tokens WHERE session = ?1", session));
  return {};
}

Result<OrgName> Accounts::Impl::org_name(storage::Reader& tx, const OrgId& org) {
  CAIP_TRY(name, tx.one<std::string>("SELECT name FROM orgs WHERE id = ?1", org, [](const storage::Row& r) { return r.text(0); }));
  if (!name) return fail(Code::internal, "an account without its organisation");
  return OrgName::parse(*name);
}

}  // namespace caip::auth
