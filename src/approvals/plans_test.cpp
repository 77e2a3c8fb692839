// Plans: several approvals in an order. Each rule that is added to that of a single approval, and that those hold for a step too.
#include <catch2/generators/catch_generators.hpp>

#include "crypto/hash.h"
#include "table.h"
#include "test_gate.h"

namespace caip::approvals {
namespace {

struct Plans : World2 {
  ServerAction on(std::string_view unit) { return RestartUnit{server, test::control(unit)}; }
  ServerAction sshd() { return StopUnit{server, test::control("ssh.service")}; }
  std::vector<ServerAction> three() { return {on("a.service"), on("b.service"), on("c.service")}; }

  Result<Plan> propose_plan(const std::vector<ServerAction>& actions, std::optional<ConversationId> talk = {}, bool other_digest = false) {
    std::vector<Wanted> steps;
    std::vector<Digest> digests;
    for (const auto& action : actions) {
      steps.push_back({action, Foreign("a step")});
      digests.push_back(test::digest_of(action));
    }
    if (other_digest) std::swap(digests.front(), digests.back());
    const auto id = crypto::random_id<PlanId>();
    auto p = authorize(owner.pilot(), ProposePlan{id, crypto::sha256(caip::view(plan_bytes(id, digests)))});
    REQUIRE(p);
    return gate.propose(std::move(*p), steps, Foreign("put it right"), talk);
  }
  Plan planned(const std::vector<ServerAction>& actions) { return propose_plan(actions).value(); }
  Plan planned() { return planned(three()); }
  Plan agents_plan(const std::vector<ServerAction>& actions) {
    const auto talk = crypto::random_id<ConversationId>();
    agents.insert(talk);
    return propose_plan(actions, talk).value();
  }
  Result<Plan> allow(const Plan& p, std::vector<std::int64_t> steps, const test::Person& who, std::optional<Digest> seen = {}, bool stepped_up = false) {
    const ApprovePlan yes{p.id, seen.value_or(p.digest), std::move(steps)};
    auto permit = stepped_up ? authorize(who.session(), yes) : authorizer.authorize_without_step_up(who.session(), yes);
    if (!permit) return fail(permit.error().code, permit.error().reason);
    return gate.approve(std::move(*permit));
  }
  Result<Plan> refuse(const Plan& p, const test::Person& who, std::optional<Digest> seen = {}) {
    auto permit = authorize(who.session(), DenyPlan{p.id, seen.value_or(p.digest)});
    if (!permit) return fail(permit.error().code, permit.error().reason);
    return gate.deny(std::move(*permit), "no");
  }
  Approval step(const Plan& p, std::size_t n) { return gate.find(p.steps.at(n - 1).id).value(); }
  std::vector<State> states(const Plan& p) {
    std::vector<State> out;
    for (const auto& a : p.steps) out.push_back(state(a));
    return out;
  }
  void finish(const Plan& p, std::size_t n, bool ok, std::string surprise = {}) {
    auto tx = db->begin_write();
    REQUIRE(gate.finish(tx, p.steps.at(n - 1).id, ok, ok ? "done" : "it did not start", std::move(surprise)));
    auto permit = authorizer.authorize_system(FailOperation{crypto::random_id<OperationId>()}, org);
    auto spent = std::move(*permit).spend(clock.now());
    REQUIRE(ledger->commit(std::move(tx), std::move(*spent), {}));
  }
  void runs(const Plan& p, std::size_t n) {
    REQUIRE(redeem(step(p, n)));
    finish(p, n, true);
  }
  json::object shown(const Plan& p) { return view(gate.plan(owner.session(), p.id).value(), world()); }
};

using enum State;

TEST_CASE("a plan is steps in an order, each an approval with its own bytes, and a digest over theirs") {
  Plans w;
  const Plan p = w.planned();
  REQUIRE(p.steps.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    const Approval a = w.step(p, i + 1);
    CHECK(a.plan == p.id);
    CHECK(a.step == static_cast<std::int64_t>(i) + 1);
    CHECK(a.bytes == encode(w.three().at(i)));
    CHECK(a.state == pending);
  }
  const auto v = w.shown(p);
  CHECK(v.at("state") == "waiting");
  CHECK(v.at("digest").as_string() == hex(crypto::sha256(caip::view(std::string(v.at("bytes").as_string())))));
  CHECK(v.at("steps").as_array().at(1).at("plan").at("step") == 2);
  CHECK(w.logged("plan.propose", "pending") == 1);
  CHECK(plan_bytes(p.id, {Digest{}}) != plan_bytes(p.id, {Digest{}, Digest{}}));
}

TEST_CASE("proposed by the pilot alone, with the digest of these steps in this order, in its limits, and whole or not at all") {
  Plans w;
  CHECK(code_of(w.propose_plan(w.three(), {}, true)) == Code::digest_mismatch);
  CHECK(code_of(w.propose_plan({})) == Code::invalid);
  CHECK(code_of(w.propose_plan(std::vector(11, w.on("a.service")))) == Code::ai_limit);
  CHECK(code_of(w.propose_plan({w.on("a.service"), UnitStatus{w.server, UnitName::parse("a.service").value()}})) == Code::invalid);
  CHECK(code_of(w.propose_plan({w.on("a.service"), RestartUnit{crypto::random_id<ServerId>(), test::control("a.service")}})) == Code::not_found);
  const auto asks = crypto::random_id<ConversationId>();
  w.asks.insert(asks);
  CHECK(code_of(w.propose_plan(w.three(), asks)) == Code::ai_off);
  CHECK_FALSE(w.authorize(w.owner.session(), ProposePlan{crypto::random_id<PlanId>(), Digest{}}));
  CHECK(w.gate.plans(w.owner.session(), {})->items.empty());
  CHECK(w.gate.list(w.owner.session(), std::nullopt, {})->items.empty());
  CHECK(w.logged("plan.propose", "blocked") == 6);
  REQUIRE(w.propose_plan(std::vector(10, w.on("a.service"))));
  REQUIRE(w.propose_plan(std::vector(10, w.on("a.service"))));
  CHECK(code_of(w.propose_plan({w.on("a.service")})) == Code::too_many);
  CHECK(w.gate.plans(w.owner.session(), {})->items.size() == 2);
}

TEST_CASE("decided one by one, or several by one word that names them; each step once") {
  Plans w;
  const Plan p = w.planned();
  REQUIRE(w.approve(p.steps[1], w.owner));
  CHECK(code_of(w.allow(p, {1, 2}, w.owner)) == Code::already_decided);  // all or nothing
  CHECK(w.states(p) == std::vector{pending, approved, pending});
  REQUIRE(w.allow(p, {1, 3}, w.second));
  CHECK(w.states(p) == std::vector{approved, approved, approved});
  CHECK(w.step(p, 3).decided_by == w.second.user);
  CHECK(code_of(w.allow(p, {1}, w.owner)) == Code::already_decided);
  CHECK(code_of(w.deny(p.steps[0], w.owner)) == Code::already_decided);
  CHECK(w.logged("plan.approve", "completed") == 1);
  CHECK(w.logged("plan.approve", "blocked") == 2);
}

TEST_CASE("a yes names the steps as the digest has them") {
  Plans w;
  const Plan p = w.planned(), other = w.planned({w.on("x.service"), w.on("y.service")});
  CHECK(code_of(w.allow(p, {1, 2}, w.owner, other.digest)) == Code::digest_mismatch);
  CHECK(code_of(w.refuse(p, w.owner, other.digest)) == Code::digest_mismatch);
  for (const auto& none : std::vector<std::vector<std::int64_t>>{{}, {0}, {4}, {2, 1}, {1, 1}, {-1}}) CHECK(code_of(w.allow(p, none, w.owner)) == Code::invalid);
  CHECK(w.states(p) == std::vector{pending, pending, pending});
}

TEST_CASE("a step whose bytes were exchanged in the database is in no yes") {
  Plans w;
  const Plan p = w.planned();
  {
    auto tx = w.db->begin_write();
    const std::string bytes = encode(w.on("evil.service"));
    REQUIRE(tx.exec("UPDATE approvals SET bytes = ?1, digest = ?2 WHERE id = ?3", bytes, crypto::sha256(caip::view(bytes)), p.steps[2].id));
    auto permit = w.authorizer.authorize_system(StartSystem{});
    auto spent = std::move(*permit).spend(w.clock.now());
    REQUIRE(w.ledger->commit(std::move(tx), std::move(*spent), {}));
  }
  CHECK(code_of(w.allow(p, {1, 2, 3}, w.owner)) == Code::digest_mismatch);
  CHECK(w.states(p) == std::vector{pending, pending, pending});
}

TEST_CASE("who may not decide a step decides no plan with it") {
  Plans w;
  const Plan p = w.planned();
  CHECK(code_of(w.allow(p, {1}, w.viewer)) == Code::forbidden);
  CHECK_FALSE(w.authorizer.authorize_without_step_up(w.owner.pilot(), ApprovePlan{p.id, p.digest, {1}}));
  test::Person stranger{crypto::random_id<OrgId>()};
  CHECK(code_of(w.allow(p, {1}, stranger)) == Code::not_found);
  CHECK(code_of(w.refuse(p, stranger)) == Code::not_found);
  CHECK(code_of(w.gate.plan(stranger.session(), p.id)) == Code::not_found);
  CHECK(w.gate.plans(stranger.session(), {})->items.empty());
  CHECK(w.states(p) == std::vector{pending, pending, pending});
}

TEST_CASE("what is destructive is decided by itself, with a step-up, in both modes") {
  Plans w;
  const bool agent = GENERATE(false, true);
  const std::vector<ServerAction> actions{w.on("a.service"), w.sshd(), w.on("c.service")};
  const Plan p = agent ? w.agents_plan(actions) : w.planned(actions);
  CHECK(code_of(w.allow(p, {1, 2, 3}, w.owner, {}, true)) == Code::invalid);
  CHECK(code_of(w.allow(p, {2}, w.owner, {}, true)) == Code::invalid);
  REQUIRE(w.allow(p, {1, 3}, w.owner));
  CHECK(w.states(p) == std::vector{approved, pending, approved});
  w.runs(p, 1);
  CHECK(code_of(w.redeem(w.step(p, 3))) == Code::in_progress);
  auto cold = w.authorizer.authorize_without_step_up(w.owner.session(), Approve{p.steps[1].id, p.steps[1].digest});
  CHECK(code_of(w.gate.approve(std::move(*cold))) == Code::step_up_needed);
  REQUIRE(w.approve(p.steps[1], w.owner));
  CHECK(w.state(p.steps[1]) == approved);
}

TEST_CASE("in agent mode it is allowed as a whole, and not step by step; denied one by one all the same") {
  Plans w;
  const Plan p = w.agents_plan(w.three());
  CHECK(p.mode == PilotMode::agent);
  CHECK(code_of(w.allow(p, {1, 2}, w.owner)) == Code::invalid);
  CHECK(code_of(w.approve(p.steps[0], w.owner)) == Code::invalid);
  CHECK(w.states(p) == std::vector{pending, pending, pending});
  SECTION("allowed") {
    REQUIRE(w.allow(p, {1, 2, 3}, w.owner));
    CHECK(w.states(p) == std::vector{approved, approved, approved});
  }
  SECTION("one of them denied: the rest is not there to be allowed") {
    REQUIRE(w.deny(p.steps[1], w.owner));
    CHECK(w.states(p) == std::vector{pending, denied, held});
    for (const auto& rest : std::vector<std::vector<std::int64_t>>{{1, 2, 3}, {1}}) CHECK(code_of(w.allow(p, rest, w.owner)) == Code::conflict);
  }
}

TEST_CASE("a step is redeemed once all before it completed, and not before") {
  Plans w;
  const Plan p = w.planned();
  REQUIRE(w.allow(p, {1, 2, 3}, w.owner));
  for (const std::size_t n : {2U, 3U}) CHECK(code_of(w.redeem(w.step(p, n))) == Code::in_progress);
  REQUIRE(w.redeem(w.step(p, 1)));
  CHECK(w.shown(p).at("running") == 1);
  CHECK(code_of(w.redeem(w.step(p, 2))) == Code::in_progress);  // it runs
  w.finish(p, 1, true);
  CHECK(code_of(w.redeem(w.step(p, 3))) == Code::in_progress);
  w.runs(p, 2);
  w.runs(p, 3);
  CHECK(w.shown(p).at("state") == "completed");
  CHECK(w.shown(p).at("stopped").is_null());
  for (std::size_t n = 1; n <= 3; ++n) CHECK(code_of(w.redeem(w.step(p, n))) == Code::already_decided);
}

TEST_CASE("behind what did not go as planned nothing runs: it is held, on the record, and says why") {
  Plans w;
  const Plan p = w.planned();
  REQUIRE(w.allow(p, {1, 2}, w.owner));
  std::string why;
  State first = failed;
  SECTION("failed") {
    REQUIRE(w.redeem(w.step(p, 1)));
    w.finish(p, 1, false);
    why = "it failed: it did not start";
  }
  SECTION("completed, and not as planned") {
    REQUIRE(w.redeem(w.step(p, 1)));
    w.finish(p, 1, true, "a.service does not run after it");
    CHECK(code_of(w.redeem(w.step(p, 2))) == Code::in_progress);  // also where nobody has held it yet
    CHECK(code_of(w.approve(p.steps[2], w.owner)) == Code::conflict);
    why = "does not run after it";
    first = completed;
  }
  SECTION("blocked when it would run") {
    REQUIRE(w.gate.block(p.steps[0].id, Error{Code::forbidden, "the server moved"}));
    why = "the server moved";
  }
  SECTION("its end is written, and nobody came to hold the rest") {
    REQUIRE(w.redeem(w.step(p, 1)));
    w.finish(p, 1, false);
    CHECK(code_of(w.redeem(w.step(p, 2))) == Code::in_progress);
    CHECK(code_of(w.approve(p.steps[2], w.owner)) == Code::conflict);
    why = "it failed";
  }
  w.gate.expire_due();
  CHECK(w.states(p) == std::vector{first, held, held});
  for (const std::size_t n : {2U, 3U}) CHECK(w.step(p, n).outcome.contains("step 1 did not go as planned: ") );
  CHECK(w.step(p, 2).outcome.contains(why));
  CHECK(w.logged("plan.hold", "blocked") == 2);
  const auto v = w.shown(p);
  CHECK(v.at("state") == "stopped");
  CHECK(v.at("stopped").at("step") == 1);
  CHECK(std::string(v.at("stopped").at("why").as_string()).contains(why));
  w.gate.expire_due();
  CHECK(w.logged("plan.hold", "blocked") == 2);
  CHECK(code_of(w.redeem(w.step(p, 2))) == Code::already_decided);
  CHECK(code_of(w.approve(p.steps[2], w.owner)) == Code::already_decided);
}

TEST_CASE("a no to one step holds what is behind it and leaves what is before it") {
  Plans w;
  const Plan p = w.planned();
  REQUIRE(w.allow(p, {1, 3}, w.owner));
  REQUIRE(w.deny(p.steps[1], w.second, "not this one"));
  CHECK(w.states(p) == std::vector{approved, denied, held});
  CHECK(w.shown(p).at("state") == "running");
  w.runs(p, 1);
  CHECK(w.shown(p).at("state") == "stopped");
  CHECK(std::string(w.shown(p).at("stopped").at("why").as_string()).contains("not this one"));
}

TEST_CASE("expired: nothing behind it runs, however late that is noticed") {
  Plans w;
  const Plan p = w.planned();
  REQUIRE(w.approve(p.steps[1], w.owner));
  w.clock.advance(kLifetime);
  CHECK(code_of(w.redeem(w.step(p, 2))) == Code::expired);
  w.gate.expire_due();
  for (const State s : w.states(p)) CHECK((s == expired || s == held));
}

TEST_CASE("a no to the plan: what waits is denied, what was allowed is held, what runs comes to its end, and it is said once") {
  Plans w;
  const Plan p = w.planned();
  REQUIRE(w.allow(p, {1, 2}, w.owner));
  REQUIRE(w.redeem(w.step(p, 1)));
  CHECK(code_of(w.refuse(p, w.viewer)) == Code::forbidden);
  REQUIRE(w.refuse(p, w.second));
  CHECK(w.states(p) == std::vector{executing, held, denied});
  w.finish(p, 1, true);
  CHECK(code_of(w.redeem(w.step(p, 2))) == Code::already_decided);
  CHECK(code_of(w.refuse(p, w.second)) == Code::already_decided);
  CHECK(w.logged("plan.deny", "denied") == 1);
}

TEST_CASE("who may not do a step does not hold it either") {
  Plans w;
  const Plan p = w.planned({w.sshd()});
  REQUIRE(w.approve(p.steps[0], w.owner));
  test::Person member{w.org, crypto::random_id<UserId>(), Role::member};
  CHECK(code_of(w.refuse(p, member)) == Code::forbidden);
  CHECK(w.state(p.steps[0]) == approved);
}

TEST_CASE("of the step that is unreadable nothing behind it runs") {
  Plans w;
  const Plan p = w.planned();
  REQUIRE(w.allow(p, {1, 2, 3}, w.owner));
  {
    auto tx = w.db->begin_write();
    REQUIRE(tx.exec("UPDATE approvals SET bytes = 'x' WHERE id = ?1", p.steps[0].id));
    auto permit = w.authorizer.authorize_system(StartSystem{});
    auto spent = std::move(*permit).spend(w.clock.now());
    REQUIRE(w.ledger->commit(std::move(tx), std::move(*spent), {}));
  }
  CHECK(code_of(w.redeem(w.step(p, 2))) == Code::in_progress);
  w.gate.expire_due();
  CHECK(w.state(p.steps[1]) == held);
  CHECK(w.state(p.steps[2]) == held);
  CHECK(w.gate.plans(w.owner.session(), {})->items.empty());  // and does not stand in the way of the others
}

TEST_CASE("where two people are asked for, a plan takes two") {
  Plans w;
  REQUIRE(AiControls(*w.db, *w.ledger, w.clock).set_second_person(w.authorize(w.owner.session(), SetSecondPerson{true}).value()));
  w.production.insert(w.server);
  REQUIRE(AiControls(*w.db, *w.ledger, w.clock).unprotect(w.authorize(w.owner.session(), UnprotectProduction{w.clock.now() + std::chrono::hours(1)}).value(), "a test"));
  const Plan p = w.planned();
  REQUIRE(w.allow(p, {1, 2, 3}, w.owner));
  CHECK(w.states(p) == std::vector(3, half_approved));
  CHECK(code_of(w.redeem(w.step(p, 1))) == Code::already_decided);
  CHECK(code_of(w.allow(p, {1, 2, 3}, w.owner)) == Code::already_decided);
  REQUIRE(w.allow(p, {1, 2, 3}, w.second));
  CHECK(w.states(p) == std::vector(3, approved));
}

TEST_CASE("in agent mode, where some steps ask for two people and others do not: each person's word is for all that waits") {
  Plans w;
  REQUIRE(AiControls(*w.db, *w.ledger, w.clock).set_second_person(w.authorize(w.owner.session(), SetSecondPerson{true}).value()));
  const auto shop = crypto::random_id<ServerId>();
  w.targets.emplace(shop, Target{w.org, "shop-1"});
  w.production.insert(shop);
  AiControls ai(*w.db, *w.ledger, w.clock);
  REQUIRE(ai.set_access(w.authorize(w.owner.session(), SetAiAccess{shop, AiAccess::full}).value()));
  REQUIRE(ai.unprotect(w.authorize(w.owner.session(), UnprotectProduction{w.clock.now() + std::chrono::hours(1)}).value(), "a test"));
  const Plan p = w.agents_plan({w.on("a.service"), RestartUnit{shop, test::control("b.service")}});
  REQUIRE(w.allow(p, {1, 2}, w.owner));
  CHECK(w.states(p) == std::vector{approved, half_approved});
  REQUIRE(w.allow(p, {2}, w.second));
  CHECK(w.states(p) == std::vector{approved, approved});
}

TEST_CASE("one word about several is told once, and a no that is refused leaves nothing behind") {
  Plans w;
  const Plan p = w.planned({w.on("a.service"), w.on("b.service"), w.sshd()});
  const auto told = [&] {
    auto tx = w.db->begin_read();
    return tx.one<std::int64_t>("SELECT count(*) FROM notices WHERE kind = 'approval.decided'", [](const storage::Row& r) { return r.integer(0); }).value().value();
  };
  int moved = 0;
  w.gate.on_change([&](storage::WriteTx&, const Approval&) -> Result<void> { return ++moved, Result<void>(); }, [](const Approval&) {});
  test::Person member{w.org, crypto::random_id<UserId>(), Role::member};
  CHECK(code_of(w.refuse(p, member)) == Code::forbidden);  // for the third of them
  CHECK(moved == 0);
  REQUIRE(w.allow(p, {1, 2}, w.owner));
  CHECK(told() == 1);
  REQUIRE(w.refuse(p, w.owner));
  CHECK(told() == 2);
}

TEST_CASE("switched off meanwhile: no yes to a plan") {
  Plans w;
  const Plan p = w.planned();
  AiControls ai(*w.db, *w.ledger, w.clock);
  REQUIRE(ai.forbid_writes(w.authorize(w.owner.session(), ForbidAiWrites{}).value()));
  CHECK(code_of(w.allow(p, {1, 2}, w.owner)) == Code::ai_off);
  CHECK(w.states(p) == std::vector{pending, pending, pending});
}

TEST_CASE("cards of before there were plans are what they were, and no steps") {
  storage::Migrations before = migrations();
  std::erase_if(before, [](const storage::Migration& m) { return m.name.starts_with("approvals/7"); });
  REQUIRE(before.size() + 1 == migrations().size());
  test::Base w(before);
  const auto id = crypto::random_id<ApprovalId>();
  const test::Person asker{crypto::random_id<OrgId>()}, first{asker.org};
  const ServerAction action = RestartUnit{crypto::random_id<ServerId>(), test::control("nginx.service")};
  {
    auto tx = w.db->begin_write();
    REQUIRE(tx.exec("INSERT INTO approvals (id, org, state, intent, bytes, digest, production, requester, second_person, first_by, first_at, created_at, expires_at)"
                    " VALUES (?1, ?2, 'half_approved', 'x', ?3, ?4, 1, ?5, 1, ?6, 5, 6, 7)", id, asker.org, encode(action), test::digest_of(action), asker.user, first.user));
    // What no program of today can read is carried along and keeps nothing from starting: the checks of its columns are those that it was written by.
    REQUIRE(tx.exec("INSERT INTO approvals (id, org, state, intent, bytes, digest, production, requester, created_at, expires_at) VALUES ('apr_x', 'x', 'pending', '', 'x', ?1, 0, 'x', 6, 7)", test::digest_of(action)));
    auto permit = w.authorizer.authorize_system(StartSystem{});
    auto spent = std::move(*permit).spend(w.clock.now());
    REQUIRE(w.ledger->commit(std::move(tx), std::move(*spent), {}));
  }
  w.migrations = migrations();
  w.open();
  auto tx = w.db->begin_read();
  const Approval a = table::find(tx, id).value().value();
  CHECK((a.state == half_approved && a.bytes == encode(action) && a.production && a.requester == asker.user && a.first_by == first.user && a.second_person));
  CHECK((a.expires_at == Instant(7) && !a.plan && a.step == 0 && a.surprise.empty()));
  CHECK(table::unreadable(tx).value().size() == 1);
}

}  // namespace
}  // namespace caip::approvals
