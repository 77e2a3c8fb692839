// Failed attempts, counted per e-mail and network (base/network.h) and per network, in memory. Never per e-mail
// alone: that would let anybody lock the owner out. Private.
#pragma once
#include <string>
#include <unordered_map>

#include "base/guarded.h"
#include "base/result.h"
#include "base/time.h"

namespace caip::auth {

class Throttle {  // thread-safe
 public:
  explicit Throttle(const Clock& clock) : clock_(clock) {}
  // Code::too_many while this pair or this address has to wait.
  Result<void> check(const std::string& who, const std::string& address) const;
  // The same wait is worth one line in the log, not one for each attempt: true the first time.
  bool first_refusal(const std::string& who, const std::string& address);
  void failed(const std::string& who, const std::string& address);
  void succeeded(const std::string& who, const std::string& address);

 private:
  struct Count {
    unsigned failures = 0;
    Instant last;
    Instant until;
    Instant told;  // the `until` that was said
  };
  using Counts = std::unordered_map<std::string, Count>;
  static void count(Counts&, std::string key, unsigned free, Instant now);
  const Clock& clock_;
  Guarded<Counts> counts_;
};

}  // namespace caip::auth
