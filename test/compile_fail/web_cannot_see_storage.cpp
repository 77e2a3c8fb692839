// A handler reaches data through the rooms that ask for a permit, never on its own.
// room: web
// exists: src/storage/include/storage/database.h
// expect: storage/database.h: No such file|'storage/database.h' file not found
#ifdef MUST_FAIL
#include "storage/database.h"
#else
#include "proofs/session.h"
#endif
