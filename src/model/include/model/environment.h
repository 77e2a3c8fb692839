// model/environment.h: what a server is for, as people say it.
#pragma once
#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace caip {

enum class Environment : std::uint8_t {
  unknown,  // nobody has said so yet
  development,
  staging,
  production,
};

// What nobody has said anything of is not taken for harmless.
constexpr bool counts_as_production(Environment e) noexcept { return e == Environment::production || e == Environment::unknown; }

std::string_view text(Environment) noexcept;  // "staging"
Result<Environment> parse_environment(std::string_view);

}  // namespace caip
