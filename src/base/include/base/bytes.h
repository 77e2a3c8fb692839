// base/bytes.h: byte strings and their text forms. Decoders are strict: canonical input only.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace caip {

using Bytes = std::vector<std::uint8_t>;
using BytesView = std::span<const std::uint8_t>;
using Digest = std::array<std::uint8_t, 32>;  // SHA-256

inline BytesView view(std::string_view s) { return {reinterpret_cast<const std::uint8_t*>(s.data()), s.size()}; }
inline std::string_view text_of(BytesView b) { return {reinterpret_cast<const char*>(b.data()), b.size()}; }

std::string hex(BytesView);  // lower case
std::optional<Bytes> from_hex(std::string_view);
std::string base64(BytesView);  // RFC 4648 section 4, padded
std::optional<Bytes> from_base64(std::string_view);
std::string base64url(BytesView);  // RFC 4648 section 5, without padding
std::optional<Bytes> from_base64url(std::string_view);

}  // namespace caip
