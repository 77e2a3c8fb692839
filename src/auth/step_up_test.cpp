#include <catch2/catch_test_macros.hpp>

#include "test_world.h"

using namespace caip;
using namespace caip::auth;

namespace {

const auto kSix = std::chrono::minutes(6);

}  // namespace

TEST_CASE("a fresh sign-in counts as a step-up, for five minutes; the password renews it") {
  World w;
  w.with_owner();
  const auto in = w.sign_in().value();
  CHECK(w.verifier.prove(w.session(in).value()));
  w.clock.advance(std::chrono::minutes(5));
  CHECK(code(w.verifier.prove(w.session(in).value())) == Code::step_up_needed);
  CHECK(code(w.step_up(w.session(in).value(), "wrong password")) == Code::invalid);
  CHECK(w.last_entry().contains("wrong password"));
  CHECK(code(w.verifier.prove(w.session(in).value())) == Code::step_up_needed);
  CHECK(w.step_up(w.session(in).value()));
  CHECK(w.last_entry().contains("session.step_up"));
  CHECK_FALSE(w.last_entry().contains(kPassword));
  CHECK(w.verifier.prove(w.session(in).value()));
}

TEST_CASE("a step-up is for its session alone, and not for the pilot, a refresh token or work that goes on") {
  World w;
  w.with_owner();
  const auto first = w.sign_in().value(), second = w.sign_in().value();
  w.clock.advance(kSix);
  CHECK(w.step_up(w.session(first).value()));
  CHECK(w.verifier.prove(w.session(first).value())->session() == first.session);
  CHECK(code(w.verifier.prove(w.session(second).value())) == Code::step_up_needed);
  const auto s = w.session(first).value();
  CHECK(code(w.verifier.prove(s.as_pilot())) == Code::step_up_needed);
  CHECK(code(w.verifier.prove(w.sessions.verify_refresh(first.tokens.refresh, World::origin()).value())) == Code::step_up_needed);
  CHECK(code(w.verifier.prove(w.sessions.still(s.id(), s.org(), s.user(), World::origin()).value())) == Code::step_up_needed);
}

TEST_CASE("S16 wrong passwords at a step-up slow that session down, from whatever address, and nobody's sign-in") {
  World w;
  w.with_owner();
  const auto in = w.sign_in().value(), other = w.sign_in().value();
  const auto from = [&](int n) { return w.sessions.verify(in.tokens.access, World::origin("192.0.2." + std::to_string(n))).value(); };
  for (int i = 0; i < 5; ++i) CHECK(code(w.step_up(from(i), "wrong password")) == Code::invalid);
  CHECK(code(w.step_up(from(9))) == Code::too_many);
  CHECK(w.last_entry().contains("too many failed attempts"));
  CHECK(w.step_up(w.session(other).value()));
  CHECK(code(w.sign_in()) == kFine);
  w.clock.advance(std::chrono::seconds(2));
  CHECK(w.step_up(from(9)));
}

TEST_CASE("a session that has ended steps up no more") {
  World w;
  w.with_owner();
  const auto in = w.sign_in().value();
  const auto s = w.session(in).value();
  (void)w.accounts.sign_out(w.permit(SignOut{s.id()}, s)).value();
  CHECK(code(w.step_up(s)) == Code::unauthenticated);
}

TEST_CASE("behind the authorizer, a permit that lacks its step-up is not spent") {
  const Instant now{1'000'000};
  const auto spend = [&]<class A>(A action, bool stepped_up) {
    return code(authorization::Authorizer::permit(std::move(action), World::anonymous(), now, stepped_up).spend(now));
  };
  const auto user = crypto::random_id<UserId>();
  const auto server = crypto::random_id<ServerId>();
  const auto ssh = ControlUnit::parse("ssh.service").value(), nginx = ControlUnit::parse("nginx.service").value();
  CHECK(spend(ChangeRole{user, Role::viewer}, false) == Code::step_up_needed);
  CHECK(spend(ChangeRole{user, Role::viewer}, true) == kFine);
  CHECK(spend(StopUnit{server, ssh}, false) == Code::step_up_needed);
  CHECK(spend(StopUnit{server, ssh}, true) == kFine);
  CHECK(spend(StopUnit{server, nginx}, false) == kFine);
}
