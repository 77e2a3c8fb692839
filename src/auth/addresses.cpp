// Whose an e-mail address is: shown by a link that was sent there.
#include "accounts_impl.h"
#include "additions.h"
#include "auth/links.h"
#include "first_proof.h"
#include "link_rows.h"
#include "outbox/letter.h"

namespace caip::auth {
namespace {

Result<std::optional<SessionId>> wanted_by(storage::Reader& tx, const UserId& user) {
  CAIP_TRY(row, tx.one<std::string>("SELECT wanted_by FROM users WHERE id = ?1 AND wanted_by IS NOT NULL", user, [](const storage::Row& r) { return r.text(0); }));
  if (!row) return std::optional<SessionId>{};
  CAIP_TRY(session, SessionId::parse(*row));
  return std::optional(session);
}

// By whom it was asked for: what a letter can disown.
Result<void> tell_of_change(storage::WriteTx& tx, const Notices& notices, const UserRow& user, const Email& now_at, const std::optional<SessionId>& by, Instant now) {
  const std::string from = user.email.str(), to = now_at.str();
  // A former address is its person's alone: no organisation sees it in a dead letter.
  CAIP_CHECKED(notices.letter(tx, {.kind = MailKind::account_changed, .org = {}, .user = user.id, .address = user.email,
                                   .subject = "its address is " + to + " now, no longer " + from + ". New passwords are sent there, not here", .about = by ? by->str() : std::string()}, now));
  return notices.changed(tx, user.id, "the e-mail address was " + from + " until now", now);
}

std::optional<OrgId> org_of(const std::optional<MemberRow>& member) { return member ? std::optional(member->org) : std::nullopt; }

}  // namespace

Result<Address> Links::address(const Session& session) const {
  auto& impl = *accounts_.impl_;
  auto tx = impl.database.begin_read();
  CAIP_TRY(user, user_by_id(tx, session.user()));
  if (!user) return not_signed_in();
  CAIP_TRY(wanted, wanted_email(tx, user->id));
  CAIP_TRY(verified, tx.one<std::optional<Instant>>("SELECT verified FROM users WHERE id = ?1", user->id, [](const storage::Row& r) { return r.optional_time(0); }));
  return Address{std::move(user->email), verified.value_or(std::nullopt), std::move(wanted), impl.options.notices.mail()};
}

Result<Receipt<RequestVerification>> Links::request_verification(Authorized<RequestVerification>&& permit) {
  auto& impl = *accounts_.impl_;
  CAIP_CHECKED(impl.options.notices.needs_mail());
  const Principal who = permit.principal();
  const Instant now = impl.clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  auto tx = impl.database.begin_write();
  CAIP_TRY(user, user_by_id(tx, *who.user));
  if (!user) return not_signed_in();
  CAIP_CHECKED(not_too_many(tx, MailKind::verify_email, user->id, now));
  CAIP_CHECKED(outbox::write(tx, {.kind = MailKind::verify_email, .org = who.org, .user = user->id, .address = user->email, .subject = user->email.str()}, now));
  return impl.ledger.commit(std::move(tx), std::move(spent));
}

Result<Receipt<ChangeEmail>> Links::change_email(Authorized<ChangeEmail>&& permit) {
  auto& impl = *accounts_.impl_;
  CAIP_CHECKED(impl.options.notices.needs_mail());
  const ChangeEmail action = permit.action();
  const Principal who = permit.principal();
  const Instant now = impl.clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  auto tx = impl.database.begin_write();
  CAIP_TRY(user, user_by_id(tx, action.user));
  if (!user) return not_signed_in();
  if (user->email == action.email) {
    CAIP_TRY(taken_back, tx.exec("UPDATE users SET wanted_email = NULL WHERE id = ?1 AND wanted_email IS NOT NULL", user->id));
    if (taken_back == 0) return fail(Code::invalid, "this is the address of your account already");
    CAIP_CHECKED(forget_links(tx, user->id, MailKind::verify_email));
    return impl.ledger.commit(std::move(tx), std::move(spent), {.detail = {{"taken_back", true}}});
  }
  CAIP_CHECKED(not_too_many(tx, MailKind::verify_email, user->id, now));
  CAIP_CHECKED(tx.exec("UPDATE users SET wanted_email = ?2, wanted_by = ?3 WHERE id = ?1", user->id, action.email.str(), who.session));
  CAIP_CHECKED(forget_links(tx, user->id, MailKind::verify_email));
  // Also where somebody has that address: their letter has no link.
  CAIP_CHECKED(outbox::write(tx, {.kind = MailKind::verify_email, .org = who.org, .user = user->id, .address = action.email, .subject = action.email.str() + ", for the account that has the address " + user->email.str() + " now"}, now));
  CAIP_CHECKED(outbox::write(tx, {.kind = MailKind::account_changed, .org = who.org, .user = user->id, .address = user->email,
                                  .subject = "somebody signed in to " + user->email.str() + " asks to change its address to " + action.email.str() + ". It changes once that address is confirmed", .about = who.session ? who.session->str() : std::string()}, now));
  return impl.ledger.commit(std::move(tx), std::move(spent), {.detail = {{"from", user->email.str()}}});
}

Result<Confirmation> Links::look_confirmation(std::string_view token) const {
  auto& impl = *accounts_.impl_;
  auto tx = impl.database.begin_read();
  CAIP_TRY(link, find_link(tx, MailKind::verify_email, token, impl.clock.now()));
  if (!link) return bad_link();
  CAIP_TRY(user, user_by_id(tx, link->user));
  if (!user) return bad_link();
  CAIP_TRY(there, last_used(tx, user->id));
  CAIP_TRY(anew, planted(tx, user->id));
  return Confirmation{user->id, org_of(there), link->address, user->email != link->address, anew};
}

Result<Receipt<ConfirmEmail>> Links::confirm(Authorized<ConfirmEmail>&& permit, std::string_view token) {
  auto& impl = *accounts_.impl_;
  const ConfirmEmail action = permit.action();
  const Instant now = impl.clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  auto tx = impl.database.begin_write();
  CAIP_TRY(link, take_link(tx, MailKind::verify_email, token, now));
  CAIP_TRY(user, user_by_id(tx, action.user));
  if (!user || link.user != action.user || link.address != action.email) return bad_link();
  if (user->email != link.address) return fail(Code::unauthenticated, "sign in to the account that asked for this address, then open the link again");
  CAIP_TRY(there, last_used(tx, user->id));
  CAIP_TRY(anew, planted(tx, user->id));
  CAIP_CHECKED(tx.exec("UPDATE users SET verified = ?2 WHERE id = ?1", user->id, now));
  if (anew) CAIP_CHECKED(hand_over(tx, impl.options.notices, user->id, std::nullopt, now));
  return impl.ledger.commit(std::move(tx), std::move(spent), {.detail = {{"emptied", anew}}, .org = org_of(there), .user = user->id});
}

// With a session of the account that wants it: whoever only reads the mail there would make an account theirs into which
// somebody else has put a password, factors and tokens of their own.
Result<Receipt<ConfirmNewEmail>> Links::confirm_new(Authorized<ConfirmNewEmail>&& permit, std::string_view token) {
  auto& impl = *accounts_.impl_;
  const ConfirmNewEmail action = permit.action();
  const Principal who = permit.principal();
  const Instant now = impl.clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  auto tx = impl.database.begin_write();
  CAIP_CHECKED(impl.still(tx, who));  // here, not with the commit: this session may be about to end
  CAIP_TRY(link, take_link(tx, MailKind::verify_email, token, now));
  CAIP_TRY(user, user_by_id(tx, action.user));
  CAIP_TRY(wanted, wanted_email(tx, action.user));
  if (!user || link.user != action.user || link.address != action.email || wanted != link.address) return bad_link();
  CAIP_TRY(taken, user_by_email(tx, link.address));
  if (taken) return fail(Code::conflict, "this address cannot be used; ask for another one under Account");
  CAIP_TRY(anew, planted(tx, user->id));
  CAIP_TRY(by, wanted_by(tx, user->id));
  CAIP_CHECKED(tx.exec("UPDATE users SET email = ?2, verified = ?3, wanted_email = NULL, wanted_by = NULL WHERE id = ?1", user->id, link.address.str(), now));
  CAIP_CHECKED(note_addition(tx, user->id, by, "email", user->email.str(), now));
  CAIP_CHECKED(forget_links(tx, user->id, MailKind::reset_password));
  CAIP_CHECKED(tell_of_change(tx, impl.options.notices, *user, link.address, anew ? std::nullopt : by, now));
  if (anew) CAIP_CHECKED(hand_over(tx, impl.options.notices, user->id, std::nullopt, now));
  return impl.ledger.commit(std::move(tx), std::move(spent), {.detail = {{"from", user->email.str()}, {"emptied", anew}}});
}

}  // namespace caip::auth
