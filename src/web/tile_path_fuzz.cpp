// Whatever is taken for a tile's path is the only way to write it.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "tile_path.h"

namespace {

std::string written(const caip::web::TilePath& p) {
  std::string out;
  std::uint64_t rest = p.index;
  for (bool last = true; last || rest > 0; last = false) {
    const std::string group = std::to_string(1000 + rest % 1000).substr(1);
    out = last ? group : "x" + group + "/" + out;
    rest /= 1000;
  }
  return p.width == 256 ? out : out + ".p/" + std::to_string(p.width);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto p = caip::web::parse_tile_path(text); p && written(*p) != text) std::abort();
  if (const auto level = caip::web::parse_tile_level(text); level && std::to_string(*level) != text) std::abort();
  return 0;
}
