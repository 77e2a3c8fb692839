// notifications/schedule.h: when what was not taken is sent again.
#pragma once
#include <chrono>
#include <vector>

namespace caip::notifications {

struct Schedule {
  // Before the second try, the third, …; each varied by a fifth either way, so that receivers that
  // were away are not met by all at once.
  std::vector<std::chrono::seconds> waits{std::chrono::seconds(5),    std::chrono::seconds(30),    std::chrono::minutes(2), std::chrono::minutes(10),
                                          std::chrono::minutes(30),   std::chrono::hours(2),       std::chrono::hours(5),   std::chrono::hours(10),
                                          std::chrono::hours(24)};
};

}  // namespace caip::notifications
