// base/token_bucket.h: so many at once, so many a second. Not thread-safe.
#pragma once
#include <algorithm>
#include <chrono>

#include "base/time.h"

namespace caip {

struct Pace {
  double burst, per_second;
};

class TokenBucket {
 public:
  TokenBucket(Pace pace, Instant now) : pace_(pace), tokens_(pace.burst), at_(now) {}

  bool take(Instant now) {
    refill(now);
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }
  void give_back() { tokens_ = std::min(pace_.burst, tokens_ + 1); }
  bool full(Instant now) { return refill(now), tokens_ >= pace_.burst; }

 private:
  // A clock that goes back gives nothing.
  void refill(Instant now) {
    const double elapsed = std::max(0.0, std::chrono::duration<double>(now - at_).count());
    tokens_ = std::min(pace_.burst, tokens_ + elapsed * pace_.per_second);
    at_ = now;
  }
  Pace pace_;
  double tokens_;
  Instant at_;
};

}  // namespace caip
