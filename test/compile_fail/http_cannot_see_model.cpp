// HTTP is transport; it knows nothing of the product.
// room: http
// exists: src/model/include/model/ids.h
// expect: model/ids.h: No such file|'model/ids.h' file not found
#ifdef MUST_FAIL
#include "model/ids.h"
#else
#include "base/result.h"
#endif
