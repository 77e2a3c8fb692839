// Plans as they run: in their order, one after the other, and no further than the first surprise, whatever is killed when.
#include <algorithm>
#include <catch2/generators/catch_generators.hpp>

#include "test_runner.h"

namespace caip::runner {
namespace {

struct Plans : World {
  approvals::Plan planned(PilotMode mode = PilotMode::plan) {
    talk = say("put the shop right", mode);
    const auto r = call("propose_plan", R"({"intent":"put the shop right","steps":[
      {"server":"web-1","unit":"redis","action":"restart","intent":"first the cache"},
      {"server":"web-1","unit":"php8.4-fpm.service","action":"restart","intent":"then what uses it"},
      {"server":"web-1","unit":"nginx","action":"reload","intent":"then the front"}]})");
    INFO(json::serialize(r.value));
    REQUIRE(r.approval);
    const auto first = gate->find(*r.approval).value();
    CHECK(first.step == 1);
    return gate->plan(owner.session(), first.plan.value()).value();
  }
  void allow_all(const approvals::Plan& p) {
    auto permit = authorizer.authorize_without_step_up(second.session(), ApprovePlan{p.id, p.digest, {1, 2, 3}});
    REQUIRE(gate->approve(std::move(*permit)));
  }
  std::vector<State> states(const approvals::Plan& p) {
    std::vector<State> out;
    for (const auto& a : p.steps) out.push_back(state(a));
    return out;
  }
  Result<void> says(const OperationId& id, std::string_view active) {
    return orders->finish(agent(), id, {.ok = true, .replayed = false, .result = {{"unit", {{"unit", "x.service"}, {"active", active}, {"sub", "x"}}}}, .error = Foreign(), .unknown = false});
  }
  std::string last_unit() { return std::string(parse_object(sent.back().action).value().at("unit").as_string()); }
  std::string said() {
    std::string all;
    for (const auto& m : messages()) all += m.text + "\n";
    return all;
  }
};

using enum State;

TEST_CASE("allowed together it runs one step after the other, each once the one before it worked") {
  Plans w;
  const auto p = w.planned();
  CHECK(p.steps[2].intent.raw() == "then the front");
  w.runner->tick();
  CHECK(w.sent.empty());
  w.allow_all(p);
  for (const auto& a : p.steps) static_cast<void>(w.runner->run(a.id));
  const std::vector<std::string> units{"redis.service", "php8.4-fpm.service", "nginx.service"};
  for (std::size_t i = 0; i < 3; ++i) {
    w.runner->tick();
    w.runner->tick();
    REQUIRE(w.sent.size() == i + 1);
    CHECK(w.last_unit() == units.at(i));
    CHECK(w.sent.back().action == p.steps.at(i).bytes);
    REQUIRE(w.answer(w.last_order()));
  }
  CHECK(w.states(p) == std::vector{completed, completed, completed});
  w.runner->tick();
  CHECK(w.sent.size() == 3);
  CHECK(w.said().contains("Step 3 of the plan. unit.reload was allowed and completed"));
}

TEST_CASE("allowed out of order it waits for the step before it") {
  Plans w;
  const auto p = w.planned();
  w.allow(p.steps[1], w.owner);
  REQUIRE(w.runner->run(p.steps[1].id));
  w.runner->tick();
  CHECK(w.sent.empty());
  CHECK(w.state(p.steps[1]) == approved);
  w.allow(p.steps[0], w.owner);
  w.runner->tick();
  REQUIRE(w.sent.size() == 1);
  REQUIRE(w.answer(w.last_order()));
  w.runner->tick();
  REQUIRE(w.sent.size() == 2);
  CHECK(w.last_unit() == "php8.4-fpm.service");
}

TEST_CASE("it stops at the first surprise: what comes behind is not run, and the conversation says why") {
  Plans w;
  const auto p = w.planned();
  w.allow_all(p);
  w.runner->tick();
  REQUIRE(w.answer(w.last_order()));
  w.runner->tick();
  REQUIRE(w.sent.size() == 2);
  State second = failed;
  SECTION("the server refused it") { REQUIRE(w.answer(w.last_order(), false)); }
  SECTION("nobody knows whether it ran") { REQUIRE(w.answer(w.last_order(), false, false, true)); }
  SECTION("no answer in time") { w.clock.advance(servers::kOrderLife + std::chrono::minutes(5)); }
  SECTION("it worked, and the service does not run") {
    REQUIRE(w.says(w.last_order(), "failed"));
    second = completed;
  }
  for (int i = 0; i < 3; ++i) w.runner->tick();
  CHECK(w.sent.size() == 2);
  CHECK(w.states(p) == std::vector{completed, second, held});
  CHECK(w.said().contains("Step 3 of the plan. unit.reload is held and was not run: step 2 did not go as planned"));
}

TEST_CASE("a right that is lost between two steps holds the rest") {
  Plans w;
  const auto p = w.planned();
  w.allow_all(p);
  w.runner->tick();
  REQUIRE(w.answer(w.last_order()));
  w.people.at(w.second.user).role = Role::viewer;
  for (int i = 0; i < 3; ++i) w.runner->tick();
  CHECK(w.sent.size() == 1);
  CHECK(w.states(p) == std::vector{completed, failed, held});
}

TEST_CASE("switched to Ask mode, stopped, or moved into production between two steps: nothing more of it runs") {
  Plans w;
  const auto p = w.planned(GENERATE(PilotMode::plan, PilotMode::agent));
  w.allow_all(p);
  w.runner->tick();
  REQUIRE(w.answer(w.last_order()));
  switch (GENERATE(0, 1, 2)) {
    case 0: REQUIRE(w.mode(PilotMode::ask, w.owner)); break;
    case 1: w.stop_ai(); break;
    default: w.set_environment(Environment::production);
  }
  for (int i = 0; i < 3; ++i) w.runner->tick();
  CHECK(w.sent.size() == 1);
  CHECK(w.state(p.steps[0]) == completed);
  for (const std::size_t i : {1U, 2U}) CHECK((approvals::is_final(w.state(p.steps[i])) && w.state(p.steps[i]) != completed));
}

TEST_CASE("killed at any moment: nothing runs twice, nothing runs out of order, and what was allowed still runs") {
  const int when = GENERATE(0, 1, 2, 3);
  Plans w;
  const auto p = w.planned();
  const auto kill = [&] {
    w.crash();
    w.connect();
  };
  if (when == 0) kill();
  w.allow_all(p);
  if (when == 1) kill();
  for (std::size_t i = 0; i < 3; ++i) {
    w.runner->tick();
    if (when == 2) {  // ordered, not answered: the same order comes once more
      const auto id = w.last_order();
      kill();
      w.runner->tick();
      CHECK(w.last_order() == id);
    }
    CHECK(w.sent.back().action == p.steps.at(i).bytes);
    REQUIRE(w.answer(w.last_order()));
    if (when == 3) kill();
  }
  w.runner->tick();
  CHECK(w.states(p) == std::vector{completed, completed, completed});
  for (const auto& a : p.steps) CHECK(std::ranges::count(w.sent, a.bytes, &channel::SignedOrder::action) == (when == 2 ? 2 : 1));
  CHECK(w.logged("unit.restart", "pending") == 2);
  CHECK(w.logged("unit.reload", "pending") == 1);
}

TEST_CASE("killed between a failure and holding the rest: it is held all the same, and never run") {
  Plans w;
  const auto p = w.planned();
  w.allow_all(p);
  w.runner->tick();
  REQUIRE(w.answer(w.last_order(), false));
  CHECK(w.states(p) == std::vector{failed, approved, approved});  // as it would be found
  w.crash();
  w.connect();
  REQUIRE(w.runner->run(p.steps[1].id));
  CHECK(w.sent.size() == 1);
  w.runner->tick();
  CHECK(w.states(p) == std::vector{failed, held, held});
  CHECK(w.sent.size() == 1);
}

TEST_CASE("a plan's server is away: it waits where it stands; too long, and the rest ends") {
  Plans w;
  const auto p = w.planned();
  w.allow_all(p);
  w.runner->tick();
  REQUIRE(w.answer(w.last_order()));
  w.servers->offline(w.agent());
  w.runner->tick();
  CHECK(w.states(p) == std::vector{completed, approved, approved});
  w.clock.advance(approvals::kLifetime);
  w.runner->tick();
  w.connect();
  w.runner->tick();
  CHECK(w.sent.size() == 1);
  for (const std::size_t i : {1U, 2U}) CHECK((w.state(p.steps[i]) == expired || w.state(p.steps[i]) == held));
}

TEST_CASE("in agent mode the plan says so, and the conversation keeps its mode through a restart") {
  Plans w;
  const auto p = w.planned(PilotMode::agent);
  CHECK(p.mode == PilotMode::agent);
  w.crash();
  CHECK(w.conversations->mode(w.talk).value() == PilotMode::agent);
  auto one = w.authorize(w.owner.session(), Approve{p.steps[0].id, p.steps[0].digest});
  CHECK(w.gate->approve(std::move(*one)).error().code == Code::invalid);
  w.connect();
  w.allow_all(p);
  w.runner->tick();
  CHECK(w.sent.size() == 1);
}

TEST_CASE("in Ask mode no plan is proposed; a call that is wrong in one step proposes none of them, and says which") {
  Plans w;
  const auto error = [&](const std::string& steps) {
    const auto r = w.call("propose_plan", R"({"intent":"x","steps":)" + steps + "}");
    CHECK_FALSE(r.approval);
    return r.value.contains("error") ? std::string(r.value.at("error").as_string()) : std::string();
  };
  const std::string good = R"({"server":"web-1","unit":"nginx","action":"restart","intent":"x"})";
  w.talk = w.say("x", PilotMode::ask);
  CHECK(error("[" + good + "]").contains("setting: mode of the conversation, ask"));
  w.talk = w.say("x");
  CHECK(error("[" + good + R"(,{"server":"web-1","unit":"nginx","action":"destroy","intent":"x"}])").starts_with("step 2: "));
  CHECK(error("[" + good + R"(,{"server":"web-2","unit":"nginx","action":"stop","intent":"x"}])").starts_with("step 2: there is no server"));
  CHECK(error("[" + good + R"(,{"server":"web-1","unit":"caip-agent","action":"stop","intent":"x"}])").starts_with("step 2: "));
  CHECK(error("[" + good + R"(,{"server":"web-1","unit":"nginx","action":"stop","intent":"x","approved":true}])").starts_with("step 2: "));
  CHECK_FALSE(error("[]").empty());
  CHECK_FALSE(error("{}").empty());
  CHECK_FALSE(error("[1]").empty());
  std::string many = "[" + good;
  for (int i = 0; i < 20; ++i) many += "," + good;
  CHECK_FALSE(error(many + "]").empty());
  CHECK(w.gate->plans(w.owner.session(), {})->items.empty());
  CHECK(w.gate->list(w.owner.session(), std::nullopt, {})->items.empty());
}

}  // namespace
}  // namespace caip::runner
