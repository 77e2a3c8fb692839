// crypto/totp.h: one-time codes by time (RFC 6238): HMAC-SHA-1, six digits, steps of 30 seconds, which is
// what every authenticator app does. SHA-1 is only an HMAC's hash here.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/time.h"
#include "crypto/secret.h"

namespace caip::crypto {

inline constexpr std::int64_t kTotpStep = 30;  // seconds
std::int64_t totp_step(Instant);
std::string totp_code(const SecretBytes& secret, std::int64_t step);  // "042137"

std::string base32(BytesView);  // RFC 4648 section 6, without padding

}  // namespace caip::crypto
