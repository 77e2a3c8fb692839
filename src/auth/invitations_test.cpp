#include "auth/invitations.h"

#include <catch2/catch_test_macros.hpp>

#include "auth/identities.h"
#include "auth/team.h"
#include "crypto/totp.h"
#include "invitation_links.h"
#include "test_identity.h"
#include "test_world.h"

using namespace caip;
using namespace caip::auth;

namespace {

struct Invited : World {
  explicit Invited(bool mail = false) : World(mail) {}
  Invitations invitations{accounts};
  Team team{accounts};
  Identities identities{*database, *ledger, clock, notices};
  SignedIn owner_in = (with_owner(), sign_in().value());
  Session owner = session(owner_in).value();

  Result<NewInvitation> invite(std::string_view who, Role role = Role::member, Duration lifetime = kInvitationLifetime) {
    return invitations.create(permit(CreateInvitation{crypto::random_id<InvitationId>(), email(who), role}, owner), lifetime);
  }
  Code accept(const NewInvitation& n, std::string_view password = kPassword) { return accept(n.invitation.id, n.token, password); }
  Code accept(const InvitationId& id, std::string_view token, std::string_view password = kPassword) {
    Principal nobody = anonymous();
    nobody.org = owner.org();
    return code(invitations.accept(permit(AcceptInvitation{id, crypto::random_id<UserId>()}, nobody), token, SecretBytes(password)));
  }
  Code accept_with(const NewInvitation& n, const ExternalIdentity& who) {
    Principal nobody = anonymous();
    nobody.org = owner.org();
    return code(invitations.accept_with(permit(AcceptInvitation{n.invitation.id, crypto::random_id<UserId>()}, nobody), n.token, who));
  }
  Result<Step<SignInWith>> enter(const ExternalIdentity& who) {
    return accounts.sign_in_with(permit(SignInWith{who.provider(), Foreign(who.subject())}, anonymous()), who);
  }
  Code link(const Session& s, const ExternalIdentity& who) {
    return code(identities.link(permit(LinkIdentity{crypto::random_id<IdentityId>(), who.provider()}, s), who));
  }
  // The link of the letter, as the postman has it made.
  std::string letter_link(const InvitationId& id) {
    auto tx = database->begin_write();
    const auto path = mailed_invitation(tx, id.str(), clock.now()).value().value();
    auto spent = permit(SignOut{crypto::random_id<SessionId>()}, owner).spend(clock.now()).value();
    (void)ledger->commit(std::move(tx), std::move(spent)).value();
    return path.substr(path.find('=') + 1);
  }
  Code join(const Session& s, const NewInvitation& n) { return code(invitations.join(permit(JoinOrganization{n.invitation.id}, s), n.token)); }
  Code revoke(const InvitationId& id, const Session& by) { return code(invitations.revoke(permit(RevokeInvitation{id}, by))); }
  Result<NewInvitation> resend(const InvitationId& id, const Session& by) { return invitations.resend(permit(ResendInvitation{id}, by)); }
};

}  // namespace

TEST_CASE("an invitation makes one account, with its role, once; looking at it changes nothing") {
  Invited w;
  const auto n = w.invite("new@example.com").value();
  CHECK(n.token.size() == 43);
  CHECK(n.invitation.expires == w.clock.now() + kInvitationLifetime);
  const auto size = w.query.size().value();
  for (int i = 0; i < 3; ++i) {
    const auto offer = w.invitations.look(n.token).value();
    CHECK(offer.invitation.email.str() == "new@example.com");
    CHECK(offer.org_name.str() == "Example");
    CHECK(offer.inviter.str() == "owner@example.com");
    CHECK_FALSE(offer.has_account);
  }
  CHECK(w.query.size().value() == size);
  CHECK(w.accept(n, "short") == Code::invalid);
  CHECK(w.accept(n) == kFine);
  CHECK(w.last_entry().find("invitation.accept") != std::string::npos);
  CHECK(w.sign_in("new@example.com")->person.role == Role::member);
  CHECK(w.accept(n) == Code::expired);
  CHECK(code(w.invitations.look(n.token)) == Code::expired);
  CHECK(w.invitations.list(w.owner.org(), {})->items.front().state == InvitationState::accepted);
}

TEST_CASE("no invitation's token is in the database or the log") {
  Invited w;
  const auto n = w.invite("new@example.com").value();
  for (std::uint64_t i = 0; i < w.query.size().value(); ++i) CHECK(w.query.entry(i)->body.find(n.token) == std::string::npos);
  auto tx = w.database->begin_read();
  CHECK(tx.query("SELECT hex(token_hash), email FROM invitations", [&](const storage::Row& r) { CHECK(r.text(0).size() == 64); }));
}

TEST_CASE("an invitation ends with its time, by being revoked and by being sent again") {
  Invited w;
  const auto n = w.invite("a@example.com").value();
  w.clock.advance(kInvitationLifetime);
  CHECK(w.accept(n) == Code::expired);
  const Session later = w.session(w.sign_in().value()).value();
  const auto again = w.resend(n.invitation.id, later).value();
  CHECK(again.token != n.token);
  CHECK(again.invitation.expires == w.clock.now() + kInvitationLifetime);
  CHECK(w.accept(n) == Code::expired);
  CHECK(w.revoke(n.invitation.id, later) == kFine);
  CHECK(w.accept(again) == Code::expired);
  CHECK(code(w.resend(n.invitation.id, later)) == Code::conflict);
  CHECK(w.last_entry().find("invitation.revoke") != std::string::npos);
  CHECK(code(w.invite("b@example.com", Role::member, kLongestInvitation + Duration(1))) == Code::invalid);
  CHECK(code(w.invite("b@example.com", Role::member, Duration(0))) == Code::invalid);
}

TEST_CASE("one open invitation for an address, none for a member") {
  Invited w;
  CHECK(code(w.invite("a@example.com")) == kFine);
  CHECK(code(w.invite("A@example.com")) == Code::conflict);
  CHECK(code(w.invite("owner@example.com")) == Code::conflict);
}

TEST_CASE("only for that address: an account joins when it is the one that is signed in, and keeps its other organisation") {
  Invited w;
  const UserId hers = w.add(w.owner, "her@example.com", Role::member);
  const auto her = w.session(w.sign_in("her@example.com").value()).value();
  const auto theirs = crypto::random_id<OrgId>();
  (void)w.team.create(w.permit(CreateOrganization{theirs, OrgName::parse("Theirs").value()}, her)).value();
  CHECK(code(w.team.remove(w.permit(RemoveMember{hers}, w.owner), 1)) == kFine);
  const auto there = w.session(w.sign_in("her@example.com").value()).value();
  CHECK(there.org() == theirs);

  const auto n = w.invite("her@example.com", Role::admin).value();
  CHECK(w.invitations.look(n.token)->has_account);
  CHECK(w.accept(n) == Code::conflict);  // not with a password at the door: with the sign-in and all that it asks for
  CHECK(w.join(w.owner, n) == Code::forbidden);
  CHECK(w.last_entry().find("another address") != std::string::npos);
  CHECK(w.join(there, n) == kFine);
  CHECK(w.last_entry().find("\"org\":\"" + w.owner.org().str()) != std::string::npos);
  CHECK(w.accounts.role_of(w.owner.org(), hers).value() == Role::admin);
  CHECK(w.accounts.role_of(theirs, hers).value() == Role::owner);
  CHECK(w.join(there, n) == Code::expired);
}

TEST_CASE("an account that belongs nowhere comes back with its own password and no other") {
  Invited w;
  const UserId hers = w.add(w.owner, "her@example.com", Role::member);
  CHECK(code(w.team.remove(w.permit(RemoveMember{hers}, w.owner), 1)) == kFine);
  const auto n = w.invite("her@example.com").value();
  CHECK_FALSE(w.invitations.look(n.token)->has_account);
  CHECK(w.accept(n, "another long password") == Code::bad_credentials);
  CHECK(w.accept(n) == kFine);
  CHECK(w.sign_in("her@example.com")->person.user == hers);
}

namespace {

// Made by one organisation, made ready by whoever made it, put out, and invited by letter into another.
struct Prepared : Invited {
  Prepared() : Invited(true) {}
  UserId victim = add(owner, "victim@example.com", Role::member);
  Session maker = session(sign_in("victim@example.com").value()).value();
  NewInvitation invited_anew() {
    REQUIRE(code(team.remove(permit(RemoveMember{victim}, owner), 1)) == kFine);
    return invite("victim@example.com").value();
  }
};

}  // namespace

TEST_CASE("accepting by letter empties an account that somebody else made and made ready, and the password chosen then is the only one") {
  Prepared w;
  REQUIRE(w.link(w.maker, google("maker", "mallory@example.com")) == kFine);
  const auto n = w.invited_anew();
  const auto token = w.letter_link(n.invitation.id);
  CHECK(w.accept(n.invitation.id, token, "short") == Code::invalid);
  CHECK(w.accept(n.invitation.id, token, "words of the victim alone") == kFine);
  CHECK(w.last_entry().find("\"emptied\":true") != std::string::npos);
  CHECK(code(w.enter(google("maker"))) == Code::forbidden);
  CHECK(code(w.sign_in("victim@example.com")) == Code::bad_credentials);
  CHECK(w.sign_in("victim@example.com", "words of the victim alone")->person.user == w.victim);
}

TEST_CASE("joining by letter empties an account that somebody else made, its session too") {
  Prepared w;
  REQUIRE(w.link(w.maker, google("maker", "mallory@example.com")) == kFine);
  const auto founded = crypto::random_id<OrgId>();
  (void)w.team.create(w.permit(CreateOrganization{founded, OrgName::parse("Theirs").value()}, w.maker)).value();
  const auto n = w.invited_anew();
  const auto in = w.sign_in("victim@example.com").value();
  const auto there = w.session(in).value();
  CHECK(w.join(there, {n.invitation, w.letter_link(n.invitation.id)}) == kFine);
  CHECK(w.accounts.role_of(w.owner.org(), w.victim).value() == Role::member);
  CHECK(code(w.session(in)) == Code::unauthenticated);
  CHECK(w.count("SELECT count(*) FROM known_devices WHERE user IN (SELECT id FROM users WHERE email = 'victim@example.com')") == 0);  // they were its maker's
  CHECK(code(w.enter(google("maker"))) == Code::forbidden);
  CHECK(code(w.sign_in("victim@example.com")) == Code::bad_credentials);
}

TEST_CASE("accepting by another service empties an account that somebody else made, but for that service") {
  Prepared w;
  REQUIRE(w.link(w.maker, google("maker", "mallory@example.com")) == kFine);
  REQUIRE(w.link(w.maker, google("own", "victim@example.com")) == kFine);
  const auto n = w.invited_anew();
  CHECK(w.accept_with({n.invitation, w.letter_link(n.invitation.id)}, google("own", "victim@example.com")) == kFine);
  CHECK(code(w.enter(google("maker"))) == Code::forbidden);
  CHECK(code(w.enter(google("own"))) == kFine);
  CHECK(code(w.sign_in("victim@example.com")) == Code::bad_credentials);
}

TEST_CASE("without mail, who has no password and lost the other service comes back by an invitation, with a password") {
  Invited w;
  REQUIRE(w.accept_with(w.invite("new@example.com").value(), google("7", "new@example.com")) == kFine);
  const auto person = std::get<Entered<SignInWith>>(w.enter(google("7")).value()).person.user;
  CHECK(code(w.team.remove(w.permit(RemoveMember{person}, w.owner), 1)) == kFine);
  const auto n = w.invite("new@example.com").value();
  CHECK(w.accept(n, "short") == Code::invalid);
  CHECK(w.accept(n) == kFine);
  CHECK(w.sign_in("new@example.com")->person.user == person);
  CHECK(code(w.enter(google("7"))) == Code::forbidden);  // whoever has it by now
}

TEST_CASE("an acceptance is told to those who look after members") {
  Invited w;
  CHECK(w.accept(w.invite("new@example.com").value()) == kFine);
  CHECK(w.told(EventKind::member_added, "new@example.com as member, who accepted an invitation") == 1);
}

TEST_CASE("S14: who belongs somewhere and has a second factor does not join by another service alone") {
  Invited w;
  w.add(w.owner, "her@example.com", Role::member);
  const auto her = w.session(w.sign_in("her@example.com").value()).value();
  REQUIRE(w.link(her, google("9", "her@example.com")) == kFine);
  const auto other = crypto::random_id<OrgId>();
  w.clock.advance(Duration(1));
  w.add(w.owner, "co@example.com", Role::owner);
  const auto founder = w.session(w.sign_in("co@example.com").value()).value();
  w.clock.advance(Duration(1));
  (void)w.team.create(w.permit(CreateOrganization{other, OrgName::parse("Other").value()}, founder)).value();
  const auto there = w.session(w.sign_in("co@example.com").value()).value();
  const auto n = w.invitations.create(w.permit(CreateInvitation{crypto::random_id<InvitationId>(), World::email("her@example.com"), Role::member}, there), kInvitationLifetime);
  REQUIRE(n);
  CHECK(n->invitation.org == other);
  const auto offer = w.factors.offer_totp(her, w.email("her@example.com")).value();
  REQUIRE(w.factors.add_totp(w.permit(AddFactor{crypto::random_id<FactorId>(), FactorKind::totp}, her), crypto::totp_code(from_base32(offer.secret), crypto::totp_step(w.clock.now()))));
  CHECK(w.accept_with(*n, google("9", "her@example.com")) == Code::conflict);
  CHECK(w.last_entry().find("second factor") != std::string::npos);
  CHECK(code(w.accounts.role_of(other, w.accounts.find(w.email("her@example.com"))->user)) == Code::not_found);
}

TEST_CASE("S14: what somebody invited and nobody accepted ends with their authority") {
  Invited w;
  const UserId co = w.add(w.owner, "co@example.com", Role::owner);
  const auto there = w.session(w.sign_in("co@example.com").value()).value();
  const auto n = w.invitations.create(w.permit(CreateInvitation{crypto::random_id<InvitationId>(), World::email("x@example.com"), Role::owner}, there), kInvitationLifetime).value();
  CHECK(w.invitations.look(n.token));
  CHECK(code(w.accounts.change_role(w.permit(ChangeRole{co, Role::admin}, w.owner), 1)) == kFine);
  CHECK(w.accept(n) == Code::expired);
}

TEST_CASE("S07: another organisation's invitations are not there") {
  Invited w;
  const auto n = w.invite("a@example.com").value();
  const auto other = crypto::random_id<OrgId>();
  (void)w.team.create(w.permit(CreateOrganization{other, OrgName::parse("Other").value()}, w.owner)).value();
  Principal elsewhere = w.owner.principal();
  elsewhere.org = other;
  CHECK(code(w.invitations.revoke(w.permit(RevokeInvitation{n.invitation.id}, elsewhere))) == Code::not_found);
  CHECK(code(w.invitations.resend(w.permit(ResendInvitation{n.invitation.id}, elsewhere))) == Code::not_found);
  CHECK(w.invitations.list(other, {})->items.empty());
  CHECK(w.accept(n) == kFine);
}

TEST_CASE("S28: another service's word makes an account without a password, known by issuer and subject, once") {
  Invited w;
  const auto n = w.invite("new@example.com", Role::admin).value();
  REQUIRE(w.accept_with(n, google("7", "New@Example.com")) == kFine);  // addresses are compared as everywhere: without regard to case
  CHECK(w.last_entry().find("\"new_account\":true") != std::string::npos);
  CHECK(w.last_entry().find("\"subject\":\"7\"") != std::string::npos);
  const auto in = w.enter(google("7", "another@example.org"));  // whatever its address becomes
  REQUIRE(in);
  const auto& person = std::get<Entered<SignInWith>>(*in).person;
  CHECK(person.role == Role::admin);
  CHECK(person.email.str() == "new@example.com");
  CHECK_FALSE(w.identities.methods(person.user)->password);
  CHECK(code(w.sign_in("new@example.com", "")) != kFine);
  CHECK(w.accept_with(n, google("7", "new@example.com")) == Code::expired);
  CHECK(code(w.enter(google("8", "new@example.com"))) == Code::forbidden);
}

TEST_CASE("removing somebody's factors leaves whoever has no password their only way in") {
  Invited w;
  REQUIRE(w.accept_with(w.invite("new@example.com").value(), google("7", "new@example.com")) == kFine);
  const auto person = std::get<Entered<SignInWith>>(w.enter(google("7")).value()).person.user;
  CHECK(code(w.accounts.reset_factors(w.permit(ResetFactors{person}, w.owner))) == kFine);
  CHECK(w.told(EventKind::credential_changed, "factors and API tokens were removed by somebody who manages members; linked accounts stay, as there is no password") == 1);
  CHECK(w.enter(google("7")));
}

TEST_CASE("and who has one is told that linked accounts went, if there were any") {
  Invited w;
  const UserId hers = w.add(w.owner, "her@example.com", Role::member);
  REQUIRE(w.link(w.session(w.sign_in("her@example.com").value()).value(), google("9")) == kFine);
  CHECK(code(w.accounts.reset_factors(w.permit(ResetFactors{hers}, w.owner))) == kFine);
  CHECK(w.told(EventKind::credential_changed, "all second factors, linked accounts and API tokens were removed by somebody who manages members") == 1);
  CHECK(code(w.accounts.reset_factors(w.permit(ResetFactors{hers}, w.owner))) == kFine);
  CHECK(w.told(EventKind::credential_changed, "all second factors and API tokens were removed by somebody who manages members") == 1);
  CHECK(w.told(EventKind::credential_changed, "linked accounts stay") == 0);
}

TEST_CASE("S28: an invitation is accepted by the service's verified address of it and by no other; a refusal changes nothing and is on the record") {
  Invited w;
  const auto n = w.invite("new@example.com").value();
  const auto users = w.count("SELECT count(*) FROM users");
  for (const char* other : {"other@example.com", "new@example.org", ""}) {
    CHECK(w.accept_with(n, google("7", other)) == Code::forbidden);
    CHECK(w.last_entry().find("does not confirm that the address") != std::string::npos);
  }
  CHECK(w.count("SELECT count(*) FROM users") == users);
  CHECK(w.count("SELECT count(*) FROM identities") == 0);
  w.clock.advance(kInvitationLifetime);
  CHECK(w.accept_with(n, google("7", "new@example.com")) == Code::expired);
  CHECK(w.count("SELECT count(*) FROM users") == users);
}

TEST_CASE("S28: an address that has an account here lets nobody accept by it who is not linked to that account") {
  Invited w;
  const UserId hers = w.add(w.owner, "her@example.com", Role::member);
  const auto her = w.session(w.sign_in("her@example.com").value()).value();
  const auto theirs = crypto::random_id<OrgId>();
  (void)w.team.create(w.permit(CreateOrganization{theirs, OrgName::parse("Theirs").value()}, her)).value();
  CHECK(code(w.team.remove(w.permit(RemoveMember{hers}, w.owner), 1)) == kFine);
  const auto n = w.invite("her@example.com", Role::admin).value();
  CHECK(w.accept_with(n, google("7", "her@example.com")) == Code::forbidden);  // nobody's
  REQUIRE(w.link(w.owner, google("8")) == kFine);
  CHECK(w.accept_with(n, google("8", "her@example.com")) == Code::forbidden);  // another person's
  CHECK(w.last_entry().find("has an account here") != std::string::npos);
  CHECK(w.invitations.look(n.token));

  REQUIRE(w.link(w.session(w.sign_in("her@example.com").value()).value(), google("9", "old@example.org")) == kFine);
  REQUIRE(w.accept_with(n, google("9", "her@example.com")) == kFine);  // by issuer and subject: hers
  CHECK(w.accounts.role_of(w.owner.org(), hers).value() == Role::admin);
  CHECK(w.accounts.role_of(theirs, hers).value() == Role::owner);
  CHECK(w.last_entry().find("\"new_account\":false") != std::string::npos);
  CHECK(w.accept_with(n, google("9", "her@example.com")) == Code::expired);
}

TEST_CASE("S14: accepting by another service does not stand for the second factor that is owed at its sign-in") {
  Invited w;
  REQUIRE(w.accept(w.invite("her@example.com").value()) == kFine);
  const UserId hers = w.accounts.find(w.email("her@example.com"))->user;
  const auto her = w.session(w.sign_in("her@example.com").value()).value();
  REQUIRE(w.link(her, google("9", "her@example.com")) == kFine);
  const auto offer = w.factors.offer_totp(her, w.email("her@example.com")).value();
  REQUIRE(w.factors.add_totp(w.permit(AddFactor{crypto::random_id<FactorId>(), FactorKind::totp}, her), crypto::totp_code(from_base32(offer.secret), crypto::totp_step(w.clock.now()))));
  CHECK(code(w.team.remove(w.permit(RemoveMember{hers}, w.owner), 1)) == kFine);
  const auto n = w.invite("her@example.com").value();
  REQUIRE(w.accept_with(n, google("9", "her@example.com")) == kFine);
  CHECK(std::holds_alternative<FactorNeeded>(w.enter(google("9", "her@example.com")).value()));
}

TEST_CASE("only for that address: with mail the letter alone has the link, and who invites gets none") {
  Invited w(true);
  const auto n = w.invite("new@example.com").value();
  CHECK(n.mailed());
  CHECK(n.token.empty());
  CHECK(code(w.invitations.look("")) == Code::expired);
  const auto first = w.letter_link(n.invitation.id);
  REQUIRE(w.invitations.look(first));
  const auto again = w.resend(n.invitation.id, w.owner).value();
  CHECK(again.token.empty());
  CHECK(code(w.invitations.look(first)) == Code::expired);
  CHECK(w.accept(n.invitation.id, w.letter_link(n.invitation.id)) == kFine);
}

TEST_CASE("what other organisations sent to an address is not said and forbids nothing; it makes the letter wait") {
  Invited w(true);
  const auto letters = [&](bool waiting) {
    auto tx = w.database->begin_read();
    return tx.one<std::int64_t>("SELECT count(*) FROM letters WHERE address = 'new@example.com' AND (next > ?1) = ?2", w.clock.now(), waiting, [](const storage::Row& r) { return r.integer(0); }).value().value();
  };
  const auto n = w.invite("new@example.com").value();
  for (int i = 0; i < 2; ++i) REQUIRE(w.resend(n.invitation.id, w.owner));
  CHECK(code(w.resend(n.invitation.id, w.owner)) == Code::too_many);
  for (int k = 0; k < 8; ++k) {  // eight more organisations
    w.clock.advance(Duration(1));
    const auto org = crypto::random_id<OrgId>();
    const auto anew = w.session(w.sign_in().value()).value();
    (void)w.team.create(w.permit(CreateOrganization{org, OrgName::parse("Other").value()}, anew)).value();
    const auto there = w.sessions.verify(w.team.switch_to(w.permit(SwitchOrganization{anew.id(), org}, anew))->tokens.access, World::origin()).value();
    CHECK(code(w.invitations.create(w.permit(CreateInvitation{crypto::random_id<InvitationId>(), World::email("new@example.com"), Role::member}, there), kInvitationLifetime)) == kFine);
  }
  CHECK(letters(false) == kMostInvitingAtOnce);
  CHECK(letters(true) == 1);
}

TEST_CASE("an address gets three invitations an hour, and an organisation sends a hundred") {
  Invited w(true);
  const auto n = w.invite("new@example.com").value();
  for (int i = 0; i < 2; ++i) REQUIRE(w.resend(n.invitation.id, w.owner));
  CHECK(code(w.resend(n.invitation.id, w.owner)) == Code::too_many);
  REQUIRE(w.revoke(n.invitation.id, w.owner) == kFine);
  CHECK(code(w.invite("new@example.com")) == Code::too_many);  // nor by another invitation
  CHECK(w.invitations.list(w.owner.org(), {})->items.size() == 1);
  for (std::int64_t i = 3; i < kMostInvitingOf; ++i) REQUIRE(w.invite("p" + std::to_string(i) + "@example.com"));
  CHECK(code(w.invite("one.more@example.com")) == Code::too_many);
  w.clock.advance(std::chrono::hours(1));
  const auto later = w.session(w.sign_in().value()).value();
  CHECK(code(w.invitations.create(w.permit(CreateInvitation{crypto::random_id<InvitationId>(), World::email("new@example.com"), Role::member}, later), kInvitationLifetime)) == kFine);
}
