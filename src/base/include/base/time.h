// base/time.h: points in time and the clock they come from. Instant is UTC, microseconds since
// 1970-01-01; its text is RFC 3339 with exactly six decimals and 'Z'. Real time is read in
// main/ alone; everything else gets a Clock.
#pragma once
#include <atomic>
#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace caip {

using Duration = std::chrono::microseconds;

class Instant {
 public:
  constexpr Instant() = default;
  constexpr explicit Instant(std::int64_t micros) : micros_(micros) {}
  constexpr std::int64_t micros() const { return micros_; }
  std::string str() const;                             // 2026-11-24T08:00:00.000000Z
  static Result<Instant> parse(std::string_view text);  // the same form only
  friend constexpr Instant operator+(Instant t, Duration d) { return Instant{t.micros_ + d.count()}; }
  friend constexpr Duration operator-(Instant a, Instant b) { return Duration{a.micros_ - b.micros_}; }
  auto operator<=>(const Instant&) const = default;

 private:
  std::int64_t micros_ = 0;
};

class Clock {  // thread-safe
 public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;
};

class ManualClock final : public Clock {  // for tests
 public:
  explicit ManualClock(Instant start) : now_(start.micros()) {}
  Instant now() const override { return Instant{now_.load()}; }
  void advance(Duration d) { now_ += d.count(); }

 private:
  std::atomic<std::int64_t> now_;
};

class SystemClock final : public Clock {  // made in main/ only
 public:
  Instant now() const override;
};

}  // namespace caip
