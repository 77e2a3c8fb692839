// Text of a model stands nowhere near the database.
// room: pilot
// exists: src/storage/include/storage/database.h
// expect: storage/database.h: No such file|'storage/database.h' file not found
#ifdef MUST_FAIL
#include "storage/database.h"
#else
#include "model/actions.h"
#endif
