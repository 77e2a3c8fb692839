// What somebody who goes still holds elsewhere: the platform takes back what it gave, not what they
// know or put somewhere by hand. Private.
#pragma once
#include "web/api.h"

namespace caip::web {

// Secrets whose value they typed in, install commands of theirs that still work, and what only a
// person can look after. From the log; the newest 1000 of each kind.
Result<json::object> still_held(const Rooms&, const Session& asking, const UserId&);

}  // namespace caip::web
