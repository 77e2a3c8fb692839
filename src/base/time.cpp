#include "base/time.h"

#include <array>
#include <cstdio>

namespace caip {
namespace {
constexpr std::size_t kLength = 27;  // 2026-11-24T08:00:00.000000Z
constexpr std::string_view kShape = "dddd-dd-ddTdd:dd:dd.ddddddZ";

bool has_shape(std::string_view t) {
  if (t.size() != kLength) return false;
  for (std::size_t i = 0; i < kLength; ++i)
    if (kShape[i] == 'd' ? (t[i] < '0' || t[i] > '9') : t[i] != kShape[i]) return false;
  return true;
}

int number(std::string_view t, std::size_t at, std::size_t digits) {
  int n = 0;
  for (char c : t.substr(at, digits)) n = n * 10 + (c - '0');
  return n;
}
}  // namespace

std::string Instant::str() const {
  using namespace std::chrono;
  const sys_time<microseconds> t{microseconds(micros_)};
  const auto day = floor<days>(t);
  const year_month_day date{day};
  const hh_mm_ss clock{t - day};
  std::array<char, 64> out{};
  std::snprintf(out.data(), out.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()),
                static_cast<int>(clock.subseconds().count()));
  return out.data();
}

Result<Instant> Instant::parse(std::string_view text) {
  using namespace std::chrono;
  if (!has_shape(text)) return fail(Code::malformed, "not a time of the form 2026-11-24T08:00:00.000000Z");
  const year_month_day date{year{number(text, 0, 4)}, month{static_cast<unsigned>(number(text, 5, 2))},
                            day{static_cast<unsigned>(number(text, 8, 2))}};
  const int h = number(text, 11, 2), m = number(text, 14, 2), s = number(text, 17, 2);
  if (!date.ok() || h > 23 || m > 59 || s > 59) return fail(Code::malformed, "no such time");
  const auto t = sys_days{date} + hours{h} + minutes{m} + seconds{s} + microseconds{number(text, 20, 6)};
  return Instant{duration_cast<microseconds>(t.time_since_epoch()).count()};
}

Instant SystemClock::now() const {
  using namespace std::chrono;
  return Instant{duration_cast<microseconds>(system_clock::now().time_since_epoch()).count()};
}

}  // namespace caip
