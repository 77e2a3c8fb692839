// outbound/network.h: addresses and networks, and which addresses are public.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

struct sockaddr;

namespace caip::outbound {

// 16 bytes; an IPv4 address is ::ffff:a.b.c.d here, so that both spellings are one value.
class Address {
 public:
  static std::optional<Address> of(const sockaddr*) noexcept;       // AF_INET and AF_INET6 only
  static std::optional<Address> parse(std::string_view) noexcept;   // what inet_pton reads
  const std::array<std::uint8_t, 16>& bytes() const noexcept { return bytes_; }
  bool v4() const noexcept;
  bool operator==(const Address&) const = default;

 private:
  Address() = default;
  std::array<std::uint8_t, 16> bytes_{};
};

class Network {  // "10.0.0.0/8", "fd00::/8", "192.0.2.7"; no bits beyond the prefix
 public:
  static Result<Network> parse(std::string_view);
  bool contains(const Address&) const noexcept;

 private:
  Network(const Address& a, unsigned bits) : address_(a), bits_(bits) {}
  Address address_;
  unsigned bits_;  // of 128
};

// Everything that the IANA special-purpose registries (RFC 6890) do not call globally reachable is
// not public, nor is what carries another address inside (6to4, Teredo, NAT64), nor multicast.
bool is_public(const Address&) noexcept;
// Where a connection may go: a public address, or one in a network that the configuration allows.
bool may_connect(const Address&, std::span<const Network> allowed) noexcept;

}  // namespace caip::outbound
