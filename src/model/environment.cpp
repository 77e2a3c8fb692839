#include "model/environment.h"

namespace caip {

std::string_view text(Environment environment) noexcept {
  switch (environment) {
    case Environment::development: return "development";
    case Environment::staging: return "staging";
    case Environment::production: return "production";
    case Environment::unknown: break;
  }
  return "unknown";
}

Result<Environment> parse_environment(std::string_view name) {
  for (const Environment e : {Environment::unknown, Environment::development, Environment::staging, Environment::production})
    if (text(e) == name) return e;
  return fail(Code::invalid, "an environment is production, staging, development or unknown");
}

}  // namespace caip
