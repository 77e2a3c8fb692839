// model/factor.h: what people prove themselves with besides a password.
#pragma once
#include <cstdint>
#include <string_view>

namespace caip {

enum class FactorKind : std::uint8_t { totp, recovery_code, passkey };
std::string_view text(FactorKind) noexcept;  // "totp"

}  // namespace caip
