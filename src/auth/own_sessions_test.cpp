#include <catch2/catch_test_macros.hpp>

#include "device.h"
#include "test_world.h"

using namespace caip;
using namespace caip::auth;

namespace {

Code end(World& w, const Session& by, const SessionId& which) { return code(w.accounts.end_session(w.permit(EndSession{which}, by))); }

Code limit(World& w, const Session& by, std::int64_t idle, std::int64_t lifetime) {
  return code(w.accounts.set_session_limits(w.permit(SetSessionLimits{idle, lifetime}, by)));
}

Code change(World& w, const Session& by, std::string_view password) {
  return code(w.accounts.change_password(w.permit(ChangePassword{by.user()}, by), SecretBytes(password)));
}

constexpr std::string_view kOther = "seven unlikely otters sing";

}  // namespace

TEST_CASE("a device is named by words of ours, whatever the header says") {
  CHECK(device_of("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0") == "Firefox on Linux");
  CHECK(device_of("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0") == "Edge on Windows");
  CHECK(device_of("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1") == "Safari on iOS");
  CHECK(device_of("Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36") == "Chrome on Android");
  CHECK(device_of("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15") == "Safari on macOS");
  CHECK(device_of("caip") == "caip");
  CHECK(device_of("") == "Unknown program");
  CHECK(device_of("<script>\x1b[31m\xe2\x80\xae") == "Unknown program");
  CHECK(device_of(std::string(1000, 'x') + "Firefox/1") == "Unknown program");
}

TEST_CASE("sessions are listed newest first with device, address and times, and only one's own") {
  World w;
  w.with_owner();
  const auto old = w.sign_in("owner@example.com", kPassword, "192.0.2.7").value();
  w.clock.advance(std::chrono::minutes(20));
  const auto in = w.sign_in().value();
  const auto s = w.session(in).value();
  w.add(s, "member@example.com", Role::member);
  (void)w.sign_in("member@example.com").value();
  const auto page = w.accounts.sessions(s, {}).value();
  REQUIRE(page.items.size() == 2);
  CHECK(page.items[0].id == in.session);
  CHECK(page.items[1].id == old.session);
  CHECK(page.items[1].address == "192.0.2.7");
  CHECK(page.items[1].device == "Unknown program");
  CHECK(page.items[1].used == page.items[1].created);
  (void)w.refresh(old.tokens.refresh).value();
  const auto later = w.accounts.sessions(s, {}).value();
  CHECK(later.items[1].used == w.clock.now());
  CHECK(later.items[1].address == World::origin().address);
  const auto first = w.accounts.sessions(s, {.limit = 1, .after = {}}).value();
  CHECK(first.more);
  const auto& last = first.items.back();
  const auto second = w.accounts.sessions(s, {.limit = 1, .after = Place{last.created.micros(), last.id.str()}}).value();
  CHECK(second.items.front().id == old.session);
  CHECK_FALSE(second.more);
}

TEST_CASE("S07 one ends one's own sessions, nobody else's; both are in the log") {
  World w;
  w.with_owner();
  const auto a = w.sign_in().value(), b = w.sign_in().value();
  const auto owner = w.session(a).value();
  w.add(owner, "member@example.com", Role::member);
  const auto theirs = w.sign_in("member@example.com").value();
  CHECK(end(w, owner, theirs.session) == Code::not_found);
  CHECK(w.last_entry().contains("\"blocked\""));
  CHECK(w.session(theirs));
  CHECK(end(w, w.session(theirs).value(), a.session) == Code::not_found);
  CHECK(end(w, owner, b.session) == kFine);
  CHECK(w.last_entry().contains("session.end"));
  CHECK(code(w.session(b)) == Code::unauthenticated);
  CHECK(code(w.refresh(b.tokens.refresh)) == Code::unauthenticated);
  CHECK(end(w, owner, b.session) == Code::not_found);
  CHECK(w.session(a));
}

TEST_CASE("ending all others leaves this one") {
  World w;
  w.with_owner();
  const auto a = w.sign_in().value(), b = w.sign_in().value(), c = w.sign_in().value();
  const auto s = w.session(b).value();
  CHECK(w.accounts.end_other_sessions(w.permit(EndOtherSessions{s.id()}, s)).value() == 2);
  CHECK(code(w.session(a)) == Code::unauthenticated);
  CHECK(code(w.refresh(c.tokens.refresh)) == Code::unauthenticated);
  CHECK(w.session(b));
  CHECK(w.refresh(b.tokens.refresh));
  CHECK(w.accounts.sessions(s, {})->items.size() == 1);
}

TEST_CASE("a new password ends the other sessions, and is held to the rules") {
  World w;
  w.with_owner();
  const auto a = w.sign_in().value(), b = w.sign_in().value();
  const auto s = w.session(a).value();
  CHECK(change(w, s, "too short") == Code::invalid);
  CHECK(change(w, s, "owner@example.com") == Code::invalid);
  CHECK(w.session(b));
  CHECK(change(w, s, kOther) == kFine);
  CHECK(w.last_entry().contains("account.change_password"));
  CHECK_FALSE(w.last_entry().contains(kOther));
  CHECK(w.session(a));
  CHECK(code(w.session(b)) == Code::unauthenticated);
  CHECK(code(w.sign_in()) == Code::bad_credentials);
  CHECK(code(w.sign_in("owner@example.com", kOther)) == kFine);
}

TEST_CASE("an organisation shortens its sessions: those that are too old end with the next request") {
  World w;
  w.with_owner();
  const auto old = w.sign_in().value();
  w.clock.advance(std::chrono::minutes(61));
  const auto renewed = w.refresh(old.tokens.refresh).value();
  const auto fresh = w.sign_in().value();
  const auto s = w.session(fresh).value();
  CHECK(w.accounts.session_limits(s.org())->idle_minutes == 12 * 60);
  CHECK(w.accounts.session_limits(s.org())->lifetime_minutes == 7 * 24 * 60);
  CHECK(limit(w, s, 29, 600) == Code::invalid);
  CHECK(limit(w, s, 721, 600) == Code::invalid);
  CHECK(limit(w, s, 30, 59) == Code::invalid);
  CHECK(limit(w, s, 30, 10081) == Code::invalid);
  CHECK(w.sessions.verify(renewed.tokens.access, World::origin()));
  CHECK(limit(w, s, 30, 60) == kFine);
  CHECK(w.last_entry().contains("lifetime_before"));
  CHECK(code(w.sessions.verify(renewed.tokens.access, World::origin())) == Code::unauthenticated);
  CHECK(w.accounts.sessions(s, {})->items.size() == 1);
  CHECK(w.session(fresh));
  w.clock.advance(std::chrono::minutes(30));
  CHECK(code(w.refresh(fresh.tokens.refresh)) == Code::unauthenticated);  // idle
}
