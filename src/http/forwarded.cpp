#include "forwarded.h"

namespace caip::http {
namespace {

namespace ip = boost::asio::ip;
using boost::system::error_code;

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

ip::address plain(const ip::address& a) {  // ::ffff:192.0.2.1 is 192.0.2.1
  if (a.is_v6() && a.to_v6().is_v4_mapped()) return ip::make_address_v4(ip::v4_mapped, a.to_v6());
  return a;
}

}  // namespace

Result<Proxies> Proxies::parse(const std::vector<std::string>& networks) {
  Proxies out;
  for (const auto& text : networks) {
    error_code ec;
    const bool v6 = text.contains(':');
    const std::string whole = text.contains('/') ? text : text + (v6 ? "/128" : "/32");
    if (v6) out.v6_.push_back(ip::make_network_v6(whole, ec).canonical());
    else out.v4_.push_back(ip::make_network_v4(whole, ec).canonical());
    if (ec) return fail(Code::invalid, "not a network of the form ADDRESS/BITS: " + text);
  }
  return out;
}

bool Proxies::ours(const ip::address& address) const {
  const ip::address a = plain(address);
  if (a.is_v4()) {
    for (const auto& n : v4_)
      if (n == ip::make_network_v4(a.to_v4(), n.prefix_length()).canonical()) return true;
    return false;
  }
  for (const auto& n : v6_)
    if (n == ip::make_network_v6(a.to_v6(), n.prefix_length()).canonical()) return true;
  return false;
}

std::string Proxies::client(const std::string& peer, std::string_view forwarded_for) const {
  error_code ec;
  ip::address known = ip::make_address(peer, ec);
  if (ec || forwarded_for.empty() || !ours(known)) return peer;
  while (!forwarded_for.empty() && ours(known)) {
    const auto comma = forwarded_for.rfind(',');
    const std::string hop(trimmed(comma == std::string_view::npos ? forwarded_for : forwarded_for.substr(comma + 1)));
    forwarded_for = comma == std::string_view::npos ? std::string_view() : forwarded_for.substr(0, comma);
    const auto next = ip::make_address(hop, ec);
    if (ec) break;
    known = next;
  }
  return plain(known).to_string();
}

}  // namespace caip::http
