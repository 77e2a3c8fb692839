// The target of an action points into the action, so a temporary has none to give. (A card once
// showed the bytes of a dead temporary as its target.)
// rooms: base model
// expect: use of deleted function
#include "model/actions.h"

std::string target(const caip::ServerAction& action) {
#ifdef MUST_FAIL
  return caip::target_server(caip::widen(action))->str();
#else
  const caip::AnyAction wide = caip::widen(action);
  return caip::target_server(wide)->str();
#endif
}
