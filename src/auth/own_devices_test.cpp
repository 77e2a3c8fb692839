// The devices on which a person is known: until they forget one, disown a sign-in on it, or do not use it for a year.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "presence.h"
#include "test_watched.h"

namespace caip::auth {

TEST_CASE("a device that is forgotten is a new one at its next sign-in, and a stranger's failures delay it like anybody's") {
  Watched w;
  const auto mine = w.in("").value();
  const auto session = w.session(mine).value();
  const auto phone = w.in("").value();
  const auto listed = w.accounts.devices(session, {}).value().items;
  REQUIRE(listed.size() == 2);
  const auto it = std::ranges::find(listed, false, &KnownDevice::here);
  CHECK(w.accounts.forget_device(w.permit(ForgetDevice{it->id}, session)).value() == 1);
  CHECK(code(w.session(phone)) == Code::unauthenticated);
  CHECK(code(w.refresh(phone.tokens.refresh)) == Code::unauthenticated);
  CHECK(w.session(mine));
  const auto before = w.told();
  for (int i = 0; i < 5; ++i) CHECK(code(w.sign_in("owner@example.com", kNew)) == Code::bad_credentials);
  CHECK(code(w.in(phone.device)) == Code::too_many);  // known, it would not wait for what strangers did
  CHECK(w.in(mine.device));
  w.clock.advance(std::chrono::minutes(20));
  const auto back = w.in(phone.device).value();
  CHECK(back.device != phone.device);
  CHECK(w.told() == before + 1);
}

TEST_CASE("nobody forgets another person's device, and forgetting what one wanted by another session there takes that back") {
  Watched w;
  const auto mine = w.in("").value();
  const auto session = w.session(mine).value();
  w.add(session, "other@example.com", Role::member);
  const auto theirs = w.session(w.sign_in("other@example.com").value()).value();
  const auto device = w.accounts.devices(theirs, {})->items.front().id;
  CHECK(code(w.accounts.forget_device(w.permit(ForgetDevice{device}, session))) == Code::not_found);
  CHECK(w.last_entry().contains("not a device of theirs"));
  CHECK(w.accounts.devices(theirs, {})->items.size() == 1);
  const auto phone = w.in("").value();
  REQUIRE(w.links.change_email(w.permit(ChangeEmail{w.user(), World::email("new@example.com")}, w.session(phone).value())));
  const auto listed = w.accounts.devices(session, {}).value().items;
  REQUIRE(w.accounts.forget_device(w.permit(ForgetDevice{std::ranges::find(listed, false, &KnownDevice::here)->id}, session)));
  CHECK(w.count("SELECT count(*) FROM users WHERE wanted_email IS NOT NULL") == 0);
}

TEST_CASE("disowning a sign-in forgets the devices that came after it, too, and keeps those of before") {
  Watched w;
  const auto mine = w.in("").value();
  w.clock.advance(std::chrono::minutes(5));
  const auto thief = w.in("", "198.51.100.7").value();
  REQUIRE(w.in("", "198.51.100.7"));  // once more, and without its token
  CHECK(w.count("SELECT count(*) FROM known_devices") == 3);
  REQUIRE(w.disown(w.session(mine).value(), thief.session) == kFine);
  CHECK(w.count("SELECT count(*) FROM known_devices") == 1);
}

TEST_CASE("a person has a hundred devices at most: those of the oldest sign-ins go") {
  Watched w;
  const auto first = w.in("").value();
  for (int i = 0; i < kMostDevices; ++i) {
    w.clock.advance(std::chrono::seconds(1));
    REQUIRE(w.in(""));
  }
  CHECK(w.count("SELECT count(*) FROM known_devices") == kMostDevices);
  const auto s = w.session(w.in("").value()).value();
  const auto page = w.accounts.devices(s, {.limit = 60, .after = {}}).value();
  CHECK(page.more);
  const auto& last = page.items.back();
  const auto rest = w.accounts.devices(s, {.limit = 60, .after = Place{last.last.micros(), last.id.str()}}).value();
  CHECK(rest.items.size() == kMostDevices - 60);
  CHECK(rest.items.front().id != last.id);
  const auto before = w.told();
  REQUIRE(w.in(first.device));
  CHECK(w.told() == before + 1);
}

}  // namespace caip::auth
