// A failure that nobody looks at is an error at compile time (-Werror in the build).
// rooms: base
// expect: ignoring return value|ignoring returned value
#pragma GCC diagnostic error "-Wunused-result"
#include "base/result.h"

caip::Result<int> attempt();
#ifdef MUST_FAIL
void run() { attempt(); }
#else
void run() { (void)attempt(); }
#endif
