// A member that is a list of short texts (at most 64 bytes each), taken out of a request's body. Private.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace caip::web {

// Not there: an empty list.
Result<std::vector<std::string>> take_texts(json::object& body, std::string_view name, std::size_t most);

}  // namespace caip::web
