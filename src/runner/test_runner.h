// test_runner.h: a control plane with one server, its AI and two people, for the tests of this room.
#pragma once
#include <catch2/catch_test_macros.hpp>
#include <map>

#include "approvals/ai_controls.h"
#include "approvals/gate.h"
#include "approvals/migrations.h"
#include "runner/approval_runner.h"
#include "runner/conversations.h"
#include "runner/migrations.h"
#include "runner/pilot_tools.h"
#include "server_world.h"

namespace caip::runner {

using approvals::Approval;
using approvals::State;

inline storage::Migrations all_tables() {
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
    conversations->on_ask([this](storage::WriteTx& tx, const OrgId& o, const UserId& by, const ConversationId& c) -> Result<std::function<void()>> {
      const approvals::Which of_it = [c](const Approval& a) { return a.conversation == c; };
      CAIP_CHECKED(approvals::ApprovalGate::hold(tx, o, "the conversation is in Ask mode now", of_it));
      return gate->deny_all(tx, o, by, "the conversation is in Ask mode now", of_it);
    });
    runner = std::make_unique<ApprovalRunner>(*db, *ledger, authorizer, *servers, *orders, *gate, *conversations);
    ai = std::make_unique<approvals::AiControls>(*db, *ledger, clock);
    tools = std::make_unique<PilotTools>(*servers, *orders, *gate, *ai, authorizer, *conversations, *ledger);
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
            &servers::ServerService::production_within, &Conversations::mode_within};
  }
  Result<Conversation> mode(PilotMode to, const test::Person& who) { return conversations->set_mode(authorize(who.session(), SetPilotMode{talk, to}).value()); }
  ConversationId say(const std::string& words, PilotMode mode = PilotMode::plan) {
    const auto c = conversations->create(owner.session(), mode);
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

}  // namespace caip::runner
