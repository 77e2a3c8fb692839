#include "base/id.h"

namespace caip {
namespace {
constexpr std::string_view kAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr std::size_t kDigits = 26;  // 130 bits; the two topmost are zero
}  // namespace

std::string id_text(std::string_view prefix, const IdBytes& bytes) {
  std::string digits(kDigits, '0');
  unsigned buffer = 0;
  unsigned bits = 0;
  std::size_t at = kDigits;
  for (std::size_t i = bytes.size(); i-- > 0;) {
    buffer |= static_cast<unsigned>(bytes[i]) << bits;
    for (bits += 8; bits >= 5; bits -= 5, buffer >>= 5) digits[--at] = kAlphabet[buffer & 31U];
  }
  digits[--at] = kAlphabet[buffer & 31U];
  return std::string(prefix) + digits;
}

std::optional<IdBytes> id_parse(std::string_view prefix, std::string_view text) {
  if (!text.starts_with(prefix) || text.size() != prefix.size() + kDigits) return std::nullopt;
  IdBytes bytes{};
  unsigned buffer = 0;
  unsigned bits = 0;
  std::size_t at = bytes.size();
  for (std::size_t i = text.size(); i-- > prefix.size();) {
    const auto digit = kAlphabet.find(text[i]);
    if (digit == std::string_view::npos) return std::nullopt;
    buffer |= static_cast<unsigned>(digit) << bits;
    bits += 5;
    if (bits >= 8 && at > 0) {
      bytes[--at] = static_cast<std::uint8_t>(buffer & 0xffU);
      buffer >>= 8;
      bits -= 8;
    }
  }
  if (at != 0 || buffer != 0) return std::nullopt;  // more than 128 bits: another text for the same id
  return bytes;
}

}  // namespace caip
