#include "rate.h"

#include "base/network.h"

namespace caip::web {

Result<void> Rate::take(const std::string& address) {
  const Instant now = clock_.now();
  const bool ok = by_network_.with([&](auto& all) {
    // Whoever has been quiet long enough to be full again loses nothing by being forgotten.
    if (all.size() >= most_) std::erase_if(all, [&](auto& e) { return e.second.full(now); });
    const std::string network = network_of(address);
    if (all.size() >= most_ && !all.contains(network)) return true;
    return all.try_emplace(network, pace_, now).first->second.take(now);
  });
  if (!ok) return fail(Code::too_many, "too many requests; try again in a minute");
  return {};
}

void Rate::give_back(const std::string& address) {
  by_network_.with([&](auto& all) {
    if (const auto it = all.find(network_of(address)); it != all.end()) it->second.give_back();
  });
}

}  // namespace caip::web
