// The switches of an organisation's AI, and what each gate makes of them.
#include <catch2/generators/catch_generators.hpp>

#include "test_switched.h"

namespace caip::approvals {
namespace {

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
  const bool whole = GENERATE(true, false);
  whole ? w.stop() : w.forbid();
  const std::string why = whole ? "the AI was stopped" : "the AI may propose no changes any more";
  CHECK(w.now(waiting).state == State::denied);
  CHECK(w.now(waiting).decided_by == w.owner.user);
  CHECK(w.now(waiting).reason == why);
  CHECK(w.now(allowed).state == State::failed);
  CHECK(w.now(allowed).outcome == why);
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

TEST_CASE("the settings are asked before anybody's rights: a Member hears that the AI is stopped, and not that sshd is an Admin's") {
  Switched w;
  const test::Person member{w.org, crypto::random_id<UserId>(), Role::member};
  const auto stop_sshd = [&] { return error_of(w.propose(member, w.server, StopUnit{w.server, test::control("ssh.service")})); };
  CHECK(stop_sshd().code == Code::forbidden);
  w.stop();
  CHECK(stop_sshd().code == Code::ai_off);
}

TEST_CASE("a verb that is new is off where somebody had switched off some of its category one by one, and stays so until it is allowed") {
  Switched w;
  const auto is_new = [&](std::string_view name) {
    auto tx = w.db->begin_write();
    REQUIRE(tx.exec("DELETE FROM ai_operations_known WHERE org = ?1 AND operation = ?2", w.org, name));
    auto permit = w.authorizer.authorize_system(FailOperation{crypto::random_id<OperationId>()}, w.org).value();  // what it happens with
    REQUIRE(w.ledger->commit(std::move(tx), std::move(permit).spend(w.clock.now()).value(), {}));
  };
  is_new("unit.restart");
  CHECK(w.propose(w.owner, w.server));  // nobody has switched anything off
  REQUIRE(w.operation("unit.stop", false));
  CHECK(w.propose(w.owner, w.server));  // it was there when they did
  is_new("unit.restart");
  is_new("env.place");
  CHECK(error_of(w.propose(w.owner, w.server)).detail.contains("setting: operations of the AI, unit.restart"));
  CHECK(w.controls.of(w.org)->off == std::set<std::string, std::less<>>{"unit.restart", "unit.stop"});  // of the other category nothing is
  REQUIRE(w.operation("unit.stop", true));  // the one is not the other
  CHECK(w.controls.of(w.org)->off == std::set<std::string, std::less<>>{"unit.restart"});
  REQUIRE(w.operation("unit.restart", true));
  CHECK(w.propose(w.owner, w.server));
}

TEST_CASE("people are told what an allowed operation comes to: nothing, while its category is off") {
  Switched w;
  REQUIRE(w.operation("unit", false));
  REQUIRE(w.operation("unit.restart", true));
  REQUIRE(w.operation("unit", true));
  auto tx = w.db->begin_read();
  std::vector<std::string> told;
  REQUIRE(tx.query("SELECT subject FROM notices WHERE kind = 'ai.changed' ORDER BY rowid", [&](const storage::Row& r) { told.push_back(r.text(0)); }));
  REQUIRE(told.size() == 3);
  CHECK(told[1].contains("nothing of unit is proposed while that is off"));
  CHECK(told[2] == "The AI may propose unit again");
}

TEST_CASE("one row that cannot be read stands in nobody's way: the others are listed, denied and expire, and it ends by its id, on the record") {
  Switched w;
  const auto later = [&](Approval a) {
    w.clock.advance(std::chrono::seconds(1));
    return a;
  };
  const Approval oldest = later(w.propose(w.owner, w.server).value()), bad = later(w.propose(w.owner, w.server).value()), bad_too = later(w.allowed());
  const Approval good = w.propose(w.owner, w.server).value();
  {
    auto tx = w.db->begin_write();
    REQUIRE(tx.exec("UPDATE approvals SET bytes = '{}' WHERE id IN (?1, ?2)", bad.id, bad_too.id));
    auto permit = w.authorizer.authorize_system(FailOperation{crypto::random_id<OperationId>()}, w.org).value();  // what it happens with
    REQUIRE(w.ledger->commit(std::move(tx), std::move(permit).spend(w.clock.now()).value(), {}));
  }
  CHECK(w.gate.list(w.owner.session(), std::nullopt, {})->items.size() == 2);
  const auto page = w.gate.list(w.owner.session(), std::nullopt, {.limit = 1, .after = std::nullopt}).value();
  CHECK((page.items.size() == 1 && page.items.front().id == good.id && page.more));  // what is behind those two is not lost
  const auto next = w.gate.list(w.owner.session(), std::nullopt, {.limit = 1, .after = Place{.number = good.created_at.micros(), .id = good.id.str()}}).value();
  CHECK((next.items.size() == 1 && next.items.front().id == oldest.id && !next.more));
  CHECK(w.gate.in_state(State::pending)->size() == 2);
  CHECK_FALSE(w.stop().on);
  CHECK(w.now(good).state == State::denied);
  w.gate.expire_due();
  auto tx = w.db->begin_read();
  const auto state = [&](const Approval& a) { return tx.one<std::string>("SELECT state FROM approvals WHERE id = ?1", a.id, [](const storage::Row& r) { return r.text(0); })->value(); };
  CHECK(state(bad) == "denied");
  CHECK(state(bad_too) == "failed");
  CHECK(w.logged("approval.expire", "blocked") == 2);
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

TEST_CASE("a conversation in Ask mode: nothing of it is proposed, allowed, run or sent, by the mode as it is then; other conversations are as they were") {
  Switched w;
  w.talk = crypto::random_id<ConversationId>();
  const Approval waiting = w.propose(w.owner, w.server).value(), agreed = w.allowed();
  REQUIRE(w.redeem(agreed));
  REQUIRE(w.gate.passes(agreed.id).value());
  w.asks.insert(*w.talk);  // and nothing was denied with it
  const auto says = [](const Error& e) { return e.code == Code::ai_off && e.detail.contains("Ask mode") && e.detail.contains("setting: mode of the conversation, ask"); };
  CHECK(says(error_of(w.propose(w.owner, w.server))));
  CHECK(w.logged("approval.propose", "blocked") == 1);
  CHECK(says(error_of(w.gate.approve(w.authorize(w.owner.session(), Approve{waiting.id, waiting.digest}).value()))));
  CHECK(w.logged("approval.approve", "blocked") == 1);
  CHECK(says(error_of(w.redeem(agreed))));
  CHECK(says(w.gate.passes(agreed.id).value().error()));
  w.talk = crypto::random_id<ConversationId>();
  CHECK(w.propose(w.owner, w.server));
  w.asks.clear();
  CHECK(w.redeem(agreed));
}

TEST_CASE("the organisation's own settings are named before the mode of a conversation") {
  Switched w;
  w.talk = crypto::random_id<ConversationId>();
  w.asks.insert(*w.talk);
  w.forbid();
  CHECK(error_of(w.propose(w.owner, w.server)).detail.contains("setting: write actions of the AI"));
}

TEST_CASE("limits: 100 steps until somebody sets another number, each organisation its own, within bounds, on the record") {
  Switched w;
  const AiLimit steps = AiLimit::parse("steps_per_run").value();
  CHECK(w.controls.of(w.org)->limit(steps) == 100);
  CHECK(w.limit("steps_per_run", 1)->limit(steps) == 1);
  CHECK(w.limit("steps_per_run", 1000)->limit(steps) == 1000);
  CHECK(w.logged("ai.set_limit", "completed") == 2);
  for (const std::int64_t none : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1001}}) CHECK(error_of(w.limit("steps_per_run", none)).code == Code::invalid);
  CHECK(w.logged("ai.set_limit", "blocked") == 3);
  CHECK(w.controls.of(w.org)->limit(steps) == 1000);
  CHECK(w.controls.of(w.elsewhere.org)->limit(steps) == 100);
  auto tx = w.db->begin_write();
  REQUIRE(AiControls::end_of(tx, w.org));
  CHECK(AiControls::within(tx, w.org)->limit(steps) == 100);
}

}  // namespace
}  // namespace caip::approvals
