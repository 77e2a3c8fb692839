// What changes who may do what asks the person to prove anew who they are: a session alone is not enough.
// rooms: base model proofs authorization
// expect: no matching function for call to .*authorize
#include "authorization/authorizer.h"

auto change(const caip::authorization::Authorizer& authorizer, const caip::Session& session, caip::StepUp&& step_up, caip::ChangeRole action) {
#ifdef MUST_FAIL
  static_cast<void>(step_up);
  return authorizer.authorize(session, action);
#else
  return authorizer.authorize(session, action, std::move(step_up));
#endif
}
