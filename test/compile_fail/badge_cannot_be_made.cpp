// A badge is made by the class it names.
// rooms: base
// expect: is private within this context
#include "base/badge.h"

struct Minter;
#ifdef MUST_FAIL
void forge() { caip::Badge<Minter> badge; (void)badge; }
#else
struct Minter { void make() { caip::Badge<Minter> badge; (void)badge; } };
#endif
