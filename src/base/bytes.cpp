#include "base/bytes.h"

namespace caip {
namespace {
constexpr std::string_view kHex = "0123456789abcdef";
constexpr std::string_view kStandard = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kUrl = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string encode64(BytesView in, std::string_view alphabet) {
  std::string out;
  out.reserve((in.size() * 4 + 2) / 3);
  unsigned buffer = 0;
  unsigned bits = 0;
  for (std::uint8_t b : in) {
    buffer = (buffer << 8) | b;
    for (bits += 8; bits >= 6; bits -= 6) out += alphabet[(buffer >> (bits - 6)) & 63U];
    buffer &= (1U << bits) - 1U;
  }
  if (bits > 0) out += alphabet[(buffer << (6 - bits)) & 63U];
  return out;
}

// Refuses stray characters and nonzero trailing bits, so that each byte string has one text.
std::optional<Bytes> decode64(std::string_view in, std::string_view alphabet) {
  if (in.size() % 4 == 1) return std::nullopt;
  Bytes out;
  out.reserve(in.size() * 3 / 4);
  unsigned buffer = 0;
  unsigned bits = 0;
  for (char c : in) {
    const auto digit = alphabet.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    buffer = (buffer << 6) | static_cast<unsigned>(digit);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out.push_back(static_cast<std::uint8_t>(buffer >> bits));
      buffer &= (1U << bits) - 1U;
    }
  }
  if (buffer != 0) return std::nullopt;
  return out;
}
}  // namespace

std::string hex(BytesView in) {
  std::string out;
  out.reserve(in.size() * 2);
  for (std::uint8_t b : in) {
    out += kHex[b >> 4U];
    out += kHex[b & 15U];
  }
  return out;
}

std::optional<Bytes> from_hex(std::string_view in) {
  if (in.size() % 2 != 0) return std::nullopt;
  Bytes out;
  for (std::size_t i = 0; i < in.size(); i += 2) {
    const auto high = kHex.find(in[i]);
    const auto low = kHex.find(in[i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    out.push_back(static_cast<std::uint8_t>((high << 4U) | low));
  }
  return out;
}

std::string base64(BytesView in) {
  std::string out = encode64(in, kStandard);
  out.append((4 - out.size() % 4) % 4, '=');
  return out;
}

std::optional<Bytes> from_base64(std::string_view in) {
  if (in.size() % 4 != 0) return std::nullopt;
  if (in.ends_with("==")) in.remove_suffix(2);
  else if (in.ends_with('=')) in.remove_suffix(1);
  return decode64(in, kStandard);
}

std::string base64url(BytesView in) { return encode64(in, kUrl); }
std::optional<Bytes> from_base64url(std::string_view in) { return decode64(in, kUrl); }

}  // namespace caip
