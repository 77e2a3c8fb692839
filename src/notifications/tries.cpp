#include "tries.h"

#include <algorithm>

#include "crypto/random.h"

namespace caip::notifications {

Instant after_wait(const Schedule& schedule, std::int64_t tries, Instant now) {
  const auto& waits = schedule.waits;
  if (waits.empty()) return now;
  const auto at = std::min<std::size_t>(static_cast<std::size_t>(std::max<std::int64_t>(tries - 1, 0)), waits.size() - 1);
  const Duration wait = waits.at(at);
  const std::int64_t fifth = wait.count() / 5;
  const auto random = crypto::random_bytes(4);
  const std::uint32_t n = random[0] | (random[1] << 8U) | (random[2] << 16U) | (static_cast<std::uint32_t>(random[3]) << 24U);
  return now + wait + Duration(fifth == 0 ? 0 : static_cast<std::int64_t>(n) % (2 * fifth) - fifth);
}

DeliveryState state_after(Verdict v, bool last) {
  switch (v) {
    case Verdict::delivered: return DeliveryState::delivered;
    case Verdict::never:
    case Verdict::gone: return DeliveryState::dead;
    case Verdict::wait:
    case Verdict::again: break;
  }
  return last ? DeliveryState::dead : DeliveryState::queued;
}

}  // namespace caip::notifications
