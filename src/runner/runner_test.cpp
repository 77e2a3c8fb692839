#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <map>
#include <thread>

#include "approvals/ai_controls.h"
#include "approvals/gate.h"
#include "approvals/migrations.h"
#include "runner/approval_runner.h"
#include "runner/conversations.h"
#include "runner/migrations.h"
#include "runner/pilot_tools.h"
#include "server_world.h"

namespace caip::runner {
namespace {

using approvals::Approval;
using approvals::State;

storage::Migrations all_tables() {
  auto out = servers::migrations();
  for (auto& m : approvals::migrations()) out.push_back(m);
  for (auto& m : runner::migrations()) out.push_back(m);
  return out;
}

struct World : test::Domain {
  World() : Domain(all_tables()) {
    people.emplace(owner.user, approvals::Member{org, Role::owner, "owner@example.com"});
    people.emplace(second.user, approvals::Member{org, Role::admin, "second@example.com"});
    build();
    with_server();
    access(AiAccess::full);
  }
  void build() {
    tools.reset();
    runner.reset();
    conversations = std::make_unique<Conversations>(*db, *ledger, clock);
    gate = std::make_unique<approvals::ApprovalGate>(*db, *ledger, authorizer, outside(), clock);
    runner = std::make_unique<ApprovalRunner>(*db, *ledger, authorizer, *servers, *orders, *gate, *conversations);
    ai = std::make_unique<approvals::AiControls>(*db, *ledger, clock);
    tools = std::make_unique<PilotTools>(*servers, *orders, *gate, *ai, authorizer, *ledger);
  }
  void access(AiAccess to) { REQUIRE(ai->set_access(authorize(owner.session(), SetAiAccess{*server, to}).value())); }
  void stop_ai() { REQUIRE(ai->stop(authorize(owner.session(), StopAi{}).value())); }
  void forbid_writes() { REQUIRE(ai->forbid_writes(authorize(owner.session(), ForbidAiWrites{}).value())); }
  void crash() {
    tools.reset();
    runner.reset();
    gate.reset();
    conversations.reset();
    open();
    start();
    build();
    REQUIRE(orders->recover().has_value());
  }
  approvals::World outside() {
    const auto member = [this](const OrgId&, const UserId& u) { return people.contains(u) ? std::optional(people.at(u)) : std::nullopt; };
    return {member, [member](storage::Reader&, const OrgId& o, const UserId& u) { return member(o, u); },
            [this](const ServerId& s) -> std::optional<approvals::Target> {
              auto found = servers->find(s);
              if (!found) return std::nullopt;
              return approvals::Target{found->org, found->name.str()};
            },
            &servers::ServerService::production_within};
  }
  ConversationId say(const std::string& words) {
    const auto c = conversations->create(owner.session());
    auto p = authorize(owner.session(), AskPilot{c.id, crypto::random_id<MessageId>()});
    REQUIRE(conversations->ask(std::move(*p), words).has_value());
    return c.id;
  }
  ToolResult call(std::string_view tool, std::string_view arguments) { return tools->call(owner.session(), talk, tool, arguments); }
  Approval proposed() {
    talk = say("nginx on web-1 is down, bring it back");
    const auto r = call("propose_service_action", R"({"server":"web-1","unit":"nginx","action":"restart","intent":"bring nginx back"})");
    INFO(json::serialize(r.value));
    REQUIRE(r.approval.has_value());
    return gate->find(*r.approval).value();
  }
  void allow(const Approval& a, const test::Person& who) {
    auto p = authorize(who.session(), Approve{a.id, a.digest});
    REQUIRE(gate->approve(std::move(*p)).has_value());
  }
  State state(const Approval& a) { return gate->find(a.id).value().state; }
  std::vector<Message> messages() { return conversations->get(owner.session(), talk).value().messages; }

  test::Person second{org, crypto::random_id<UserId>(), Role::admin};
  std::map<UserId, approvals::Member> people;
  std::unique_ptr<Conversations> conversations;
  std::unique_ptr<approvals::ApprovalGate> gate;
  std::unique_ptr<ApprovalRunner> runner;
  std::unique_ptr<approvals::AiControls> ai;
  std::unique_ptr<PilotTools> tools;
  ConversationId talk = crypto::random_id<ConversationId>();
};

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
