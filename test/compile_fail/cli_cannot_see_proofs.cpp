// The CLI is a client like any other; it decides nothing.
// room: cli
// exists: src/proofs/include/proofs/authorized.h
// expect: proofs/authorized.h: No such file|'proofs/authorized.h' file not found
#ifdef MUST_FAIL
#include "proofs/authorized.h"
#else
#include "model/names.h"
#endif
