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
    const auto c = passkeys.challenge(user).value();
    device.challenge = c.challenge;
    return c.token;
  }
  RecoveryCodes set_up(const Session& s) { return add(s, begin(s.user())).value(); }
  Result<PasskeyUse> use(const std::string& token) {
    ++device.count;
    return passkeys.recognise(token, device.id, device.use());
  }
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

TEST_CASE("a copied passkey is found out by its counter, also between two at once") {
  Keyed w;
  w.set_up(w.owner());
  const auto first = w.use(w.begin()).value();
  REQUIRE(w.enter(first));
  CHECK(code(w.enter(first)) == Code::bad_credentials);
  w.device.count = 1;
  CHECK(code(w.use(w.begin())) == Code::bad_credentials);
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
