// planner.h: the built-in pilot: no model, a small set of requests, the same answer each time.
// It keeps nothing between turns: what it already knows are the tool results after the last
// question. What it understands is listed in doc/pilot.md and told to whoever asks for something else.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "pilot/client.h"

namespace caip::pilot {

inline constexpr std::string_view kBuiltinLabel = "built-in, no model";
Turn plan(std::span<const Message>);
std::vector<std::string> planner_examples();

}  // namespace caip::pilot
