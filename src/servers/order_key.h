// Which key signs orders while the log names none. Private.
#pragma once
#include "secrets/keeper.h"

namespace caip::servers {

// The first one. One that is made and not yet named in the log is newer.
inline Bytes first_order_key(secrets::Keeper& keeper, Instant now) { return keeper.verify_keys(secrets::SigningUse::order, now).back(); }

}  // namespace caip::servers
