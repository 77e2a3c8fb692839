// There is no way to a log entry of success but through a permit.
// rooms: base model proofs
// expect: is private within this context
#include <optional>
#include <utility>
#include "proofs/authorized.h"

void forge(caip::StopUnit action, caip::Principal p, caip::Authorized<caip::StopUnit> permit) {
#ifdef MUST_FAIL
  caip::Spent<caip::StopUnit> spent(std::move(action), std::move(p), std::nullopt);
#else
  auto spent = std::move(permit).spend(caip::Instant{});
#endif
  (void)spent;
}
