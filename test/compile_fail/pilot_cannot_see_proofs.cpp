// The room that talks to the model cannot hold a permit, only describe an action.
// room: pilot
// exists: src/proofs/include/proofs/session.h
// expect: proofs/session.h: No such file|'proofs/session.h' file not found
#ifdef MUST_FAIL
#include "proofs/session.h"
#else
#include "model/actions.h"
#endif
