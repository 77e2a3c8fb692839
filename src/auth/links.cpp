// What letters' links are made for, and a forgotten password.
#include "auth/links.h"

#include "accounts_impl.h"
#include "first_proof.h"
#include "invitation_links.h"
#include "link_rows.h"
#include "outbox/letter.h"

namespace caip::auth {
namespace {

using Path = std::optional<std::string>;

Result<Path> path_to(storage::WriteTx& tx, std::string_view page, MailKind purpose, const Link& link, Instant now, Duration lifetime) {
  CAIP_TRY(token, put_link(tx, purpose, link, now, lifetime));
  return Path(std::string(page) + "#token=" + token);
}

// A letter that waited for longer than its link would have lived answers nobody's question any more.
Result<Path> reset_path(storage::WriteTx& tx, const UserRow& user, const outbox::Letter& l, Instant written, Instant now) {
  if (user.email != l.address || now - written > 2 * kResetLifetime) return Path{};
  return path_to(tx, "/reset", l.kind, {user.id, "", l.address}, now, kResetLifetime);
}

Result<Path> confirm_path(storage::WriteTx& tx, const UserRow& user, const outbox::Letter& l, Instant now) {
  CAIP_TRY(wanted, wanted_email(tx, user.id));
  if (user.email != l.address && wanted != l.address) return Path{};
  CAIP_TRY(owner, user_by_email(tx, l.address));
  if (owner && owner->id != user.id) return Path("");  // its owner hears that nothing was changed
  return path_to(tx, "/confirm-email", l.kind, {user.id, l.address.str(), l.address}, now, kConfirmLifetime);
}

}  // namespace

Links::Links(Accounts& accounts) : accounts_(accounts) {}

Result<Path> Links::mint(storage::WriteTx& tx, const outbox::Letter& l, Instant written, Instant now) const {
  if (l.kind == MailKind::invitation) return mailed_invitation(tx, l.about, now);
  if (!l.user) return Path{};
  CAIP_TRY(user, user_by_id(tx, *l.user));
  if (!user) return Path{};
  if (l.kind == MailKind::reset_password) return reset_path(tx, *user, l, written, now);
  if (l.kind == MailKind::verify_email) return confirm_path(tx, *user, l, now);
  // Also when the account has another address by now: whoever signed in may have seen to that.
  if (l.kind == MailKind::new_sign_in || (l.kind == MailKind::account_changed && !l.about.empty()))
    return path_to(tx, "/not-me", MailKind::new_sign_in, {user->id, l.about + " " + l.address.str(), l.address}, now, kDisownLifetime);
  return l.kind == MailKind::account_changed ? Path("") : Path{};
}

Result<void> Links::not_too_many(storage::Reader& tx, MailKind kind, const UserId& user, Instant now) const {
  CAIP_TRY(count, outbox::written(tx, kind, user, now + -std::chrono::hours(1)));
  if (count >= kMostLetters) return fail(Code::too_many, "three letters were sent in the last hour; look for them, also where your mail puts what it suspects");
  return {};
}

// Every step is taken for nobody too: whether there is such an account must show neither in the answer nor in the time.
Result<Receipt<RequestPasswordReset>> Links::request_reset(Authorized<RequestPasswordReset>&& permit) {
  auto& impl = *accounts_.impl_;
  CAIP_CHECKED(impl.options.notices.needs_mail());
  const Email email = permit.action().email;
  const Instant now = impl.clock.now();
  const bool pace = asked_.with([&](auto& bucket) { return (bucket ? *bucket : bucket.emplace(kResets, now)).take(now); });
  if (!pace) return fail(Code::too_many, "too many requests; try again in a minute");
  CAIP_TRY(spent, std::move(permit).spend(now));
  auto tx = impl.database.begin_write();
  CAIP_TRY(user, user_by_email(tx, email));
  const UserId id = user ? user->id : UserId{IdBytes{}};
  CAIP_TRY(there, last_used(tx, id));
  const auto org = there ? std::optional(there->org) : std::nullopt;
  // Whoever asks for it, a link lives at any time after: strangers cannot use up what its person needs.
  CAIP_TRY(lately, outbox::written(tx, MailKind::reset_password, id, now + -kResetEvery));
  const bool letter = user && lately == 0;
  if (letter) CAIP_CHECKED(outbox::write(tx, {.kind = MailKind::reset_password, .org = org, .user = id, .address = email, .subject = email.str()}, now));
  return impl.ledger.commit(std::move(tx), std::move(spent), {.detail = {{"letter", letter}}, .org = org, .user = user ? std::optional(id) : std::nullopt});
}

Result<ResetOffer> Links::look_reset(std::string_view token) const {
  auto& impl = *accounts_.impl_;
  auto tx = impl.database.begin_read();
  CAIP_TRY(link, find_link(tx, MailKind::reset_password, token, impl.clock.now()));
  if (!link) return bad_link();
  CAIP_TRY(user, user_by_id(tx, link->user));
  if (!user || user->email != link->address) return bad_link();
  CAIP_TRY(there, last_used(tx, user->id));
  CAIP_TRY(factor, impl.factors.state(tx, user->id));
  CAIP_TRY(anew, planted(tx, user->id));
  return ResetOffer{user->id, there ? std::optional(there->org) : std::nullopt, user->email, factor.any() && !anew};
}

Result<Receipt<ResetPassword>> Links::reset(Authorized<ResetPassword>&& permit, std::string_view token, const SecretBytes& password) {
  auto& impl = *accounts_.impl_;
  const UserId user = permit.action().user;
  CAIP_TRY(offer, look_reset(token));
  CAIP_CHECKED(acceptable(password, {.words = {offer.email.str()}, .second_factor = offer.second_factor}));
  CAIP_TRY(hash, impl.passwords.hash(password, user));
  const Instant now = impl.clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  auto tx = impl.database.begin_write();
  CAIP_TRY(link, take_link(tx, MailKind::reset_password, token, now));  // again, in the writer's lane: it works once
  CAIP_TRY(current, user_by_id(tx, user));
  if (link.user != user || !current || current->email != link.address) return bad_link();
  CAIP_TRY(anew, planted(tx, user));
  // Whoever reads the mail of the address has just shown it. What was asked for with the old password is void.
  CAIP_CHECKED(tx.exec("UPDATE users SET password = ?2, epoch = epoch + 1, verified = coalesce(verified, ?3), wanted_email = NULL WHERE id = ?1", user, hash, now));
  CAIP_CHECKED(forget_links(tx, user, MailKind::verify_email));
  CAIP_TRY(ended, anew ? begin_anew(tx, user, hash, std::nullopt, now) : end_sessions_but(tx, user, std::nullopt, now));
  const std::string more = anew ? ", and what had been set up in the account before was removed" : "";
  CAIP_CHECKED(impl.options.notices.changed(tx, user, "the password was reset by a link that was sent here; all sessions ended" + more, now));
  return impl.ledger.commit(std::move(tx), std::move(spent), {.detail = {{"ended_sessions", ended}}, .org = offer.org, .user = user});
}

}  // namespace caip::auth
