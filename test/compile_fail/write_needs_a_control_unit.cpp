// Any unit can be looked at; what is stopped has passed ControlUnit::of(), which knows what not to touch.
// rooms: base model crypto
// expect: could not convert|no matching function
#include "model/actions.h"

caip::StopUnit stop(const caip::ServerId& server, const caip::UnitName& unit, const caip::ControlUnit& controlled) {
#ifdef MUST_FAIL
  return caip::StopUnit{server, unit};
#else
  static_cast<void>(unit);
  return caip::StopUnit{server, controlled};
#endif
}
