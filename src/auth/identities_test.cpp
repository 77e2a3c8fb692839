#include "auth/identities.h"

#include <catch2/catch_test_macros.hpp>

#include "crypto/totp.h"
#include "test_identity.h"
#include "test_world.h"

using namespace caip;
using namespace caip::auth;

namespace {

struct Linked : World {
  Identities identities{*database, *ledger, clock, notices};
  Linked() { with_owner(); }
  Session owner() { return session(sign_in().value()).value(); }
  Result<Receipt<LinkIdentity>> link(const Session& s, const ExternalIdentity& who) {
    return identities.link(permit(LinkIdentity{crypto::random_id<IdentityId>(), who.provider()}, s), who);
  }
  Result<Receipt<UnlinkIdentity>> unlink(const Session& s, const IdentityId& id) { return identities.unlink(permit(UnlinkIdentity{id}, s)); }
  std::string code_of(std::string_view base32) const { return crypto::totp_code(from_base32(base32), crypto::totp_step(clock.now())); }
  Result<Step<SignInWith>> enter(const ExternalIdentity& who) {
    return accounts.sign_in_with(permit(SignInWith{who.provider(), Foreign(who.subject())}, anonymous()), who);
  }
};

}  // namespace

TEST_CASE("S28: nobody is let in by an address alone, and it is on the record") {
  Linked w;
  const auto refused = w.enter(google("1"));
  CHECK(code(refused) == Code::forbidden);
  CHECK(refused.error().detail.find("not linked") != std::string::npos);
  CHECK(w.last_entry().find("\"linked to nobody\"") != std::string::npos);
}

TEST_CASE("S28: a linked account is known by issuer and subject, whatever its address becomes") {
  Linked w;
  const auto owner = w.owner();
  REQUIRE(w.link(owner, google("1")));
  const auto in = w.enter(google("1", "renamed@example.org"));
  REQUIRE(in);
  CHECK(std::get<Entered<SignInWith>>(*in).person.user == owner.user());
  CHECK(w.identities.methods(owner.user())->identities.at(0).shown == "renamed@example.org");
  CHECK(code(w.enter(google("2"))) == Code::forbidden);
  auto other = federation::Providers::identity({.provider = "google", .issuer = "https://evil.example", .subject = "1", .email = {}, .shown = ""});
  CHECK(code(w.enter(other)) == Code::forbidden);
}

TEST_CASE("S28: an account is linked to one person, once") {
  Linked w;
  const auto owner = w.owner();
  w.add(owner, "second@example.com", Role::viewer);
  const auto second = w.session(w.sign_in("second@example.com").value()).value();
  REQUIRE(w.link(owner, google("1")));
  CHECK(code(w.link(owner, google("1"))) == Code::conflict);
  CHECK(code(w.link(second, google("1"))) == Code::conflict);
  const auto mine = w.identities.methods(owner.user())->identities.at(0).id;
  CHECK(code(w.unlink(second, mine)) == Code::not_found);
  CHECK(w.enter(google("1")));
  CHECK(w.unlink(owner, mine));
  CHECK(code(w.enter(google("1"))) == Code::forbidden);
  CHECK(w.link(second, google("1")));
}

TEST_CASE("the last way to sign in stays") {
  Linked w;
  const auto owner = w.owner();
  REQUIRE(w.link(owner, google("1")));
  REQUIRE(w.link(owner, google("2")));
  {
    // Somebody without a password: what an invitation by a provider makes.
    auto tx = w.database->begin_write();
    (void)tx.exec("UPDATE users SET password = '' WHERE id = ?1", owner.user()).value();
    auto spent = w.permit(SignOut{crypto::random_id<SessionId>()}, owner).spend(w.clock.now()).value();
    REQUIRE(w.ledger->commit(std::move(tx), std::move(spent)));
  }
  const auto before = w.identities.methods(owner.user()).value();
  CHECK_FALSE(before.password);
  CHECK(w.unlink(owner, before.identities.at(0).id));
  CHECK(code(w.unlink(owner, before.identities.at(1).id)) == Code::conflict);
  CHECK(w.identities.methods(owner.user())->identities.size() == 1);
  CHECK(code(w.sign_in("owner@example.com", "")) != kFine);  // no password is not the empty password
}

TEST_CASE("one person links so many accounts and no more") {
  Linked w;
  const auto owner = w.owner();
  for (std::size_t i = 0; i < Identities::kMostOfOne; ++i) REQUIRE(w.link(owner, google(std::to_string(i))));
  CHECK(code(w.link(owner, google("one too many"))) == Code::conflict);
}

TEST_CASE("S14: a linked account is the first step only, and has to be linked still at the second") {
  Linked w;
  const auto owner = w.owner();
  const auto secret = w.factors.offer_totp(owner, w.email("owner@example.com")).value();
  const auto codes = w.factors.add_totp(w.permit(AddFactor{crypto::random_id<FactorId>(), FactorKind::totp}, owner), w.code_of(secret.secret)).value();
  REQUIRE(w.link(owner, google("1")));
  const auto begin = [&] { return std::get<FactorNeeded>(w.enter(google("1")).value()).token; };
  const auto prove = [&](const std::string& token, const std::string& with) {
    return w.accounts.prove_factor(w.permit(ProveFactor{owner.user()}, w.anonymous()), token, with);
  };
  const auto step_up = [&](const std::string& with) {
    return code(w.accounts.step_up_with(w.permit(StepUpSession{owner.id()}, owner), google("1"), AtProvider::signed_in_anew, with));
  };
  CHECK(step_up("") == Code::invalid);
  CHECK(step_up("000000") == Code::invalid);
  CHECK(step_up(codes.at(2)) == kFine);
  CHECK(w.last_entry().find("\"second\":\"recovery_code\"") != std::string::npos);
  const auto token = begin();
  CHECK(w.last_entry().find("\"second_factor\":\"owed\"") != std::string::npos);
  CHECK(w.identities.methods(owner.user())->identities.at(0).used);
  REQUIRE(prove(token, codes.at(0)));
  CHECK(w.last_entry().find("\"first\":\"session.sign_in_with\"") != std::string::npos);
  const auto later = begin();
  REQUIRE(w.unlink(owner, w.identities.methods(owner.user())->identities.at(0).id));
  CHECK(code(prove(later, codes.at(1))) == Code::conflict);
  CHECK(w.last_entry().find("unlinked meanwhile") != std::string::npos);
}

TEST_CASE("a linked or unlinked account is told to its person, and one that was refused is not") {
  Linked w;
  const auto owner = w.owner();
  REQUIRE(w.link(owner, google("1")));
  CHECK(w.told(EventKind::credential_changed, "an account at google was linked") == 1);
  CHECK_FALSE(w.link(owner, google("1")));
  REQUIRE(w.unlink(owner, w.identities.methods(owner.user())->identities.at(0).id));
  CHECK(w.told(EventKind::credential_changed, "unlinked") == 1);
  CHECK(w.told(EventKind::credential_changed) == 2);
}

TEST_CASE("a sign-in by another service on a device that is not known is told, and the device is known then") {
  Linked w;
  const auto mine = w.sign_in().value();
  REQUIRE(w.link(w.session(mine).value(), google("1")));
  REQUIRE(w.accounts.sign_in_with(w.permit(SignInWith{"google", Foreign("1")}, World::anonymous()), google("1"), mine.device));
  CHECK(w.told(EventKind::new_sign_in) == 0);
  const auto step = w.enter(google("1")).value();
  CHECK(w.told(EventKind::new_sign_in) == 1);
  REQUIRE(w.accounts.sign_in_with(w.permit(SignInWith{"google", Foreign("1")}, World::anonymous()), google("1"), std::get<Entered<SignInWith>>(step).device));
  CHECK(w.told(EventKind::new_sign_in) == 1);
}

TEST_CASE("S28: a linked account steps up where its service says that they signed in anew; what cannot say so is for who has nothing better") {
  Linked w;
  const auto in = w.sign_in().value();
  const auto owner = w.session(in).value();
  w.add(owner, "second@example.com", Role::viewer);
  const auto second = w.session(w.sign_in("second@example.com").value()).value();
  REQUIRE(w.link(owner, google("1")));
  REQUIRE(w.link(second, google("2")));
  w.clock.advance(std::chrono::minutes(6));
  const auto step_up = [&](const std::string& subject, AtProvider how) {
    return code(w.accounts.step_up_with(w.permit(StepUpSession{owner.id()}, owner), google(subject), how));
  };
  CHECK(step_up("2", AtProvider::signed_in_anew) == Code::forbidden);  // another person's
  CHECK(w.last_entry().find("not an account of theirs") != std::string::npos);
  CHECK(step_up("3", AtProvider::signed_in_anew) == Code::forbidden);  // nobody's
  CHECK(step_up("1", AtProvider::was_signed_in) == Code::forbidden);
  CHECK(w.last_entry().find("did not say that they signed in anew") != std::string::npos);
  CHECK(code(w.verifier.prove(w.session(in).value())) == Code::step_up_needed);
  CHECK(step_up("1", AtProvider::signed_in_anew) == kFine);
  CHECK(w.last_entry().find("\"factor\":\"provider\"") != std::string::npos);
  CHECK(w.verifier.prove(w.session(in).value()));
  {
    // Somebody without a password: what an invitation by a provider makes.
    auto tx = w.database->begin_write();
    (void)tx.exec("UPDATE users SET password = '' WHERE id = ?1", owner.user()).value();
    auto spent = w.permit(SignOut{crypto::random_id<SessionId>()}, owner).spend(w.clock.now()).value();
    REQUIRE(w.ledger->commit(std::move(tx), std::move(spent)));
  }
  CHECK(step_up("1", AtProvider::was_signed_in) == kFine);
}
