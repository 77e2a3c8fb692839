#include "auth/passkeys.h"

#include <catch2/catch_test_macros.hpp>

#include "authenticator.h"
#include "test_world.h"

using namespace caip;
using namespace caip::auth;

namespace {

const passkeys::Site kSite{"panel.example", "https://panel.example"};

struct Keyed : World {
  passkeys::Authenticator device{kSite};
  Keyed() { with_owner(); }
  Session owner() { return session(sign_in().value()).value(); }
  Result<RecoveryCodes> add(const Session& s, const std::string& token, const std::string& name = "laptop") {
    return passkeys.add(permit(AddFactor{crypto::random_id<FactorId>(), FactorKind::passkey}, s), token, name, device.client_data("webauthn.create"), device.attestation());
  }
  std::string begin(std::optional<UserId> user = {}) {
    const auto c = passkeys.challenge(user, "192.0.2.1").value();
    device.challenge = c.challenge;
    return c.token;
  }
  RecoveryCodes set_up(const Session& s) { return add(s, begin(s.user())).value(); }
  Result<PasskeyUse> use(const std::string& token) {
    ++device.count;
    return passkeys.recognise(anonymous(), token, device.id, device.use());
  }
  using World::session;
  Result<Session> session(const Entered<ProveFactor>& in) const { return sessions.verify(in.tokens.access, origin()); }
  Result<Entered<ProveFactor>> enter(const PasskeyUse& use) { return accounts.sign_in_with_passkey(permit(ProveFactor{use.user}, anonymous()), use); }
};

}  // namespace

TEST_CASE("S14: a passkey alone signs in; with one, a password alone does not") {
  Keyed w;
  const auto owner = w.owner();
  CHECK(w.set_up(owner).size() == Factors::kCodes);
  const auto in = w.enter(w.use(w.begin()).value());
  REQUIRE(in);
  CHECK(in->person.user == owner.user());
  CHECK(w.last_entry().find("\"factor\":\"passkey\"") != std::string::npos);
  CHECK(code(w.sign_in()) == Code::unauthenticated);
  CHECK(w.passkeys.list(owner.user())->at(0).used);
}

TEST_CASE("S14: who has a passkey and no authenticator app does not step up by the password alone: with a recovery code, or by the passkey") {
  Keyed w;
  const auto owner = w.owner();
  const auto codes = w.set_up(owner);
  const auto step_up = [&](std::string_view also) { return code(w.accounts.step_up(w.permit(StepUpSession{owner.id()}, owner), SecretBytes(kPassword), also)); };
  CHECK(step_up("") == Code::invalid);
  CHECK(w.last_entry().find("no code") != std::string::npos);
  CHECK(code(w.accounts.step_up(w.permit(StepUpSession{owner.id()}, owner), SecretBytes(std::string_view("not the password")), "")) == Code::invalid);
  CHECK(w.last_entry().find("no code") != std::string::npos);  // the same whether the password is right
  CHECK(step_up("123456") == Code::invalid);
  CHECK(step_up(codes[0]) == kFine);
  CHECK(step_up(codes[0]) == Code::invalid);
}

TEST_CASE("a challenge is for one browser, one purpose and one use, for five minutes") {
  Keyed w;
  const auto owner = w.owner();
  w.set_up(owner);
  const auto token = w.begin();
  CHECK(code(w.use("another")) == Code::bad_credentials);
  CHECK(w.use(token));
  CHECK(code(w.use(token)) == Code::bad_credentials);
  const auto registration = w.begin(owner.user());
  CHECK(code(w.use(registration)) == Code::bad_credentials);
  CHECK(code(w.add(owner, w.begin())) == Code::bad_credentials);
  const auto late = w.begin();
  w.clock.advance(Passkeys::kChallengeLifetime);
  CHECK(code(w.use(late)) == Code::bad_credentials);
}

TEST_CASE("a challenge that was given to one person adds a passkey to no other") {
  Keyed w;
  const auto owner = w.owner();
  w.World::add(owner, "second@example.com", Role::viewer);
  const auto second = w.session(w.sign_in("second@example.com").value()).value();
  CHECK(code(w.add(second, w.begin(owner.user()))) == Code::bad_credentials);
  w.set_up(owner);
  CHECK(code(w.add(second, w.begin(second.user()))) == Code::conflict);  // this very passkey
}

TEST_CASE("a passkey is called what its owner wants, and by nobody else") {
  Keyed w;
  const auto owner = w.owner();
  w.World::add(owner, "second@example.com", Role::viewer);
  const auto second = w.session(w.sign_in("second@example.com").value()).value();
  w.set_up(owner);
  const auto id = w.passkeys.list(owner.user())->at(0).id;
  const auto rename = [&](const Session& by, std::string_view name) { return code(w.passkeys.rename(w.permit(RenameFactor{id}, by), name)); };
  CHECK(rename(second, "theirs") == Code::not_found);
  for (const auto& bad : {std::string(), std::string(65, 'x'), std::string("two\nlines")}) CHECK(rename(owner, bad) == Code::invalid);
  CHECK(rename(owner, "blue key") == kFine);
  CHECK(w.told(EventKind::credential_changed, "a passkey was given another name") == 1);
  CHECK(w.passkeys.list(owner.user())->at(0).name == "blue key");
  CHECK(w.last_entry().find("\"name\":\"blue key\"") != std::string::npos);
}

TEST_CASE("a copied passkey is found out by its counter, also between two at once") {
  Keyed w;
  w.set_up(w.owner());
  const auto first = w.use(w.begin()).value();
  REQUIRE(w.enter(first));
  CHECK(code(w.enter(first)) == Code::bad_credentials);
  CHECK(w.last_entry().find("used or removed meanwhile") != std::string::npos);
}

TEST_CASE("a copied passkey is suspended, and that stands in the log of whose it is") {
  Keyed w;
  const auto owner = w.owner();
  const auto codes = w.set_up(owner);
  REQUIRE(w.enter(w.use(w.begin()).value()));
  w.device.count = 0;
  const auto refused = w.use(w.begin());
  CHECK(code(refused) == Code::bad_credentials);
  CHECK(refused.error().detail == "the passkey was not accepted");
  const auto mine = w.passkeys.list(owner.user())->at(0);
  for (const auto& part : {owner.org().str(), mine.id.str(), owner.user().str(), std::string("counter went back"), std::string("session.second_factor")})
    CHECK(w.last_entry().find(part) != std::string::npos);
  CHECK(mine.suspended);
  w.device.count = 100;
  CHECK(code(w.use(w.begin())) == Code::bad_credentials);
  CHECK(code(w.sign_in()) == Code::unauthenticated);  // the factor is owed all the same
}

TEST_CASE("a suspended only passkey locks nobody out: behind the password it is the second step, and behind no stale one") {
  Keyed w;
  const auto owner = w.owner();
  w.set_up(owner);
  REQUIRE(w.enter(w.use(w.begin()).value()));
  w.device.count = 0;
  REQUIRE(code(w.use(w.begin())) == Code::bad_credentials);
  REQUIRE(w.passkeys.list(owner.user())->at(0).suspended);
  w.device.count = 100;
  const auto after = [&](const std::optional<UserId>& first_step) {
    const auto token = w.begin();
    ++w.device.count;
    return w.passkeys.recognise(w.anonymous(), token, w.device.id, w.device.use(), first_step);
  };
  CHECK(code(after({})) == Code::bad_credentials);
  CHECK(code(after(crypto::random_id<UserId>())) == Code::bad_credentials);
  const auto half = std::get<FactorNeeded>(w.begin_sign_in().value()).token;
  CHECK(w.accounts.first_step_of(half).value() == owner.user());
  CHECK_FALSE(w.accounts.first_step_of("another").value());
  REQUIRE(w.enter(after(w.accounts.first_step_of(half).value()).value()));
  const auto stale = std::get<FactorNeeded>(w.begin_sign_in().value()).token;
  REQUIRE(w.accounts.change_password(w.permit(ChangePassword{owner.user()}, owner), SecretBytes(std::string_view("seven unlikely otters sing"))));
  CHECK_FALSE(w.accounts.first_step_of(stale).value());
}

TEST_CASE("what was no fault of the passkey does not suspend it, and says no more") {
  Keyed w;
  const auto owner = w.owner();
  w.set_up(owner);
  const auto refused = w.use("another");
  CHECK(refused.error().detail == "the passkey was not accepted");
  CHECK(w.last_entry().find("no challenge was given") != std::string::npos);
  CHECK(w.last_entry().find(owner.org().str()) != std::string::npos);
  CHECK_FALSE(w.passkeys.list(owner.user())->at(0).suspended);
  CHECK(w.use(w.begin()));
}

TEST_CASE("one network's challenges take its own room, and a crowd keeps nobody from getting one") {
  Keyed w;
  w.set_up(w.owner());
  const auto token = w.begin();
  for (std::size_t i = 0; i < 2 * Passkeys::kMostChallenges; ++i) (void)w.passkeys.challenge({}, "198.51.100.1").value();
  CHECK(w.use(token));
  for (std::size_t i = 0; i < Passkeys::kMostChallenges + 9; ++i) (void)w.passkeys.challenge({}, "10.0.0." + std::to_string(i)).value();
  CHECK(w.use(w.begin()));
}

TEST_CASE("who came in with a passkey owes no second step any more") {
  Keyed w;
  const auto owner = w.owner();
  const auto codes = w.set_up(owner);
  const auto token = std::get<FactorNeeded>(w.begin_sign_in().value()).token;
  REQUIRE(w.accounts.halfway(token));
  REQUIRE(w.enter(w.use(w.begin()).value()));
  CHECK(code(w.accounts.halfway(token)) == Code::unauthenticated);
}

TEST_CASE("S14: a passkey that is added ends the person's other sessions") {
  Keyed w;
  const auto owner = w.owner();
  const auto thief = w.sign_in().value();
  w.set_up(owner);
  CHECK(code(w.session(thief)) == Code::unauthenticated);
}

TEST_CASE("an unknown or removed passkey signs nobody in, and the codes go with the last factor") {
  Keyed w;
  CHECK(code(w.use(w.begin())) == Code::bad_credentials);
  const auto owner = w.owner();
  const auto codes = w.set_up(owner);
  const auto token = std::get<FactorNeeded>(w.begin_sign_in().value()).token;
  CHECK(w.accounts.prove_factor(w.permit(ProveFactor{owner.user()}, World::anonymous()), token, codes.at(0)));
  const auto id = w.passkeys.list(owner.user())->at(0).id;
  REQUIRE(w.factors.remove(w.permit(RemoveFactor{id}, owner)));
  CHECK(code(w.use(w.begin())) == Code::bad_credentials);
  CHECK(w.factors.state(owner.user())->recovery_codes == 0);
  CHECK(w.sign_in());
}

TEST_CASE("a passkey's name is visible text") {
  Keyed w;
  const auto owner = w.owner();
  for (const char* name : {"", "a\nb", "\u202e"}) CHECK(code(w.add(owner, w.begin(owner.user()), name)) == Code::invalid);
}

TEST_CASE("a passkey that is added or suspended is told, and so is a sign-in with it on a device that is not known") {
  Keyed w;
  const auto mine = w.sign_in().value();
  w.set_up(w.session(mine).value());
  CHECK(w.told(EventKind::credential_changed, "was added") == 1);
  const auto use = w.use(w.begin()).value();
  REQUIRE(w.accounts.sign_in_with_passkey(w.permit(ProveFactor{use.user}, World::anonymous()), use, mine.device));
  CHECK(w.told(EventKind::new_sign_in) == 0);
  REQUIRE(w.enter(w.use(w.begin()).value()));
  CHECK(w.told(EventKind::new_sign_in) == 1);
  w.device.count = 0;  // a copy has used it less often
  CHECK_FALSE(w.use(w.begin()));
  CHECK(w.told(EventKind::credential_changed, "may have been copied") == 1);
}

TEST_CASE("S14: a passkey of one's own steps a session up, once for each challenge; another person's, another session's and a suspended one do not") {
  Keyed w;
  const auto in = w.World::sign_in().value();
  CHECK(code(w.passkeys.challenge_again(w.session(in).value())) == Code::not_found);
  w.set_up(w.session(in).value());
  w.World::add(w.session(in).value(), "second@example.com", Role::admin);
  const auto second_in = w.World::sign_in("second@example.com").value();
  w.clock.advance(std::chrono::minutes(6));
  const auto owner = w.session(in).value(), second = w.session(second_in).value();
  const auto again = [&](const Session& s) {
    const auto c = w.passkeys.challenge_again(s).value();
    w.device.challenge = c.challenge;
    CHECK(c.known == std::vector{base64url(w.device.id)});
    return c.token;
  };
  const auto prove = [&](const Session& s, const std::string& token) -> Code {
    ++w.device.count;
    auto use = w.passkeys.recognise_again(s, token, w.device.id, w.device.use());
    return use ? code(w.accounts.step_up_with_passkey(w.permit(StepUpSession{s.id()}, s), *use)) : use.error().code;
  };
  CHECK(code(w.verifier.prove(owner)) == Code::step_up_needed);
  const auto token = again(owner);
  CHECK(prove(owner, token) == kFine);
  CHECK(w.last_entry().find("session.step_up") != std::string::npos);
  CHECK(w.last_entry().find("\"factor\":\"passkey\"") != std::string::npos);
  CHECK(w.verifier.prove(w.session(in).value()));
  CHECK(prove(owner, token) == Code::bad_credentials);  // used
  CHECK(prove(owner, w.begin()) == Code::bad_credentials);  // for a sign-in
  CHECK(code(w.use(again(owner))) == Code::bad_credentials);  // nor the other way round

  const auto hers = again(owner);
  CHECK(prove(second, hers) == Code::bad_credentials);
  CHECK(w.last_entry().find("session.step_up") != std::string::npos);
  CHECK(w.last_entry().find("\"blocked\"") != std::string::npos);
  CHECK(w.last_entry().find(second.user().str()) != std::string::npos);  // in the log of who tried
  CHECK(code(w.verifier.prove(second)) == Code::step_up_needed);
  CHECK(code(w.passkeys.challenge_again(second)) == Code::not_found);

  const auto unverified = again(owner);
  w.device.flags = 0x01;  // touched, and nobody verified who it was
  CHECK(prove(owner, unverified) == Code::bad_credentials);
  w.device.flags = 0x05;
  const auto copied = again(owner);
  w.device.count = 0;
  CHECK(prove(owner, copied) == Code::bad_credentials);
  CHECK(w.passkeys.list(owner.user())->at(0).suspended);
  CHECK(code(w.passkeys.challenge_again(owner)) == Code::not_found);
}

TEST_CASE("another person's passkey does not step up a session, even for a challenge of that session") {
  Keyed w;
  w.set_up(w.owner());
  const auto owner = w.session(w.enter(w.use(w.begin()).value()).value()).value();
  w.World::add(owner, "second@example.com", Role::admin);
  const auto second = w.session(w.World::sign_in("second@example.com").value()).value();
  passkeys::Authenticator hers{kSite};
  hers.id = Bytes(20, 9);
  const auto c = w.passkeys.challenge(second.user(), "192.0.2.1").value();
  hers.challenge = c.challenge;
  REQUIRE(w.passkeys.add(w.permit(AddFactor{crypto::random_id<FactorId>(), FactorKind::passkey}, second), c.token, "hers", hers.client_data("webauthn.create"), hers.attestation()));
  const auto challenge = w.passkeys.challenge_again(second).value();
  w.device.challenge = challenge.challenge;
  ++w.device.count;
  CHECK(code(w.passkeys.recognise_again(second, challenge.token, w.device.id, w.device.use())) == Code::bad_credentials);
  CHECK(w.last_entry().find("another person's passkey") != std::string::npos);
}
