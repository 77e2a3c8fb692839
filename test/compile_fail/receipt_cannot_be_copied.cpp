// One entry, one answer that it is durable.
// rooms: base model proofs
// expect: use of deleted function .*Receipt
#include <utility>
#include "proofs/receipt.h"

void twice(caip::Receipt<caip::StopUnit>& receipt) {
#ifdef MUST_FAIL
  caip::Receipt<caip::StopUnit> second = receipt;
#else
  caip::Receipt<caip::StopUnit> second = std::move(receipt);
#endif
  (void)second;
}
