// A server knows no session: what it runs comes as a signed order.
// room: agent
// exists: src/proofs/include/proofs/session.h
// expect: proofs/session.h: No such file|'proofs/session.h' file not found
#ifdef MUST_FAIL
#include "proofs/session.h"
#else
#include "model/actions.h"
#endif
