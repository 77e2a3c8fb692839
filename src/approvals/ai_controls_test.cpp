// The switches of an organisation's AI, and what each gate makes of them.
#include "approvals/ai_controls.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <map>

#include "approvals/gate.h"
#include "approvals/migrations.h"
#include "domain_world.h"

namespace caip::approvals {
namespace {

struct Switched : test::Base {
  Switched() : Base(approvals::migrations()) {
    controls.on_less([this](storage::WriteTx& tx, const AiControls::Less& less) { return gate.deny_all(tx, less.org, less.by, "switched off", less.which); });
    for (const ServerId& s : {server, another}) set(owner, s, AiAccess::full);
    set(elsewhere, theirs, AiAccess::full);
    gate.on_update([this](const Approval& a) { told[a.id] = a.state; });
  }
  World world() {
    const auto member = [this](const OrgId& o, const UserId&) { return std::optional(Member{o, Role::owner, "owner@example.com"}); };
    return {member, [member](storage::Reader&, const OrgId& o, const UserId& u) { return member(o, u); },
            [this](const ServerId& s) { return std::optional(Target{s == theirs ? elsewhere.org : org, "web-1"}); },
            [this](storage::Reader&, const OrgId&, const ServerId& s) -> Result<bool> { return production.contains(s); }};
  }
  void set(const test::Person& who, const ServerId& on, AiAccess access) {
    REQUIRE(controls.set_access(authorize(who.session(), SetAiAccess{on, access}).value()).value() == access);
  }
  Result<Approval> propose(const test::Person& who, const ServerId& on) { return propose(who, on, RestartUnit{on, test::control("nginx.service")}); }
  Result<Approval> propose(const test::Person& who, const ServerId&, const ServerAction& action) {
    auto p = authorize(who.pilot(), ProposeAction{crypto::random_id<ApprovalId>(), test::digest_of(action)});
    return gate.propose(std::move(*p), action, Foreign("bring it back"), std::nullopt);
  }
  Approval allowed() {
    const Approval a = propose(owner, server).value();
    return gate.approve(authorize(owner.session(), Approve{a.id, a.digest}).value()).value();
  }
  Result<void> redeem(const Approval& a) {
    auto tx = db->begin_write();
    CAIP_TRY(warrant, gate.redeem(tx, a.id, crypto::random_id<OperationId>()));
    return {};
  }
  Approval now(const Approval& a) { return gate.find(a.id).value(); }
  AiSettings stop() { return controls.stop(authorize(owner.session(), StopAi{}).value()).value(); }
  AiSettings start() { return controls.start(authorize(owner.session(), StartAi{}).value()).value(); }
  AiSettings forbid() { return controls.forbid_writes(authorize(owner.session(), ForbidAiWrites{}).value()).value(); }
  AiSettings allow() { return controls.allow_writes(authorize(owner.session(), AllowAiWrites{}).value()).value(); }

  Result<AiSettings> unprotect(Duration much, std::string reason = "a fix") {
    return controls.unprotect(authorize(owner.session(), UnprotectProduction{clock.now() + much}).value(), std::move(reason));
  }
  Result<AiSettings> operation(std::string_view scope, bool on) {
    return controls.set_operation(authorize(owner.session(), SetAiOperation{AiScope::parse(scope).value(), on}).value());
  }
  void tick() {
    for (const auto& o : controls.overdue()) REQUIRE(controls.protect_on_time(authorizer.authorize_system(ProtectProductionOnTime{}, o).value()));
  }

  test::Person owner{org}, elsewhere{crypto::random_id<OrgId>()};
  ServerId server = crypto::random_id<ServerId>(), another = crypto::random_id<ServerId>(), theirs = crypto::random_id<ServerId>();
  std::map<ApprovalId, State> told;
  std::set<ServerId> production;
  ApprovalGate gate{*db, *ledger, authorizer, world(), clock};
  AiControls controls{*db, *ledger, clock};
};

template <class T>
Error error_of(const Result<T>& r) {
  REQUIRE_FALSE(r.has_value());
  return r.error();
}

TEST_CASE("each use and each setting: the refusal names which setting it was") {
  for (const bool on : {true, false})
    for (const bool writes : {true, false}) {
      CAPTURE(on, writes);
      const AiSettings s{.on = on, .writes = writes};
      CHECK(keeps_from(s, AiUse::talk).has_value() == !on);
      const auto no = keeps_from(s, AiUse::propose);
      CHECK(no.has_value() == !(on && writes));
      if (!no) continue;
      CHECK(no->code == Code::ai_off);
      CHECK(no->detail.contains(on ? "setting: write actions of the AI" : "setting: AI)"));
      CHECK(no->detail.contains(on ? "caip ai allow-writes" : "caip ai start"));
    }
}

// Every combination of the gates: the refusal is that of the first that is shut, and all of them are told.
TEST_CASE("the gates stand in their order: AI, write actions, operations, access, Production Protection") {
  const AiOperation restart = *operation_of(ServerAction{RestartUnit{crypto::random_id<ServerId>(), test::control("nginx.service")}});
  constexpr std::array names{"setting: AI)", "setting: write actions of the AI", "setting: operations of the AI, unit.restart", "setting: AI access of the server, read", "setting: Production Protection"};
  for (unsigned shut = 0; shut < 32; ++shut) {
    CAPTURE(shut);
    const auto is_shut = [shut](unsigned gate) { return (shut >> gate & 1U) != 0; };
    AiSettings s{.on = !is_shut(0), .writes = !is_shut(1)};
    if (is_shut(2)) s.off.insert("unit.restart");
    const AiWrite w{restart, is_shut(3) ? AiAccess::read : AiAccess::full, is_shut(4), Instant{5}};
    const auto no = keeps_from(s, w);
    const auto all = gates(s, w);
    REQUIRE(all.size() == names.size());
    unsigned first = 5;
    for (unsigned gate = 5; gate-- > 0;) {
      CHECK(all[gate].shut.has_value() == is_shut(gate));
      if (is_shut(gate)) first = gate;
    }
    REQUIRE(no.has_value() == (shut != 0));
    if (no) CHECK(no->detail.contains(names.at(first)));
    if (no) CHECK(no->code == Code::ai_off);
  }
}

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

TEST_CASE("on until somebody switches it off, and as it was switched after a restart") {
  Switched w;
  const auto before = w.controls.of(w.org).value();
  CHECK(before.on);
  CHECK(before.writes);
  CHECK_FALSE(before.changed_by);
  CHECK_FALSE(w.forbid().writes);
  CHECK_FALSE(w.stop().on);
  const auto after = AiControls(*w.db, *w.ledger, w.clock).of(w.org).value();
  CHECK_FALSE(after.on);
  CHECK_FALSE(after.writes);
  CHECK(after.changed_by == w.owner.user);
  CHECK(after.changed_at == w.clock.now());
  CHECK(w.start().on);
  CHECK_FALSE(w.controls.of(w.org)->writes);  // the one switch is not the other
  CHECK(w.allow().writes);
  for (const char* action : {"ai.stop", "ai.start", "ai.forbid_writes", "ai.allow_writes"}) CHECK(w.logged(action, "completed") == 1);
}

TEST_CASE("stopped: what waits for a decision is denied by whoever stopped it, what was allowed and not run fails, each on the record") {
  Switched w;
  const Approval waiting = w.propose(w.owner, w.server).value(), allowed = w.allowed();
  SECTION("stop") { w.stop(); }
  SECTION("no more writes") { w.forbid(); }
  CHECK(w.now(waiting).state == State::denied);
  CHECK(w.now(waiting).decided_by == w.owner.user);
  CHECK(w.now(waiting).reason == "switched off");
  CHECK(w.now(allowed).state == State::failed);
  CHECK(w.now(allowed).outcome == "switched off");
  CHECK(w.told == std::map<ApprovalId, State>{{waiting.id, State::denied}, {allowed.id, State::failed}});
  CHECK(w.logged("approval.expire", "denied") == 1);
  CHECK(w.logged("approval.expire", "blocked") == 1);
}

TEST_CASE("another organisation's AI is not touched") {
  Switched w;
  const Approval theirs = w.propose(w.elsewhere, w.theirs).value();
  w.stop();
  CHECK(w.now(theirs).state == State::pending);
  CHECK(w.controls.of(w.elsewhere.org)->on);
  CHECK(w.propose(w.elsewhere, w.theirs));
}

TEST_CASE("nothing is proposed while a switch is off, on the record, and again once it is on") {
  Switched w;
  const bool whole = GENERATE(true, false);
  whole ? w.stop() : w.forbid();
  const auto no = error_of(w.propose(w.owner, w.server));
  CHECK(no.code == Code::ai_off);
  CHECK(no.detail.contains("setting: "));
  CHECK(w.logged("approval.propose", "blocked") == 1);
  whole ? w.start() : w.allow();
  CHECK(w.propose(w.owner, w.server));
}

// As if the switch had not denied it: the gate at execution asks for itself.
TEST_CASE("what was allowed before a switch went off is not redeemed after it") {
  Switched w;
  w.controls.on_less({});
  const Approval a = w.allowed();
  const bool whole = GENERATE(true, false);
  whole ? w.stop() : w.forbid();
  CHECK(w.now(a).state == State::approved);
  CHECK(error_of(w.redeem(a)).code == Code::ai_off);
  whole ? w.start() : w.allow();
  CHECK(w.redeem(a));
}

TEST_CASE("each access and use: none shuts it out, read lets it look") {
  for (const AiAccess access : {AiAccess::none, AiAccess::read, AiAccess::full}) {
    CAPTURE(text(access));
    CHECK(keeps_from_looking(access).has_value() == (access == AiAccess::none));
    const auto no = keeps_from(AiSettings{}, AiWrite{ai_operations().front(), access, false, Instant{}});
    CHECK(no.has_value() == (access != AiAccess::full));
    if (no) CHECK(no->detail.contains("setting: AI access of the server, " + std::string(text(access))));
    CHECK(parse_ai_access(text(access)).value() == access);
  }
  CHECK_FALSE(parse_ai_access("write"));
}

TEST_CASE("a server that nobody has set is looked at, and nothing is proposed on it until somebody sets it to full") {
  Switched w;
  const auto fresh = crypto::random_id<ServerId>();
  CHECK(w.controls.access(w.org, fresh).value() == AiAccess::read);
  CHECK(error_of(w.propose(w.owner, fresh)).detail.contains("setting: AI access of the server, read"));
  CHECK(w.logged("approval.propose", "blocked") == 1);
  w.set(w.owner, fresh, AiAccess::full);
  CHECK(w.propose(w.owner, fresh));
}

TEST_CASE("access that is taken away ends what waits on that server, and nothing on another one") {
  Switched w;
  const Approval here = w.propose(w.owner, w.server).value(), there = w.propose(w.owner, w.another).value();
  w.set(w.owner, w.server, GENERATE(AiAccess::read, AiAccess::none));
  CHECK(w.now(here).state == State::denied);
  CHECK(w.now(there).state == State::pending);
  CHECK_FALSE(w.propose(w.owner, w.server));
  CHECK(w.propose(w.owner, w.another));
}

TEST_CASE("what was allowed before its server was shut is not redeemed after it") {
  Switched w;
  w.controls.on_less({});
  const Approval a = w.allowed();
  w.set(w.owner, w.server, AiAccess::read);
  CHECK(error_of(w.redeem(a)).detail.contains("setting: AI access of the server"));
  w.set(w.owner, w.server, AiAccess::full);
  CHECK(w.redeem(a));
}

TEST_CASE("S07: what another organisation says of a server is not what its own says") {
  Switched w;
  w.set(w.elsewhere, w.server, AiAccess::none);
  CHECK(w.controls.access(w.org, w.server).value() == AiAccess::full);
  CHECK(w.propose(w.owner, w.server));
  const auto fresh = crypto::random_id<ServerId>();
  w.set(w.elsewhere, fresh, AiAccess::full);
  CHECK(w.controls.access(w.org, fresh).value() == AiAccess::read);
}

TEST_CASE("the first server is opened once; what somebody sets afterwards stays") {
  Switched w;
  const auto first = crypto::random_id<ServerId>();
  const auto offer = [&] { return w.controls.offer_access(w.authorizer.authorize_system(OfferAiAccess{first, AiAccess::full}, w.org).value()); };
  REQUIRE(offer());
  CHECK(w.controls.access(w.org, first).value() == AiAccess::full);
  w.set(w.owner, first, AiAccess::none);
  REQUIRE(offer());
  CHECK(w.controls.access(w.org, first).value() == AiAccess::none);
  CHECK(w.logged("ai.offer_access", "completed") == 1);
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
  REQUIRE(w.unprotect(std::chrono::minutes(5)));
  CHECK(w.redeem(a));
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

TEST_CASE("an operation or its whole category is switched off: nothing of it is proposed, what waits of it is denied, and the rest goes on") {
  Switched w;
  const Approval waiting = w.propose(w.owner, w.server).value(), allowed = w.allowed();
  const auto stop = [&] { return w.propose(w.owner, w.server, StopUnit{w.server, test::control("nginx.service")}); };
  const Approval stopping = stop().value();
  const std::string scope = GENERATE("unit.restart", "unit");
  REQUIRE(w.operation(scope, false));
  CHECK(w.now(waiting).state == State::denied);
  CHECK(w.now(allowed).state == State::failed);
  CHECK(w.now(stopping).state == (scope == "unit" ? State::denied : State::pending));
  CHECK(error_of(w.propose(w.owner, w.server)).detail.contains("setting: operations of the AI, " + scope));
  CHECK(stop().has_value() == (scope != "unit"));
  CHECK(w.propose(w.elsewhere, w.theirs));
  REQUIRE(w.operation(scope, true));
  CHECK(w.propose(w.owner, w.server));
}

TEST_CASE("what was allowed before its operation was switched off is not redeemed after it") {
  Switched w;
  w.controls.on_less({});
  const Approval a = w.allowed();
  REQUIRE(w.operation("unit.restart", false));
  CHECK(error_of(w.redeem(a)).detail.contains("setting: operations of the AI, unit.restart"));
}

TEST_CASE("with every operation off nothing may be proposed anywhere, with one on something may") {
  AiSettings s;
  for (const AiOperation& o : ai_operations()) s.off.emplace(o.name);
  CHECK(keeps_from(s, AiUse::propose));
  CHECK_FALSE(keeps_from(s, AiUse::talk));
  s.off.erase("unit.start");
  CHECK_FALSE(keeps_from(s, AiUse::propose));
  s.off.insert("unit");
  CHECK(keeps_from(s, AiUse::propose));
}

TEST_CASE("what does not commit takes nothing away") {
  Switched w;
  const Approval waiting = w.propose(w.owner, w.server).value();
  w.controls.on_less([](storage::WriteTx&, const AiControls::Less&) -> Result<std::function<void()>> { return fail(Code::internal); });
  CHECK_FALSE(w.controls.stop(w.authorize(w.owner.session(), StopAi{}).value()));
  CHECK(w.controls.of(w.org)->on);
  CHECK(w.now(waiting).state == State::pending);
}

TEST_CASE("a data directory of before the switches opens, its AI on and its proposals as they were") {
  struct Old : test::Base {
    Old() : Base({approvals::migrations().front()}) {}
  } w;
  w.migrations = approvals::migrations();
  w.open();
  CHECK(AiControls(*w.db, *w.ledger, w.clock).of(w.org)->on);
  CHECK(AiControls(*w.db, *w.ledger, w.clock).access(w.org, crypto::random_id<ServerId>()).value() == AiAccess::read);
}

TEST_CASE("an organisation that ends leaves no switch behind") {
  Switched w;
  w.stop();
  REQUIRE(w.unprotect(std::chrono::hours(1)));
  REQUIRE(w.operation("unit", false));
  {
    auto tx = w.db->begin_write();
    REQUIRE(AiControls::end_of(tx, w.org));
    auto permit = w.authorizer.authorize_system(FailOperation{crypto::random_id<OperationId>()}, w.org).value();  // what it happens with
    REQUIRE(w.ledger->commit(std::move(tx), std::move(permit).spend(w.clock.now()).value(), {}));
  }
  CHECK_FALSE(w.controls.of(w.org)->changed_by);
  CHECK_FALSE(w.controls.of(w.org)->unprotected);
  CHECK(w.controls.of(w.org)->off.empty());
  CHECK(w.controls.access(w.org, w.server).value() == AiAccess::read);
}

}  // namespace
}  // namespace caip::approvals
