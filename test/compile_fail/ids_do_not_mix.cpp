// A user's id is not a server's.
// rooms: base model
// expect: could not convert|no matching function|invalid initialization
#include "model/ids.h"

void stop(caip::ServerId);
#ifdef MUST_FAIL
void run(caip::UserId id) { stop(id); }
#else
void run(caip::ServerId id) { stop(id); }
#endif
