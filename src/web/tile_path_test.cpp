#include <catch2/catch_test_macros.hpp>

#include "tile_path.h"

namespace caip::web {
namespace {

TEST_CASE("a tile's path is the one that c2sp.org/tlog-tiles gives it") {
  const auto is = [](std::string_view text, std::uint64_t index, unsigned width) {
    const auto found = parse_tile_path(text);
    return found && found->index == index && found->width == width;
  };
  CHECK(is("000", 0, 256));
  CHECK(is("007", 7, 256));
  CHECK(is("999", 999, 256));
  CHECK(is("x001/000", 1000, 256));
  CHECK(is("x001/x234/067", 1'234'067, 256));
  CHECK(is("x001/x234/067.p/1", 1'234'067, 1));
  CHECK(is("000.p/255", 0, 255));
  CHECK(is("x035/x184/x372/x088/831", 35'184'372'088'831, 256));  // 2^45 - 1
  CHECK(parse_tile_level("0").value() == 0);
  CHECK(parse_tile_level("63").value() == 63);
}

TEST_CASE("a tile has no second path, and nothing else is one") {
  for (const char* text : {"", "0", "00", "0000", "x000/001", "x001", "x001/", "x001/x234", "001/234", "x1/234", "X001/234", "x001//234", "x001/234/", "/000", "000/", "-01", "+01", " 01", "0x1",
                           "000.p", "000.p/", "000.p/0", "000.p/256", "000.p/01", "000.p/-1", "000.p/1/", "000.p/1.p/1", "x001.p/1", ".p/1",
                           "x999/x999/x999/x999/x999/999", "x001/x001/x001/x001/x001/x001/x001/x001/x001/001"})
    CHECK(parse_tile_path(text).error().code == Code::not_found);
  for (const char* text : {"", "00", "01", "64", "-1", "x", "1 ", "100", "18446744073709551616", "entries"}) CHECK(parse_tile_level(text).error().code == Code::not_found);
}

}  // namespace
}  // namespace caip::web
