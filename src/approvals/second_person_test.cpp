// Where an organisation asks for a second person: who counts as one, in which order, and that one is never enough.
#include <atomic>
#include <catch2/generators/catch_generators.hpp>
#include <thread>

#include "test_gate.h"

namespace caip::approvals {
namespace {

// Who asks is w.owner; w.second and w.third are Admins.
struct OfTwo : World2 {
  OfTwo() {
    people.emplace(third.user, Member{org, Role::admin, "third@example.com"});
    ask_for_two(true);
  }
  void ask_for_two(bool required) { REQUIRE(ai.set_second_person(authorize(owner.session(), SetSecondPerson{required}).value())->second_person == required); }
  Approval stopping_sshd() { return propose(StopUnit{server, test::control("ssh.service")}).value(); }
  Approval now(const Approval& a) { return gate.find(a.id).value(); }
  Result<void> redeem(const Approval& a) {
    auto tx = db->begin_write();
    CAIP_TRY(warrant, gate.redeem(tx, a.id, crypto::random_id<OperationId>()));
    return {};
  }
  void authority_ends(const test::Person& whose) {
    auto tx = db->begin_write();
    auto after = gate.end_of(tx, org, whose.user).value();
    auto permit = authorizer.authorize_system(FailOperation{crypto::random_id<OperationId>()}, org).value();  // what it happens with
    REQUIRE(ledger->commit(std::move(tx), std::move(permit).spend(clock.now()).value(), {}));
    after();
  }
  test::Person third{org, crypto::random_id<UserId>(), Role::admin};
  AiControls ai{*db, *ledger, clock};
};

TEST_CASE("two people: the first yes runs nothing, the second one does, and both are named in their order on the card and in the log") {
  OfTwo w;
  const Approval a = w.stopping_sshd();
  CHECK(a.second_person);
  const Approval half = w.approve(a, w.second).value();
  CHECK(half.state == State::half_approved);
  CHECK(half.first_by == w.second.user);
  CHECK_FALSE(half.decided_by);
  CHECK(code_of(w.redeem(a)) == Code::already_decided);
  w.clock.advance(std::chrono::minutes(1));
  const Approval whole = w.approve(a, w.third).value();
  CHECK(whole.state == State::approved);
  const auto v = view(whole, w.world());
  const auto& said = v.at("decisions").as_array();
  REQUIRE(said.size() == 2);
  CHECK(said[0].at("email") == "second@example.com");
  CHECK(said[1].at("email") == "third@example.com");
  CHECK(said[0].at("at").as_string() < said[1].at("at").as_string());
  audit::Filter approvals;
  approvals.action = "approval.approve";
  const auto entry = parse_json(audit::Query(*w.ledger).list(approvals, 1, std::nullopt)->entries.front().body).value();
  CHECK(entry.at("actor").at("id").as_string() == w.third.user.str());
  CHECK(entry.at("detail").at("first").as_string() == w.second.user.str());
  CHECK(entry.at("detail").at("second").as_string() == w.third.user.str());
  auto tx = w.db->begin_write();
  const auto warrant = w.gate.redeem(tx, a.id, crypto::random_id<OperationId>());
  REQUIRE(warrant);
  CHECK(warrant->approver() == w.second.user);
  CHECK(warrant->second() == w.third.user);
}

TEST_CASE("one of two is not enough: not the same person twice, not who asked, not the AI, not a Viewer; each is on the record") {
  OfTwo w;
  const Approval a = w.stopping_sshd();
  REQUIRE(w.approve(a, w.second));
  CHECK(code_of(w.approve(a, w.second)) == Code::already_decided);
  CHECK(code_of(w.approve(a, w.owner)) == Code::forbidden);  // the session that asked
  const test::Person elsewhere{w.org, w.owner.user, Role::owner};
  CHECK(code_of(w.approve(a, elsewhere)) == Code::forbidden);  // and any other one of the same person
  CHECK(code_of(w.approve(a, w.viewer)) == Code::forbidden);
  CHECK_FALSE(w.authorize(w.third.pilot(), Approve{a.id, a.digest}));
  CHECK_FALSE(w.authorize(w.third.session(Source::api_token), Approve{a.id, a.digest}));
  CHECK(w.state(a) == State::half_approved);
  CHECK(w.logged("approval.approve", "blocked") == 3);
}

TEST_CASE("who asked may give the first yes of two; the second is another person's") {
  OfTwo w;
  const Approval a = w.stopping_sshd();
  REQUIRE(w.approve(a, w.owner));
  CHECK(code_of(w.approve(a, w.owner)) == Code::already_decided);
  CHECK(w.approve(a, w.second)->state == State::approved);
  CHECK(w.redeem(a));
}

TEST_CASE("each of two needs the permission of what is done, and a step-up where it asks for one") {
  OfTwo w;
  const Approval a = w.stopping_sshd();
  const auto without = [&](const test::Person& who) { return w.gate.approve(w.authorizer.authorize_without_step_up(who.session(), Approve{a.id, a.digest}).value()); };
  const test::Person member{w.org, crypto::random_id<UserId>(), Role::member};  // may decide, and may not stop sshd
  CHECK(code_of(w.approve(a, member)) == Code::forbidden);
  CHECK(code_of(without(w.second)) == Code::step_up_needed);
  REQUIRE(w.approve(a, w.second));
  CHECK(code_of(w.approve(a, member)) == Code::forbidden);
  CHECK(code_of(without(w.third)) == Code::step_up_needed);
  CHECK(w.state(a) == State::half_approved);
  CHECK(w.approve(a, w.third));
}

TEST_CASE("a no by anybody is final, also by who allowed it first") {
  OfTwo w;
  const Approval a = w.stopping_sshd();
  REQUIRE(w.approve(a, w.second));
  REQUIRE(w.deny(a, GENERATE(true, false) ? w.second : w.third));
  CHECK(w.state(a) == State::denied);
  CHECK(code_of(w.approve(a, w.third)) == Code::already_decided);
}

TEST_CASE("two are asked for on production and of what is destructive, and of nothing else") {
  OfTwo w;
  CHECK_FALSE(w.proposed().second_person);
  CHECK(w.approve(w.proposed(), w.owner)->state == State::approved);
  REQUIRE(w.ai.unprotect(w.authorize(w.owner.session(), UnprotectProduction{w.clock.now() + std::chrono::hours(1)}).value(), "a test"));
  w.production.insert(w.server);
  CHECK(w.proposed().second_person);
  CHECK(w.approve(w.proposed(), w.owner)->state == State::half_approved);
}

TEST_CASE("withdrawing the setting lets no card off that asked for two; the next one needs one") {
  OfTwo w;
  const Approval untouched = w.stopping_sshd(), half = w.stopping_sshd();
  REQUIRE(w.approve(half, w.second));
  w.ask_for_two(false);
  CHECK(w.approve(untouched, w.second)->state == State::half_approved);
  CHECK(code_of(w.approve(half, w.second)) == Code::already_decided);
  CHECK(w.approve(half, w.third)->state == State::approved);
  CHECK(w.approve(w.stopping_sshd(), w.owner)->state == State::approved);
}

TEST_CASE("a card of before the setting asks for two from then on, and what one person had allowed does not run") {
  OfTwo w;
  w.ask_for_two(false);
  const Approval waiting = w.stopping_sshd(), allowed = w.stopping_sshd();
  REQUIRE(w.approve(allowed, w.owner)->state == State::approved);
  w.ask_for_two(true);
  CHECK(w.approve(waiting, w.owner)->state == State::half_approved);
  CHECK(w.now(waiting).second_person);
  const auto no = w.redeem(allowed);
  CHECK(code_of(no) == Code::forbidden);
  CHECK(no.error().detail.contains("setting: second person"));
}

TEST_CASE("a first yes of somebody who may not any more counts for nothing, on the record, and the next one is the first") {
  OfTwo w;
  const Approval a = w.stopping_sshd();
  REQUIRE(w.approve(a, w.second));
  SECTION("their authority ended: the card says so at once") {  // also a sign-in that was not theirs, in the role that they have
    w.authority_ends(w.second);
    CHECK(w.state(a) == State::pending);
    CHECK_FALSE(w.now(a).first_by);
  }
  SECTION("nobody said so: it is looked at when the second yes comes") {
    if (GENERATE(true, false)) w.people.at(w.second.user).role = Role::viewer;
    else w.people.erase(w.second.user);
  }
  CHECK(w.approve(a, w.third)->state == State::half_approved);
  CHECK(w.now(a).first_by == w.third.user);
  CHECK(w.logged("approval.lapse", "completed") == 1);
  CHECK(code_of(w.redeem(a)) == Code::already_decided);
}

TEST_CASE("an allowed card ends with the authority of anybody who allowed it: it does not wait for them to come back, nor for who was never them") {
  OfTwo w;
  Approval a = w.stopping_sshd();
  SECTION("the first of two") {
    REQUIRE(w.approve(a, w.second));
    REQUIRE(w.approve(a, w.third));
    w.authority_ends(w.second);
  }
  SECTION("the second of two") {
    REQUIRE(w.approve(a, w.second));
    REQUIRE(w.approve(a, w.third));
    w.authority_ends(w.third);
  }
  SECTION("the only one") {
    a = w.proposed();
    REQUIRE(w.approve(a, w.second));
    w.authority_ends(w.second);
  }
  CHECK(w.state(a) == State::failed);  // their role is what it was
  CHECK(code_of(w.redeem(a)) == Code::already_decided);
  CHECK(w.logged("approval.expire", "blocked") == 1);
}

TEST_CASE("an order that was not sent yet is not, once somebody it rests on has left, has another role, or was not them") {
  OfTwo w;
  const Approval a = w.proposed();
  REQUIRE(w.approve(a, w.second));
  REQUIRE(w.World2::redeem(a));
  REQUIRE(w.gate.passes(a.id)->has_value());
  SECTION("their authority ended, and they are who they were") { w.authority_ends(GENERATE(true, false) ? w.second : w.owner); }
  SECTION("the approver's role") { w.people.at(w.second.user).role = Role::viewer; }
  SECTION("the requester is gone") { w.people.erase(w.owner.user); }
  const auto now = w.gate.passes(a.id);
  REQUIRE(now);
  REQUIRE_FALSE(now->has_value());
  CHECK(now->error().code == Code::forbidden);
}

TEST_CASE("the log does not call who said no a second one") {
  OfTwo w;
  const Approval a = w.stopping_sshd();
  REQUIRE(w.approve(a, w.second));
  REQUIRE(w.deny(a, w.third));
  audit::Filter denials;
  denials.action = "approval.deny";
  const auto detail = parse_json(audit::Query(*w.ledger).list(denials, 1, std::nullopt)->entries.front().body)->at("detail").as_object();
  CHECK(detail.at("first").as_string() == w.second.user.str());
  CHECK_FALSE(detail.contains("second"));
}

TEST_CASE("both have to be people who may when it runs") {
  OfTwo w;
  const Approval a = w.stopping_sshd();
  REQUIRE(w.approve(a, w.second));
  REQUIRE(w.approve(a, w.third));
  w.people.at((GENERATE(true, false) ? w.second : w.third).user).role = Role::viewer;
  CHECK(code_of(w.redeem(a)) == Code::forbidden);
}

TEST_CASE("of many second ones at once one is counted, and the others are told that it is decided") {
  OfTwo w;
  const Approval a = w.stopping_sshd();
  REQUIRE(w.approve(a, w.owner));
  std::vector<test::Person> others;
  for (int i = 0; i < 8; ++i) {
    others.push_back(test::Person{w.org, crypto::random_id<UserId>(), Role::admin});
    w.people.emplace(others.back().user, Member{w.org, Role::admin, "admin@example.com"});
  }
  std::atomic<int> won = 0, late = 0;
  {
    std::vector<std::jthread> all;
    for (const auto& who : others)
      all.emplace_back([&, permit = w.authorize(who.session(), Approve{a.id, a.digest}).value()]() mutable {
        const auto r = w.gate.approve(std::move(permit));
        ++(r ? won : late);
        if (!r && r.error().code != Code::already_decided) won = 100;
      });
  }
  CHECK(won == 1);
  CHECK(late == 7);
  CHECK(w.now(a).first_by == w.owner.user);
  CHECK(w.logged("approval.approve", "blocked") == 7);
}

TEST_CASE("of two first ones at once both count: they are two people, and neither is lost or counted twice") {
  OfTwo w;
  const Approval a = w.stopping_sshd();
  std::atomic<int> yes = 0;
  {
    std::vector<std::jthread> all;
    for (const auto* who : {&w.second, &w.third})
      all.emplace_back([&, permit = w.authorize(who->session(), Approve{a.id, a.digest}).value()]() mutable { yes += w.gate.approve(std::move(permit)).has_value(); });
  }
  CHECK(yes == 2);
  CHECK(w.state(a) == State::approved);
  CHECK(w.now(a).first_by != w.now(a).decided_by);
}

TEST_CASE("a half approved card outlives a restart, expires as any other, and is denied when the AI is stopped") {
  OfTwo w;
  const Approval a = w.stopping_sshd(), b = w.stopping_sshd();
  REQUIRE(w.approve(a, w.second));
  REQUIRE(w.approve(b, w.second));
  ApprovalGate after(*w.db, *w.ledger, w.authorizer, w.world(), w.clock);  // it holds nothing itself
  CHECK(after.find(a.id)->first_by == w.second.user);
  {
    auto tx = w.db->begin_write();
    const auto told = after.deny_all(tx, w.org, w.owner.user, "the AI was stopped", [&](const Approval& x) { return x.id == b.id; });
    REQUIRE(told);
    auto permit = w.authorizer.authorize_system(FailOperation{crypto::random_id<OperationId>()}, w.org).value();  // what it happens with
    REQUIRE(w.ledger->commit(std::move(tx), std::move(permit).spend(w.clock.now()).value(), {}));
  }
  CHECK(w.state(b) == State::denied);
  w.clock.advance(kLifetime);
  CHECK(code_of(w.approve(a, w.third)) == Code::expired);
  CHECK(w.state(a) == State::expired);
}

TEST_CASE("the database itself takes no card for approved that needs two and has one") {
  OfTwo w;
  const Approval a = w.stopping_sshd();
  auto tx = w.db->begin_write();
  CHECK_FALSE(tx.exec("UPDATE approvals SET state = 'approved', decided_by = ?2 WHERE id = ?1", a.id, w.second.user));
  CHECK_FALSE(tx.exec("UPDATE approvals SET state = 'approved', first_by = ?2, decided_by = ?2 WHERE id = ?1", a.id, w.second.user));
  CHECK_FALSE(tx.exec("UPDATE approvals SET state = 'executing', first_by = ?2, decided_by = ?3 WHERE id = ?1", a.id, w.second.user, w.owner.user));
  CHECK_FALSE(tx.exec("UPDATE approvals SET state = 'half_approved' WHERE id = ?1", a.id));
  CHECK(tx.exec("UPDATE approvals SET state = 'approved', first_by = ?2, decided_by = ?3 WHERE id = ?1", a.id, w.second.user, w.third.user));
}

TEST_CASE("a data directory of before: its cards are carried over as they were, and one person's yes was enough for them") {
  struct Old : test::Base {
    Old() : Base(first_three()) {}
    static storage::Migrations first_three() {
      const auto all = approvals::migrations();
      return {all.begin(), all.begin() + 3};
    }
    void insert(std::string_view state, const std::optional<UserId>& by) {
      const ServerAction action = StopUnit{server, test::control("ssh.service")};
      auto tx = db->begin_write();
      REQUIRE(tx.exec("INSERT INTO approvals (id, org, state, intent, bytes, digest, production, requester, decided_by, outcome, created_at, expires_at)"
                      " VALUES (?1, ?2, ?3, 'why', ?4, ?5, 1, ?6, ?7, 'done', 1, 2)",
                      crypto::random_id<ApprovalId>(), org, state, encode(action), test::digest_of(action), user, by));
      auto permit = authorizer.authorize_system(FailOperation{crypto::random_id<OperationId>()}, org).value();  // what it happens with
      REQUIRE(ledger->commit(std::move(tx), std::move(permit).spend(clock.now()).value(), {}));
    }
    ServerId server = crypto::random_id<ServerId>();
    UserId user = crypto::random_id<UserId>();
  } w;
  w.insert("pending", std::nullopt);
  w.insert("completed", w.user);
  w.insert("approved", w.user);
  w.insert("executing", w.user);
  w.migrations = approvals::migrations();
  w.open();
  ApprovalGate gate(*w.db, *w.ledger, w.authorizer, World{}, w.clock);
  const auto pending = gate.in_state(State::pending).value(), completed = gate.in_state(State::completed).value();
  REQUIRE((pending.size() == 1 && completed.size() == 1));
  CHECK_FALSE(pending.front().second_person);
  CHECK((pending.front().production && pending.front().intent.raw() == "why"));
  CHECK(completed.front().decided_by == w.user);
  CHECK_FALSE(completed.front().decided_at);
  CHECK(completed.front().outcome == "done");
  // What was on its way then goes on; of what has not run, the setting counts from when it is switched on.
  const auto approved = gate.in_state(State::approved).value(), executing = gate.in_state(State::executing).value();
  REQUIRE((approved.size() == 1 && executing.size() == 1));
  CHECK((approved.front().decided_by == w.user && executing.front().decided_by == w.user));
  auto tx = w.db->begin_write();
  CHECK(gate.finish(tx, executing.front().id, true, "done"));
}

TEST_CASE("the setting is an Owner's, off asks who is there, every Owner and Admin is told, and it ends with its organisation") {
  OfTwo w;
  CHECK_FALSE(w.authorize(w.second.session(), SetSecondPerson{true}));
  CHECK_FALSE(w.authorizer.authorize_without_step_up(w.owner.session(), SetSecondPerson{false}));
  CHECK(w.authorizer.authorize_without_step_up(w.owner.session(), SetSecondPerson{true}));
  w.ask_for_two(true);
  w.ask_for_two(false);
  CHECK(w.logged("approval.set_second_person", "completed") == 3);
  {
    auto tx = w.db->begin_read();
    std::vector<std::string> told;
    REQUIRE(tx.query("SELECT subject FROM notices WHERE kind = 'production.protection' ORDER BY rowid", [&](const storage::Row& r) { told.push_back(r.text(0)); }));
    REQUIRE(told.size() == 3);
    CHECK(told.back().contains("One person's yes is enough again"));
  }
  w.ask_for_two(true);
  auto tx = w.db->begin_write();
  REQUIRE(AiControls::end_of(tx, w.org));
  CHECK_FALSE(AiControls::within(tx, w.org)->second_person);
}

}  // namespace
}  // namespace caip::approvals
