// Spending a permit uses it up: it is only possible on one that is given away.
// rooms: base model proofs
// expect: passing .* as .this. argument discards qualifiers
#include <utility>
#include "proofs/authorized.h"

void use(caip::Authorized<caip::StopUnit> permit, caip::Instant now) {
#ifdef MUST_FAIL
  auto spent = permit.spend(now);
#else
  auto spent = std::move(permit).spend(now);
#endif
  (void)spent;
}
