#include <catch2/generators/catch_generators.hpp>
#include <thread>

#include "test_runner.h"

namespace caip::runner {
namespace {

TEST_CASE("proposed by the pilot, allowed by a person, run once, told to both") {
  World w;
  const Approval a = w.proposed();
  CHECK(w.sent.empty());
  w.allow(a, w.second);
  CHECK(w.sent.empty());
  REQUIRE(w.runner->run(a.id).has_value());
  REQUIRE(w.runner->run(a.id).has_value());
  w.runner->tick();
  REQUIRE(w.sent.size() == 1);
  CHECK(w.state(a) == State::executing);
  const channel::OrderVerifier helper({*w.server, w.keeper->public_key(secrets::SigningUse::order), w.key.public_key(), w.Base::second.public_key(), w.certificate},
                                    w.clock);
  const auto verified = helper.verify(w.sent.front());
  REQUIRE(verified.has_value());
  CHECK(verified->order().approval == a.id.str());
  CHECK(verified->order().approver == w.second.user.str());
  CHECK(verified->order().requester == w.owner.user.str());
  CHECK(w.sent.front().action == a.bytes);
  REQUIRE(w.answer(w.last_order()).has_value());
  CHECK(w.state(a) == State::completed);
  CHECK(w.gate->find(a.id)->outcome == "nginx.service is active (running)");
  CHECK(w.messages().back().speaker == Speaker::tool);
  CHECK(w.messages().back().approval == a.id);
}

TEST_CASE("what the server refuses fails the approval, its text made safe") {
  World w;
  const Approval a = w.proposed();
  w.allow(a, w.owner);
  REQUIRE(w.runner->run(a.id).has_value());
  REQUIRE(w.answer(w.last_order(), false).has_value());
  CHECK(w.state(a) == State::failed);
  CHECK(w.gate->find(a.id)->outcome == "Unit x not found<U+000A>");
}

TEST_CASE("denied: nothing is sent, and the conversation says so") {
  World w;
  const Approval a = w.proposed();
  auto p = w.authorize(w.owner.session(), Deny{a.id, a.digest});
  REQUIRE(w.gate->deny(std::move(*p), "not now").has_value());
  REQUIRE(w.runner->run(a.id).has_value());
  w.runner->tick();
  CHECK(w.sent.empty());
  CHECK(w.messages().back().text.find("not now") != std::string::npos);
  CHECK(w.messages().back().text.find("Nothing was run") != std::string::npos);
}

TEST_CASE("two runners at once send one order") {
  World w;
  const Approval a = w.proposed();
  w.allow(a, w.owner);
  {
    std::vector<std::jthread> all;
    for (int i = 0; i < 4; ++i) all.emplace_back([&] { static_cast<void>(w.runner->run(a.id)); });
  }
  CHECK(w.sent.size() == 1);
  CHECK(w.logged("unit.restart", "pending") == 1);
}

TEST_CASE("the server is away: it waits, approved; then it runs, or it expires") {
  World w;
  const Approval a = w.proposed();
  w.allow(a, w.owner);
  w.servers->offline(w.agent());
  REQUIRE(w.runner->run(a.id).has_value());
  CHECK(w.state(a) == State::approved);
  SECTION("back in time") {
    w.connect();
    w.runner->tick();
    CHECK(w.sent.size() == 1);
  }
  SECTION("not back in time") {
    w.clock.advance(approvals::kLifetime);
    w.runner->tick();
    w.connect();
    w.runner->tick();
    CHECK(w.state(a) == State::expired);
    CHECK(w.sent.empty());
  }
}

TEST_CASE("a right lost between yes and run blocks it, on the record") {
  World w;
  const Approval a = w.proposed();
  w.allow(a, w.second);
  SECTION("requester") { w.people.at(w.owner.user).role = Role::viewer; }
  SECTION("approver") { w.people.at(w.second.user).role = Role::viewer; }
  CHECK_FALSE(w.runner->run(a.id).has_value());
  CHECK(w.state(a) == State::failed);
  CHECK(w.sent.empty());
  CHECK(w.logged("approval.expire", "blocked") == 1);
}

TEST_CASE("killed between yes and order, and between order and answer: run once all the same") {
  World w;
  const Approval a = w.proposed();
  w.allow(a, w.owner);
  w.crash();
  w.connect();
  w.runner->tick();
  REQUIRE(w.sent.size() == 1);
  CHECK(w.state(a) == State::executing);
  const auto id = w.last_order();
  w.crash();
  w.connect();
  w.runner->tick();
  REQUIRE(w.sent.size() == 2);
  CHECK(w.last_order() == id);
  REQUIRE(w.answer(id).has_value());
  CHECK(w.state(a) == State::completed);
  w.crash();
  w.connect();
  w.runner->tick();
  CHECK(w.sent.size() == 2);
}

TEST_CASE("no answer: the approval fails with a text that says what is not known") {
  World w;
  const Approval a = w.proposed();
  w.allow(a, w.owner);
  REQUIRE(w.runner->run(a.id).has_value());
  w.clock.advance(servers::kOrderLife + channel::kClockSkew);
  w.runner->tick();
  CHECK(w.state(a) == State::failed);
  CHECK(w.gate->find(a.id)->outcome.find("may have run") != std::string::npos);
}

TEST_CASE("an order lives no longer than its approval") {
  World w;
  const Approval a = w.proposed();
  w.allow(a, w.owner);
  w.clock.advance(approvals::kLifetime - std::chrono::seconds(7));
  REQUIRE(w.runner->run(a.id).has_value());
  REQUIRE(w.sent.size() == 1);
  const auto order = channel::decode_order(w.sent.front().order).value();
  CHECK(order.expires == a.expires_at);
  CHECK(order.expires - order.issued == std::chrono::seconds(7));
  CHECK(w.orders->find(order.order)->expires_at == a.expires_at);
}

TEST_CASE("the pilot's tool proposes no unit that carries the machine or the platform, and says why") {
  World w;
  w.talk = w.say("do it");
  for (const char* unit : {"poweroff.target", "rescue", "system.slice", "debug-shell", "emergency.service", "caip-agent", "dbus", "dbus.socket",
                           "systemd-poweroff", "systemd-journald.service", "getty@tty1", "user@0.service", "-.mount"})
    for (const char* verb : {"start", "stop", "restart", "reload", "enable", "disable"}) {
      const auto r = w.call("propose_service_action", json::serialize(json::object{{"server", "web-1"}, {"unit", unit}, {"action", verb}, {"intent", "x"}}));
      INFO(unit << ": " << json::serialize(r.value));
      CHECK(r.value.contains("error"));
      CHECK_FALSE(r.approval);
    }
  CHECK(std::string(w.call("propose_service_action", R"({"server":"web-1","unit":"poweroff.target","action":"start","intent":"x"})").value.at("error").as_string())
            .contains("only a .service"));
  CHECK(w.gate->in_state(State::pending)->empty());
  CHECK(w.sent.empty());
}

TEST_CASE("each verb that the model is told of becomes a card of that very action, and no other word becomes one") {
  World w;
  w.talk = w.say("do it");
  const auto ask = [&](const std::string& verb) {
    return w.call("propose_service_action", json::serialize(json::object{{"server", "web-1"}, {"unit", "nginx"}, {"action", verb}, {"intent", "x"}}));
  };
  for (const std::string_view name : {"unit.start", "unit.stop", "unit.restart", "unit.reload", "unit.enable", "unit.disable"}) {  // pilot::proposable()
    const std::string verb(name.substr(name.find('.') + 1));
    CAPTURE(verb);
    const auto r = ask(verb);
    REQUIRE(r.approval.has_value());
    CHECK(name_of(widen(w.gate->find(*r.approval).value().action)) == name);
  }
  for (const char* none : {"", "unit.stop", "place", "remove", "status", "read", "mask", "STOP"}) CHECK_FALSE(ask(none).approval);
}

TEST_CASE("stopping sshd is destructive: a Member neither proposes nor allows it") {
  World w;
  w.talk = w.say("stop ssh on web-1");
  const test::Person member{w.org, crypto::random_id<UserId>(), Role::member};
  w.people.emplace(member.user, approvals::Member{w.org, Role::member, "member@example.com"});
  const std::string_view stop = R"({"server":"web-1","unit":"ssh","action":"stop","intent":"as asked"})";
  CHECK(w.tools->call(member.session(), w.talk, "propose_service_action", stop).value.contains("error"));
  const auto r = w.call("propose_service_action", stop);
  REQUIRE(r.approval.has_value());
  CHECK(r.value.at("impact") == "destructive");
  const Approval a = w.gate->find(*r.approval).value();
  CHECK(a.impact == Impact::destructive);
  auto p = w.authorize(member.session(), Approve{a.id, a.digest});
  CHECK_FALSE(w.gate->approve(std::move(*p)).has_value());
  CHECK(w.state(a) == State::pending);
  w.allow(a, w.second);
  w.people.at(w.second.user).role = Role::member;  // between yes and run
  CHECK_FALSE(w.runner->run(a.id).has_value());
  CHECK(w.sent.empty());
}

TEST_CASE("tools look and propose; bad calls answer with an error") {
  World w;
  CHECK(w.call("list_servers", "{}").value.at("servers").as_array().size() == 1);
  w.servers->report(w.agent(), {{Foreign("nginx.service"), Foreign("web"), Foreign("loaded"), Foreign("failed"), Foreign("failed"), Foreign("enabled")},
                                {Foreign("x.socket"), Foreign(), Foreign(), Foreign(), Foreign(), Foreign()}});
  CHECK(w.call("list_services", R"({"server":"web-1"})").value.at("services").as_array().size() == 1);
  for (const auto& [tool, arguments] : std::vector<std::pair<std::string, std::string>>{
           {"run_command", R"({"server":"web-1","command":"id"})"},
           {"list_servers", R"({"all":true})"},
           {"list_servers", "[]"},
           {"list_services", R"({"server":"web-9"})"},
           {"read_journal", R"({"server":"web-1","unit":"nginx","lines":1000000})"},
           {"propose_service_action", R"({"server":"web-1","unit":"nginx","action":"destroy","intent":"x"})"},
           {"propose_service_action", R"({"server":"web-1","unit":"../x","action":"stop","intent":"x"})"},
           {"propose_service_action", R"({"server":"web-1","unit":"nginx","action":"stop","intent":"x","approved":true})"}}) {
    INFO(tool << arguments);
    CHECK(w.call(tool, arguments).value.contains("error"));
  }
  CHECK(w.logged("pilot.unknown_tool", "blocked") == 1);  // of a tool that does not exist, on the record
  CHECK(w.sent.empty());
  CHECK(w.gate->in_state(State::pending)->empty());
}

TEST_CASE("a pilot does no more than its human: a viewer's proposes nothing") {
  World w;
  w.talk = w.say("stop nginx");
  const test::Person viewer{w.org, crypto::random_id<UserId>(), Role::viewer};
  const auto r = w.tools->call(viewer.session(), w.talk, "propose_service_action",
                               R"({"server":"web-1","unit":"nginx","action":"stop","intent":"x"})");
  CHECK(r.value.contains("error"));
  CHECK(w.logged("approval.propose", "blocked") == 1);
  const test::Person stranger{crypto::random_id<OrgId>()};
  CHECK(w.tools->call(stranger.session(), w.talk, "list_services", R"({"server":"web-1"})").value.contains("error"));
}

TEST_CASE("stopped, the AI has no tool and gets no question; without writes it looks and does not propose; the refusal says which setting") {
  World w;
  w.talk = w.say("nginx on web-1 is down");
  const auto refused = [&](std::string_view tool, std::string_view arguments, std::string_view setting) {
    const auto r = w.call(tool, arguments).value;
    INFO(json::serialize(r));
    return r.contains("error") && std::string(r.at("error").as_string()).contains(setting);
  };
  const std::string_view restart = R"({"server":"web-1","unit":"nginx","action":"restart","intent":"x"})";
  w.forbid_writes();
  CHECK(w.call("list_servers", "{}").value.contains("servers"));
  CHECK(refused("propose_service_action", restart, "setting: write actions of the AI"));
  CHECK(refused("propose_service_action", "{}", "setting: write actions of the AI"));  // as it comes when it was not on offer
  w.stop_ai();
  for (const char* tool : {"list_servers", "list_services", "read_journal", "propose_service_action", "approve"}) CHECK(refused(tool, "{}", "setting: AI)"));
  CHECK(w.logged("pilot.call_tool", "blocked") == 7);
  auto p = w.authorize(w.owner.session(), AskPilot{w.talk, crypto::random_id<MessageId>()});
  CHECK(w.conversations->ask(std::move(*p), "go on").error().code == Code::ai_off);
  CHECK(w.logged("pilot.ask", "blocked") == 1);
  auto late = w.authorize(w.owner.pilot(), PilotReply{w.talk, crypto::random_id<MessageId>()});
  CHECK(w.conversations->reply(std::move(*late), "done", "m", std::nullopt).error().code == Code::ai_off);
  CHECK(w.messages().size() == 1);
  CHECK(w.sent.empty());
}

TEST_CASE("access by server: of one that is shut the AI learns not even the name, one that it may look at it proposes nothing on") {
  World w;
  w.talk = w.say("nginx on web-1 is down");
  const auto error = [&](std::string_view tool, const std::string& arguments) {
    const auto r = w.call(tool, arguments).value;
    INFO(json::serialize(r));
    REQUIRE(r.contains("error"));
    return std::string(r.at("error").as_string());
  };
  const std::string restart = R"({"server":"web-1","unit":"nginx","action":"restart","intent":"x"})";
  w.access(AiAccess::read);
  CHECK(w.call("list_servers", "{}").value.at("servers").at(0).at("access") == "read");
  CHECK(w.call("list_services", R"({"server":"web-1"})").value.contains("services"));
  CHECK(error("propose_service_action", restart).contains("setting: AI access of the server, read"));
  w.access(AiAccess::none);
  CHECK(w.call("list_servers", "{}").value.at("servers").as_array().empty());
  const auto unknown = error("list_services", R"({"server":"web-9"})");
  CHECK(error("list_services", R"({"server":")" + crypto::random_id<ServerId>().str() + "\"}") == unknown);
  CHECK(error("list_services", R"({"server":"web-1"})") == unknown);
  CHECK(error("list_services", R"({"server":")" + w.server->str() + "\"}") == unknown);
  CHECK(error("read_journal", R"({"server":"web-1","unit":"nginx","lines":5})") == unknown);
  CHECK(error("propose_service_action", restart) == unknown);
  CHECK(w.logged("pilot.call_tool", "blocked") == 5);  // with the reason
  CHECK(w.sent.empty());
  CHECK(w.gate->in_state(State::pending)->empty());
}

TEST_CASE("allowed, and stopped before it ran: no order, and both are told") {
  World w;
  const Approval a = w.proposed();
  w.allow(a, w.owner);
  w.stop_ai();  // and nothing denied it
  CHECK_FALSE(w.runner->run(a.id).has_value());
  CHECK(w.sent.empty());
  CHECK(w.state(a) == State::failed);
  CHECK(w.gate->find(a.id)->outcome.find("setting: AI)") != std::string::npos);
  CHECK(w.messages().back().text.find("stopped") != std::string::npos);
}

TEST_CASE("an answer that was stopped is said in its conversation, to its person alone") {
  World w;
  w.talk = w.say("hello");
  std::vector<UserId> told;
  w.conversations->on_message([&](const OrgId&, const UserId& user, const Message&) { told.push_back(user); });
  w.ai->on_less([&](storage::WriteTx& tx, const approvals::AiControls::Less&) { return w.conversations->interrupt(tx, {w.talk, crypto::random_id<ConversationId>()}); });
  w.stop_ai();
  CHECK(w.messages().back().speaker == Speaker::tool);
  CHECK(w.messages().back().text.find("stopped while it answered") != std::string::npos);
  CHECK(told == std::vector{w.owner.user});
}

TEST_CASE("a tool waits for the server's answer") {
  World w;
  std::jthread server([&](const std::stop_token& stop) {
    while (!stop.stop_requested() && w.sent_count == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    static_cast<void>(w.answer(w.last_order()));
  });
  const auto r = w.call("service_status", R"({"server":"web-1","unit":"nginx"})");
  INFO(json::serialize(r.value));
  CHECK(std::string(r.value.at("status").as_string()).contains("active"));
}

TEST_CASE("conversations are their owner's alone") {
  World w;
  const auto id = w.say("hello");
  CHECK(w.conversations->list(w.owner.session(), {})->items.size() == 1);
  CHECK_FALSE(w.conversations->get(w.second.session(), id).has_value());
  auto p = w.authorize(w.second.session(), AskPilot{id, crypto::random_id<MessageId>()});
  CHECK_FALSE(w.conversations->ask(std::move(*p), "let me in").has_value());
  CHECK(w.logged("pilot.ask", "blocked") == 1);
  auto reply = w.authorize(w.owner.pilot(), PilotReply{id, crypto::random_id<MessageId>()});
  REQUIRE(w.conversations->reply(std::move(*reply), "hi \xff", "built-in, no model", std::nullopt).has_value());
  const auto all = w.conversations->get(w.owner.session(), id).value();
  REQUIRE(all.messages.size() == 2);
  CHECK(all.messages[1].label == "built-in, no model");
  CHECK(view(all, true).at("title") == "hello");
}

TEST_CASE("S07: a person who acts in another organisation has none of the conversations of this one") {
  World w;
  const auto id = w.say("hello");
  const auto fresh = w.conversations->create(w.owner.session()).id;
  test::Person elsewhere = w.owner;
  elsewhere.org = crypto::random_id<OrgId>();
  CHECK(w.conversations->list(elsewhere.session(), {})->items.empty());
  for (const auto& conversation : {id, fresh}) {
    CHECK_FALSE(w.conversations->get(elsewhere.session(), conversation).has_value());
    auto p = w.authorizer.authorize(elsewhere.session(), AskPilot{conversation, crypto::random_id<MessageId>()});
    CHECK_FALSE(w.conversations->ask(std::move(*p), "go on").has_value());
  }
  CHECK(w.conversations->get(w.owner.session(), id)->messages.size() == 1);
}

}  // namespace
}  // namespace caip::runner
