// secrets/patience.h: how long caip-keeper may stand still before it is ended and started again. At its start it may have a
// passphrase to stretch.
#pragma once
#include "secrets/keeper.h"

namespace caip::secrets {

struct KeeperPatience {
  Duration start = std::chrono::seconds(60);
  Duration answer = std::chrono::seconds(15);
};
// start_keeper() with another patience than this. timeout: it was never ready. A request that meets silence twice ends as
// `unavailable`, and so do those in line behind it.
Result<std::unique_ptr<Keeper>> start_keeper(const std::string& program, const std::string& folder, const SealFiles&, const KeeperPatience&);

}  // namespace caip::secrets
