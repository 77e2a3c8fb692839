// crypto/hash.h: SHA-256.
#pragma once
#include <initializer_list>

#include "base/bytes.h"

namespace caip::crypto {

Digest sha256(BytesView);
Digest sha256(std::initializer_list<BytesView> parts);  // of their concatenation

}  // namespace caip::crypto
