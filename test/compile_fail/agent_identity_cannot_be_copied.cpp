// Who speaks is proven for one channel; it cannot be kept for another.
// rooms: base model proofs
// expect: use of deleted function .*AgentIdentity
#include <utility>
#include "proofs/agent_identity.h"

void keep(caip::AgentIdentity& identity) {
#ifdef MUST_FAIL
  caip::AgentIdentity kept = identity;
#else
  caip::AgentIdentity kept = std::move(identity);
#endif
  (void)kept;
}
