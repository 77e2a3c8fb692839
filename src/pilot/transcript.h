// transcript.h: what a provider is told of what was said, so that it can be taken: each call has exactly one result, right
// behind it, whatever became of it; no message is empty; names of calls are names; the last word is not the pilot's.
#pragma once
#include <span>
#include <string_view>
#include <vector>

#include "pilot/client.h"

namespace caip::pilot {

std::vector<Message> repaired(std::span<const Message>);
bool blank(std::string_view text) noexcept;  // some providers take no text that is nothing but white space
bool says_error(const Message&);  // a result that is {"error":…}

}  // namespace caip::pilot
