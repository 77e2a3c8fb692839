// model/ai.h: what an organisation's AI may do on one server.
#pragma once
#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace caip {

enum class AiAccess : std::uint8_t {
  none,  // to it, there is no such server
  read,  // it looks
  full,  // it looks, and proposes what a person then allows
};

std::string_view text(AiAccess) noexcept;  // "read"
Result<AiAccess> parse_ai_access(std::string_view);

}  // namespace caip
