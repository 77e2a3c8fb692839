// Every refusal of the gate, and that each is on the record.
#include <atomic>
#include <catch2/generators/catch_generators.hpp>
#include <thread>

#include "test_gate.h"

namespace caip::approvals {
namespace {

TEST_CASE("the table: what is not in it has no next state") {
  constexpr std::array states{State::pending, State::half_approved, State::approved, State::executing, State::completed, State::failed, State::denied, State::expired, State::held};
  constexpr std::array events{Event::approve, Event::approve_first, Event::lapse, Event::deny, Event::expire, Event::redeem, Event::block, Event::succeed, Event::fail, Event::hold};
  std::size_t moves = 0;
  for (State s : states) {
    CHECK(parse_state(text(s)).value() == s);
    for (Event e : events) moves += next(s, e).has_value();
  }
  CHECK(moves == kTable.size());
  CHECK(!next(State::denied, Event::approve));
  CHECK(!next(State::executing, Event::redeem));
  CHECK(is_final(State::expired));
  CHECK(!is_final(State::approved));
}

TEST_CASE("proposed, approved, redeemed, finished") {
  World2 w;
  const Approval a = w.proposed();
  CHECK(a.state == State::pending);
  CHECK(a.expires_at - a.created_at == kLifetime);
  CHECK(w.logged("approval.propose", "pending") == 1);
  const Approval yes = w.approve(a, w.owner).value();
  CHECK(yes.state == State::approved);
  CHECK(yes.decided_by == w.owner.user);
  REQUIRE(w.redeem(a).has_value());
  CHECK(w.state(a) == State::executing);
  CHECK(code_of(w.redeem(a)) == Code::already_decided);
  const auto v = view(yes, w.world());
  CHECK(v.at("target").at("server_id").as_string() == w.server.str());  // not of a dead temporary
  CHECK(v.at("target").at("server_name") == "web-1");
  CHECK(v.at("requested_by").at("email") == "owner@example.com");
  CHECK(v.at("bytes").get_string() == encode(w.restart()));
}

TEST_CASE("one decision: the second is refused and recorded") {
  World2 w;
  const Approval a = w.proposed();
  REQUIRE(w.approve(a, w.owner).has_value());
  CHECK(code_of(w.approve(a, w.owner)) == Code::already_decided);
  CHECK(code_of(w.deny(a, w.second)) == Code::already_decided);
  CHECK(w.logged("approval.approve", "blocked") == 1);
  CHECK(w.logged("approval.deny", "blocked") == 1);
  CHECK(w.state(a) == State::approved);
}

TEST_CASE("of many who decide at once one wins") {
  World2 w;
  const Approval a = w.proposed();
  std::atomic<int> won = 0;
  {
    std::vector<std::jthread> all;
    for (int i = 0; i < 8; ++i)
      all.emplace_back([&, i] {
        auto yes = w.authorize(w.owner.session(), Approve{a.id, a.digest});
        auto no = w.authorize(w.second.session(), Deny{a.id, a.digest});
        auto r = i % 2 ? w.gate.approve(std::move(*yes)) : w.gate.deny(std::move(*no), "no");
        if (r) ++won;
      });
  }
  CHECK(won == 1);
  CHECK(w.logged("approval.approve", "blocked") + w.logged("approval.deny", "blocked") == 7);
}

TEST_CASE("another digest than the stored one is refused") {
  World2 w;
  const Approval a = w.proposed();
  Digest other = a.digest;
  other[0] ^= 1;
  CHECK(code_of(w.approve(a, w.owner, other)) == Code::digest_mismatch);
  CHECK(w.state(a) == State::pending);
  CHECK(w.logged("approval.approve", "blocked") == 1);
}

TEST_CASE("neither the pilot nor a viewer nor a stranger decides") {
  World2 w;
  const Approval a = w.proposed();
  CHECK(!w.authorize(w.owner.pilot(), Approve{a.id, a.digest}).has_value());
  CHECK(!w.authorize(w.owner.pilot(), Deny{a.id, a.digest}).has_value());
  CHECK(!w.authorize(w.owner.session(Source::api_token), Approve{a.id, a.digest}).has_value());
  CHECK(code_of(w.approve(a, w.viewer)) == Code::forbidden);
  const test::Person stranger{crypto::random_id<OrgId>()};
  CHECK(code_of(w.approve(a, stranger)) == Code::not_found);
  CHECK(code_of(w.gate.get(stranger.session(), a.id)) == Code::not_found);
  CHECK(w.gate.list(stranger.session(), std::nullopt, {}).value().items.empty());
  CHECK(w.state(a) == State::pending);
}

TEST_CASE("expiry counts as denied, when nobody decided and when nobody ran it") {
  World2 w;
  const Approval waiting = w.proposed(), late = w.proposed(), allowed = w.proposed();
  REQUIRE(w.approve(allowed, w.owner).has_value());
  w.clock.advance(kLifetime);
  CHECK(code_of(w.approve(late, w.owner)) == Code::expired);
  CHECK(w.state(late) == State::expired);
  CHECK(code_of(w.redeem(allowed)) == Code::expired);
  w.gate.expire_due();
  CHECK(w.state(waiting) == State::expired);
  CHECK(w.state(allowed) == State::expired);
  CHECK(w.logged("approval.expire", "expired") == 3);
}

TEST_CASE("a yes to what lets people in needs a step-up, on the record; a no, and a yes to the rest, do not") {
  World2 w;
  const auto without = [&](const Approval& a) {
    return w.gate.approve(w.authorizer.authorize_without_step_up(w.owner.session(), Approve{a.id, a.digest}).value());
  };
  const auto a = w.propose(StopUnit{w.server, test::control("ssh.service")}).value();
  CHECK(a.impact == Impact::destructive);
  CHECK(without(a).error().code == Code::step_up_needed);
  CHECK(w.state(a) == State::pending);
  CHECK(w.logged("approval.approve", "blocked") == 1);
  CHECK(w.approve(a, w.owner));
  CHECK(without(w.proposed()));
  CHECK(w.deny(w.propose(StopUnit{w.server, test::control("ssh.service")}).value(), w.owner));
}

TEST_CASE("rights are looked at again when it is redeemed") {
  World2 w;
  const Approval a = w.proposed();
  REQUIRE(w.approve(a, w.second).has_value());
  SECTION("the requester was demoted") { w.people.at(w.owner.user).role = Role::viewer; }
  SECTION("the approver was demoted") { w.people.at(w.second.user).role = Role::viewer; }
  SECTION("the approver is gone") { w.people.erase(w.second.user); }
  CHECK(code_of(w.redeem(a)) == Code::forbidden);
  CHECK(w.state(a) == State::approved);
  REQUIRE(w.gate.block(a.id, Error{Code::forbidden, "rights"}).has_value());
  CHECK(w.state(a) == State::failed);
  CHECK(w.logged("approval.expire", "blocked") == 1);
}

TEST_CASE("bytes changed in the database are not run, and an undone redemption leaves it approved") {
  World2 w;
  const Approval a = w.proposed();
  REQUIRE(w.approve(a, w.owner).has_value());
  {
    auto tx = w.db->begin_write();
    REQUIRE(tx.exec("UPDATE approvals SET bytes = ?2 WHERE id = ?1", a.id, encode(StopUnit{w.server, test::control("nginx.service")})).has_value());
    CHECK(code_of(w.gate.redeem(tx, a.id, crypto::random_id<OperationId>())) == Code::digest_mismatch);
  }
  {
    auto tx = w.db->begin_write();
    CHECK(w.gate.redeem(tx, a.id, crypto::random_id<OperationId>()).has_value());
  }
  CHECK(w.state(a) == State::approved);
  REQUIRE(w.redeem(a).has_value());
}

TEST_CASE("what cannot be proposed") {
  World2 w;
  const ServerAction read = UnitStatus{w.server, test::unit("nginx.service")};
  CHECK(code_of(w.propose(read)) == Code::invalid);
  CHECK(code_of(w.propose(w.restart(), Digest{})) == Code::digest_mismatch);
  CHECK(code_of(w.propose(RestartUnit{crypto::random_id<ServerId>(), test::control("nginx.service")})) == Code::not_found);
  w.production.insert(w.server);
  CHECK(code_of(w.propose(w.restart())) == Code::ai_off);
  w.targets.at(w.server) = Target{crypto::random_id<OrgId>(), "web-1"};
  CHECK(code_of(w.propose(w.restart())) == Code::not_found);
  CHECK(w.logged("approval.propose", "blocked") == 5);
  CHECK(!w.authorize(w.owner.session(), ProposeAction{crypto::random_id<ApprovalId>(), Digest{}}).has_value());
}

TEST_CASE("what was approved for a server that counted as production is not redeemed where it counts as none, nor the other way round") {
  World2 w;
  const bool before = GENERATE(true, false);
  const auto count = [&](bool as_production) { as_production ? void(w.production.insert(w.server)) : void(w.production.erase(w.server)); };
  AiControls ai(*w.db, *w.ledger, w.clock);  // the protection is off, so that nothing but the change is in the way
  REQUIRE(ai.unprotect(w.authorize(w.owner.session(), UnprotectProduction{w.clock.now() + std::chrono::hours(1)}).value(), "a test"));
  count(before);
  const Approval a = w.proposed();
  CHECK(a.production == before);
  REQUIRE(w.approve(a, w.owner));
  count(!before);
  const auto no = w.redeem(a);
  CHECK(code_of(no) == Code::forbidden);
  CHECK(no.error().detail.contains("counts as production has changed"));
  count(before);
  CHECK(w.redeem(a));
}

TEST_CASE("no flood of proposals") {
  World2 w;
  for (int i = 0; i < kMaxOpen; ++i) REQUIRE(w.propose(w.restart()).has_value());
  CHECK(code_of(w.propose(w.restart())) == Code::too_many);
}

TEST_CASE("S14: what somebody proposed ends with their authority there, decided or not; others' proposals stay") {
  World2 w;
  const Approval pending = w.proposed(), approved = w.proposed();
  REQUIRE(w.approve(approved, w.owner).has_value());
  std::vector<ApprovalId> told;
  w.gate.on_update([&](const Approval& a) { told.push_back(a.id); });
  const auto end = [&](const OrgId& org, const UserId& user) {
    auto tx = w.db->begin_write();
    auto after = w.gate.end_of(tx, org, user).value();
    auto permit = w.authorizer.authorize_system(FailOperation{crypto::random_id<OperationId>()}, w.org).value();  // what it happens with
    REQUIRE(w.ledger->commit(std::move(tx), std::move(permit).spend(w.clock.now()).value(), {}).has_value());
    after();
  };
  end(crypto::random_id<OrgId>(), w.owner.user);
  end(w.org, w.second.user);
  CHECK(w.state(pending) == State::pending);
  CHECK(told.empty());
  end(w.org, w.owner.user);
  CHECK(w.state(pending) == State::expired);
  CHECK(w.state(approved) == State::expired);
  CHECK(told.size() == 2);
  CHECK(w.logged("approval.expire", "expired") == 2);
  CHECK(code_of(w.redeem(approved)) == Code::already_decided);
}

TEST_CASE("a reason that hides something is refused") {
  World2 w;
  const Approval a = w.proposed();
  CHECK(code_of(w.deny(a, w.owner, "no\xe2\x80\xae")) == Code::invalid);
  CHECK(w.deny(a, w.owner, "not now").value().reason == "not now");
}

}  // namespace
}  // namespace caip::approvals
