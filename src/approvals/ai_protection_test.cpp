// Production Protection: on, but for a while that an Owner chose, and on again by itself whatever the clock does.
#include <catch2/generators/catch_generators.hpp>

#include "test_switched.h"

namespace caip::approvals {
namespace {

TEST_CASE("Production Protection is off from its beginning to its end, and at no other time") {
  const AiSettings s{.unprotected = Unprotected{Instant{10}, Instant{20}, crypto::random_id<UserId>(), "a fix"}};
  for (const auto& [at, on] : {std::pair{9, true}, {10, false}, {19, false}, {20, true}, {21, true}}) {
    CAPTURE(at);
    CHECK(s.protects(Instant{at}) == on);
    const AiWrite w{ai_operations().front(), AiAccess::full, true, Instant{at}};
    CHECK(keeps_from(s, w).has_value() == on);
  }
  CHECK(AiSettings{}.protects(Instant{}));
}

TEST_CASE("P10: nothing is proposed on a server that counts as production, on the record, and what was allowed before is not redeemed") {
  Switched w;
  const Approval a = w.allowed();
  w.production.insert(w.server);
  const auto no = error_of(w.propose(w.owner, w.server));
  CHECK(no.code == Code::ai_off);
  CHECK(no.detail.contains("setting: Production Protection, on"));
  CHECK(w.logged("approval.propose", "blocked") == 1);
  CHECK(error_of(w.redeem(a)).detail.contains("setting: Production Protection, on"));
  CHECK(w.propose(w.owner, w.another));
}

TEST_CASE("Production Protection is off for a while: cards are of production, and are denied when it is on again, by whom or by nobody") {
  Switched w;
  w.production.insert(w.server);
  REQUIRE(w.unprotect(std::chrono::minutes(10)));
  const Approval waiting = w.propose(w.owner, w.server).value(), allowed = w.allowed(), there = w.propose(w.owner, w.another).value();
  CHECK(waiting.production);
  CHECK_FALSE(there.production);
  const bool by_hand = GENERATE(true, false);
  if (by_hand) REQUIRE(w.controls.protect(w.authorize(w.owner.session(), ProtectProduction{}).value()));
  else w.clock.advance(std::chrono::minutes(10));
  CHECK(error_of(w.propose(w.owner, w.server)).detail.contains("setting: Production Protection"));
  CHECK(error_of(w.redeem(allowed)).code == (by_hand ? Code::already_decided : Code::ai_off));
  w.tick();
  CHECK(w.now(waiting).state == State::denied);
  CHECK(w.now(waiting).decided_by == (by_hand ? std::optional(w.owner.user) : std::nullopt));
  CHECK(w.now(allowed).state == State::failed);
  CHECK(w.now(there).state == State::pending);
  CHECK(w.logged("ai.protect_production", "completed") == (by_hand ? 1 : 0));
  CHECK(w.logged("ai.protect_production_on_time", "completed") == (by_hand ? 0 : 1));
  w.tick();
  CHECK(w.logged("ai.protect_production_on_time", "completed") == (by_hand ? 0 : 1));  // once
}

TEST_CASE("at execution Production Protection is asked for itself: an approval whose time outlives it is not redeemed") {
  Switched w;
  w.controls.on_less({});  // as if nothing had been denied
  w.production.insert(w.server);
  REQUIRE(w.unprotect(std::chrono::minutes(5)));
  const Approval a = w.allowed();
  w.clock.advance(std::chrono::minutes(5));
  CHECK(error_of(w.redeem(a)).detail.contains("setting: Production Protection"));
  w.tick();
  REQUIRE(w.unprotect(std::chrono::minutes(5)));
  CHECK(w.redeem(a));
}

TEST_CASE("whoever switches the protection off anew while its end is due is told to wait for that; a window that was made anew is not ended for the old one's time") {
  Switched w;
  w.production.insert(w.server);
  REQUIRE(w.unprotect(std::chrono::minutes(10)));
  const Approval of_the_first = w.propose(w.owner, w.server).value();
  w.clock.advance(std::chrono::minutes(10));
  const auto late = w.controls.overdue();  // what the ticker saw
  CHECK(error_of(w.unprotect(std::chrono::minutes(10))).code == Code::conflict);
  CHECK(w.logged("ai.unprotect_production", "blocked") == 1);
  w.tick();
  CHECK(w.now(of_the_first).state == State::denied);  // it does not live on in the second
  REQUIRE(w.unprotect(std::chrono::minutes(10)));
  const Approval of_the_second = w.propose(w.owner, w.server).value();
  for (const auto& o : late) REQUIRE(w.controls.protect_on_time(w.authorizer.authorize_system(ProtectProductionOnTime{}, o).value()));  // once more
  CHECK(w.now(of_the_second).state == State::pending);
  CHECK(w.controls.of(w.org)->unprotected);
  CHECK(w.logged("ai.protect_production_on_time", "completed") == 1);
}

TEST_CASE("where the clock was set back, that is the reason that people are told") {
  Switched w;
  REQUIRE(w.unprotect(std::chrono::hours(2)));
  w.controls.overdue();
  w.clock.advance(-std::chrono::minutes(30));
  w.tick();
  auto tx = w.db->begin_read();
  const auto told = tx.one<std::string>("SELECT subject FROM notices WHERE kind = 'production.protection' ORDER BY rowid DESC LIMIT 1", [](const storage::Row& r) { return r.text(0); });
  CHECK(told->value().contains("the clock was set back"));
}

TEST_CASE("a card is not allowed after its window's end, also in the second before that is written down") {
  Switched w;
  w.production.insert(w.server);
  REQUIRE(w.unprotect(std::chrono::minutes(5)));
  const Approval a = w.propose(w.owner, w.server).value();
  w.clock.advance(std::chrono::minutes(5));
  const auto no = error_of(w.gate.approve(w.authorize(w.owner.session(), Approve{a.id, a.digest}).value()));
  CHECK(no.code == Code::ai_off);
  CHECK(w.logged("approval.approve", "blocked") == 1);
}

TEST_CASE("Production Protection is switched off for a reason and for 24 hours at most; anything else is on the record as refused") {
  Switched w;
  CHECK(w.unprotect(kLongestUnprotected));
  for (const auto& [much, reason] : {std::pair<Duration, const char*>{kLongestUnprotected + Duration(1), "a fix"}, {Duration(0), "a fix"}, {-std::chrono::hours(1), "a fix"},
                                     {std::chrono::hours(1), ""}, {std::chrono::hours(1), " \u00a0 "}, {std::chrono::hours(1), "a\u202efix"}}) {
    CAPTURE(much.count(), reason);
    CHECK(error_of(w.unprotect(much, reason)).code == Code::invalid);
  }
  CHECK(w.logged("ai.unprotect_production", "blocked") == 6);
  CHECK(w.logged("ai.unprotect_production", "completed") == 1);
}

TEST_CASE("Production Protection is on again by itself also over a restart, and with the clock set forward or back") {
  Switched w;
  w.production.insert(w.server);
  REQUIRE(w.unprotect(std::chrono::hours(2)));
  w.clock.advance(std::chrono::hours(1));
  w.tick();
  CHECK(w.propose(w.owner, w.server));
  AiControls after(*w.db, *w.ledger, w.clock);
  const auto log_says = w.clock.now();
  SECTION("forward, while it was down") {
    w.clock.advance(std::chrono::hours(30));
    CHECK(after.overdue() == std::vector{w.org});
  }
  SECTION("back to before it was switched off") {
    w.clock.advance(-std::chrono::hours(2));
    CHECK(after.of(w.org)->protects(w.clock.now()));
    CHECK(after.overdue() == std::vector{w.org});
  }
  SECTION("back within the time, while it was down: the log knows better") {
    after.not_before(log_says);
    w.clock.advance(-std::chrono::minutes(30));
    CHECK(after.overdue() == std::vector{w.org});
    CHECK(after.overdue() == std::vector{w.org});  // until it is done
  }
  SECTION("back within the time, while it runs") {
    CHECK(after.overdue().empty());
    w.clock.advance(-std::chrono::minutes(30));
    CHECK(after.overdue() == std::vector{w.org});
  }
  SECTION("corrected by less than a minute: nothing") {
    CHECK(after.overdue().empty());
    w.clock.advance(-std::chrono::seconds(59));
    CHECK(after.overdue().empty());
  }
  SECTION("many small steps back are one large one") {
    CHECK(after.overdue().empty());
    w.clock.advance(-std::chrono::seconds(40));
    CHECK(after.overdue().empty());
    w.clock.advance(-std::chrono::seconds(40));
    CHECK(after.overdue() == std::vector{w.org});
  }
}

TEST_CASE("Production Protection does not stay off in the name of somebody who may no more, and does in another's") {
  Switched w;
  w.production.insert(w.server);
  REQUIRE(w.unprotect(std::chrono::hours(1)));
  const Approval waiting = w.propose(w.owner, w.server).value();
  const auto leaves = [&](const OrgId& org, const UserId& who) {
    auto tx = w.db->begin_write();
    REQUIRE(AiControls::opener_left(tx, org, who, w.clock.now()));
    auto permit = w.authorizer.authorize_system(FailOperation{crypto::random_id<OperationId>()}, w.org).value();  // what it happens with
    REQUIRE(w.ledger->commit(std::move(tx), std::move(permit).spend(w.clock.now()).value(), {}));
  };
  leaves(w.org, crypto::random_id<UserId>());
  leaves(w.elsewhere.org, w.owner.user);
  CHECK(w.propose(w.owner, w.server));
  leaves(w.org, w.owner.user);
  CHECK(error_of(w.propose(w.owner, w.server)).code == Code::ai_off);
  w.tick();
  CHECK(w.now(waiting).state == State::denied);
  CHECK_FALSE(w.controls.of(w.org)->unprotected);
}

TEST_CASE("who is told of Production Protection: that it is off, until when and why, and that it is on again") {
  Switched w;
  REQUIRE(w.unprotect(std::chrono::hours(1), "the disk is full"));
  w.clock.advance(std::chrono::hours(1));
  w.tick();
  auto tx = w.db->begin_read();
  std::vector<std::string> told;
  REQUIRE(tx.query("SELECT subject FROM notices WHERE kind = 'production.protection' ORDER BY rowid", [&](const storage::Row& r) { told.push_back(r.text(0)); }));
  REQUIRE(told.size() == 2);
  CHECK((told[0].contains("off until") && told[0].contains("the disk is full")));
  CHECK(told[1].contains("on again"));
  CHECK(facts(EventKind::production_protection).audience == Permission::ai_control);  // Owners and Admins
  CHECK(granted(Role::admin, Permission::ai_control));
  CHECK_FALSE(granted(Role::member, Permission::ai_control));
}

}  // namespace
}  // namespace caip::approvals
