// Text becomes a unit name by parse() alone, which may refuse.
// rooms: base model
// expect: is private within this context|could not convert|no matching function
#include <string>
#include "model/names.h"

caip::Result<caip::UnitName> take(std::string text) {
#ifdef MUST_FAIL
  return caip::UnitName(text);
#else
  return caip::UnitName::parse(text);
#endif
}
