// What an order of the AI's says of its gates, and that it is not sent once one of them is shut.
#include <catch2/generators/catch_generators.hpp>

#include "test_runner.h"

namespace caip::runner {
namespace {

TEST_CASE("an order of the AI's that is written and not sent yet is not sent after its AI was stopped, or its server moved into production") {
  World w;
  const Approval a = w.proposed();
  w.allow(a, w.second);
  w.wire_down = true;
  REQUIRE(w.runner->run(a.id));
  CHECK(w.state(a) == State::executing);
  const bool stopped = GENERATE(true, false);
  if (stopped) w.stop_ai();
  else w.set_environment(Environment::production);
  w.wire_down = false;
  w.orders->tick();
  w.orders->server_online(*w.server);
  w.orders->tick();
  CHECK(w.sent.empty());
  CHECK(w.state(a) == State::failed);
  CHECK(w.gate->find(a.id)->outcome.contains(stopped ? "setting: AI)" : "Production Protection"));
  CHECK(w.gate->find(a.id)->outcome.contains("Nothing was run"));
}

TEST_CASE("an order says who began it and which gates it passed, as they stand when it is sent; a person's says that it is one") {
  World w;
  const Approval a = w.proposed();
  w.allow(a, w.second);
  REQUIRE(w.runner->run(a.id));
  const auto began = channel::decode_began(w.sent.back().began.value().text).value();
  CHECK(began.by == Source::pilot);
  CHECK(began.order == crypto::sha256(caip::view(w.sent.back().order)));
  REQUIRE(began.ai);
  CHECK((began.ai->on && began.ai->writes && began.ai->operation && !began.ai->two_people && !began.ai->unprotected_until));
  CHECK(began.ai->access == AiAccess::full);
  REQUIRE(w.restart(w.owner));
  const auto own = channel::decode_began(w.sent.back().began.value().text).value();
  CHECK(own.by == Source::user);
  CHECK_FALSE(own.ai);
}

TEST_CASE("on production, with the protection off and two people asked for, the order says until when and who was the second; the log does too") {
  World w;
  w.set_environment(Environment::production);
  REQUIRE(w.ai->unprotect(w.authorize(w.owner.session(), UnprotectProduction{w.clock.now() + std::chrono::minutes(30)}).value(), "a test"));
  REQUIRE(w.ai->set_second_person(w.authorize(w.owner.session(), SetSecondPerson{true}).value()));
  const Approval a = w.proposed();
  w.allow(a, w.owner);
  REQUIRE(w.runner->run(a.id));
  CHECK(w.sent.empty());  // by one of two
  CHECK(w.state(a) == State::half_approved);
  w.allow(a, w.second);
  REQUIRE(w.runner->run(a.id));
  const auto began = channel::decode_began(w.sent.back().began.value().text).value();
  CHECK(began.ai->unprotected_until == w.clock.now() + std::chrono::minutes(30));
  CHECK(began.ai->two_people);
  CHECK(began.ai->second == w.second.user.str());
  const auto order = channel::decode_order(w.sent.back().order).value();
  CHECK(order.approver == w.owner.user.str());
  const auto entry = parse_json(w.sent.back().proof.entry).value();
  CHECK(entry.at("detail").at("second").as_string() == w.second.user.str());
  const channel::OrderVerifier helper({*w.server, w.keeper->public_key(secrets::SigningUse::order), w.key.public_key(), w.Base::second.public_key(), w.certificate}, w.clock);
  CHECK(helper.verify(w.sent.back()));
}

TEST_CASE("what is asked for since keeps an order from being sent: a second person, and a look of the AI's after it was stopped") {
  World w;
  SECTION("a second person, of what is destructive") {
    w.talk = w.say("stop sshd");
    const auto r = w.call("propose_service_action", R"({"server":"web-1","unit":"ssh","action":"stop","intent":"stop it"})");
    const Approval a = w.gate->find(r.approval.value()).value();
    w.allow(a, w.second);
    w.wire_down = true;
    REQUIRE(w.runner->run(a.id));
    REQUIRE(w.ai->set_second_person(w.authorize(w.owner.session(), SetSecondPerson{true}).value()));
    w.wire_down = false;
    w.orders->tick();
    CHECK(w.sent.empty());
    CHECK(w.gate->find(a.id)->outcome.contains("setting: second person"));
  }
  SECTION("a look") {
    w.wire_down = true;
    const auto o = w.orders->issue(w.authorize(w.owner.pilot(), UnitStatus{*w.server, test::unit("nginx.service")}).value()).value();
    w.stop_ai();
    w.wire_down = false;
    w.orders->tick();
    CHECK(w.sent.empty());
    CHECK(w.orders->find(o.id)->error.contains("setting: AI)"));
  }
}

}  // namespace
}  // namespace caip::runner
