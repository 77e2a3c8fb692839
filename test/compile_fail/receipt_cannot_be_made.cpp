// Only audit::Ledger says that something is logged and durable.
// rooms: base model proofs
// expect: Badge<.*> is private|private within this context
#include <utility>
#include "proofs/receipt.h"

void forge(caip::StopUnit action, caip::Receipt<caip::StopUnit> given) {
#ifdef MUST_FAIL
  caip::Receipt<caip::StopUnit> receipt(caip::Badge<caip::audit::Ledger>{}, std::move(action), 7);
#else
  caip::Receipt<caip::StopUnit> receipt = std::move(given);
#endif
  (void)receipt;
}
