// stream.h: what a provider sends: a turn in the form of each of the five protocols, and what a hostile one makes of it.
#pragma once
#include <string>
#include <vector>

#include "dialect.h"
#include "dice.h"

namespace caip::hostile {

struct Said {
  std::string text;
  std::vector<pilot::ToolCall> calls;
};
std::string stream_of(AiVendor, const Said&, Dice&);
// Cut, doubled, shuffled, bent, without an end: bytes are all that a provider has.
std::string damaged(std::string stream, Dice&);
// The product's own reader of that protocol, fed in pieces.
Result<pilot::Turn> read(AiVendor, std::string_view stream, const pilot::OnText&, Dice&);
// How many calls and how many results a request body of that protocol has; results without a call, or in the wrong number for it, are named.
std::string unpaired(AiVendor, const std::string& body);

}  // namespace caip::hostile
