// "This was not me": what is undone when a person disowns a sign-in. Whoever signed in had a password, a passkey or an
// account elsewhere, and then minutes of step-up: so the password lets nobody in any more, the passkey is suspended or the
// account unlinked that they came by, and what was added in that session goes. What another session added stays, and what
// was there before: whoever reads the mail takes no second factor off an account by this.
#include "accounts_impl.h"
#include "additions.h"
#include "auth/links.h"
#include "link_rows.h"
#include "outbox/letter.h"
#include "outbox/outbox.h"

namespace caip::auth {
namespace {

struct Began {
  SessionId id;
  UserId user;
  std::string device, address, method;
  Instant at;
};

Result<std::optional<Began>> began(storage::Reader& tx, std::string_view session) {
  CAIP_TRY(row, tx.one<Result<Began>>("SELECT id, user, device, began_from, method, created FROM sessions WHERE id = ?1", session.substr(0, session.find(' ')), [](const storage::Row& r) -> Result<Began> {
    CAIP_TRY(id, r.id<SessionId>(0));
    CAIP_TRY(user, r.id<UserId>(1));
    return Began{id, user, r.text(2), r.text(3), r.text(4), r.time(5)};
  }));
  if (!row) return std::optional<Began>{};
  CAIP_TRY(found, *std::move(row));
  return std::optional(std::move(found));
}

// The way in that it took, by name "passkey:fac_…" or "identity:idt_…"; the password is gone anyway.
Result<void> shut(storage::WriteTx& tx, const UserId& user, std::string_view method, Instant now) {
  const std::string_view id = method.substr(method.find(':') + 1);
  if (method.starts_with("passkey:")) CAIP_CHECKED(tx.exec("UPDATE passkeys SET suspended = ?3 WHERE user = ?1 AND id = ?2", user, id, now));
  if (method.starts_with("identity:")) CAIP_CHECKED(tx.exec("DELETE FROM identities WHERE user = ?1 AND id = ?2", user, id));
  return {};
}

// The address before, unless somebody has it by now.
Result<void> address_again(storage::WriteTx& tx, const UserId& user, std::string_view before) {
  CAIP_TRY(then, Email::parse(before));
  CAIP_TRY(taken, user_by_email(tx, then));
  if (!taken) CAIP_CHECKED(tx.exec("UPDATE users SET email = ?2 WHERE id = ?1", user, then.str()));
  return {};
}

Result<void> undo_one(storage::WriteTx& tx, const UserId& user, const Addition& a, Instant now) {
  if (a.what == "totp") CAIP_CHECKED(tx.exec("DELETE FROM totp WHERE user = ?1 AND id = ?2", user, a.id));
  if (a.what == "passkey") CAIP_CHECKED(tx.exec("DELETE FROM passkeys WHERE user = ?1 AND id = ?2", user, a.id));
  if (a.what == "identity") CAIP_CHECKED(tx.exec("DELETE FROM identities WHERE user = ?1 AND id = ?2", user, a.id));
  if (a.what == "token") CAIP_CHECKED(tx.exec("UPDATE api_tokens SET ended = ?3 WHERE user = ?1 AND id = ?2 AND ended IS NULL", user, a.id, now));
  if (a.what == "codes") CAIP_CHECKED(tx.exec("DELETE FROM recovery_codes WHERE user = ?1", user));
  if (a.what == "email") CAIP_CHECKED(address_again(tx, user, a.id));
  return {};
}

// What was undone, for the log.
Result<json::array> undo(storage::WriteTx& tx, const UserId& user, const Began& session, Instant now) {
  json::array out;
  CAIP_TRY(all, additions_of(tx, user, session.id));
  for (const auto& a : all) {
    CAIP_CHECKED(undo_one(tx, user, a, now));
    out.emplace_back(a.what + (a.id.empty() ? "" : " " + a.id));
  }
  CAIP_CHECKED(tx.exec("DELETE FROM seen_places WHERE user = ?1 AND since >= ?2", user, session.at));
  CAIP_CHECKED(tx.exec("DELETE FROM recovery_codes WHERE user = ?1 AND NOT EXISTS (SELECT 1 FROM totp WHERE user = ?1) AND NOT EXISTS (SELECT 1 FROM passkeys WHERE user = ?1)", user));
  return out;
}

}  // namespace

Result<Disownable> Links::look_sign_in(std::string_view token) const {
  auto& impl = *accounts_.impl_;
  auto tx = impl.database.begin_read();
  CAIP_TRY(link, find_link(tx, MailKind::new_sign_in, token, impl.clock.now()));
  if (!link) return bad_link();
  CAIP_TRY(session, began(tx, link->about));
  if (!session || session->user != link->user) return bad_link();
  CAIP_TRY(there, last_used(tx, link->user));
  return Disownable{link->user, there ? std::optional(there->org) : std::nullopt, session->id, std::move(session->device), std::move(session->address), session->at};
}

Result<Receipt<DisownSignIn>> Links::disown(Authorized<DisownSignIn>&& permit, std::string_view token) {
  auto& impl = *accounts_.impl_;
  const DisownSignIn action = permit.action();
  const Instant now = impl.clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  auto tx = impl.database.begin_write();
  CAIP_TRY(link, take_link(tx, MailKind::new_sign_in, token, now));
  CAIP_TRY(session, began(tx, link.about));
  CAIP_TRY(user, user_by_id(tx, action.user));
  if (!session || !user || link.user != action.user || session->id != action.session || session->user != action.user) return bad_link();
  CAIP_TRY(ended, end_sessions_but(tx, action.user, std::nullopt, now));
  CAIP_CHECKED(tx.exec("UPDATE sessions SET disowned = ?2 WHERE id = ?1", session->id, now));
  CAIP_CHECKED(tx.exec("UPDATE users SET password = '', epoch = epoch + 1, wanted_email = NULL WHERE id = ?1", action.user));
  CAIP_CHECKED(forget_links(tx, action.user, MailKind::verify_email));
  CAIP_CHECKED(forget_links(tx, action.user, MailKind::reset_password));
  CAIP_CHECKED(shut(tx, action.user, session->method, now));
  CAIP_TRY(undone, undo(tx, action.user, *session, now));
  CAIP_TRY(ends, end_everywhere(tx, action.user, now));
  CAIP_TRY(org, tell(tx, link, now));
  CAIP_TRY(receipt, impl.ledger.commit(std::move(tx), std::move(spent), {.detail = {{"ended_sessions", ended}, {"undone", undone}, {"method", session->method}}, .org = org, .user = action.user}));
  for (const auto& end : ends) end();
  return receipt;
}

// What rested on that person's authority, in each organisation: whoever signed in may have begun it.
Result<std::vector<std::function<void()>>> Links::end_everywhere(storage::WriteTx& tx, const UserId& user, Instant now) const {
  std::vector<std::function<void()>> ends;
  CAIP_TRY(belongs, memberships_of(tx, user));
  for (const auto& m : belongs) {
    CAIP_TRY(end, accounts_.impl_->end_authority(tx, m.org, user, now, false));
    ends.push_back(std::move(end));
  }
  return ends;
}

// The person, at the account's address and where the link was sent; a link for a new password; and their organisations.
Result<std::optional<OrgId>> Links::tell(storage::WriteTx& tx, const Link& link, Instant now) const {
  const auto& notices = accounts_.impl_->options.notices;
  CAIP_TRY(user, user_by_id(tx, link.user));
  CAIP_TRY(belongs, memberships_of(tx, link.user));
  if (!user) return bad_link();
  const auto org = belongs.empty() ? std::nullopt : std::optional(belongs.front().org);
  const std::string what = "a sign-in was disowned by the link of a letter; all sessions ended, and the password lets nobody in until it is reset";
  CAIP_CHECKED(notices.changed(tx, user->id, what, now));
  if (user->email != link.address)
    CAIP_CHECKED(notices.letter(tx, {.kind = MailKind::account_changed, .org = org, .user = user->id, .address = link.address,
                                     .subject = what + ". Its address is another one by now: ask an Owner of your organisation"}, now));
  CAIP_CHECKED(notices.letter(tx, {.kind = MailKind::reset_password, .org = org, .user = user->id, .address = user->email, .subject = user->email.str()}, now));
  for (const auto& m : belongs)
    CAIP_CHECKED(outbox::raise(tx, {.kind = EventKind::member_disabled, .org = m.org,
                                    .subject = m.user.email.str() + " says of a sign-in that it was not them: their sessions ended, and the password lets nobody in until it is reset"}, now));
  return org;
}

}  // namespace caip::auth
