// No handler can sign anything.
// room: web
// exists: src/secrets/include/secrets/keeper.h
// expect: secrets/keeper.h: No such file|'secrets/keeper.h' file not found
#ifdef MUST_FAIL
#include "secrets/keeper.h"
#else
#include "proofs/session.h"
#endif
