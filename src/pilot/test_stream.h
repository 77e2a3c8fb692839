// test_stream.h: a recorded stream, read by one of the dialects.
#pragma once
#include <catch2/catch_test_macros.hpp>

#include "base/sse.h"
#include "dialect.h"
#include "lines.h"

namespace caip::pilot {

inline Result<Turn> read_stream(const Dialect& dialect, std::string_view stream, std::vector<std::size_t> cuts = {}, std::string* shown_text = nullptr) {
  const auto reader = dialect.reader([=](const Foreign& t) { if (shown_text != nullptr) *shown_text += t.raw(); });
  SseParser events(kMaxReply);
  LineParser lines(kMaxReply);
  cuts.push_back(stream.size());
  std::size_t from = 0;
  const auto take = [&](std::string_view data) { return reader->on_data(data); };
  for (const std::size_t to : cuts) {
    const auto piece = stream.substr(from, to - from);
    CAIP_CHECKED(dialect.framing == Framing::lines ? lines.feed(piece, take) : events.feed(piece, [&](const SseEvent& e) { return take(e.data); }));
    from = to;
  }
  return reader->finish();
}

// However it is cut, the same comes of it; and before its last event, nothing.
inline Turn same_however_cut(const Dialect& dialect, const std::string& stream, std::string_view last_event) {
  std::string text;
  const Turn whole = read_stream(dialect, stream, {}, &text).value();
  CHECK(text == whole.text.raw());
  std::vector<std::size_t> every;
  const std::string encoded = encode_event({.delta = {}, .done = whole, .error = {}});
  const auto same = [&](const Result<Turn>& r) { return r && encode_event({.delta = {}, .done = *r, .error = {}}) == encoded; };
  for (std::size_t i = 0; i <= stream.size(); ++i) {
    if (!same(read_stream(dialect, stream, {i}))) FAIL("cut at " << i);
    every.push_back(i);
  }
  CHECK(same(read_stream(dialect, stream, every)));
  std::string crlf;
  for (const char c : stream) crlf += c == '\n' ? std::string("\r\n") : std::string(1, c);
  CHECK(same(read_stream(dialect, crlf)));
  const auto end = stream.rfind(last_event);
  REQUIRE(end != std::string::npos);
  for (std::size_t i = 0; i <= end; ++i)
    if (read_stream(dialect, std::string_view(stream).substr(0, i))) FAIL("an answer after " << i << " bytes");
  return whole;
}

inline json::object body_of(const Dialect& dialect, std::vector<Message> talk, Offer offer = Offer::all) {
  return parse_object(dialect.body({.provider = {.base_url = "https://api.example", .model = "m-1", .api_key_file = {}}, .messages = std::move(talk), .offer = offer})).value();
}

// A question, two calls with one result missing, and what was asked then.
inline std::vector<Message> talk_with_calls(std::string state = {}) {
  return {{Speaker::user, "why is web-1 slow?", {}, {}},
          {Speaker::pilot, "I'll look.", {{"call_0_0", "service_status", R"({"server":"web-1","unit":"nginx"})"}, {"call_0_1", "multi_tool_use.parallel", "[1"}}, {}, std::move(state)},
          {Speaker::tool, R"({"status":"active"})", {}, "call_0_0"},
          {Speaker::tool, R"({"status":"of nobody"})", {}, "call_9_9"},
          {Speaker::user, "and now?", {}, {}}};
}

}  // namespace caip::pilot
