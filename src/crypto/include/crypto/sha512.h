// crypto/sha512.h: SHA-512, where a standard asks for it.
#pragma once
#include <array>

#include "base/bytes.h"

namespace caip::crypto {

std::array<std::uint8_t, 64> sha512(BytesView);

}  // namespace caip::crypto
