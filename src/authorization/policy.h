// The decision itself as a pure function, so that a test can walk every case.
#pragma once
#include <optional>
#include <string>

#include "model/actions.h"
#include "model/actor.h"

namespace caip::authorization {

struct Refusal {
  Code code;
  std::string reason;
};

// nullopt is yes. `warranted`: a human approved exactly this for the pilot.
std::optional<Refusal> refusal(const Principal&, const AnyAction&, bool warranted);

}  // namespace caip::authorization
