// The way out for actions that need a step-up only sometimes is closed to those that always do.
// rooms: base model proofs authorization
// expect: no matching function for call to .*authorize_without_step_up
#include "authorization/authorizer.h"

auto rotate(const caip::authorization::Authorizer& authorizer, const caip::Session& session, caip::StopUnit stop) {
#ifdef MUST_FAIL
  static_cast<void>(stop);
  return authorizer.authorize_without_step_up(session, caip::RotateKey{caip::KeyClass::root});
#else
  return authorizer.authorize_without_step_up(session, std::move(stop));
#endif
}
