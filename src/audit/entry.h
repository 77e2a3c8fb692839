// audit/entry.h (private): the bytes of a log entry.
#pragma once
#include <optional>
#include <string>

#include "audit/ledger.h"

namespace caip::audit {

// Its length is a 16-bit number in a tlog-tiles bundle.
inline constexpr std::size_t kMostBytes = 65535;

std::string entry_body(Instant at, const AnyAction&, const Principal&, const std::optional<UserId>& approver,
                       const Outcome&);

}  // namespace caip::audit
