// The switches of an organisation's AI, and what each gate makes of them.
#include "approvals/ai_controls.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <map>

#include "approvals/gate.h"
#include "approvals/migrations.h"
#include "domain_world.h"

namespace caip::approvals {
namespace {

struct Switched : test::Base {
  Switched() : Base(approvals::migrations()) {
    controls.on_less([this](storage::WriteTx& tx, const AiControls::Less& less) { return gate.deny_all(tx, less.org, less.by, "switched off", less.server); });
    for (const ServerId& s : {server, another}) set(owner, s, AiAccess::full);
    set(elsewhere, theirs, AiAccess::full);
    gate.on_update([this](const Approval& a) { told[a.id] = a.state; });
  }
  World world() {
    const auto member = [this](const OrgId& o, const UserId&) { return std::optional(Member{o, Role::owner, "owner@example.com"}); };
    return {member, [member](storage::Reader&, const OrgId& o, const UserId& u) { return member(o, u); },
            [this](const ServerId& s) { return std::optional(Target{s == theirs ? elsewhere.org : org, "web-1", false}); }};
  }
  void set(const test::Person& who, const ServerId& on, AiAccess access) {
    REQUIRE(controls.set_access(authorize(who.session(), SetAiAccess{on, access}).value()).value() == access);
  }
  Result<Approval> propose(const test::Person& who, const ServerId& on) {
    const ServerAction action = RestartUnit{on, test::control("nginx.service")};
    auto p = authorize(who.pilot(), ProposeAction{crypto::random_id<ApprovalId>(), test::digest_of(action)});
    return gate.propose(std::move(*p), action, Foreign("bring it back"), std::nullopt);
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

  test::Person owner{org}, elsewhere{crypto::random_id<OrgId>()};
  ServerId server = crypto::random_id<ServerId>(), another = crypto::random_id<ServerId>(), theirs = crypto::random_id<ServerId>();
  std::map<ApprovalId, State> told;
  ApprovalGate gate{*db, *ledger, authorizer, world(), clock};
  AiControls controls{*db, *ledger, clock};
};

template <class T>
Error error_of(const Result<T>& r) {
  REQUIRE_FALSE(r.has_value());
  return r.error();
}

TEST_CASE("each use and each setting: the refusal names which setting it was") {
  for (const bool on : {true, false})
    for (const bool writes : {true, false}) {
      CAPTURE(on, writes);
      const AiSettings s{.on = on, .writes = writes};
      CHECK(keeps_from(s, AiUse::talk).has_value() == !on);
      const auto no = keeps_from(s, AiUse::propose);
      CHECK(no.has_value() == !(on && writes));
      if (!no) continue;
      CHECK(no->code == Code::ai_off);
      CHECK(no->detail.contains(on ? "setting: write actions of the AI" : "setting: AI)"));
      CHECK(no->detail.contains(on ? "caip ai allow-writes" : "caip ai start"));
    }
}

TEST_CASE("on until somebody switches it off, and as it was switched after a restart") {
  Switched w;
  const auto before = w.controls.of(w.org).value();
  CHECK(before.on);
  CHECK(before.writes);
  CHECK_FALSE(before.changed_by);
  CHECK_FALSE(w.forbid().writes);
  CHECK_FALSE(w.stop().on);
  const auto after = AiControls(*w.db, *w.ledger, w.clock).of(w.org).value();
  CHECK_FALSE(after.on);
  CHECK_FALSE(after.writes);
  CHECK(after.changed_by == w.owner.user);
  CHECK(after.changed_at == w.clock.now());
  CHECK(w.start().on);
  CHECK_FALSE(w.controls.of(w.org)->writes);  // the one switch is not the other
  CHECK(w.allow().writes);
  for (const char* action : {"ai.stop", "ai.start", "ai.forbid_writes", "ai.allow_writes"}) CHECK(w.logged(action, "completed") == 1);
}

TEST_CASE("stopped: what waits for a decision is denied by whoever stopped it, what was allowed and not run fails, each on the record") {
  Switched w;
  const Approval waiting = w.propose(w.owner, w.server).value(), allowed = w.allowed();
  SECTION("stop") { w.stop(); }
  SECTION("no more writes") { w.forbid(); }
  CHECK(w.now(waiting).state == State::denied);
  CHECK(w.now(waiting).decided_by == w.owner.user);
  CHECK(w.now(waiting).reason == "switched off");
  CHECK(w.now(allowed).state == State::failed);
  CHECK(w.now(allowed).outcome == "switched off");
  CHECK(w.told == std::map<ApprovalId, State>{{waiting.id, State::denied}, {allowed.id, State::failed}});
  CHECK(w.logged("approval.expire", "denied") == 1);
  CHECK(w.logged("approval.expire", "blocked") == 1);
}

TEST_CASE("another organisation's AI is not touched") {
  Switched w;
  const Approval theirs = w.propose(w.elsewhere, w.theirs).value();
  w.stop();
  CHECK(w.now(theirs).state == State::pending);
  CHECK(w.controls.of(w.elsewhere.org)->on);
  CHECK(w.propose(w.elsewhere, w.theirs));
}

TEST_CASE("nothing is proposed while a switch is off, on the record, and again once it is on") {
  Switched w;
  const bool whole = GENERATE(true, false);
  whole ? w.stop() : w.forbid();
  const auto no = error_of(w.propose(w.owner, w.server));
  CHECK(no.code == Code::ai_off);
  CHECK(no.detail.contains("setting: "));
  CHECK(w.logged("approval.propose", "blocked") == 1);
  whole ? w.start() : w.allow();
  CHECK(w.propose(w.owner, w.server));
}

// As if the switch had not denied it: the gate at execution asks for itself.
TEST_CASE("what was allowed before a switch went off is not redeemed after it") {
  Switched w;
  w.controls.on_less({});
  const Approval a = w.allowed();
  const bool whole = GENERATE(true, false);
  whole ? w.stop() : w.forbid();
  CHECK(w.now(a).state == State::approved);
  CHECK(error_of(w.redeem(a)).code == Code::ai_off);
  whole ? w.start() : w.allow();
  CHECK(w.redeem(a));
}

TEST_CASE("each access and use: none shuts it out, read lets it look") {
  for (const AiAccess access : {AiAccess::none, AiAccess::read, AiAccess::full}) {
    CAPTURE(text(access));
    CHECK(keeps_from(access, AiUse::talk).has_value() == (access == AiAccess::none));
    const auto no = keeps_from(access, AiUse::propose);
    CHECK(no.has_value() == (access != AiAccess::full));
    if (no) CHECK(no->detail.contains("setting: AI access of the server, " + std::string(text(access))));
    CHECK(parse_ai_access(text(access)).value() == access);
  }
  CHECK_FALSE(parse_ai_access("write"));
}

TEST_CASE("a server that nobody has set is looked at, and nothing is proposed on it until somebody sets it to full") {
  Switched w;
  const auto fresh = crypto::random_id<ServerId>();
  CHECK(w.controls.access(w.org, fresh).value() == AiAccess::read);
  CHECK(error_of(w.propose(w.owner, fresh)).detail.contains("setting: AI access of the server, read"));
  CHECK(w.logged("approval.propose", "blocked") == 1);
  w.set(w.owner, fresh, AiAccess::full);
  CHECK(w.propose(w.owner, fresh));
}

TEST_CASE("access that is taken away ends what waits on that server, and nothing on another one") {
  Switched w;
  const Approval here = w.propose(w.owner, w.server).value(), there = w.propose(w.owner, w.another).value();
  w.set(w.owner, w.server, GENERATE(AiAccess::read, AiAccess::none));
  CHECK(w.now(here).state == State::denied);
  CHECK(w.now(there).state == State::pending);
  CHECK_FALSE(w.propose(w.owner, w.server));
  CHECK(w.propose(w.owner, w.another));
}

TEST_CASE("what was allowed before its server was shut is not redeemed after it") {
  Switched w;
  w.controls.on_less({});
  const Approval a = w.allowed();
  w.set(w.owner, w.server, AiAccess::read);
  CHECK(error_of(w.redeem(a)).detail.contains("setting: AI access of the server"));
  w.set(w.owner, w.server, AiAccess::full);
  CHECK(w.redeem(a));
}

TEST_CASE("S07: what another organisation says of a server is not what its own says") {
  Switched w;
  w.set(w.elsewhere, w.server, AiAccess::none);
  CHECK(w.controls.access(w.org, w.server).value() == AiAccess::full);
  CHECK(w.propose(w.owner, w.server));
  const auto fresh = crypto::random_id<ServerId>();
  w.set(w.elsewhere, fresh, AiAccess::full);
  CHECK(w.controls.access(w.org, fresh).value() == AiAccess::read);
}

TEST_CASE("the first server is opened once; what somebody sets afterwards stays") {
  Switched w;
  const auto first = crypto::random_id<ServerId>();
  const auto offer = [&] { return w.controls.offer_access(w.authorizer.authorize_system(OfferAiAccess{first, AiAccess::full}, w.org).value()); };
  REQUIRE(offer());
  CHECK(w.controls.access(w.org, first).value() == AiAccess::full);
  w.set(w.owner, first, AiAccess::none);
  REQUIRE(offer());
  CHECK(w.controls.access(w.org, first).value() == AiAccess::none);
  CHECK(w.logged("ai.offer_access", "completed") == 1);
}

TEST_CASE("what does not commit takes nothing away") {
  Switched w;
  const Approval waiting = w.propose(w.owner, w.server).value();
  w.controls.on_less([](storage::WriteTx&, const AiControls::Less&) -> Result<std::function<void()>> { return fail(Code::internal); });
  CHECK_FALSE(w.controls.stop(w.authorize(w.owner.session(), StopAi{}).value()));
  CHECK(w.controls.of(w.org)->on);
  CHECK(w.now(waiting).state == State::pending);
}

TEST_CASE("a data directory of before the switches opens, its AI on and its proposals as they were") {
  struct Old : test::Base {
    Old() : Base({approvals::migrations().front()}) {}
  } w;
  w.migrations = approvals::migrations();
  w.open();
  CHECK(AiControls(*w.db, *w.ledger, w.clock).of(w.org)->on);
  CHECK(AiControls(*w.db, *w.ledger, w.clock).access(w.org, crypto::random_id<ServerId>()).value() == AiAccess::read);
}

TEST_CASE("an organisation that ends leaves no switch behind") {
  Switched w;
  w.stop();
  {
    auto tx = w.db->begin_write();
    REQUIRE(AiControls::end_of(tx, w.org));
    auto permit = w.authorizer.authorize_system(FailOperation{crypto::random_id<OperationId>()}, w.org).value();  // what it happens with
    REQUIRE(w.ledger->commit(std::move(tx), std::move(permit).spend(w.clock.now()).value(), {}));
  }
  CHECK_FALSE(w.controls.of(w.org)->changed_by);
  CHECK(w.controls.access(w.org, w.server).value() == AiAccess::read);
}

}  // namespace
}  // namespace caip::approvals
