// What another service said lets in once.
// rooms: base model proofs
// expect: use of deleted function .*ExternalIdentity
#include <utility>
#include "proofs/external_identity.h"

void keep(caip::ExternalIdentity& identity) {
#ifdef MUST_FAIL
  caip::ExternalIdentity kept = identity;
#else
  caip::ExternalIdentity kept = std::move(identity);
#endif
  (void)kept;
}
