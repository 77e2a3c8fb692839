// base/network.h: addresses as the unit that limits count by.
#pragma once
#include <string>
#include <string_view>

namespace caip {

// The smallest network that one subscriber gets: an IPv4 address itself, an IPv6 address's /64 ("2001:db8::/64"),
// an IPv4-mapped one as IPv4. What is no address comes back as it is.
std::string network_of(std::string_view address);

}  // namespace caip
