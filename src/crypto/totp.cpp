#include "crypto/totp.h"

#include <openssl/evp.h>

#include <array>

#include "base/result.h"

namespace caip::crypto {

std::int64_t totp_step(Instant t) { return t.micros() / 1'000'000 / kTotpStep; }

std::string totp_code(const SecretBytes& secret, std::int64_t step) {
  std::array<std::uint8_t, 8> counter{};
  for (std::size_t i = 0; i < counter.size(); ++i) counter[counter.size() - 1 - i] = static_cast<std::uint8_t>(static_cast<std::uint64_t>(step) >> (8 * i));
  std::array<std::uint8_t, 20> mac{};
  secret.expose(Use::compute_mac, [&](BytesView key) {
    std::size_t size = 0;
    CAIP_ASSERT(EVP_Q_mac(nullptr, "HMAC", nullptr, "SHA1", nullptr, key.data(), key.size(), counter.data(), counter.size(), mac.data(), mac.size(), &size) !=
                    nullptr && size == mac.size());
  });
  const std::size_t at = mac.back() & 0xfU;  // RFC 4226 section 5.3
  const std::uint32_t number = (mac.at(at) & 0x7fU) << 24U | std::uint32_t{mac.at(at + 1)} << 16U | std::uint32_t{mac.at(at + 2)} << 8U | mac.at(at + 3);
  std::string code = std::to_string(number % 1'000'000);
  return std::string(6 - code.size(), '0') + code;
}

std::string base32(BytesView bytes) {
  static constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  std::string out;
  std::uint32_t held = 0;
  unsigned bits = 0;
  for (const std::uint8_t b : bytes) {
    held = held << 8U | b;
    for (bits += 8; bits >= 5; bits -= 5) out += kDigits[held >> (bits - 5) & 31U];
  }
  if (bits > 0) out += kDigits[held << (5 - bits) & 31U];
  return out;
}

}  // namespace caip::crypto
