// base/product.h: the product's name and version, in one place.
#pragma once
#include <string_view>

namespace caip {

inline constexpr std::string_view kProductName = "CloudAIPilot";
inline constexpr std::string_view kVersion = "0.1.0";

// The one name under which agents and install commands know the control plane, whatever address
// they reach it at: in its own certificate and in their TLS server name. ICANN keeps
// `.internal` for private use, so the name is nobody's.
inline constexpr std::string_view kControlName = "control.caip.internal";

}  // namespace caip
