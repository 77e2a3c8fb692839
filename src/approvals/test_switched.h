// test_switched.h: an organisation whose AI has switches, and another one, for the tests of those.
#pragma once
#include <catch2/catch_test_macros.hpp>
#include <map>
#include <set>

#include "approvals/ai_controls.h"
#include "approvals/gate.h"
#include "approvals/migrations.h"
#include "domain_world.h"

namespace caip::approvals {

struct Switched : test::Base {
  Switched() : Base(approvals::migrations()) {
    controls.on_less([this](storage::WriteTx& tx, const AiControls::Less& less) { return gate.deny_all(tx, less.org, less.by, less.why, less.which); });
    for (const ServerId& s : {server, another}) set(owner, s, AiAccess::full);
    set(elsewhere, theirs, AiAccess::full);
    gate.on_update([this](const Approval& a) { told[a.id] = a.state; });
  }
  World world() {
    const auto member = [this](const OrgId& o, const UserId&) { return std::optional(Member{o, Role::owner, "owner@example.com"}); };
    return {member, [member](storage::Reader&, const OrgId& o, const UserId& u) { return member(o, u); },
            [this](const ServerId& s) { return std::optional(Target{s == theirs ? elsewhere.org : org, "web-1"}); },
            [this](storage::Reader&, const OrgId&, const ServerId& s) -> Result<bool> { return production.contains(s); },
            [this](storage::Reader&, const ConversationId& c) -> Result<PilotMode> { return asks.contains(c) ? PilotMode::ask : PilotMode::plan; }};
  }
  void set(const test::Person& who, const ServerId& on, AiAccess access) {
    REQUIRE(controls.set_access(authorize(who.session(), SetAiAccess{on, access}).value()).value() == access);
  }
  Result<Approval> propose(const test::Person& who, const ServerId& on) { return propose(who, on, RestartUnit{on, test::control("nginx.service")}); }
  Result<Approval> propose(const test::Person& who, const ServerId&, const ServerAction& action) {
    auto p = authorize(who.pilot(), ProposeAction{crypto::random_id<ApprovalId>(), test::digest_of(action)});
    return gate.propose(std::move(*p), action, Foreign("bring it back"), talk);
  }
  Result<AiSettings> limit(std::string_view name, std::int64_t value) {
    return controls.set_limit(authorize(owner.session(), SetAiLimit{AiLimit::parse(name).value(), value}).value());
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
  std::optional<ConversationId> talk;  // that what is proposed comes from
  std::map<ApprovalId, State> told;
  std::set<ServerId> production;
  std::set<ConversationId> asks;  // the others are in Plan mode
  ApprovalGate gate{*db, *ledger, authorizer, world(), clock};
  AiControls controls{*db, *ledger, clock};
};

template <class T>
Error error_of(const Result<T>& r) {
  REQUIRE_FALSE(r.has_value());
  return r.error();
}

}  // namespace caip::approvals
