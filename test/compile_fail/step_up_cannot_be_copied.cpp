// One step-up, one permit: it is moved into the decision and used up there.
// rooms: base model proofs
// expect: use of deleted function .*StepUp
#include <utility>
#include "proofs/step_up.h"

void keep(caip::StepUp& given) {
#ifdef MUST_FAIL
  caip::StepUp step_up = given;
#else
  caip::StepUp step_up = std::move(given);
#endif
  (void)step_up;
}
