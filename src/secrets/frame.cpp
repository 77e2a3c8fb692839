#include "frame.h"

#include <algorithm>
#include <array>

namespace caip::secrets {

Writer& Writer::u8(std::uint8_t v) {
  append({&v, 1});
  return *this;
}
Writer& Writer::u32(std::uint32_t v) {
  number(v, 4);
  return *this;
}
Writer& Writer::u64(std::uint64_t v) {
  number(v, 8);
  return *this;
}
Writer& Writer::bytes(BytesView b) {
  number(b.size(), 4);
  append(b);
  return *this;
}
Writer& Writer::secret(const SecretBytes& s) {
  s.expose(Use::send_to_keeper, [&](BytesView b) { bytes(b); });
  return *this;
}

void Writer::number(std::uint64_t v, unsigned size) {
  std::array<std::uint8_t, 8> digits{};
  for (unsigned i = 0; i < size; ++i) digits.at(i) = static_cast<std::uint8_t>(v >> (8 * (size - 1 - i)));
  append(BytesView(digits).first(size));
}

void Writer::append(BytesView more) {
  const std::size_t size = bytes_.size();
  if (bytes_.capacity() - size < more.size()) {
    Bytes larger;
    larger.reserve((size + more.size()) * 2 + 64);
    larger.assign(bytes_.begin(), bytes_.end());
    wipe(bytes_);
    bytes_ = std::move(larger);
  }
  bytes_.resize(size + more.size());
  std::ranges::copy(more, bytes_.begin() + static_cast<std::ptrdiff_t>(size));
}

}  // namespace caip::secrets
