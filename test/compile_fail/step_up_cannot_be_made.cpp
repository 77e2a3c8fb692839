// Nobody but auth::StepUpVerifier says that somebody has proven anew who they are.
// rooms: base model proofs
// expect: Badge<.*> is private|private within this context
#include <utility>
#include "proofs/step_up.h"

void forge(caip::StepUp& given, caip::SessionId session) {
#ifdef MUST_FAIL
  caip::StepUp step_up(caip::Badge<caip::auth::StepUpVerifier>{}, session, caip::Instant(1));
#else
  static_cast<void>(session);
  caip::StepUp step_up = std::move(given);
#endif
  (void)step_up;
}
