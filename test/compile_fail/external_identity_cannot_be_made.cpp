// Nobody but federation::Providers says who somebody is at another service.
// rooms: base model proofs
// expect: Badge<.*> is private|private within this context
#include <utility>
#include "proofs/external_identity.h"

void forge(caip::ExternalIdentity::Said said) {
#ifdef MUST_FAIL
  caip::ExternalIdentity identity(caip::Badge<caip::federation::Providers>{}, std::move(said));
#else
  caip::ExternalIdentity::Said same = std::move(said);
  (void)same;
#endif
}
