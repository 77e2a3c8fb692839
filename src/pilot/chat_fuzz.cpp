// A provider's stream: any bytes, cut in two at a place that the first byte gives.
#include <cstdint>

#include "base/bytes.h"
#include "base/sse.h"
#include "chat.h"
#include "wire.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace caip;
  if (size == 0) return 0;
  const std::string_view stream = text_of({data + 1, size - 1});
  const std::size_t at = stream.empty() ? 0 : data[0] % stream.size();
  const auto read = [&](std::size_t first) {
    pilot::StreamReader reader({});
    SseParser parser(pilot::kMaxReply);
    const auto on_event = [&](const SseEvent& e) { return reader.on_data(e.data); };
    for (const auto piece : {stream.substr(0, first), stream.substr(first)})
      if (!parser.feed(piece, on_event)) return std::string("too large");
    const auto turn = reader.finish();
    return turn ? pilot::encode_event({.delta = {}, .done = *turn, .error = {}}) : turn.error().detail;
  };
  CAIP_ASSERT(read(at) == read(0));
  return 0;
}
