// A permit is up to half a minute old, and much may happen to whom it was given: the log asks again, in the
// transaction of the change. And whose log an entry about an account is.
#include <catch2/catch_test_macros.hpp>

#include "auth/identities.h"
#include "auth/invitations.h"
#include "auth/team.h"
#include "test_world.h"

using namespace caip;
using namespace caip::auth;

namespace {

struct Authority : World {
  Team team{accounts};
  Invitations invitations{accounts};
  SignedIn owner_in = (with_owner(), sign_in().value());
  Session owner = session(owner_in).value();
  const OrgId first = owner.org();

  // Another Owner, and a permit of theirs that is still on its way.
  Session second_owner() {
    (void)add(owner, "second@example.com", Role::owner);
    return session(sign_in("second@example.com").value()).value();
  }
  auto adding(const Session& by) { return permit(AddMember{crypto::random_id<UserId>(), email("late@example.com"), Role::owner}, by); }
  Code add_with(Authorized<AddMember>&& permit) { return code(accounts.add_member(std::move(permit), SecretBytes(kPassword))); }
  bool is_member(std::string_view who) { return accounts.find(email(who)).has_value(); }
  OrgId found(const Session& by) {
    const auto org = crypto::random_id<OrgId>();
    (void)team.create(permit(CreateOrganization{org, OrgName::parse("Second").value()}, by)).value();
    return org;
  }
};

}  // namespace

TEST_CASE("S14: what was permitted before a removal does not happen after it, and that is on the record") {
  Authority w;
  const Session second = w.second_owner();
  auto late = w.adding(second);
  REQUIRE(w.team.remove(w.permit(RemoveMember{second.user()}, w.owner), 1));
  CHECK(w.add_with(std::move(late)) == Code::unauthenticated);
  CHECK_FALSE(w.is_member("late@example.com"));
  CHECK(w.logged(w.first, "member.add", "blocked") == 1);
}

TEST_CASE("S14: nor after the session was left or ended by its person, or after a change of role") {
  Authority w;
  const Session second = w.second_owner();
  for (const int what : {0, 1, 2}) {
    CAPTURE(what);
    const Session again = w.session(w.sign_in("second@example.com").value()).value();
    auto late = w.adding(again);
    if (what == 0) REQUIRE(w.accounts.sign_out(w.permit(SignOut{again.id()}, again)));
    if (what == 1) REQUIRE(w.accounts.end_other_sessions(w.permit(EndOtherSessions{second.id()}, second)));
    if (what == 2) REQUIRE(w.accounts.change_role(w.permit(ChangeRole{second.user(), Role::admin}, w.owner), 1));
    CHECK(w.add_with(std::move(late)) == Code::unauthenticated);
    CHECK_FALSE(w.is_member("late@example.com"));
  }
}

TEST_CASE("S14: nor for the organisation that a session has left for another one meanwhile") {
  Authority w;
  const Session second = w.second_owner();
  auto late = w.adding(second);
  REQUIRE(w.team.switch_to(w.permit(SwitchOrganization{second.id(), w.found(second)}, second)));
  CHECK(w.add_with(std::move(late)) == Code::unauthenticated);
  CHECK_FALSE(w.is_member("late@example.com"));
}

TEST_CASE("S14: what rests on no session, as what was approved, does not happen after its person has a lower role or none") {
  Authority w;
  const Session second = w.second_owner();
  Principal approved = second.principal();
  approved.source = Source::pilot;
  approved.session.reset();
  const auto late = [&] { return w.add_with(w.permit(AddMember{crypto::random_id<UserId>(), World::email("late@example.com"), Role::owner}, approved)); };
  REQUIRE(w.accounts.change_role(w.permit(ChangeRole{second.user(), Role::admin}, w.owner), 1));
  CHECK(late() == Code::forbidden);
  REQUIRE(w.team.remove(w.permit(RemoveMember{second.user()}, w.owner), 2));
  CHECK(late() == Code::unauthenticated);
  CHECK_FALSE(w.is_member("late@example.com"));
}

TEST_CASE("S14: two Owners who remove each other at once: one is left") {
  Authority w;
  const Session second = w.second_owner();
  auto one = w.permit(RemoveMember{second.user()}, w.owner), other = w.permit(RemoveMember{w.owner.user()}, second);
  CHECK(w.team.remove(std::move(one), 1));
  CHECK(code(w.team.remove(std::move(other), 1)) == Code::unauthenticated);
  CHECK(w.accounts.members(w.first, {})->items.size() == 1);
}

TEST_CASE("S14: who was an Owner does not hand ownership over any more, and gets no role back by it") {
  Authority w;
  const Session second = w.second_owner();
  const UserId heir = w.add(w.owner, "heir@example.com", Role::viewer);
  auto late = w.permit(TransferOwnership{heir}, second);
  REQUIRE(w.accounts.change_role(w.permit(ChangeRole{second.user(), Role::viewer}, w.owner), 1));
  CHECK(code(w.team.transfer(std::move(late), 1)) == Code::unauthenticated);
  CHECK(w.accounts.role_of(w.first, second.user()).value() == Role::viewer);
  CHECK(w.accounts.role_of(w.first, heir).value() == Role::viewer);
}

TEST_CASE("an Owner may step down, shorten their own session and leave: what takes away one's own ground is asked about before") {
  Authority w;
  const Session second = w.second_owner();
  w.clock.advance(std::chrono::minutes(2));
  REQUIRE(w.accounts.set_session_limits(w.permit(SetSessionLimits{30, 60}, second)));
  REQUIRE(w.accounts.change_role(w.permit(ChangeRole{second.user(), Role::admin}, second), 1));
  CHECK(w.accounts.role_of(w.first, second.user()).value() == Role::admin);
  const Session admin = w.session(w.sign_in("second@example.com").value()).value();
  REQUIRE(w.team.leave(w.permit(LeaveOrganization{admin.user()}, admin)));
}

TEST_CASE("S14: a link for somebody who was added otherwise, or removed since, lets nobody in") {
  Authority w;
  const auto invite = [&](std::string_view who) {
    return w.invitations.create(w.permit(CreateInvitation{crypto::random_id<InvitationId>(), w.email(who), Role::owner}, w.owner), kInvitationLifetime).value();
  };
  const auto before = invite("guest@example.com");
  const UserId guest = w.add(w.owner, "guest@example.com", Role::viewer);
  CHECK(code(w.invitations.look(before.token)) == Code::expired);
  CHECK(code(w.invitations.resend(w.permit(ResendInvitation{before.invitation.id}, w.owner))) == Code::conflict);
  REQUIRE(w.team.remove(w.permit(RemoveMember{guest}, w.owner), 1));
  CHECK(code(w.invitations.look(before.token)) == Code::expired);
}

TEST_CASE("what is done to an account is in the log of each of its person's organisations, and so are guesses at it") {
  Authority w;
  const OrgId second = w.found(w.owner);
  const auto there = w.team.switch_to(w.permit(SwitchOrganization{w.owner.id(), second}, w.owner)).value();
  const Session s = w.sessions.verify(there.tokens.access, World::origin()).value();
  REQUIRE(w.accounts.change_password(w.permit(ChangePassword{s.user()}, s), SecretBytes("plum tractor seventeen gull")));
  (void)w.sign_in("owner@example.com", "not the password");
  for (const OrgId& org : {w.first, second}) {
    CHECK(w.logged(org, "account.change_password") == 1);
    CHECK(w.logged(org, "session.sign_in", "blocked") == 1);
  }
}

TEST_CASE("organisations are founded by Owners of the first one, unless everybody may") {
  Authority w;
  (void)w.add(w.owner, "member@example.com", Role::admin);
  const Session member = w.session(w.sign_in("member@example.com").value()).value();
  CHECK(w.accounts.may_found(member).value());
  Accounts strict{*w.database, *w.ledger, *w.keeper, w.factors, w.clock, {.setup_token_file = w.folder.path + "/setup-token", .bcrypt_cost = 4}};
  CHECK_FALSE(strict.may_found(member).value());
  const auto denied = Team(strict).create(w.permit(CreateOrganization{crypto::random_id<OrgId>(), OrgName::parse("Mine").value()}, member));
  CHECK(code(denied) == Code::forbidden);
  CHECK(w.logged(w.first, "organization.create", "blocked") == 1);
  CHECK(strict.may_found(w.owner).value());
  CHECK(w.team.organizations(member)->size() == 1);
}

TEST_CASE("a reset takes all that a thief may have added, also from who founded an organisation of their own") {
  Authority w;
  const Session second = w.second_owner();
  (void)w.found(second);
  REQUIRE(w.accounts.reset_factors(w.permit(ResetFactors{second.user()}, w.owner)));
  CHECK(code(w.sessions.still(second.id(), w.first, second.user(), World::origin())) == Code::unauthenticated);
}
