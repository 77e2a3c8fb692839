// The AI's room has no way to ask for a secret.
// room: pilot
// exists: src/vault/include/vault/secret_store.h
// expect: vault/secret_store.h: No such file|'vault/secret_store.h' file not found
#ifdef MUST_FAIL
#include "vault/secret_store.h"
#else
#include "pilot/tools.h"
#endif
