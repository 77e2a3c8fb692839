#include "outbound/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <span>

#include "base/text.h"

namespace caip::outbound {
namespace {

constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct Range {
  std::array<std::uint8_t, 16> address;
  unsigned bits;
};

constexpr Range v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, unsigned bits) {
  return {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, 0}, 96 + bits};
}
constexpr Range v6(std::uint16_t a, std::uint16_t b, unsigned bits) {
  return {{static_cast<std::uint8_t>(a >> 8U), static_cast<std::uint8_t>(a), static_cast<std::uint8_t>(b >> 8U), static_cast<std::uint8_t>(b)}, bits};
}

constexpr std::array kNotPublic4{
    v4(0, 0, 0, 8),         // this network
    v4(10, 0, 0, 8),        // private
    v4(100, 64, 0, 10),     // shared (carrier NAT)
    v4(127, 0, 0, 8),       // loopback
    v4(169, 254, 0, 16),    // link-local, metadata of clouds
    v4(172, 16, 0, 12),     // private
    v4(192, 0, 0, 24),      // IETF protocol assignments
    v4(192, 0, 2, 24),      // documentation
    v4(192, 88, 99, 24),    // 6to4 relays
    v4(192, 168, 0, 16),    // private
    v4(198, 18, 0, 15),     // benchmarks
    v4(198, 51, 100, 24),   // documentation
    v4(203, 0, 113, 24),    // documentation
    v4(224, 0, 0, 3),       // multicast, reserved, broadcast
};

// Of IPv6 only 2000::/3 is handed out; the rest (loopback, mapped, NAT64, unique local, link-local,
// multicast) lies outside it.
constexpr Range kGlobal6 = v6(0x2000, 0, 3);
constexpr std::array kNotPublic6{
    v6(0x2001, 0, 23),       // protocol assignments: Teredo, benchmarks, ORCHID
    v6(0x2001, 0x0db8, 32),  // documentation
    v6(0x2002, 0, 16),       // 6to4: an IPv4 address inside
    v6(0x3fff, 0, 20),       // documentation
};

bool within(const std::array<std::uint8_t, 16>& a, const std::array<std::uint8_t, 16>& network, unsigned bits) noexcept {
  const unsigned whole = bits / 8, rest = bits % 8;
  if (!std::equal(a.begin(), a.begin() + whole, network.begin())) return false;
  if (rest == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff00U >> rest);
  return ((a.at(whole) ^ network.at(whole)) & mask) == 0;
}

bool in_any(const Address& a, const auto& ranges) noexcept {
  return std::ranges::any_of(ranges, [&](const Range& r) { return within(a.bytes(), r.address, r.bits); });
}

}  // namespace

std::optional<Address> Address::of(const sockaddr* from) noexcept {
  Address out;
  if (from->sa_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, from, sizeof in);
    std::ranges::copy(kMapped, out.bytes_.begin());
    std::memcpy(&out.bytes_[12], &in.sin_addr, 4);
    return out;
  }
  if (from->sa_family != AF_INET6) return std::nullopt;
  sockaddr_in6 in{};
  std::memcpy(&in, from, sizeof in);
  std::memcpy(out.bytes_.data(), &in.sin6_addr, 16);
  return out;
}

std::optional<Address> Address::parse(std::string_view text) noexcept {
  std::array<char, INET6_ADDRSTRLEN> zero_ended{};
  if (text.size() >= zero_ended.size()) return std::nullopt;
  std::ranges::copy(text, zero_ended.begin());
  Address out;
  if (::inet_pton(AF_INET6, zero_ended.data(), out.bytes_.data()) == 1) return out;
  std::ranges::copy(kMapped, out.bytes_.begin());
  if (::inet_pton(AF_INET, zero_ended.data(), &out.bytes_[12]) == 1) return out;
  return std::nullopt;
}

bool Address::v4() const noexcept { return std::ranges::equal(kMapped, std::span(bytes_).first(12)); }

Result<Network> Network::parse(std::string_view text) {
  const auto wrong = [&] { return fail(Code::invalid, "not a network of the form ADDRESS/BITS: " + cut(shown(text), 64)); };
  const auto slash = text.find('/');
  const auto address = Address::parse(text.substr(0, slash));
  if (!address) return wrong();
  const unsigned before = address->v4() ? 96 : 0, most = 128 - before;
  unsigned bits = most;
  if (slash != text.npos) {
    const auto number = text.substr(slash + 1);
    const auto [end, ec] = std::from_chars(number.data(), number.data() + number.size(), bits);
    if (ec != std::errc() || end != number.data() + number.size() || bits > most) return wrong();
  }
  bits += before;
  for (unsigned n = bits; n < 128; ++n)
    if ((address->bytes().at(n / 8) >> (7 - n % 8)) & 1U) return wrong();
  return Network(*address, bits);
}

bool Network::contains(const Address& a) const noexcept { return within(a.bytes(), address_.bytes(), bits_); }

bool is_public(const Address& a) noexcept {
  if (a.v4()) return !in_any(a, kNotPublic4);
  return within(a.bytes(), kGlobal6.address, kGlobal6.bits) && !in_any(a, kNotPublic6);
}

bool may_connect(const Address& a, std::span<const Network> allowed) noexcept {
  return is_public(a) || std::ranges::any_of(allowed, [&](const Network& n) { return n.contains(a); });
}

}  // namespace caip::outbound
