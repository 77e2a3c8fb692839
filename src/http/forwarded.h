// forwarded.h: whose address a request counts by when it came through a proxy. A header says whatever its sender
// likes: it is believed only as far as configured proxies have written it. Private.
#pragma once
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace caip::http {

class Proxies {
 public:
  // "10.0.0.0/8", "192.0.2.7", "fd00::/8"
  static Result<Proxies> parse(const std::vector<std::string>& networks);
  // The peer itself, unless it is a proxy of ours: then the last address of X-Forwarded-For that is none. What
  // is no address ends the search at the proxy that passed it on.
  std::string client(const std::string& peer, std::string_view forwarded_for) const;

 private:
  bool ours(const boost::asio::ip::address&) const;
  std::vector<boost::asio::ip::network_v4> v4_;
  std::vector<boost::asio::ip::network_v6> v6_;
};

}  // namespace caip::http
