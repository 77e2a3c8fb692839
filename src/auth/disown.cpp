// "This was not me": what is undone when a person disowns a sign-in. Whoever signed in had a password, a passkey or an
// account elsewhere, and then minutes of step-up: so the password lets nobody in any more, the passkey is suspended or the
// account unlinked that they came by, and what was added in that session goes. What another session added stays, and what
// was there before: whoever reads the mail takes no second factor off an account by this.
#include "disown.h"

#include "accounts_impl.h"
#include "additions.h"
#include "auth/links.h"
#include "link_rows.h"
#include "outbox/letter.h"
#include "outbox/outbox.h"

namespace caip::auth {
namespace {

constexpr std::string_view kByLetter = "a sign-in was disowned by the link of a letter; all sessions ended, and the password lets nobody in until it is reset";

// The way in that it took; the password is gone anyway.
Result<void> shut(storage::WriteTx& tx, const UserId& user, std::string_view method, Disowning::Passkey passkey, Instant now) {
  const std::string_view id = method.substr(method.find(':') + 1);
  if (method.starts_with("passkey:") && passkey == Disowning::Passkey::suspend) CAIP_CHECKED(tx.exec("UPDATE passkeys SET suspended = ?3 WHERE user = ?1 AND id = ?2", user, id, now));
  if (method.starts_with("passkey:") && passkey == Disowning::Passkey::remove) CAIP_CHECKED(tx.exec("DELETE FROM passkeys WHERE user = ?1 AND id = ?2", user, id));
  if (method.starts_with("identity:")) CAIP_CHECKED(tx.exec("DELETE FROM identities WHERE user = ?1 AND id = ?2", user, id));
  return {};
}

// The address before, unless somebody has it by now; whose it is has to be shown again.
Result<void> address_again(storage::WriteTx& tx, const UserId& user, std::string_view before) {
  CAIP_TRY(then, Email::parse(before));
  CAIP_TRY(taken, user_by_email(tx, then));
  if (!taken) CAIP_CHECKED(tx.exec("UPDATE users SET email = ?2, verified = NULL WHERE id = ?1", user, then.str()));
  return {};
}

Result<void> undo_one(storage::WriteTx& tx, const UserId& user, const Addition& a, Instant now) {
  if (a.what == "totp") CAIP_CHECKED(tx.exec("DELETE FROM totp WHERE user = ?1 AND id = ?2", user, a.id));
  if (a.what == "passkey") CAIP_CHECKED(tx.exec("DELETE FROM passkeys WHERE user = ?1 AND id = ?2", user, a.id));
  if (a.what == "identity") CAIP_CHECKED(tx.exec("DELETE FROM identities WHERE user = ?1 AND id = ?2", user, a.id));
  if (a.what == "token") CAIP_CHECKED(tx.exec("UPDATE api_tokens SET ended = ?3 WHERE user = ?1 AND id = ?2 AND ended IS NULL", user, a.id, now));
  if (a.what == "codes") CAIP_CHECKED(tx.exec("DELETE FROM recovery_codes WHERE user = ?1", user));
  // One that has stood for as long as any letter could undo it is its person's: who lost the address before lost it for good.
  if (a.what == "email" && now - a.at <= kDisownLifetime) CAIP_CHECKED(address_again(tx, user, a.id));
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

// The password that takes the place of the old one, which whoever signed in may know; "" for who has none and wants none.
Result<std::string> replacement(Passwords& passwords, const UserRow& user, const SecretBytes& password) {
  if (password.empty() && user.password.empty()) return std::string();
  if (password.empty()) return fail(Code::invalid, "choose a new password: whoever signed in may know the one of now");
  CAIP_CHECKED(acceptable(password, {.words = {user.email.str()}}));  // as if there were no second factor: there may be none afterwards
  const auto same = user.password.empty() ? Result<bool>(false) : passwords.matches(password, user.password, user.id);
  if (!same) return std::unexpected(same.error());
  if (*same) return fail(Code::invalid, "this is the password of now; choose another one");
  return passwords.hash(password, user.id);
}

Result<bool> has_way_in(storage::Reader& tx, const UserId& user) {
  CAIP_TRY(some, tx.one<bool>("SELECT 1 FROM users WHERE id = ?1 AND (password <> '' OR EXISTS (SELECT 1 FROM identities WHERE user = ?1)"
                              " OR EXISTS (SELECT 1 FROM passkeys WHERE user = ?1 AND suspended IS NULL))", user, [](const storage::Row&) { return true; }));
  return some.has_value();
}

}  // namespace

Result<std::optional<Began>> began(storage::Reader& tx, std::string_view session) {
  CAIP_TRY(row, tx.one<Result<Began>>("SELECT id, user, device, began_from, method, created, disowned FROM sessions WHERE id = ?1", session.substr(0, session.find(' ')),
                                      [](const storage::Row& r) -> Result<Began> {
    CAIP_TRY(id, r.id<SessionId>(0));
    CAIP_TRY(user, r.id<UserId>(1));
    return Began{id, user, r.text(2), r.text(3), r.text(4), r.time(5), r.optional_time(6).has_value()};
  }));
  if (!row) return std::optional<Began>{};
  CAIP_TRY(found, *std::move(row));
  return std::optional(std::move(found));
}

Result<Disowned> Accounts::Impl::disown(storage::WriteTx& tx, const Began& session, const Disowning& how, Instant now) {
  Disowned done;
  CAIP_TRY(before, user_by_id(tx, session.user));
  if (!before) return fail(Code::internal, "a session of nobody");
  CAIP_TRY(ended, end_sessions_but(tx, session.user, std::nullopt, now));
  CAIP_CHECKED(tx.exec("UPDATE sessions SET disowned = ?2 WHERE id = ?1", session.id, now));
  CAIP_CHECKED(tx.exec("DELETE FROM known_devices WHERE user = ?1 AND (since >= ?3 OR id = (SELECT device_id FROM sessions WHERE id = ?2))", session.user, session.id, session.at));
  CAIP_CHECKED(tx.exec("UPDATE users SET password = ?2, epoch = epoch + 1, wanted_email = NULL WHERE id = ?1", session.user, how.password));
  CAIP_CHECKED(forget_links(tx, session.user, MailKind::verify_email));
  CAIP_CHECKED(forget_links(tx, session.user, MailKind::reset_password));
  CAIP_CHECKED(shut(tx, session.user, session.method, how.passkey, now));
  CAIP_TRY(undone, undo(tx, session.user, session, now));
  // What rested on that person's authority, in each organisation: whoever signed in may have begun it.
  CAIP_TRY(belongs, memberships_of(tx, session.user));
  for (const auto& m : belongs) {
    CAIP_TRY(end, end_authority(tx, m.org, session.user, now, false));
    done.ends.push_back(std::move(end));
    CAIP_CHECKED(outbox::raise(tx, {.kind = EventKind::member_disabled, .org = m.org,
                                    .subject = m.user.email.str() + " says of a sign-in that it was not them: their sessions ended, and " + how.after}, now));
  }
  CAIP_CHECKED(options.notices.changed(tx, session.user, how.what, now, how.by));
  CAIP_TRY(after, user_by_id(tx, session.user));
  if (after && after->email != before->email)  // whoever reads the mail there is told as well that the account is another address's again
    CAIP_CHECKED(options.notices.letter(tx, {.kind = MailKind::account_changed, .org = {}, .user = session.user, .address = before->email,
                                             .subject = before->email.str() + ": " + how.what + ". Its address is the one of before again: if that was not you, ask an Owner of your organisation"}, now));
  if (!belongs.empty()) done.org = belongs.front().org;
  done.detail = {{"ended_sessions", ended}, {"undone", std::move(undone)}, {"method", session.method}};
  return done;
}

Result<Receipt<DisownSession>> Accounts::disown(Authorized<DisownSession>&& permit, const SecretBytes& password) {
  const DisownSession action = permit.action();
  const Principal who = permit.principal();
  std::optional<UserRow> user;
  bool theirs = false;
  {
    auto tx = impl_->database.begin_read();
    CAIP_TRY(found, user_by_id(tx, *who.user));
    CAIP_TRY(session, began(tx, action.session.str()));
    theirs = found && session && session->user == found->id && !session->disowned;
    user = std::move(found);
  }
  if (!theirs) return impl_->refuse(action, who, Code::not_found, "not a session of theirs", "there is no such session");
  CAIP_TRY(hash, replacement(impl_->passwords, *user, password));
  const Instant now = impl_->clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  auto tx = impl_->database.begin_write();
  CAIP_CHECKED(impl_->still(tx, who));  // here, not with the commit: this session is about to end
  CAIP_TRY(current, user_by_id(tx, user->id));
  CAIP_TRY(session, began(tx, action.session.str()));
  if (!current || current->password != user->password || !session || session->disowned) return fail(Code::conflict, "the account changed; try again");
  CAIP_TRY(done, impl_->disown(tx, *session, {.password = hash, .passkey = Disowning::Passkey::remove,
                                              .what = "a sign-in was disowned by whoever was signed in" + std::string(hash.empty() ? "" : " and chose a new password") + "; all sessions ended",
                                              .after = hash.empty() ? "the way in that it took was shut" : "the password is a new one", .by = who.session}, now));
  CAIP_TRY(way_in, has_way_in(tx, user->id));
  if (!way_in) return fail(Code::invalid, "that sign-in took the only way into your account, which this shuts: choose a password");
  done.detail["new_password"] = !hash.empty();
  CAIP_TRY(receipt, impl_->ledger.commit(std::move(tx), std::move(spent), {.detail = std::move(done.detail)}));
  for (const auto& end : done.ends) end();
  return receipt;
}

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
  if (!session || link.user != action.user || session->id != action.session || session->user != action.user) return bad_link();
  CAIP_TRY(done, impl.disown(tx, *session, {.password = "", .passkey = Disowning::Passkey::suspend, .what = std::string(kByLetter), .after = "the password lets nobody in until it is reset"}, now));
  CAIP_CHECKED(write_to(tx, link, done.org, now));
  CAIP_TRY(receipt, impl.ledger.commit(std::move(tx), std::move(spent), {.detail = std::move(done.detail), .org = done.org, .user = action.user}));
  for (const auto& end : done.ends) end();
  return receipt;
}

// A link for a new password, to the account's address; and word to where the disowning link was sent, where that is another one.
Result<void> Links::write_to(storage::WriteTx& tx, const Link& link, const std::optional<OrgId>& org, Instant now) const {
  const auto& notices = accounts_.impl_->options.notices;
  CAIP_TRY(user, user_by_id(tx, link.user));
  if (!user) return bad_link();
  if (user->email != link.address)  // a former address is its person's alone: no organisation sees it in a dead letter
    CAIP_CHECKED(notices.letter(tx, {.kind = MailKind::account_changed, .org = {}, .user = user->id, .address = link.address,
                                     .subject = std::string(kByLetter) + ". Its address is another one by now: ask an Owner of your organisation"}, now));
  return notices.letter(tx, {.kind = MailKind::reset_password, .org = org, .user = user->id, .address = user->email, .subject = user->email.str()}, now);
}

}  // namespace caip::auth
