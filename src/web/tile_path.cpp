#include "tile_path.h"

#include <algorithm>
#include <charconv>

namespace caip::web {
namespace {

constexpr std::uint64_t kMostIndex = 1'000'000'000'000'000;  // more than there are in a log of 2^53

std::unexpected<Error> no_tile() { return fail(Code::not_found, "no such tile"); }

bool digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// Decimal, without zeros in front.
Result<unsigned> plain_number(std::string_view text, unsigned most) {
  unsigned value = 0;
  if (!digits(text) || text.size() > 3 || (text.size() > 1 && text.front() == '0')) return no_tile();
  std::from_chars(text.data(), text.data() + text.size(), value);
  if (value > most) return no_tile();
  return value;
}

Result<std::uint64_t> index_of(std::string_view text) {
  std::uint64_t index = 0;
  for (bool first = true;; first = false) {
    const bool more = text.starts_with('x');
    if (more) text.remove_prefix(1);
    unsigned group = 0;
    if (text.size() < 3 || !digits(text.substr(0, 3))) return no_tile();
    std::from_chars(text.data(), text.data() + 3, group);
    if (first && more && group == 0) return no_tile();
    index = index * 1000 + group;
    if (index > kMostIndex) return no_tile();
    text.remove_prefix(3);
    if (!more && text.empty()) return index;
    if (!more || !text.starts_with('/')) return no_tile();
    text.remove_prefix(1);
  }
}

}  // namespace

Result<unsigned> parse_tile_level(std::string_view text) { return plain_number(text, 63); }

Result<TilePath> parse_tile_path(std::string_view text) {
  constexpr std::string_view kPart = ".p/";
  TilePath out;
  if (const auto part = text.find(kPart); part != text.npos) {
    CAIP_TRY(width, plain_number(text.substr(part + kPart.size()), 255));
    if (width == 0) return no_tile();
    out.width = width;
    text = text.substr(0, part);
  }
  CAIP_TRY(index, index_of(text));
  out.index = index;
  return out;
}

}  // namespace caip::web
