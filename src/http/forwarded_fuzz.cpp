// A header of a stranger, behind a proxy of ours: what comes out is an address, and never one of a proxy's making up.
#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "forwarded.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto proxies = caip::http::Proxies::parse({"10.0.0.0/8", "fd00::/8"}).value();
  const std::string_view header(reinterpret_cast<const char*>(data), size);
  boost::system::error_code ec;
  static_cast<void>(boost::asio::ip::make_address(proxies.client("10.0.0.1", header), ec));
  if (ec) std::abort();
  if (proxies.client("192.0.2.1", header) != "192.0.2.1") std::abort();
  return 0;
}
