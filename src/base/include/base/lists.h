// base/lists.h: lists in a parsed object, taken out of it so that the rest of it goes by Members.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace caip {

Result<std::vector<json::object>> take_objects(json::object&, std::string_view name, std::size_t most);
Result<std::vector<std::int64_t>> take_integers(json::object&, std::string_view name, std::size_t most);

}  // namespace caip
