// "This was not me": what is undone when a person disowns a sign-in. Whoever signed in had a password, a passkey or an
// account elsewhere, and then minutes of step-up: so the password lets nobody in any more, the passkey is suspended or the
// account unlinked that they came by, and what was added since goes. What was there before stays: to remove that is its
// person's decision, and with it they may still come in.
#include "accounts_impl.h"
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
  CAIP_TRY(row, tx.one<Result<Began>>("SELECT id, user, device, address, method, created FROM sessions WHERE id = ?1", session, [](const storage::Row& r) -> Result<Began> {
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

Result<std::int64_t> undo_since(storage::WriteTx& tx, const UserId& user, Instant since, Instant now) {
  CAIP_TRY(totp, tx.exec("DELETE FROM totp WHERE user = ?1 AND created >= ?2", user, since));
  CAIP_TRY(passkeys, tx.exec("DELETE FROM passkeys WHERE user = ?1 AND created >= ?2", user, since));
  CAIP_TRY(identities, tx.exec("DELETE FROM identities WHERE user = ?1 AND created >= ?2", user, since));
  CAIP_TRY(tokens, tx.exec("UPDATE api_tokens SET ended = ?3 WHERE user = ?1 AND created >= ?2 AND ended IS NULL", user, since, now));
  CAIP_CHECKED(tx.exec("DELETE FROM seen_places WHERE user = ?1 AND since >= ?2", user, since));
  CAIP_CHECKED(tx.exec("DELETE FROM recovery_codes WHERE user = ?1 AND NOT EXISTS (SELECT 1 FROM totp WHERE user = ?1) AND NOT EXISTS (SELECT 1 FROM passkeys WHERE user = ?1)", user));
  return totp + passkeys + identities + tokens;
}

// The address that the letter went to was the account's when somebody signed in: it is again, unless somebody has it.
Result<std::optional<Email>> address_again(storage::WriteTx& tx, const UserRow& user, const Email& then) {
  if (user.email == then) return std::optional(then);
  CAIP_TRY(taken, user_by_email(tx, then));
  if (taken) return std::optional<Email>{};
  CAIP_CHECKED(tx.exec("UPDATE users SET email = ?2 WHERE id = ?1", user.id, then.str()));
  return std::optional(then);
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
  CAIP_TRY(undone, undo_since(tx, action.user, session->at, now));
  CAIP_TRY(address, address_again(tx, *user, link.address));
  CAIP_TRY(belongs, memberships_of(tx, action.user));
  const auto org = belongs.empty() ? std::nullopt : std::optional(belongs.front().org);
  if (address) CAIP_CHECKED(impl.options.notices.letter(tx, {.kind = MailKind::reset_password, .org = org, .user = action.user, .address = *address, .subject = address->str()}, now));
  for (const auto& m : belongs)
    CAIP_CHECKED(outbox::raise(tx, {.kind = EventKind::member_disabled, .org = m.org,
                                    .subject = m.user.email.str() + " says of a sign-in (" + session->device + ", from " + session->address +
                                               ") that it was not them: all their sessions ended, and the password lets nobody in until it is reset"}, now));
  return impl.ledger.commit(std::move(tx), std::move(spent), {.detail = {{"ended_sessions", ended}, {"undone", undone}, {"method", session->method}}, .org = org, .user = action.user});
}

}  // namespace caip::auth
