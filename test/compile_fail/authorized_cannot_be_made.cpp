// Nobody but authorization::Authorizer decides.
// rooms: base model proofs
// expect: Badge<.*> is private|private within this context
#include <optional>
#include <utility>
#include "proofs/authorized.h"

void forge(caip::RestartUnit action, caip::Principal p) {
#ifdef MUST_FAIL
  caip::Authorized<caip::RestartUnit> permit(caip::Badge<caip::authorization::Authorizer>{}, std::move(action),
                                             std::move(p), std::nullopt, caip::Instant{});
#else
  std::pair both(std::move(action), std::move(p));
  (void)both;
#endif
}
