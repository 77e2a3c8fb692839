// crypto/random.h: bytes from the system's generator (RAND_bytes). Never fails: aborts instead.
#pragma once
#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "base/id.h"

namespace caip::crypto {

void random_bytes(std::span<std::uint8_t>);
Bytes random_bytes(std::size_t count);

template <class I>
I random_id() {
  IdBytes bytes;
  random_bytes(std::span<std::uint8_t>(bytes));
  return I{bytes};
}

// Constant time in the content; lengths are not secret.
bool equal_ct(BytesView, BytesView) noexcept;

}  // namespace caip::crypto
