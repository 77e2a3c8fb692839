// A conversation in Ask mode: it reads and explains, and nothing that it proposes is taken, at whichever door.
#include "test_runner.h"

namespace caip::runner {
namespace {

constexpr std::string_view kRestart = R"({"server":"web-1","unit":"nginx","action":"restart","intent":"x"})";

std::string error_in(const ToolResult& r) {
  INFO(json::serialize(r.value));
  REQUIRE(r.value.contains("error"));
  return std::string(r.value.at("error").as_string());
}

TEST_CASE("in Ask mode the AI looks as before, and a call that proposes is refused, on the record, and names the mode") {
  World w;
  w.talk = w.say("nginx on web-1 is down", PilotMode::ask);
  CHECK(w.call("list_servers", "{}").value.at("servers").at(0).at("access") == "read");
  CHECK(w.call("list_services", R"({"server":"web-1"})").value.contains("services"));
  for (const std::string_view arguments : {kRestart, std::string_view("{}")}) CHECK(error_in(w.call("propose_service_action", arguments)).contains("setting: mode of the conversation, ask"));
  CHECK(w.logged("pilot.call_tool", "blocked") == 2);
  CHECK(w.gate->in_state(State::pending)->empty());
  REQUIRE(w.mode(PilotMode::plan, w.owner));
  CHECK(w.call("list_servers", "{}").value.at("servers").at(0).at("access") == "full");
  CHECK(w.call("propose_service_action", kRestart).approval);
}

TEST_CASE("what proposes past the tool is refused by the gate, in the transaction of the proposal") {
  World w;
  w.talk = w.say("nginx on web-1 is down", PilotMode::ask);
  const ServerAction action = RestartUnit{*w.server, test::control("nginx.service")};
  const auto propose = [&](const ConversationId& c) {
    auto p = w.authorize(w.owner.pilot(), ProposeAction{crypto::random_id<ApprovalId>(), test::digest_of(action)});
    return w.gate->propose(std::move(*p), action, Foreign("x"), c);
  };
  CHECK(propose(w.talk).error().detail.contains("Ask mode"));
  CHECK(propose(crypto::random_id<ConversationId>()).error().detail.contains("Ask mode"));  // one that is not there
  CHECK(w.logged("approval.propose", "blocked") == 2);
  REQUIRE(w.mode(PilotMode::plan, w.owner));
  CHECK(propose(w.talk));
}

TEST_CASE("switched to Ask, what waits of that conversation is denied and what was allowed does not run; of others it goes on") {
  World w;
  const Approval other = w.proposed();
  const Approval waits = w.proposed();
  const auto talk = w.talk;
  const auto again = w.call("propose_service_action", kRestart);
  const Approval agreed = w.gate->find(again.approval.value()).value();
  w.allow(agreed, w.second);
  std::vector<PilotMode> told;
  w.conversations->on_mode([&](const OrgId&, const UserId& user, const Conversation& c) {
    CHECK((user == w.owner.user && c.id == talk));
    told.push_back(c.mode);
  });
  CHECK(w.mode(PilotMode::ask, w.owner)->mode == PilotMode::ask);
  CHECK(w.state(waits) == State::denied);
  CHECK(w.state(agreed) == State::failed);
  CHECK(w.state(other) == State::pending);
  CHECK(w.gate->find(waits.id)->reason.contains("Ask mode"));
  CHECK(w.logged("pilot.set_mode", "completed") == 1);
  static_cast<void>(w.runner->run(agreed.id));
  w.runner->tick();
  CHECK(w.sent.empty());
  CHECK(told == std::vector{PilotMode::ask});
}

TEST_CASE("allowed, and in Ask mode when it would run: no order, and what was ordered and not sent is not sent") {
  World w;
  const Approval a = w.proposed();
  w.conversations->on_ask([](storage::WriteTx&, const OrgId&, const UserId&, const ConversationId&) -> Result<std::function<void()>> { return [] {}; });  // nothing is denied with it
  w.allow(a, w.owner);
  SECTION("not ordered yet") {
    REQUIRE(w.mode(PilotMode::ask, w.owner));
    CHECK_FALSE(w.runner->run(a.id));
    CHECK(w.gate->find(a.id)->outcome.contains("setting: mode of the conversation, ask"));
  }
  SECTION("ordered") {
    w.wire_down = true;
    REQUIRE(w.runner->run(a.id));
    CHECK(w.state(a) == State::executing);
    REQUIRE(w.mode(PilotMode::ask, w.owner));
    w.wire_down = false;
    w.orders->tick();
    CHECK(w.gate->find(a.id)->outcome.contains("setting: mode of the conversation, ask"));
  }
  CHECK(w.sent.empty());
  CHECK(w.state(a) == State::failed);
}

TEST_CASE("ordered and not sent, switched to Ask and back: it is not sent") {
  World w;
  const Approval a = w.proposed();
  w.allow(a, w.owner);
  w.wire_down = true;
  REQUIRE(w.runner->run(a.id));
  CHECK(w.state(a) == State::executing);
  REQUIRE(w.mode(PilotMode::ask, w.owner));
  REQUIRE(w.mode(PilotMode::plan, w.owner));
  w.wire_down = false;
  w.orders->tick();
  CHECK(w.sent.empty());
  CHECK(w.state(a) == State::failed);
  CHECK(w.gate->find(a.id)->outcome.contains("Ask mode"));
}

TEST_CASE("a message that is nothing but white space is none") {
  World w;
  const auto c = w.conversations->create(w.owner.session());
  for (const char* blank : {" ", "\n", "\t \n"}) {
    auto p = w.authorize(w.owner.session(), AskPilot{c.id, crypto::random_id<MessageId>()});
    CHECK(w.conversations->ask(std::move(*p), blank).error().code == Code::invalid);
  }
}

TEST_CASE("a mode is kept, is whose the conversation is to choose, and stands with every question and answer in the log") {
  World w;
  const auto fresh = w.conversations->create(w.owner.session(), PilotMode::ask);
  CHECK(view(fresh, false).at("mode") == "ask");
  w.talk = fresh.id;
  REQUIRE(w.mode(PilotMode::plan, w.owner));  // before the first word
  CHECK(w.conversations->get(w.owner.session(), fresh.id)->mode == PilotMode::plan);
  CHECK(w.mode(PilotMode::plan, w.second).error().code == Code::not_found);
  REQUIRE(w.mode(PilotMode::ask, w.owner));
  auto p = w.authorize(w.owner.session(), AskPilot{w.talk, crypto::random_id<MessageId>()});
  REQUIRE(w.conversations->ask(std::move(*p), "hello"));
  CHECK(w.conversations->list(w.owner.session(), {})->items.front().mode == PilotMode::ask);
  CHECK(w.mode(PilotMode::plan, w.second).error().code == Code::not_found);
  test::Person elsewhere = w.owner;
  elsewhere.org = crypto::random_id<OrgId>();
  CHECK(w.conversations->set_mode(w.authorizer.authorize(elsewhere.session(), SetPilotMode{w.talk, PilotMode::plan}).value()).error().code == Code::not_found);
  CHECK(w.logged("pilot.set_mode", "blocked") == 3);
  w.crash();
  CHECK(w.conversations->get(w.owner.session(), w.talk)->mode == PilotMode::ask);
  CHECK(w.conversations->mode(w.talk).value() == PilotMode::ask);
  CHECK(w.conversations->mode(crypto::random_id<ConversationId>()).value() == PilotMode::ask);
  CHECK_FALSE(w.authorizer.authorize(w.owner.pilot(), SetPilotMode{w.talk, PilotMode::plan}));  // an AI does not free itself
}

}  // namespace
}  // namespace caip::runner
