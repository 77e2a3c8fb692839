#include "throttle.h"

#include <catch2/catch_test_macros.hpp>

#include "known_device.h"
#include "test_world.h"

using namespace caip;
using namespace caip::auth;

namespace {

constexpr std::string_view kOwner = "owner@example.com", kWrong = "not the password at all";

std::string address(int n) { return "198.51." + std::to_string(n / 250) + "." + std::to_string(n % 250); }

}  // namespace

TEST_CASE("failures slow down one address at one account, and lock nobody else out") {
  ManualClock clock{Instant(1'000'000'000)};
  Throttle throttle(clock);
  const auto mine = counters_of_stranger("a@x", "1.1.1.1"), elsewhere = counters_of_stranger("a@x", "2.2.2.2"), other = counters_of_stranger("b@x", "1.1.1.1");
  for (int i = 0; i < 5; ++i) {
    CHECK(throttle.check(mine));
    throttle.failed(mine);
  }
  CHECK(throttle.check(mine).error().code == Code::too_many);
  CHECK(throttle.check(elsewhere));
  CHECK(throttle.check(other));
  clock.advance(std::chrono::seconds(2));
  CHECK(throttle.check(mine));
  for (int i = 0; i < 20; ++i) throttle.failed(mine);
  clock.advance(std::chrono::minutes(14));
  CHECK_FALSE(throttle.check(mine));
  clock.advance(std::chrono::minutes(2));
  CHECK(throttle.check(mine));
  throttle.succeeded(mine);
  throttle.failed(mine);
  CHECK(throttle.check(mine));
}

TEST_CASE("S16 one network at many accounts, and many networks at one account, each wear out a budget of their own") {
  ManualClock clock{Instant(1'000'000'000)};
  Throttle throttle(clock);
  for (int i = 0; i < 30; ++i) throttle.failed(counters_of_stranger("user" + std::to_string(i), "1.1.1.1"));
  CHECK_FALSE(throttle.check(counters_of_stranger("fresh", "1.1.1.1")));
  CHECK(throttle.check(counters_of_stranger("fresh", "2.2.2.2")));
  CHECK_FALSE(throttle.check(counters_of_stranger("fresh", "::ffff:1.1.1.1")));  // the same one, spelt otherwise
  for (int i = 0; i < 120; ++i) throttle.failed(counters_of_stranger("victim", address(i)));
  CHECK_FALSE(throttle.check(counters_of_stranger("victim", "2.2.2.2")));
  CHECK(throttle.check(counters_of_device("the victim's")));
  clock.advance(std::chrono::minutes(1) + std::chrono::seconds(1));  // back-off, never a lock
  CHECK(throttle.check(counters_of_stranger("victim", "2.2.2.2")));
}

TEST_CASE("S16 an attacker's failures never delay the owner on a known device") {
  World w;
  w.with_owner();
  const auto at_home = w.sign_in().value();
  CHECK(w.last_entry().contains("\"known_device\":false"));
  // From the owner's own network and from a hundred others, for an hour.
  for (int i = 0; i < 600; ++i) {
    (void)w.sign_in(kOwner, kWrong);
    (void)w.sign_in(kOwner, kWrong, address(i));
    CHECK(w.sign_in_from(at_home.device).has_value());
  }
  CHECK(w.last_entry().contains("\"known_device\":true"));
  CHECK(code(w.sign_in()) == Code::too_many);
  CHECK(code(w.sign_in(kOwner, kPassword, "203.0.113.9")) == Code::too_many);
}

TEST_CASE("a known device has a budget too, and it is its own") {
  World w;
  w.with_owner();
  const auto one = w.sign_in().value().device, two = w.sign_in().value().device;
  CHECK(one != two);
  for (int i = 0; i < 5; ++i) CHECK(code(w.sign_in_from(one, kWrong)) == Code::bad_credentials);
  CHECK(code(w.sign_in_from(one)) == Code::too_many);
  CHECK(w.sign_in_from(two));
  CHECK(w.sign_in());
  w.clock.advance(std::chrono::seconds(2));
  CHECK(w.sign_in_from(one).value().device == one);
}

TEST_CASE("a device token is for its person and its kind of program, and cannot be made up") {
  World w;
  w.with_owner();
  const KnownDevices devices(*w.keeper);
  const auto owner = w.session(w.sign_in().value()).value();
  const auto token = devices.make(owner.user(), "Firefox on Linux").value();
  CHECK(devices.known(token, owner.user(), "Firefox on Linux").value());
  CHECK_FALSE(devices.known(token, owner.user(), "Chrome on Linux").value());
  CHECK_FALSE(devices.known(token, crypto::random_id<UserId>(), "Firefox on Linux").value());
  for (std::size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    CHECK_FALSE(devices.known(changed, owner.user(), "Firefox on Linux").value());
  }
  for (const std::string& bad : {std::string(), std::string("."), std::string(5000, 'a'), token + token})
    CHECK_FALSE(devices.known(bad, owner.user(), "Firefox on Linux").value());
  // With a made-up one, failures are counted as anybody's.
  for (int i = 0; i < 5; ++i) CHECK(code(w.sign_in_from("made.up" + std::to_string(i), kWrong)) == Code::bad_credentials);
  CHECK(code(w.sign_in_from("made.up")) == Code::too_many);
}

TEST_CASE("a restart forgives no failure") {
  World w;
  w.with_owner();
  for (int i = 0; i < 8; ++i) {
    w.clock.advance(std::chrono::seconds(20));
    CHECK(code(w.sign_in(kOwner, kWrong)) == Code::bad_credentials);
  }
  CHECK(code(w.sign_in()) == Code::too_many);
  Accounts again(*w.database, *w.ledger, *w.keeper, w.factors, w.clock, {.setup_token_file = w.folder.path + "/setup-token", .bcrypt_cost = 4});
  REQUIRE(again.start());
  const auto ask = [&] { return code(again.sign_in(w.permit(SignIn{World::email(kOwner)}, World::anonymous()), SecretBytes(kPassword))); };
  CHECK(ask() == Code::too_many);
  w.clock.advance(std::chrono::seconds(10));
  CHECK(ask() == kFine);
  // A success wiped that counter, in the table too.
  Accounts third(*w.database, *w.ledger, *w.keeper, w.factors, w.clock, {.setup_token_file = w.folder.path + "/setup-token", .bcrypt_cost = 4});
  REQUIRE(third.start());
  for (int i = 0; i < 4; ++i)
    CHECK(code(third.sign_in(w.permit(SignIn{World::email(kOwner)}, World::anonymous()), SecretBytes(kWrong))) == Code::bad_credentials);
}
