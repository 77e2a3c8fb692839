// vault/log_keys.h: the log, signed with those of the keeper's keys that it names.
#pragma once
#include <memory>

#include "audit/ledger.h"
#include "secrets/keeper.h"

namespace caip::vault {

// The keeper may have more than those: one before, which signs as well until it is destroyed, and a
// next one that no entry names yet. Refused when it lacks one that the log names. The keeper outlives
// what is returned.
Result<std::unique_ptr<audit::Ledger>> open_log(storage::Database&, secrets::Keeper&, const Clock&);

audit::LogKey log_key(secrets::Keeper&, secrets::SigningUse, const Bytes& public_key);

}  // namespace caip::vault
