#include "rate.h"

#include <algorithm>

#include "base/network.h"

namespace caip::web {

bool Rate::refill_and_test(Bucket& b, double burst, double per_second, Instant now) {
  const double elapsed = std::max(0.0, std::chrono::duration<double>(now - b.at).count());
  b.tokens = std::min(burst, b.tokens + elapsed * per_second);
  b.at = now;
  return b.tokens >= 1;
}

Result<void> Rate::take(const std::string& address) {
  const Instant now = clock_.now();
  return table_.with([&](Table& t) -> Result<void> {
    if (std::exchange(t.fresh, false)) t.all = {limits_.all_burst, now};
    // Full: whoever has been quiet long enough to be full again loses nothing by being forgotten.
    if (t.by_network.size() >= kMaxBuckets)
      std::erase_if(t.by_network, [&](auto& e) { return refill_and_test(e.second, limits_.burst, limits_.per_second, now) && e.second.tokens >= limits_.burst; });
    if (t.by_network.size() >= kMaxBuckets) return fail(Code::too_many, "too many requests; try again in a minute");
    Bucket& mine = t.by_network.try_emplace(network_of(address), Bucket{limits_.burst, now}).first->second;
    const bool one = refill_and_test(mine, limits_.burst, limits_.per_second, now);
    const bool all = refill_and_test(t.all, limits_.all_burst, limits_.all_per_second, now);
    if (!one || !all) return fail(Code::too_many, "too many requests; try again in a minute");
    mine.tokens -= 1;
    t.all.tokens -= 1;
    return {};
  });
}

void Rate::give_back(const std::string& address) {
  table_.with([&](Table& t) {
    if (const auto it = t.by_network.find(network_of(address)); it != t.by_network.end()) it->second.tokens += 1;
    t.all.tokens += 1;
  });
}

}  // namespace caip::web
