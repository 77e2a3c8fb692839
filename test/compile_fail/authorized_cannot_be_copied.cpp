// One decision, one use.
// rooms: base model proofs
// expect: use of deleted function .*Authorized
#include <utility>
#include "proofs/authorized.h"

void use(caip::Authorized<caip::StopUnit>);
void twice(caip::Authorized<caip::StopUnit> permit) {
#ifdef MUST_FAIL
  use(permit);
#else
  use(std::move(permit));
#endif
}
