// What a try leads to, of notifications and of letters alike. Private.
#pragma once
#include "answers.h"
#include "notifications/schedule.h"

namespace caip::notifications {

inline constexpr std::int64_t kMostTries = 10;

// When the try after the one of that number is due, a fifth sooner or later.
Instant after_wait(const Schedule&, std::int64_t tries, Instant now);
DeliveryState state_after(Verdict, bool last);

}  // namespace caip::notifications
