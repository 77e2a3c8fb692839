// lines.h: JSON objects one a line, fed in pieces of any size. A line over `max_bytes` is an error, and final.
#pragma once
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace caip::pilot {

class LineParser {
 public:
  explicit LineParser(std::size_t max_bytes) : max_bytes_(max_bytes) {}
  // false from `on_line` stops: the rest of the piece is dropped.
  Result<void> feed(std::string_view piece, const std::function<bool(std::string_view)>& on_line) {
    while (!piece.empty() && !stopped_) {
      const auto end = piece.find('\n');
      if (line_.size() + std::min(end, piece.size()) > max_bytes_) {
        stopped_ = true;
        return fail(Code::too_large, "a line of the stream is too large");
      }
      line_ += piece.substr(0, end);
      if (end == std::string_view::npos) return {};
      piece.remove_prefix(end + 1);
      const std::string line = std::exchange(line_, {});
      if (line.find_first_not_of(" \t\r") != std::string::npos) stopped_ = !on_line(line);
    }
    return {};
  }

 private:
  std::size_t max_bytes_;
  std::string line_;
  bool stopped_ = false;
};

}  // namespace caip::pilot
