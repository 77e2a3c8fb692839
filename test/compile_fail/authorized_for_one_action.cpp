// A permit to read a unit's state is not a permit to restart it.
// rooms: base model proofs
// expect: could not convert|no matching function|conversion from .* to non-scalar
#include <utility>
#include "proofs/authorized.h"

void restart(caip::Authorized<caip::RestartUnit>);
#ifdef MUST_FAIL
void run(caip::Authorized<caip::UnitStatus> permit) { restart(std::move(permit)); }
#else
void run(caip::Authorized<caip::RestartUnit> permit) { restart(std::move(permit)); }
#endif
