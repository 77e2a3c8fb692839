// Who is disabled in an organisation is let in by none of its doors until they are enabled again.
#include <catch2/catch_test_macros.hpp>

#include "auth/api_tokens.h"
#include "auth/identities.h"
#include "auth/invitations.h"
#include "auth/team.h"
#include "authenticator.h"
#include "crypto/totp.h"
#include "test_identity.h"
#include "test_world.h"

using namespace caip;
using namespace caip::auth;

namespace {

constexpr std::string_view kHer = "her@example.com";
const passkeys::Site kSite{"panel.example", "https://panel.example"};

struct Barred : World {
  Team team{accounts};
  ApiTokens tokens{accounts};
  Invitations invitations{accounts};
  Identities identities{*database, *ledger, clock};
  passkeys::Authenticator key{kSite};
  Session owner = (with_owner(), session(World::sign_in().value()).value());
  UserId her = add(owner, kHer, Role::admin);
  SignedIn her_in = World::sign_in(kHer).value();
  Session she = session(her_in).value();

  std::int64_t version(const UserId& user) { return accounts.member(owner.org(), user)->version; }
  Code disable(const Session& by, const UserId& user) { return code(team.disable(permit(DisableMember{user}, by), version(user))); }
  Code disable() { return disable(owner, her); }
  Code enable() { return code(team.enable(permit(EnableMember{her}, owner), version(her))); }
  OrgId founded(const Session& by) {
    const auto org = crypto::random_id<OrgId>();
    (void)team.create(permit(CreateOrganization{org, OrgName::parse("Theirs").value()}, by)).value();
    return org;
  }
  bool recorded(std::string_view text) const { return last_entry().find(text) != std::string::npos; }
  std::int64_t raised(EventKind kind) {
    auto tx = database->begin_read();
    return tx.one<std::int64_t>("SELECT count(*) FROM notices WHERE kind = ?1", text(kind), [](const storage::Row& r) { return r.integer(0); }).value().value_or(0);
  }
  Code enter_by_google() {
    const auto who = google("1", "");
    return code(accounts.sign_in_with(permit(SignInWith{who.provider(), Foreign(who.subject())}, anonymous()), who));
  }
  std::string challenge(std::optional<UserId> user = {}) {
    const auto c = passkeys.challenge(user, "192.0.2.1").value();
    key.challenge = c.challenge;
    return c.token;
  }
  void add_passkey() {
    const auto token = challenge(her);
    (void)passkeys.add(permit(AddFactor{crypto::random_id<FactorId>(), FactorKind::passkey}, she), token, "laptop", key.client_data("webauthn.create"), key.attestation()).value();
  }
  Code enter_by_passkey() {
    const auto token = challenge();
    ++key.count;
    auto use = passkeys.recognise(anonymous(), token, key.id, key.use());
    return use ? code(accounts.sign_in_with_passkey(permit(ProveFactor{use->user}, anonymous()), *use)) : use.error().code;
  }
};

}  // namespace

TEST_CASE("S14: disabling ends the sessions at once, and no door opens until enabled again") {
  Barred w;
  PermissionSet scopes;
  scopes.add(Permission::server_view);
  const auto token = w.tokens.create(w.permit(CreateToken{crypto::random_id<TokenId>(), TokenName::parse("ci").value(), scopes, w.clock.now() + std::chrono::hours(1)}, w.she), {}).value();
  (void)w.identities.link(w.permit(LinkIdentity{crypto::random_id<IdentityId>(), "google"}, w.she), google("1", "")).value();
  REQUIRE(w.sessions.verify(token.text, World::origin()));

  REQUIRE(w.disable() == kFine);
  CHECK(w.recorded("member.disable"));
  CHECK(w.recorded("\"email\":\"her@example.com\""));
  CHECK(w.raised(EventKind::member_disabled) == 1);
  CHECK(code(w.session(w.her_in)) == Code::unauthenticated);
  CHECK(code(w.refresh(w.her_in.tokens.refresh)) == Code::unauthenticated);
  CHECK(code(w.sessions.still(w.she.id(), w.she.org(), w.her, World::origin())) == Code::unauthenticated);
  CHECK(code(w.accounts.person(w.she)) == Code::unauthenticated);
  CHECK(code(w.step_up(w.she)) == Code::unauthenticated);  // a permit from a moment before
  CHECK(code(w.sessions.verify(token.text, World::origin())) == Code::unauthenticated);
  CHECK(code(w.tokens.create(w.permit(CreateToken{crypto::random_id<TokenId>(), TokenName::parse("more").value(), scopes, w.clock.now() + std::chrono::hours(1)}, w.she), {})) == Code::unauthenticated);
  const auto refused = w.sign_in(kHer);
  CHECK(code(refused) == Code::forbidden);
  CHECK(refused.error().detail.find("disabled") != std::string::npos);
  CHECK(w.recorded("\"reason\":\"disabled\""));
  CHECK(w.recorded("\"org\":\"" + w.owner.org().str()));
  CHECK(code(w.sign_in(kHer, "wrong password")) == Code::bad_credentials);  // who does not know it hears nothing
  CHECK(w.enter_by_google() == Code::forbidden);
  CHECK(code(w.accounts.find(w.owner.org(), w.her)) == Code::not_found);  // what approvals ask

  CHECK(w.enable() == kFine);
  CHECK(w.recorded("member.enable"));
  CHECK(w.raised(EventKind::member_disabled) == 2);
  CHECK(code(w.session(w.her_in)) == Code::unauthenticated);  // what ended stays ended
  CHECK(w.sign_in(kHer)->person.role == Role::admin);
  CHECK(w.enter_by_google() == kFine);
  CHECK(w.sessions.verify(token.text, World::origin()));
}

TEST_CASE("S14: nor is the second factor's door open to who is disabled, alone or as the second step") {
  Barred w;
  w.add_passkey();
  const auto offer = w.factors.offer_totp(w.she, World::email(kHer)).value();
  const auto code_now = [&](std::int64_t step) { return crypto::totp_code(from_base32(offer.secret), crypto::totp_step(w.clock.now()) + step); };
  (void)w.factors.add_totp(w.permit(AddFactor{crypto::random_id<FactorId>(), FactorKind::totp}, w.she), code_now(0)).value();
  const auto pending = std::get<FactorNeeded>(w.begin_sign_in(kHer).value()).token;
  REQUIRE(w.disable() == kFine);
  CHECK(w.enter_by_passkey() == Code::forbidden);
  CHECK(code(w.accounts.prove_factor(w.permit(ProveFactor{w.her}, World::anonymous()), pending, code_now(1))) == Code::forbidden);
  CHECK(w.enable() == kFine);
  CHECK(w.enter_by_passkey() == kFine);
}

TEST_CASE("who is disabled here acts in their other organisation, and does not come back by switching or by an invitation") {
  Barred w;
  const OrgId theirs = w.founded(w.she);
  REQUIRE(w.disable() == kFine);
  const auto elsewhere = w.sign_in(kHer).value();
  CHECK(elsewhere.person.org == theirs);
  const auto there = w.session(elsewhere).value();
  CHECK(w.team.organizations(there)->size() == 1);
  const auto back = w.team.switch_to(w.permit(SwitchOrganization{there.id(), w.owner.org()}, there));
  CHECK(code(back) == Code::forbidden);
  CHECK(w.recorded("disabled there"));
  CHECK(w.session(elsewhere));
  const auto invite = w.invitations.create(w.permit(CreateInvitation{crypto::random_id<InvitationId>(), World::email(kHer), Role::viewer}, w.owner), std::chrono::hours(1));
  CHECK(code(invite) == Code::conflict);
  CHECK(invite.error().detail.find("enable") != std::string::npos);
}

TEST_CASE("an invitation from before does not enable anybody, and what a disabled person sent out is worth nothing") {
  Barred w;
  const auto invite = [&](const Session& by, std::string_view who) {
    return w.invitations.create(w.permit(CreateInvitation{crypto::random_id<InvitationId>(), World::email(who), Role::owner}, by), std::chrono::hours(1)).value();
  };
  const auto hers = invite(w.she, "guest@example.com");
  const auto early = invite(w.owner, "late@example.com");
  const UserId late = w.add(w.owner, "late@example.com", Role::viewer);
  const auto before = w.session(w.sign_in("late@example.com").value()).value();
  const OrgId theirs = w.founded(before);
  REQUIRE(w.invitations.look(hers.token));
  REQUIRE(w.disable() == kFine);
  REQUIRE(w.disable(w.owner, late) == kFine);
  CHECK(code(w.invitations.look(hers.token)) == Code::expired);
  const auto there = w.session(w.sign_in("late@example.com").value()).value();
  REQUIRE(there.org() == theirs);
  CHECK(code(w.invitations.join(w.permit(JoinOrganization{early.invitation.id}, there), early.token)) != kFine);
  CHECK(w.accounts.member(w.owner.org(), late)->disabled);
}

TEST_CASE("nobody disables themselves, somebody of a higher role, the last Owner, or a stranger") {
  Barred w;
  const UserId co = w.add(w.owner, "co@example.com", Role::owner);
  const auto co_in = w.session(w.sign_in("co@example.com").value()).value();
  Principal admin = w.she.principal();  // as if the matrix let admins do it
  CHECK(code(w.team.disable(w.permit(DisableMember{co}, admin), 1)) == Code::forbidden);
  CHECK(w.recorded("higher role"));
  CHECK(code(w.team.enable(w.permit(EnableMember{co}, admin), 1)) == Code::forbidden);
  CHECK(code(w.team.disable(w.permit(DisableMember{crypto::random_id<UserId>()}, w.owner), 1)) == Code::not_found);
  CHECK(code(w.team.disable(w.permit(DisableMember{w.her}, w.owner), 7)) == Code::precondition_failed);
  CHECK(w.session(w.her_in));
  auto late = w.permit(DisableMember{w.owner.user()}, co_in);  // of two who disable each other, one stays
  REQUIRE(w.disable(w.owner, co) == kFine);
  CHECK(code(w.team.disable(std::move(late), 1)) == Code::unauthenticated);
  CHECK(code(w.team.leave(w.permit(LeaveOrganization{w.owner.user()}, w.owner))) == Code::conflict);  // a disabled Owner is none
  CHECK(w.disable(w.owner, co) == Code::conflict);
  CHECK(code(w.team.transfer(w.permit(TransferOwnership{co}, w.owner), w.version(co))) == Code::conflict);
}

TEST_CASE("what rests on their authority ends in the transaction that disables them, and they can still be removed") {
  Barred w;
  std::vector<UserId> ended;
  w.accounts.on_authority_end([&](storage::WriteTx&, const OrgId&, const UserId& user) -> Result<std::function<void()>> {
    return [&ended, user] { ended.push_back(user); };
  });
  REQUIRE(w.disable() == kFine);
  CHECK(ended == std::vector{w.her});
  CHECK(w.accounts.member(w.owner.org(), w.her)->disabled);
  CHECK(code(w.team.remove(w.permit(RemoveMember{w.her}, w.owner), w.version(w.her))) == kFine);
  CHECK(w.raised(EventKind::member_removed) == 1);
  CHECK(code(w.accounts.member(w.owner.org(), w.her)) == Code::not_found);
}
