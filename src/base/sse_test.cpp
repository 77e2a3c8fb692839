#include <catch2/catch_test_macros.hpp>
#include <rapidcheck.h>

#include <vector>

#include "base/sse.h"

namespace caip {
namespace {

using Events = std::vector<std::pair<std::string, std::string>>;

Events all_of(std::string_view stream, std::vector<std::size_t> cuts = {}) {
  Events out;
  SseParser parser(1 << 20);
  std::size_t from = 0;
  cuts.push_back(stream.size());
  for (const std::size_t to : cuts) {
    REQUIRE(parser.feed(stream.substr(from, to - from), [&](const SseEvent& e) { out.emplace_back(e.name, e.data); return true; }));
    from = to;
  }
  return out;
}

constexpr std::string_view kStream =
    "\xef\xbb\xbf: hello\r\ndata: one\r\ndata:two\r\n\r\nevent: x\rdata: 3\r\rid: 7\n\nretry\ndata\n\ndata:  \xe2\x82\xac:\n\ndata: unfinished\n";

TEST_CASE("every line end, comment and multi-line event of the standard is understood") {
  CHECK(all_of(kStream) == Events{{"", "one\ntwo"}, {"x", "3"}, {"", ""}, {"", " \xe2\x82\xac:"}});
}

TEST_CASE("where a stream was cut makes no difference, at every byte") {
  const Events whole = all_of(kStream);
  std::vector<std::size_t> every;
  for (std::size_t i = 0; i <= kStream.size(); ++i) {
    CHECK(all_of(kStream, {i}) == whole);
    every.push_back(i);
  }
  CHECK(all_of(kStream, every) == whole);
}

TEST_CASE("an event over the limit is an error, and nothing comes after it") {
  SseParser parser(8);
  int events = 0;
  const auto count = [&](const SseEvent&) { return ++events > 0; };
  CHECK(parser.feed("data: 123456789\n\n", count).error().code == Code::too_large);
  CHECK(parser.feed("data: 1\n\n", count));
  CHECK(events == 0);
}

}  // namespace
}  // namespace caip
