// One permit, one log entry.
// rooms: base model proofs
// expect: use of deleted function .*Spent
#include <utility>
#include "proofs/authorized.h"

void twice(caip::Spent<caip::StopUnit>& spent) {
#ifdef MUST_FAIL
  caip::Spent<caip::StopUnit> second = spent;
#else
  caip::Spent<caip::StopUnit> second = std::move(spent);
#endif
  (void)second;
}
