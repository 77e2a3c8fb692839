// What is not in AllActions cannot be permitted, logged or run.
// rooms: base model proofs
// expect: constraint|does not satisfy|constraints not satisfied
#include "proofs/authorized.h"

struct DeleteEverything { int operand; };
#ifdef MUST_FAIL
using Permit = caip::Authorized<DeleteEverything>;
#else
using Permit = caip::Authorized<caip::StopUnit>;
#endif
void use(Permit);
