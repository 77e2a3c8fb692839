#include "accounts_impl.h"

#include <algorithm>

#include "outbox/letter.h"
#include "outbox/outbox.h"

namespace caip::auth {

Result<Minted> Accounts::Impl::mint(const MemberRow& member, const SessionId& session, Instant session_expires) {
  const Instant now = clock.now();
  const Instant issued{now.micros() / 1'000'000 * 1'000'000};
  const Instant access_until = issued + kAccessLifetime;
  std::string input = jwt_input({member.user.id, member.org, session, member.user.epoch, issued, access_until});
  CAIP_TRY(signature, keeper.sign(secrets::SigningUse::jwt, view(input)));
  Tokens tokens{jwt_finish(std::move(input), signature), base64url(crypto::random_bytes(32)), access_until,
                std::min(now + kRefreshLifetime, session_expires)};
  const Digest hash = refresh_hash(tokens.refresh);
  return Minted{std::move(tokens), hash};
}

Result<std::optional<std::string>> Accounts::Impl::known_device(std::string_view token, const UserId& user, const std::string& family) const {
  CAIP_TRY(id, devices.known(token, user, family));
  auto tx = database.begin_read();
  CAIP_TRY(held, tx.one<bool>("SELECT 1 FROM known_devices WHERE user = ?1 AND id = ?2 AND last > ?3", user, id.value_or("-"), clock.now() + -kDeviceKept,
                              [](const storage::Row&) { return true; }));
  return held ? id : std::nullopt;
}

Result<Presence> Accounts::Impl::presence_of(const UserRow& user, const Origin& origin, const std::string& family, std::string_view device_token, std::string method) {
  Presence p{.device_token = std::string(device_token), .device_id = {}, .place = place_of(origin.address), .method = std::move(method)};
  CAIP_TRY(known, known_device(device_token, user.id, family));
  p.device_known = known.has_value();
  if (!known) {
    CAIP_TRY(made, devices.make(user.id, family));
    p.device_token = std::move(made);
  }
  p.device_id = p.device_token.substr(0, p.device_token.find('.'));
  return p;
}

Result<void> Accounts::Impl::tell_of_sign_in(storage::WriteTx& tx, const UserRow& user, const SessionId& session, const std::string& where, Instant now) const {
  CAIP_TRY(belongs, memberships_of(tx, user.id));
  const std::string subject = user.email.str() + ", " + where;
  for (const auto& m : belongs) CAIP_CHECKED(outbox::raise(tx, {.kind = EventKind::new_sign_in, .org = m.org, .user = user.id, .subject = subject, .link = session.str()}, now));
  return options.notices.letter(tx, {.kind = MailKind::new_sign_in, .org = belongs.empty() ? std::nullopt : std::optional(belongs.front().org), .user = user.id, .address = user.email,
                                     .subject = subject, .about = session.str()}, now);
}

Result<std::optional<OrgId>> Accounts::Impl::acted_last_in(const UserId& user) const {
  auto tx = database.begin_read();
  return last_org(tx, user);
}

Result<Role> Accounts::Impl::unchanged(storage::Reader& tx, const UserRow& user, const OrgId& org) {
  CAIP_TRY(current, member_of(tx, org, user.id));
  if (!current || current->user.epoch != user.epoch || current->user.password != user.password) return fail(Code::conflict, "the account changed; try again");
  return current->role;
}

Result<void> Accounts::Impl::insert_user(storage::WriteTx& tx, const UserRow& u) {
  CAIP_CHECKED(tx.exec("INSERT INTO users (id, email, password, epoch, created) VALUES (?1, ?2, ?3, ?4, ?5)",
                       u.id, u.email.str(), u.password, u.epoch, u.created));
  return {};
}

Result<void> Accounts::Impl::insert_member(storage::WriteTx& tx, const OrgId& org, const UserId& user, Role role, Instant now) {
  CAIP_CHECKED(tx.exec("INSERT INTO memberships (org, user, role, version, created, used) VALUES (?1, ?2, ?3, 1, ?4, ?4)", org, user, text(role), now));
  return {};
}

Result<void> Accounts::Impl::drop_invitations(storage::WriteTx& tx, const OrgId& org, const Email& email, Instant now) {
  CAIP_CHECKED(tx.exec("UPDATE invitations SET revoked = ?3 WHERE org = ?1 AND email = ?2 AND accepted IS NULL AND revoked IS NULL", org, email.str(), now));
  return {};
}

Result<void> Accounts::Impl::end_sessions(storage::WriteTx& tx, const OrgId& org, const UserId& user, Instant now) {
  CAIP_CHECKED(tx.exec("UPDATE sessions SET ended = ?3 WHERE user = ?2 AND org = ?1 AND ended IS NULL", org, user, now));
  CAIP_CHECKED(tx.exec("DELETE FROM refresh_tokens WHERE session IN (SELECT id FROM sessions WHERE user = ?2 AND org = ?1)", org, user));
  return {};
}

Result<std::function<void()>> Accounts::Impl::end_authority(storage::WriteTx& tx, const OrgId& org, const UserId& user, Instant now, bool tokens) {
  CAIP_CHECKED(end_sessions(tx, org, user, now));
  CAIP_CHECKED(tx.exec("UPDATE invitations SET revoked = ?3 WHERE org = ?1 AND inviter = ?2 AND accepted IS NULL AND revoked IS NULL", org, user, now));
  if (tokens) CAIP_CHECKED(tx.exec("UPDATE api_tokens SET ended = ?3 WHERE org = ?1 AND user = ?2 AND ended IS NULL", org, user, now));
  if (authority_end) return authority_end(tx, org, user);
  return [] {};
}

namespace {

Result<Role> role_by_session(storage::Reader& tx, const Principal& who, Instant now) {
  CAIP_TRY(session, live_session(tx, *who.session, now));
  if (!session || session->member.org != who.org || session->member.user.id != who.user) return not_signed_in();
  return session->member.role;
}

Result<void> token_lives(storage::Reader& tx, const TokenId& token, Instant now) {
  CAIP_TRY(there, tx.one<bool>("SELECT 1 FROM api_tokens WHERE id = ?1 AND ended IS NULL AND expires > ?2", token, now, [](const storage::Row&) { return true; }));
  if (!there) return not_signed_in();
  return {};
}

Result<Role> standing(storage::Reader& tx, const Principal& who, Instant now) {
  if (!who.user || !who.org) return not_signed_in();
  if (who.session) return role_by_session(tx, who, now);  // its pilot's, too; what was approved carries none
  if (who.token) CAIP_CHECKED(token_lives(tx, *who.token, now));
  CAIP_TRY(member, member_of(tx, *who.org, *who.user));
  if (!member) return not_signed_in();
  return member->role;
}

}  // namespace

Result<void> Accounts::Impl::still(storage::Reader& tx, const Principal& who) const {
  CAIP_TRY(role, standing(tx, who, clock.now()));
  if (role < who.role) return fail(Code::forbidden, "your role was changed meanwhile");
  return {};
}

Result<void> Accounts::Impl::set_role(storage::WriteTx& tx, const OrgId& org, const UserId& user, Role role) {
  CAIP_CHECKED(tx.exec("UPDATE memberships SET role = ?3, version = version + 1 WHERE org = ?1 AND user = ?2", org, user, text(role)));
  return {};
}

Result<void> Accounts::Impl::keep_an_owner(storage::Reader& tx, const MemberRow& member) {
  if (member.role != Role::owner) return {};
  CAIP_TRY(others, other_owners(tx, member.org, member.user.id));
  if (others == 0) return fail(Code::conflict, "an organisation keeps at least one owner");
  return {};
}

Result<void> Accounts::Impl::keep_who_restores(storage::Reader& tx, const MemberRow& member) {
  if (member.role != Role::owner) return {};
  CAIP_TRY(ends, tx.one<bool>("SELECT 1 FROM orgs WHERE id = ?1 AND ends IS NOT NULL", member.org, [](const storage::Row&) { return true; }));
  if (ends) return fail(Code::conflict, "the organisation is to be deleted, which any of its Owners may take back; restore it first");
  return {};
}

Result<std::int64_t> Accounts::Impl::mark_used(storage::WriteTx& tx, const OrgId& org, const UserId& user, Instant now) {
  return tx.exec("UPDATE memberships SET used = ?3 WHERE org = ?1 AND user = ?2", org, user, now);
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
