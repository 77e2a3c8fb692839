#include "auth/invitations.h"

#include <limits>

#include "accounts_impl.h"
#include "crypto/hash.h"
#include "first_proof.h"
#include "identity_rows.h"
#include "invitation_links.h"
#include "outbox/letter.h"
#include "outbox/outbox.h"

namespace caip::auth {
namespace {

#define INVITATION_COLUMNS "id, org, email, role, inviter, created, expires, accepted IS NOT NULL, revoked IS NOT NULL"

InvitationState state_of(const storage::Row& r, Instant expires, Instant now) {
  if (r.boolean(7)) return InvitationState::accepted;
  if (r.boolean(8)) return InvitationState::revoked;
  return now < expires ? InvitationState::open : InvitationState::expired;
}

Result<Invitation> read(const storage::Row& r, Instant now) {
  CAIP_TRY(id, r.id<InvitationId>(0));
  CAIP_TRY(org, r.id<OrgId>(1));
  CAIP_TRY(email, Email::parse(r.text_view(2)));
  CAIP_TRY(role, parse_role(r.text_view(3)));
  CAIP_TRY(inviter, r.id<UserId>(4));
  return Invitation{id, org, std::move(email), role, inviter, r.time(5), r.time(6), state_of(r, r.time(6), now)};
}

Result<Invitation> the_one(Result<std::optional<Result<Invitation>>> row) {
  if (!row) return std::unexpected<Error>(std::move(row).error());
  if (!*row) return fail(Code::not_found, "no such invitation");
  return **std::move(row);
}

Digest hash_of(std::string_view token) { return crypto::sha256(view(token)); }
std::string fresh_token() { return base64url(crypto::random_bytes(32)); }
std::unexpected<Error> no_invitation() { return fail(Code::expired, "this invitation was used, revoked or has expired; ask for another one"); }

Result<Invitation> by_token(storage::Reader& tx, std::string_view token, Instant now) {
  auto found = the_one(tx.one<Result<Invitation>>("SELECT " INVITATION_COLUMNS " FROM invitations WHERE token_hash = ?1 OR mailed_hash = ?1", hash_of(token),
                                                  [&](const storage::Row& r) { return read(r, now); }));
  if (!found && found.error().code != Code::not_found) return found;
  if (!found || found->state != InvitationState::open) return no_invitation();
  return found;
}

Result<Invitation> by_id(storage::Reader& tx, const OrgId& org, const InvitationId& id, Instant now) {
  return the_one(tx.one<Result<Invitation>>("SELECT " INVITATION_COLUMNS " FROM invitations WHERE id = ?1 AND org = ?2", id, org,
                                            [&](const storage::Row& r) { return read(r, now); }));
}

Result<std::int64_t> open_ones(storage::Reader& tx, const OrgId& org, Instant now, const InvitationId& but) {
  CAIP_TRY(count, tx.one<std::int64_t>("SELECT count(*) FROM invitations WHERE org = ?1 AND accepted IS NULL AND revoked IS NULL AND expires > ?2 AND id <> ?3", org, now, but,
                                       [](const storage::Row& r) { return r.integer(0); }));
  return count.value_or(0);
}

// No member, no other open invitation, and not too many of them.
Result<void> invitable(storage::Reader& tx, const OrgId& org, const Email& email, Instant now, const InvitationId& but) {
  CAIP_TRY(user, user_by_email(tx, email));
  if (user) {
    CAIP_TRY(member, listed_member(tx, org, user->id));
    if (member) return fail(Code::conflict, "this person belongs to the organisation already" + std::string(member->disabled ? "; enable them" : ""));
  }
  CAIP_TRY(open, tx.one<bool>("SELECT 1 FROM invitations WHERE org = ?1 AND email = ?2 AND accepted IS NULL AND revoked IS NULL AND expires > ?3 AND id <> ?4",
                              org, email.str(), now, but, [](const storage::Row&) { return true; }));
  if (open) return fail(Code::conflict, "there is an open invitation for this address; send that one again");
  CAIP_TRY(count, open_ones(tx, org, now, but));
  if (count >= static_cast<std::int64_t>(kMostInvitations)) return fail(Code::conflict, "an organisation has at most 200 open invitations");
  return {};
}

// Whoever has the link that only the letter had reads the mail of that address.
Result<bool> by_letter(storage::Reader& tx, const Invitation& i, std::string_view token) {
  CAIP_TRY(mailed, tx.one<bool>("SELECT 1 FROM invitations WHERE id = ?1 AND mailed_hash = ?2", i.id, hash_of(token), [](const storage::Row&) { return true; }));
  return mailed.has_value();
}

// Of the account that has the invited address.
Result<void> verified(storage::WriteTx& tx, const Invitation& i, const UserId& user, Instant now) {
  CAIP_CHECKED(tx.exec("UPDATE users SET verified = coalesce(verified, ?3) WHERE id = ?1 AND email = ?2", user, i.email.str(), now));
  return {};
}

// The invited address has shown itself to be theirs.
Result<bool> first_shown(storage::WriteTx& tx, const Notices& notices, const Invitation& i, const UserId& user, const std::optional<IdentityId>& by, Instant now) {
  CAIP_TRY(there, user_by_id(tx, user));
  CAIP_TRY(anew, planted(tx, user));
  const bool emptied = anew && there && there->email == i.email;
  CAIP_CHECKED(verified(tx, i, user, now));
  if (emptied) CAIP_CHECKED(hand_over(tx, notices, user, by, now));
  return emptied;
}

// In the transaction of its acceptance: the invitation is used up and the person belongs.
Result<void> let_in(storage::WriteTx& tx, const Invitation& i, const UserId& user, Instant now) {
  CAIP_TRY(taken, tx.exec("UPDATE invitations SET accepted = ?2 WHERE id = ?1 AND accepted IS NULL AND revoked IS NULL AND expires > ?2", i.id, now));
  if (taken != 1) return no_invitation();
  CAIP_TRY(there, listed_member(tx, i.org, user));
  if (there) return fail(Code::conflict, "you belong to this organisation already");  // nor does an invitation enable who is disabled there
  CAIP_CHECKED(tx.exec("INSERT INTO memberships (org, user, role, version, created, used) VALUES (?1, ?2, ?3, 1, ?4, ?4)", i.org, user, text(i.role), now));
  CAIP_CHECKED(tx.exec("UPDATE invitations SET revoked = ?3 WHERE org = ?1 AND email = ?2 AND accepted IS NULL AND revoked IS NULL", i.org, i.email.str(), now));
  CAIP_CHECKED(outbox::raise(tx, {.kind = EventKind::member_added, .org = i.org, .subject = i.email.str() + " as " + std::string(text(i.role)) + ", who accepted an invitation"}, now));
  return {};
}

Result<void> room_for_one_more(storage::Reader& tx, const UserId& user) {
  CAIP_TRY(belongs, memberships_of(tx, user));
  if (belongs.size() >= kMostOrganizations) return fail(Code::conflict, "a person belongs to at most 100 organisations");
  return {};
}

// Whom another service's word lets accept: the person that it is linked to, or nobody yet. By the address alone an account
// is neither found nor linked: whoever got hold of an address elsewhere would have it here.
Result<std::optional<LinkedIdentity>> who_accepts(storage::Reader& tx, const Invitation& i, const ExternalIdentity& who) {
  if (who.email() != i.email) return fail(Code::forbidden, "that service does not confirm that the address of the invitation is yours; use an account that has it");
  CAIP_TRY(link, link_of(tx, who));
  CAIP_TRY(owner, user_by_email(tx, i.email));
  if (owner && (!link || link->user != owner->id))
    return fail(Code::forbidden, "the address of the invitation has an account here, which that service is not linked to; sign in with it as ever, then open the link again");
  if (link) CAIP_CHECKED(room_for_one_more(tx, link->user));
  return link;
}

// Whoever holds that account would join by what proves half of who they are. Who belongs nowhere cannot sign in to prove the rest.
Result<void> nothing_owed(storage::Reader& tx, const Factors& factors, const UserId& user) {
  CAIP_TRY(somewhere, last_used(tx, user));
  CAIP_TRY(state, factors.state(tx, user));
  if (somewhere && state.any()) return fail(Code::conflict, "your account has a second factor; sign in with it, then accept");
  return {};
}

// Without a password; the service has verified the address.
Result<void> new_account(storage::WriteTx& tx, const UserId& id, const Email& email, const ExternalIdentity& who, Instant now) {
  CAIP_CHECKED(tx.exec("INSERT INTO users (id, email, password, epoch, created, verified) VALUES (?1, ?2, '', 1, ?3, ?3)", id, email.str(), now));
  return insert_identity(tx, {crypto::random_id<IdentityId>(), id}, who, now);
}

}  // namespace

std::string_view text(InvitationState state) noexcept {
  switch (state) {
    case InvitationState::open: return "open";
    case InvitationState::accepted: return "accepted";
    case InvitationState::revoked: return "revoked";
    case InvitationState::expired: return "expired";
  }
  return "?";
}

Result<std::optional<std::string>> mailed_invitation(storage::WriteTx& tx, std::string_view invitation, Instant now) {
  const std::string token = fresh_token();
  CAIP_TRY(open, tx.exec("UPDATE invitations SET mailed_hash = ?2 WHERE id = ?1 AND accepted IS NULL AND revoked IS NULL AND expires > ?3", invitation, hash_of(token), now));
  return open == 1 ? std::optional("/invitation#token=" + token) : std::nullopt;
}

Result<void> Invitations::mail(storage::WriteTx& tx, const Invitation& i, const Principal& who, Instant now) const {
  auto& impl = *accounts_.impl_;
  const Instant hour = now + -std::chrono::hours(1);
  CAIP_TRY(to, outbox::written_to(tx, MailKind::invitation, i.email, i.org, hour));
  if (to >= kMostInvitingTo)
    return fail(Code::too_many, "you sent this address three invitations in the last hour; look for them there, also where mail puts what it suspects");
  CAIP_TRY(of, outbox::written_for(tx, MailKind::invitation, i.org, hour));
  if (of >= kMostInvitingOf) return fail(Code::too_many, "an organisation sends at most 100 invitations an hour; go on later");
  CAIP_TRY(name, impl.org_name(tx, i.org));
  CAIP_TRY(inviter, member_of(tx, i.org, *who.user));
  if (!inviter) return not_signed_in();
  // What other organisations sent there is nobody's to know, and keeps nobody from inviting: it makes the letter wait.
  CAIP_TRY(of_all, outbox::written_to(tx, MailKind::invitation, i.email, hour));
  const Instant later = now + std::chrono::hours(of_all / kMostInvitingAtOnce);
  CAIP_CHECKED(outbox::write(tx, {.kind = MailKind::invitation, .org = i.org, .address = i.email,
                                  .subject = inviter->user.email.str() + " invites you to \"" + harmless(name.str()) + "\" as " + std::string(text(i.role)), .about = i.id.str()}, later));
  return {};
}

Result<NewInvitation> Invitations::create(Authorized<CreateInvitation>&& permit, Duration lifetime) {
  auto& impl = *accounts_.impl_;
  const CreateInvitation action = permit.action();
  const Principal who = permit.principal();
  const Instant now = impl.clock.now();
  if (lifetime <= Duration(0) || lifetime > kLongestInvitation) return fail(Code::invalid, "an invitation is valid for up to 30 days");
  const Invitation made{action.invitation, *who.org, action.email, action.role, *who.user, now, now + lifetime};
  const std::string token = fresh_token();
  const bool mailed = impl.options.notices.mail();
  CAIP_TRY(spent, std::move(permit).spend(now));
  auto tx = impl.database.begin_write();
  CAIP_CHECKED(invitable(tx, *who.org, action.email, now, action.invitation));
  CAIP_CHECKED(tx.exec("INSERT INTO invitations (id, org, email, role, inviter, token_hash, created, expires, lifetime) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                       action.invitation, *who.org, action.email.str(), text(action.role), *who.user, hash_of(token), now, made.expires,
                       std::int64_t{lifetime.count()}));
  if (mailed) CAIP_CHECKED(mail(tx, made, who, now));
  CAIP_CHECKED(impl.ledger.commit(std::move(tx), std::move(spent), {.detail = {{"expires_at", made.expires.str()}, {"mailed", mailed}}}));
  return NewInvitation{made, mailed ? std::string() : token};
}

Result<NewInvitation> Invitations::resend(Authorized<ResendInvitation>&& permit) {
  auto& impl = *accounts_.impl_;
  const InvitationId id = permit.action().invitation;
  const Principal who = permit.principal();
  const Instant now = impl.clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  const std::string token = fresh_token();
  auto tx = impl.database.begin_write();
  CAIP_TRY(before, by_id(tx, *who.org, id, now));
  CAIP_CHECKED(invitable(tx, *who.org, before.email, now, id));
  if (before.state == InvitationState::accepted || before.state == InvitationState::revoked)
    return fail(Code::conflict, "this invitation is " + std::string(text(before.state)) + "; make another one");
  // Who sends it stands for it: with a role above their own it would be more than they may give.
  if (before.role > who.role) return fail(Code::forbidden, "the invitation is for a role above yours");
  CAIP_CHECKED(tx.exec("UPDATE invitations SET token_hash = ?2, mailed_hash = NULL, inviter = ?3, expires = ?4 + lifetime WHERE id = ?1", id, hash_of(token), *who.user, now));
  CAIP_TRY(after, by_id(tx, *who.org, id, now));
  const bool mailed = impl.options.notices.mail();
  if (mailed) CAIP_CHECKED(mail(tx, after, who, now));
  CAIP_CHECKED(impl.ledger.commit(std::move(tx), std::move(spent), {.detail = {{"email", after.email.str()}, {"expires_at", after.expires.str()}, {"mailed", mailed}}}));
  return NewInvitation{std::move(after), mailed ? std::string() : token};
}

Result<Receipt<RevokeInvitation>> Invitations::revoke(Authorized<RevokeInvitation>&& permit) {
  auto& impl = *accounts_.impl_;
  const InvitationId id = permit.action().invitation;
  const OrgId org = *permit.principal().org;
  const Instant now = impl.clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  auto tx = impl.database.begin_write();
  CAIP_TRY(before, by_id(tx, org, id, now));
  if (before.state == InvitationState::accepted) return fail(Code::conflict, "it was accepted; remove the member instead");
  CAIP_CHECKED(tx.exec("UPDATE invitations SET revoked = ?2 WHERE id = ?1 AND revoked IS NULL", id, now));
  return impl.ledger.commit(std::move(tx), std::move(spent), {.detail = {{"email", before.email.str()}}});
}

Result<Page<Invitation>> Invitations::list(const OrgId& org, const PageAsk& ask) const {
  auto& impl = *accounts_.impl_;
  const Instant now = impl.clock.now();
  const Place last = ask.after.value_or(Place{.number = std::numeric_limits<std::int64_t>::max(), .id = {}});
  std::vector<Invitation> out;
  Result<void> bad;
  auto tx = impl.database.begin_read();
  CAIP_CHECKED(tx.query("SELECT " INVITATION_COLUMNS " FROM invitations WHERE org = ?1 AND (created, id) < (?2, ?3) ORDER BY created DESC, id DESC LIMIT ?4",
                        org, last.number, last.id, ask.limit + 1, [&](const storage::Row& r) {
    if (auto i = read(r, now)) out.push_back(*std::move(i));
    else bad = std::unexpected<Error>(std::move(i).error());
  }));
  CAIP_CHECKED(std::move(bad));
  return page_of(std::move(out), ask);
}

Result<Offer> Invitations::look(std::string_view token) const {
  auto& impl = *accounts_.impl_;
  auto tx = impl.database.begin_read();
  CAIP_TRY(i, by_token(tx, token, impl.clock.now()));
  CAIP_TRY(name, impl.org_name(tx, i.org));
  CAIP_TRY(inviter, member_of(tx, i.org, i.inviter));
  if (!inviter) return no_invitation();
  CAIP_TRY(user, user_by_email(tx, i.email));
  bool belongs = false;
  if (user) {
    CAIP_TRY(somewhere, last_used(tx, user->id));
    belongs = somewhere.has_value();
  }
  return Offer{std::move(i), std::move(name), std::move(inviter->user.email), belongs};
}

// Who comes to the door with a link and a password.
struct AtDoor {
  Invitation invitation;
  std::optional<UserRow> user;
  // The password is a new one, for an account that does not exist, or has none that its person knows: nobody else's word
  // could let them in, and the link's holder is trusted with a new account as well.
  bool chooses;
};

namespace {

Result<bool> has_no_password_of_theirs(storage::Reader& tx, const Factors& factors, const Invitation& i, std::string_view token, const UserRow& user) {
  CAIP_TRY(anew, planted(tx, user.id));
  CAIP_TRY(mailed, by_letter(tx, i, token));
  CAIP_TRY(state, factors.state(tx, user.id));
  return (anew && mailed) || (user.password.empty() && !state.any());
}

Result<AtDoor> at_door(storage::Reader& tx, const Factors& factors, std::string_view token, Instant now) {
  CAIP_TRY(i, by_token(tx, token, now));
  CAIP_TRY(user, user_by_email(tx, i.email));
  if (!user) return AtDoor{std::move(i), std::nullopt, true};
  CAIP_TRY(somewhere, last_used(tx, user->id));
  if (somewhere) return fail(Code::conflict, "this address has an account; sign in with it, then accept");
  CAIP_TRY(chooses, has_no_password_of_theirs(tx, factors, i, token, *user));
  return AtDoor{std::move(i), std::move(user), chooses};
}

}  // namespace

Result<std::string> Invitations::proven(const AcceptInvitation& action, const Principal& who, const AtDoor& door, const SecretBytes& password) const {
  auto& impl = *accounts_.impl_;
  const Email& email = door.invitation.email;
  if (door.chooses) {
    CAIP_CHECKED(acceptable(password, {.words = {email.str()}}));
    return impl.passwords.hash(password);
  }
  const Counters attempts = counters_of_stranger(email.str(), who.origin.address);
  CAIP_CHECKED(impl.not_too_many(action, who, attempts));
  CAIP_TRY(same, impl.passwords.matches(password, door.user->password));
  if (!same) return impl.failed(action, who, attempts, {Code::bad_credentials, "this address has an account with another password"}, "wrong password");
  return door.user->password;
}

Result<Receipt<AcceptInvitation>> Invitations::accept(Authorized<AcceptInvitation>&& permit, std::string_view token, const SecretBytes& password) {
  auto& impl = *accounts_.impl_;
  const AcceptInvitation action = permit.action();
  const Principal who = permit.principal();
  CAIP_TRY(before, [&] { auto tx = impl.database.begin_read(); return at_door(tx, impl.factors, token, impl.clock.now()); }());
  CAIP_TRY(hash, proven(action, who, before, password));
  const Instant now = impl.clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  auto tx = impl.database.begin_write();
  CAIP_TRY(door, at_door(tx, impl.factors, token, now));  // again, in the writer's lane: it works once
  const Invitation& i = door.invitation;
  if (i.id != action.invitation) return no_invitation();
  const bool same = door.chooses == before.chooses && door.user.has_value() == before.user.has_value() && (!door.user || door.user->password == before.user->password);
  if (!same) return fail(Code::conflict, "the account changed; try again");
  const UserId id = door.user ? door.user->id : action.user;
  CAIP_TRY(mailed, by_letter(tx, i, token));
  if (!door.user) CAIP_CHECKED(impl.insert_user(tx, {id, i.email, hash, 1, now}));
  else if (door.chooses) CAIP_CHECKED(begin_anew(tx, id, hash, std::nullopt, now));
  if (mailed) CAIP_CHECKED(verified(tx, i, id, now));
  CAIP_CHECKED(let_in(tx, i, id, now));
  if (door.user) CAIP_CHECKED(impl.options.notices.changed(tx, id, door.chooses ? "an invitation was accepted with a new password; what had been set up in the account before was removed" : "an invitation was accepted with its password", now));
  return impl.ledger.commit(std::move(tx), std::move(spent), {.detail = {{"email", i.email.str()}, {"role", text(i.role)}, {"inviter", i.inviter.str()}, {"emptied", door.user && door.chooses}},
                                                              .org = i.org, .user = id});
}

Result<Receipt<AcceptInvitation>> Invitations::accept_with(Authorized<AcceptInvitation>&& permit, std::string_view token, const ExternalIdentity& who) {
  auto& impl = *accounts_.impl_;
  const AcceptInvitation action = permit.action();
  const Principal principal = permit.principal();
  const Instant now = impl.clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  auto receipt = [&]() -> Result<Receipt<AcceptInvitation>> {
    auto tx = impl.database.begin_write();
    CAIP_TRY(i, by_token(tx, token, now));
    if (i.id != action.invitation) return no_invitation();
    CAIP_TRY(link, who_accepts(tx, i, who));
    const UserId id = link ? link->user : action.user;
    if (link) CAIP_CHECKED(nothing_owed(tx, impl.factors, id));
    if (!link) CAIP_CHECKED(new_account(tx, id, i.email, who, now));
    // The service says that the invited address is theirs: as good as the letter.
    CAIP_TRY(emptied, first_shown(tx, impl.options.notices, i, id, link ? std::optional(link->id) : std::nullopt, now));
    CAIP_CHECKED(let_in(tx, i, id, now));
    if (link) CAIP_CHECKED(impl.options.notices.changed(tx, id, "an invitation was accepted with the account at " + who.provider(), now));
    return impl.ledger.commit(std::move(tx), std::move(spent), {.detail = {{"email", i.email.str()}, {"role", text(i.role)}, {"inviter", i.inviter.str()}, {"provider", who.provider()},
                                                                           {"issuer", who.issuer()}, {"subject", who.subject()}, {"new_account", !link}, {"emptied", emptied}}, .org = i.org, .user = id});
  }();
  if (!receipt && (receipt.error().code == Code::forbidden || receipt.error().code == Code::conflict)) return impl.refuse(action, principal, receipt.error().code, receipt.error().detail, receipt.error().detail);
  return receipt;
}

Result<Receipt<JoinOrganization>> Invitations::join(Authorized<JoinOrganization>&& permit, std::string_view token) {
  auto& impl = *accounts_.impl_;
  const JoinOrganization action = permit.action();
  const Principal who = permit.principal();
  const Instant now = impl.clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  bool other = false;
  auto receipt = [&]() -> Result<Receipt<JoinOrganization>> {
    auto tx = impl.database.begin_write();
    CAIP_CHECKED(impl.still(tx, who));  // here, not with the commit: this session may be about to end
    CAIP_TRY(i, by_token(tx, token, now));
    CAIP_TRY(user, user_by_id(tx, *who.user));
    other = !user || user->email != i.email || i.id != action.invitation;
    if (other) return fail(Code::forbidden);
    CAIP_CHECKED(room_for_one_more(tx, user->id));
    CAIP_TRY(mailed, by_letter(tx, i, token));
    bool emptied = false;
    if (mailed) {
      CAIP_TRY(first, first_shown(tx, impl.options.notices, i, user->id, std::nullopt, now));
      emptied = first;
    }
    CAIP_CHECKED(let_in(tx, i, user->id, now));
    return impl.ledger.commit(std::move(tx), std::move(spent), {.detail = {{"email", i.email.str()}, {"role", text(i.role)}, {"inviter", i.inviter.str()}, {"emptied", emptied}}, .org = i.org});
  }();
  if (other) return impl.refuse(action, who, Code::forbidden, "another address", "this invitation is for another address; sign in with that one");
  return receipt;
}

}  // namespace caip::auth
