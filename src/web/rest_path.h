// rest_path.h: a route whose path ends in "{name...}" takes all that is left of a path, slashes too. Private.
#pragma once
#include <string_view>

namespace caip::web {
inline constexpr std::string_view kRest = "...}";
}
