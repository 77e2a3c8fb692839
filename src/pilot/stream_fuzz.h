// A provider's stream: any bytes, cut in two at a place that the first byte gives. What comes of it is the same, and keeps the limits.
#pragma once
#include <cstdint>

#include "base/bytes.h"
#include "base/sse.h"
#include "dialect.h"
#include "lines.h"

namespace caip::pilot {

inline int fuzz_stream(const Dialect& dialect, const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view stream = text_of({data + 1, size - 1});
  const std::size_t at = stream.empty() ? 0 : data[0] % stream.size();
  const auto read = [&](std::size_t first) {
    const auto reader = dialect.reader({});
    SseParser events(kMaxReply);
    LineParser lines(kMaxReply);
    for (const auto piece : {stream.substr(0, first), stream.substr(first)}) {
      const auto take = [&](std::string_view one) { return reader->on_data(one); };
      const auto fed = dialect.framing == Framing::lines ? lines.feed(piece, take) : events.feed(piece, [&](const SseEvent& e) { return take(e.data); });
      if (!fed) return std::string("too large");
    }
    const auto turn = reader->finish();
    if (!turn) return turn.error().detail;
    CAIP_ASSERT(turn->calls.size() <= kMaxCallCount && turn->state.size() <= kMaxState);
    // What it wants back is taken into the next request, whatever it is.
    const std::vector<Message> talk{{Speaker::user, "x", {}, {}}, {Speaker::pilot, turn->text.raw(), turn->calls, {}, turn->state}};
    CAIP_ASSERT(parse_json(dialect.body({.provider = {.base_url = "u", .model = "m", .api_key_file = {}}, .messages = talk})));
    return encode_event({.delta = {}, .done = *turn, .error = {}});
  };
  CAIP_ASSERT(read(at) == read(0));
  static_cast<void>(dialect.refusal(400 + data[0], stream));
  if (const auto answer = parse_object(stream)) static_cast<void>(dialect.models(*answer));
  return 0;
}

}  // namespace caip::pilot
