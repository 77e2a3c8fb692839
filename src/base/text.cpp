#include "base/text.h"

#include <array>
#include <cstdint>
#include <cstdio>

namespace caip {
namespace {

struct CodePoint {
  char32_t value = 0;
  std::size_t length = 0;  // 0: not valid UTF-8 here
};

// RFC 3629: shortest form only, no surrogates, at most U+10FFFF.
CodePoint decode(std::string_view s) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(s[i]); };
  const std::uint8_t b0 = byte(0);
  if (b0 < 0x80) return {b0, 1};
  const std::size_t n = b0 >= 0xf0 && b0 < 0xf5 ? 4 : b0 >= 0xe0 && b0 < 0xf0 ? 3 : b0 >= 0xc2 && b0 < 0xe0 ? 2 : 0;
  if (n == 0 || s.size() < n) return {};
  char32_t v = b0 & (0x7fU >> n);
  for (std::size_t i = 1; i < n; ++i) {
    if ((byte(i) & 0xc0U) != 0x80U) return {};
    v = (v << 6) | (byte(i) & 0x3fU);
  }
  const bool shortest = n == 2 || (n == 3 && v >= 0x800) || (n == 4 && v >= 0x10000);
  if (!shortest || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff)) return {};
  return {v, n};
}

struct Range { char32_t first, last; };
// What a reader does not see, or sees in another place: controls, soft hyphen, joiners, zero
// width, line separators, bidi, fillers, variation selectors, tags, private use.
constexpr std::array kHidden{
    Range{0x0000, 0x001f}, Range{0x007f, 0x009f}, Range{0x00ad, 0x00ad}, Range{0x034f, 0x034f}, Range{0x061c, 0x061c},
    Range{0x115f, 0x1160}, Range{0x17b4, 0x17b5}, Range{0x180b, 0x180f}, Range{0x200b, 0x200f}, Range{0x2028, 0x202e},
    Range{0x2060, 0x206f}, Range{0x3164, 0x3164}, Range{0xfe00, 0xfe0f}, Range{0xfeff, 0xfeff}, Range{0xffa0, 0xffa0},
    Range{0xfff0, 0xfffb}, Range{0xe000, 0xf8ff}, Range{0x1bca0, 0x1bca3}, Range{0x1d173, 0x1d17a}, Range{0xe0000, 0xe0fff},
    Range{0xf0000, 0x10ffff}};

bool hidden(char32_t c) {
  for (const Range& r : kHidden)
    if (c >= r.first && c <= r.last) return true;
  return false;
}

}  // namespace

bool valid_utf8(std::string_view s) noexcept {
  while (!s.empty()) {
    const CodePoint c = decode(s);
    if (c.length == 0) return false;
    s.remove_prefix(c.length);
  }
  return true;
}

bool has_hidden(std::string_view s) noexcept {
  while (!s.empty()) {
    const CodePoint c = decode(s);
    if (c.length == 0 || hidden(c.value)) return true;
    s.remove_prefix(c.length);
  }
  return false;
}

std::string shown(std::string_view s) {
  std::string out;
  while (!s.empty()) {
    const CodePoint c = decode(s);
    if (c.length != 0 && !hidden(c.value)) {
      out += s.substr(0, c.length);
    } else {
      std::array<char, 16> text{};
      if (c.length != 0) std::snprintf(text.data(), text.size(), "<U+%04X>", static_cast<unsigned>(c.value));
      else std::snprintf(text.data(), text.size(), "<0x%02X>", static_cast<unsigned>(static_cast<std::uint8_t>(s[0])));
      out += text.data();
    }
    s.remove_prefix(c.length == 0 ? 1 : c.length);
  }
  return out;
}

std::string cut(std::string_view s, std::size_t max_bytes) {
  if (s.size() <= max_bytes) return std::string(s);
  std::size_t end = max_bytes;
  while (end > 0 && (static_cast<std::uint8_t>(s[end]) & 0xc0U) == 0x80U) --end;
  return std::string(s.substr(0, end)) + "…(cut)";
}

Foreign::Foreign(std::string_view bytes, std::size_t max_bytes) {
  std::string repaired;
  for (std::string_view rest = bytes; !rest.empty();) {
    const CodePoint c = decode(rest);
    repaired += c.length == 0 ? std::string_view("\xef\xbf\xbd") : rest.substr(0, c.length);
    rest.remove_prefix(c.length == 0 ? 1 : c.length);
    if (repaired.size() > max_bytes) break;
  }
  text_ = cut(repaired, max_bytes);
}

}  // namespace caip
