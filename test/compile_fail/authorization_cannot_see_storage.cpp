// The decision is a function of what it is given; it reads nothing.
// room: authorization
// exists: src/storage/include/storage/database.h
// expect: storage/database.h: No such file|'storage/database.h' file not found
#ifdef MUST_FAIL
#include "storage/database.h"
#else
#include "proofs/session.h"
#endif
