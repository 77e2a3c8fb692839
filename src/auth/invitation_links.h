// The link of an invitation that only its letter has. Private.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "storage/tx.h"

namespace caip::auth {

// Its path and fragment; nothing when the invitation is not open any more.
Result<std::optional<std::string>> mailed_invitation(storage::WriteTx&, std::string_view invitation, Instant now);

}  // namespace caip::auth
