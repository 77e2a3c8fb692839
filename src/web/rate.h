// rate.h: how often a network (base/network.h) may send what nobody has to sign in for. Without it
// anyone could fill the log with refusals. A token bucket each and one for all; bounded. Private.
#pragma once
#include <string>
#include <unordered_map>

#include "base/guarded.h"
#include "base/result.h"
#include "base/time.h"

namespace caip::web {

class Rate {  // thread-safe
 public:
  struct Limits {
    double burst, per_second;           // of one network
    double all_burst, all_per_second;   // of all together
  };
  Rate(const Clock& clock, Limits limits) : clock_(clock), limits_(limits) {}
  // Takes one token. Code::too_many without counting when there is none.
  Result<void> take(const std::string& address);
  void give_back(const std::string& address);  // it was a good one

 private:
  struct Bucket {
    double tokens;
    Instant at;
  };
  static constexpr std::size_t kMaxBuckets = 10'000;
  static bool refill_and_test(Bucket&, double burst, double per_second, Instant now);
  const Clock& clock_;
  const Limits limits_;
  struct Table {
    std::unordered_map<std::string, Bucket> by_network;
    Bucket all{0, {}};
    bool fresh = true;
  };
  Guarded<Table> table_;
};

}  // namespace caip::web
