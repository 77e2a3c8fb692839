// channel/seats.h: what one connection, one identity and one address may take of the hub. All of
// it belongs to the io thread.
#pragma once
#include <chrono>
#include <string>
#include <unordered_map>

#include "channel/hub.h"

namespace caip::channel {

using SteadyTime = std::chrono::steady_clock::time_point;

// Frames of one connection, as tokens: so many a second, so many at once.
class Bucket {
 public:
  // Takes `cost` and says how long to wait before the next.
  std::chrono::nanoseconds take(double cost, SteadyTime now, const HubLimits&);

 private:
  double spent_ = 0;
  SteadyTime at_{};
};

// Who is connected, by key; who has not said hello yet, by address; who is barred.
class Seats {
 public:
  explicit Seats(const HubLimits& limits) : limits_(limits) {}
  // Null: it has a seat, waiting. Otherwise why not.
  const char* take(const std::string& identity, const std::string& address, SteadyTime now);
  void welcomed(const std::string& address);  // no longer waiting
  void leave(const std::string& identity, const std::string& address, bool waiting);
  void bar(const std::string& identity, SteadyTime now);
  bool barred(const std::string& identity, SteadyTime now);

 private:
  const HubLimits& limits_;
  std::unordered_map<std::string, int> identities_, waiting_;
  std::unordered_map<std::string, SteadyTime> barred_;
};

}  // namespace caip::channel
