// channel/frame.h: frames of the agent protocol: 4 bytes length, big-endian, then that many
// bytes, at least 1 and at most kMaxFrame.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace caip::channel {

inline constexpr std::size_t kMaxFrame = 1024 * 1024;
inline constexpr std::size_t kFrameHead = 4;
inline constexpr std::string_view kAgentProtocol = "caip-agent/1";

// Refused when it does not fit a frame.
Result<std::string> frame(std::string_view body);
// The length in the four bytes; refused when 0 or over kMaxFrame.
Result<std::size_t> frame_length(std::string_view head);

// Bytes in, frames out. After an error it stays broken: the connection has to be closed.
class FrameReader {
 public:
  void feed(std::string_view bytes) { buffer_.append(bytes); }
  Result<std::optional<std::string>> next();  // nullopt: not complete yet

 private:
  std::string buffer_;
  std::size_t at_ = 0;
};

}  // namespace caip::channel
