// base/sse.h: a parser of server-sent events (WHATWG HTML 9.2) that is fed pieces of any size:
// LF, CR and CRLF, a byte order mark, comments, several data lines. What comes out does not
// depend on where the pieces were cut. An event over `max_bytes` is an error, and final.
#pragma once
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace caip {

struct SseEvent {
  std::string name;  // "" when the stream gave none
  std::string data;
};

class SseParser {
 public:
  explicit SseParser(std::size_t max_bytes) : max_bytes_(max_bytes) {}
  // false from `on_event` stops: the rest of the piece is dropped.
  Result<void> feed(std::string_view piece, const std::function<bool(const SseEvent&)>& on_event);

 private:
  bool line_done(const std::function<bool(const SseEvent&)>& on_event);

  std::size_t max_bytes_;
  std::string line_;
  SseEvent event_;
  bool has_data_ = false;
  bool after_cr_ = false;
  bool first_line_ = true;
  bool stopped_ = false;
};

}  // namespace caip
