#include "channel/frame.h"

#include <cstdint>
#include <span>

#include "crypto/secret.h"

namespace caip::channel {

Result<std::string> frame(std::string_view body) {
  if (body.empty() || body.size() > kMaxFrame) return fail(Code::too_large, "a frame holds 1 byte to 1 MiB");
  auto size = static_cast<std::uint32_t>(body.size());
  std::string out;
  out.reserve(kFrameHead + body.size());
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>((size >> shift) & 0xff));
  out.append(body);
  return out;
}

Result<std::size_t> frame_length(std::string_view head) {
  if (head.size() < kFrameHead) return fail(Code::malformed, "a frame's head is 4 bytes");
  std::size_t size = 0;
  for (std::size_t i = 0; i < kFrameHead; ++i) size = (size << 8) | static_cast<unsigned char>(head[i]);
  if (size == 0) return fail(Code::malformed, "an empty frame");
  if (size > kMaxFrame) return fail(Code::too_large, "a frame over 1 MiB");
  return size;
}

Result<std::optional<std::string>> FrameReader::next() {
  std::string_view rest = std::string_view(buffer_).substr(at_);
  if (rest.size() < kFrameHead) return std::optional<std::string>{};
  CAIP_TRY(size, frame_length(rest));
  if (rest.size() < kFrameHead + size) return std::optional<std::string>{};
  std::optional<std::string> body(rest.substr(kFrameHead, size));
  wipe(std::span<char>(buffer_).subspan(at_ + kFrameHead, size));  // env values may be in it
  at_ += kFrameHead + size;
  if (at_ == buffer_.size() || at_ > 64 * 1024) {
    buffer_.erase(0, at_);
    at_ = 0;
  }
  return body;
}

}  // namespace caip::channel
