// Reading and writing the members of a frame: integers big-endian, byte strings with a length of
// four bytes. A Reader that met its end once stays failed; finish() wants every byte used.
#pragma once
#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/secret.h"

namespace caip::secrets {

class Writer {  // what it outgrows is wiped: a secret may be in it
 public:
  Writer& u8(std::uint8_t v);
  Writer& u32(std::uint32_t v);
  Writer& u64(std::uint64_t v);
  Writer& bytes(BytesView);
  Writer& text(std::string_view s) { return bytes(view(s)); }
  Writer& secret(const SecretBytes&);
  Bytes take() { return std::move(bytes_); }

 private:
  void number(std::uint64_t v, unsigned size);
  void append(BytesView);
  Bytes bytes_;
};

class Reader {
 public:
  explicit Reader(BytesView b) : rest_(b) {}
  std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(number(4)); }
  std::uint64_t u64() { return number(8); }
  BytesView bytes() {
    const std::size_t size = u32();
    if (failed_ || size > rest_.size()) {
      failed_ = true;
      return {};
    }
    const BytesView out = rest_.first(size);
    rest_ = rest_.subspan(size);
    return out;
  }
  std::string_view text() { return text_of(bytes()); }
  bool ok() const { return !failed_; }
  Result<void> finish() const {
    if (failed_ || !rest_.empty()) return fail(Code::malformed, "not what a frame of the keeper looks like");
    return {};
  }

 private:
  std::uint64_t number(std::size_t size) {
    if (failed_ || rest_.size() < size) {
      failed_ = true;
      return 0;
    }
    std::uint64_t v = 0;
    for (const auto b : rest_.first(size)) v = (v << 8) | b;
    rest_ = rest_.subspan(size);
    return v;
  }
  BytesView rest_;
  bool failed_ = false;
};

}  // namespace caip::secrets
