// crypto/bcrypt.h: libxcrypt's bcrypt ($2b$). Takes text without NUL of at most 72 bytes and
// refuses anything else, so nothing is cut silently. Slow by design: call it from a bounded pool.
#pragma once
#include <string>
#include <string_view>

#include "base/result.h"

namespace caip::crypto {

Result<std::string> bcrypt_hash(std::string_view text, int cost);
// What looks like a hash of that cost and takes as long to compare with, but is of no text: its
// bits are random. Costs nothing to make.
Result<std::string> bcrypt_decoy(int cost);
bool bcrypt_matches(std::string_view text, const std::string& hash) noexcept;

}  // namespace caip::crypto
