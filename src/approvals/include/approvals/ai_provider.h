// approvals/ai_provider.h: who answers as an organisation's AI, as its Owner chose. The key is a secret that others hold.
#pragma once
#include <optional>
#include <string>

#include "base/time.h"
#include "model/ai.h"
#include "model/ids.h"

namespace caip::approvals {

struct AiProvider {
  AiVendor vendor = AiVendor::openai_compatible;
  std::string base_url;  // whoever takes it has looked at it
  std::string model;     // a name of the provider's, 1 to 256 bytes of visible text
  std::optional<SecretId> secret = {};  // its key, of kind ai_provider; none: it takes none
  std::int64_t max_tokens = 2048;       // of one turn of the answer
  std::optional<UserId> changed_by = {};
  std::optional<Instant> changed_at = {};
};
inline constexpr std::int64_t kMostTokensOfATurn = 100'000;

}  // namespace caip::approvals
