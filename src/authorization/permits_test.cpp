// What a permit, a step-up and a warrant are worth, and for how long.
#include <catch2/catch_test_macros.hpp>

#include "authorization/authorizer.h"
#include "test_people.h"

using namespace caip;

// What may mint in production is named here so that the test can make the tokens it needs.
namespace caip::auth {
class SessionStore {
 public:
  static Session session(Principal p) { return Session(Badge<SessionStore>{}, std::move(p)); }
};
}  // namespace caip::auth
namespace caip::auth {
class StepUpVerifier {
 public:
  static StepUp step_up(SessionId session, Instant proven) { return StepUp(Badge<StepUpVerifier>{}, session, proven); }
};
}  // namespace caip::auth
namespace caip::approvals {
class ApprovalGate {
 public:
  static Warrant warrant(ServerAction a, std::string text, Principal who, Instant expires) {
    return Warrant(Badge<ApprovalGate>{}, ApprovalId{IdBytes{}}, std::move(a), std::move(text), Digest{}, std::move(who), UserId{IdBytes{}}, expires);
  }
};
}  // namespace caip::approvals

TEST_CASE("a permit carries the action and lives 30 s, once") {
  ManualClock clock{Instant(1'000'000)};
  const authorization::Authorizer authorizer(clock);
  const auto session = auth::SessionStore::session(person(Role::member));
  auto permit = authorizer.authorize_without_step_up(session, StopUnit{kServer, kControl});
  REQUIRE(permit);
  CHECK(permit->action().unit == kControl);
  CHECK(std::move(*permit).spend(clock.now()));
  CHECK_FALSE(std::move(*permit).spend(clock.now()));  // NOLINT(bugprone-use-after-move)
  auto late = authorizer.authorize_without_step_up(session, StopUnit{kServer, kControl});
  clock.advance(std::chrono::seconds(31));
  CHECK_FALSE(std::move(*late).spend(clock.now()));

  const auto pilot = session.as_pilot();
  auto denied = authorizer.authorize_without_step_up(pilot, StopUnit{kServer, kControl});
  REQUIRE_FALSE(denied);
  CHECK(denied.error().code == Code::approval_needed);
  CHECK(denied.error().principal.source == Source::pilot);
  CHECK(authorizer.authorize_without_step_up(pilot, Approve{ApprovalId{bytes(1)}, Digest{}}).error().code == Code::forbidden);
}

TEST_CASE("a step-up is five minutes old at most, of this session, and a person's") {
  ManualClock clock{Instant(1'000'000'000)};
  const authorization::Authorizer authorizer(clock);
  const auto session = auth::SessionStore::session(person(Role::owner));
  const auto ask = [&](const Session& by, SessionId of, Instant proven) -> std::string {
    auto decision = authorizer.authorize(by, ChangeRole{kUser, Role::viewer}, auth::StepUpVerifier::step_up(of, proven));
    if (!decision) return std::string(code_text(decision.error().code));
    CHECK(decision->stepped_up());
    return std::move(*decision).spend(clock.now()) ? "yes" : "unspendable";
  };
  const Instant now = clock.now();
  CHECK(ask(session, kSession, now) == "yes");
  CHECK(ask(session, kSession, now + -(kStepUpLifetime - std::chrono::seconds(1))) == "yes");
  CHECK(ask(session, kSession, now + -kStepUpLifetime) == "step_up_needed");
  CHECK(ask(session, kSession, now + std::chrono::seconds(1)) == "step_up_needed");  // the clock was set back
  CHECK(ask(session, SessionId{bytes(77)}, now) == "step_up_needed");
  CHECK(ask(session.as_pilot(), kSession, now) == "forbidden");
  CHECK(ask(auth::SessionStore::session(person(Role::owner, Source::api_token)), kSession, now) == "forbidden");
  CHECK(ask(auth::SessionStore::session(person(Role::viewer)), kSession, now) == "forbidden");
}

TEST_CASE("without a step-up what asks for one is refused, and who may not anyway is told that") {
  const ManualClock clock{Instant(1'000'000)};
  const authorization::Authorizer authorizer(clock);
  const auto owner = auth::SessionStore::session(person(Role::owner)), viewer = auth::SessionStore::session(person(Role::viewer));
  CHECK(authorizer.refuse_without_step_up(owner, RotateKey{KeyClass::root}).code == Code::step_up_needed);
  CHECK(authorizer.refuse_without_step_up(viewer, RotateKey{KeyClass::root}).code == Code::forbidden);
  const auto ssh = ControlUnit::parse("ssh.service").value();
  CHECK(authorizer.authorize_without_step_up(owner, StopUnit{kServer, ssh}).error().code == Code::step_up_needed);
  CHECK(authorizer.authorize_without_step_up(viewer, StopUnit{kServer, ssh}).error().code == Code::forbidden);
  CHECK(authorizer.authorize_without_step_up(owner, StopUnit{kServer, kControl}));
}

TEST_CASE("a warrant is checked again: bytes, time, and the requester's role now") {
  const ManualClock clock{Instant(1'000'000)};
  const authorization::Authorizer authorizer(clock);
  const ServerAction restart = RestartUnit{kServer, kControl};
  const Instant later{2'000'000};
  auto member = person(Role::member, Source::pilot);
  using Gate = approvals::ApprovalGate;
  auto good = authorizer.authorize(Gate::warrant(restart, encode(restart), member, later));
  REQUIRE(good);
  CHECK(std::get<Authorized<RestartUnit>>(*good).approver());
  const ServerAction stop = StopUnit{kServer, kControl};
  CHECK(authorizer.authorize(Gate::warrant(restart, encode(stop), member, later)).error().code == Code::digest_mismatch);
  CHECK(authorizer.authorize(Gate::warrant(restart, encode(restart), member, clock.now())).error().code == Code::expired);
  auto demoted = person(Role::viewer, Source::pilot);
  CHECK(authorizer.authorize(Gate::warrant(restart, encode(restart), demoted, later)).error().code == Code::forbidden);
  CHECK(authorizer.authorize(Gate::warrant(restart, encode(restart), person(Role::member), later)).error().code == Code::forbidden);
  const ServerAction status = UnitStatus{kServer, kUnit};
  CHECK(authorizer.authorize(Gate::warrant(status, encode(status), member, later)).error().code == Code::forbidden);
}

TEST_CASE("pages are for those whose role shows them") {
  const ManualClock clock{Instant(0)};
  const authorization::Authorizer authorizer(clock);
  for (const Role role : kRoles) {
    const auto session = auth::SessionStore::session(person(role));
    CHECK(authorizer.require_view(session, Permission::server_view).has_value());
    CHECK(authorizer.require_view(session, Permission::audit_view).has_value() == (role >= Role::admin));
    CHECK(authorizer.require_view(session, Permission::audit_export).has_value() == (role == Role::owner));
    CHECK_FALSE(authorizer.require_view(session, Permission::unit_stop).has_value());
    CHECK_FALSE(authorizer.require_view(session, Permission::system).has_value());
  }
}
