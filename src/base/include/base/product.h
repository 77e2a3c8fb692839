// base/product.h: the product's name and version, in one place.
#pragma once
#include <string_view>

namespace caip {

inline constexpr std::string_view kProductName = "CloudAIPilot";
inline constexpr std::string_view kVersion = "0.1.0";

}  // namespace caip
