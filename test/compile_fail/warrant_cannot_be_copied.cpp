// One yes, one run.
// rooms: base model proofs
// expect: use of deleted function .*Warrant
#include <utility>
#include "proofs/approved.h"

void run(caip::Warrant& warrant) {
#ifdef MUST_FAIL
  caip::Warrant second = warrant;
#else
  caip::Warrant second = std::move(warrant);
#endif
  (void)second;
}
