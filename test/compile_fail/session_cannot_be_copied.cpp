// A session is proof for one request; it cannot be kept beside it.
// rooms: base model proofs
// expect: use of deleted function .*Session
#include <utility>
#include "proofs/session.h"

void keep(caip::Session& session) {
#ifdef MUST_FAIL
  caip::Session kept = session;
#else
  caip::Session kept = std::move(session);
#endif
  (void)kept;
}
