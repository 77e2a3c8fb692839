// test_gate.h: a gate with people, a server and a clock, for the tests of this room.
#pragma once
#include <catch2/catch_test_macros.hpp>
#include <map>
#include <set>

#include "approvals/ai_controls.h"
#include "approvals/gate.h"
#include "approvals/migrations.h"
#include "domain_world.h"

namespace caip::approvals {

struct World2 : test::Base {
  explicit World2(storage::Migrations tables = approvals::migrations()) : Base(std::move(tables)) {
    people.emplace(owner.user, Member{org, Role::owner, "owner@example.com"});
    people.emplace(second.user, Member{org, Role::admin, "second@example.com"});
    targets.emplace(server, Target{org, "web-1"});
    REQUIRE(AiControls(*db, *ledger, clock).set_access(authorize(owner.session(), SetAiAccess{server, AiAccess::full}).value()));
  }
  World world() {
    const auto member = [this](const OrgId&, const UserId& u) { return people.contains(u) ? std::optional(people.at(u)) : std::nullopt; };
    return {member, [member](storage::Reader&, const OrgId& o, const UserId& u) { return member(o, u); },
            [this](const ServerId& s) { return targets.contains(s) ? std::optional(targets.at(s)) : std::nullopt; },
            [this](storage::Reader&, const OrgId&, const ServerId& s) -> Result<bool> { return production.contains(s); },
            [this](storage::Reader&, const ConversationId& c) -> Result<PilotMode> { return asks.contains(c) ? PilotMode::ask : agents.contains(c) ? PilotMode::agent : PilotMode::plan; }};
  }
  Result<Approval> propose(const ServerAction& action, std::optional<Digest> digest = {}) {
    auto p = authorize(owner.pilot(), ProposeAction{crypto::random_id<ApprovalId>(), digest.value_or(test::digest_of(action))});
    REQUIRE(p.has_value());
    return gate.propose(std::move(*p), action, Foreign("bring it back"), std::nullopt);
  }
  Approval proposed() { return propose(restart()).value(); }
  ServerAction restart() { return RestartUnit{server, test::control("nginx.service")}; }
  Result<Approval> approve(const Approval& a, const test::Person& who, std::optional<Digest> seen = {}) {
    auto p = authorize(who.session(), Approve{a.id, seen.value_or(a.digest)});
    if (!p) return fail(p.error().code, p.error().reason);
    return gate.approve(std::move(*p));
  }
  Result<Approval> deny(const Approval& a, const test::Person& who, std::string reason = "no") {
    auto p = authorize(who.session(), Deny{a.id, a.digest});
    if (!p) return fail(p.error().code, p.error().reason);
    return gate.deny(std::move(*p), std::move(reason));
  }
  State state(const Approval& a) { return gate.find(a.id).value().state; }
  // Redeems, and commits with the order's own entry, as the runner does.
  Result<void> redeem(const Approval& a) {
    auto tx = db->begin_write();
    CAIP_TRY(warrant, gate.redeem(tx, a.id, crypto::random_id<OperationId>()));
    auto permit = authorizer.authorize(std::move(warrant));
    if (!permit) return fail(permit.error().code, permit.error().reason);
    auto spent = std::move(std::get<Authorized<RestartUnit>>(*permit)).spend(clock.now());
    CAIP_TRY(receipt, ledger->commit(std::move(tx), std::move(*spent), {}));
    return {};
  }

  test::Person owner{org}, second{org, crypto::random_id<UserId>(), Role::admin}, viewer{org, crypto::random_id<UserId>(), Role::viewer};
  ServerId server = crypto::random_id<ServerId>();
  std::map<UserId, Member> people;
  std::map<ServerId, Target> targets;
  std::set<ServerId> production;
  std::set<ConversationId> asks, agents;  // the others are in Plan mode
  ApprovalGate gate{*db, *ledger, authorizer, world(), clock};
};

template <class T>
Code code_of(const Result<T>& r) {
  REQUIRE_FALSE(r.has_value());
  return r.error().code;
}

}  // namespace caip::approvals
