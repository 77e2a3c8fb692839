#include "base/sse.h"

#include <utility>

namespace caip {

Result<void> SseParser::feed(std::string_view piece, const std::function<bool(const SseEvent&)>& on_event) {
  for (const char c : piece) {
    if (stopped_) return {};
    const bool second_half_of_crlf = c == '\n' && after_cr_;
    after_cr_ = c == '\r';
    if (second_half_of_crlf) continue;
    if (c == '\n' || c == '\r') {
      stopped_ = !line_done(on_event);
      continue;
    }
    if (line_.size() + event_.data.size() >= max_bytes_) {
      stopped_ = true;
      return fail(Code::too_large, "an event of the stream is too large");
    }
    line_ += c;
  }
  return {};
}

bool SseParser::line_done(const std::function<bool(const SseEvent&)>& on_event) {
  std::string_view line = line_;
  if (std::exchange(first_line_, false) && line.starts_with("\xef\xbb\xbf")) line.remove_prefix(3);
  if (line.empty()) {
    line_.clear();
    const SseEvent event = std::exchange(event_, {});
    return !std::exchange(has_data_, false) || on_event(event);
  }
  const auto colon = line.find(':');
  const std::string_view field = line.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? std::string_view{} : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "data") {
    if (has_data_) event_.data += '\n';
    has_data_ = true;
    event_.data += value;
  } else if (field == "event") {
    event_.name = value;
  }
  line_.clear();
  return true;
}

}  // namespace caip
