// vault/check_sealing.h: whether values are sealed at all, asked at each start.
#pragma once
#include "base/result.h"

namespace caip::storage { class Database; }
namespace caip::secrets { class Keeper; }

namespace caip::vault {

// The newest 1,000 stored values bear the form of sealed ones; and what the keeper seals now shows nothing of what it was,
// comes back as it was, and does not come back when a byte of it is changed. Code::storage_failed otherwise: then caipd
// does not start. Without an organisation that has a key there is nothing to ask about.
Result<void> check_sealing(storage::Database&, secrets::Keeper&);

}  // namespace caip::vault
