// tile_path.h: the paths of c2sp.org/tlog-tiles: a level, and behind it an index in groups of three digits, "x001/x234/067", with
// ".p/17" where the tile has 17 hashes only. Each tile has one path; what is written otherwise is not_found. Private.
#pragma once
#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace caip::web {

struct TilePath {
  std::uint64_t index = 0;
  unsigned width = 256;  // 1 to 256
};
Result<TilePath> parse_tile_path(std::string_view);
Result<unsigned> parse_tile_level(std::string_view);  // 0 to 63

}  // namespace caip::web
