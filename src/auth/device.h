// device.h: what a User-Agent header says about a device, as a family: "Firefox on Linux". The header is
// text of a stranger: of it only words of our own lists come out, so nothing odd can be stored or shown. Private.
#pragma once
#include <string>
#include <string_view>

namespace caip::auth {

std::string device_of(std::string_view user_agent);

}  // namespace caip::auth
