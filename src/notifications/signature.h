// Standard Webhooks (github.com/standard-webhooks): how a message is signed. Private.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "crypto/secret.h"

namespace caip::notifications {

std::optional<SecretBytes> signing_key(std::string_view whsec);

// The value of webhook-signature: one "v1,…" per secret, two while the secret is being rotated.
Result<std::string> webhook_signature(const std::vector<SecretBytes>& secrets, std::string_view id, std::int64_t timestamp, std::string_view body);

}  // namespace caip::notifications
