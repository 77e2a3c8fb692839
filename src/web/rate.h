// rate.h: how often a network (base/network.h) may send what nobody has to sign in for. Bounded: when
// more networks than fit are at it, the others pass, because a crowd must not keep out who comes with
// a good token; what a crowd can write into the log is limited by the log (audit/ledger.h). Private.
#pragma once
#include <string>
#include <unordered_map>

#include "base/guarded.h"
#include "base/result.h"
#include "base/time.h"
#include "base/token_bucket.h"

namespace caip::web {

class Rate {  // thread-safe
 public:
  Rate(const Clock& clock, Pace pace, std::size_t most = 10'000) : clock_(clock), pace_(pace), most_(most) {}
  // Takes one token. Code::too_many without counting when there is none.
  Result<void> take(const std::string& address);
  void give_back(const std::string& address);  // it was a good one

 private:
  const Clock& clock_;
  const Pace pace_;
  const std::size_t most_;
  Guarded<std::unordered_map<std::string, TokenBucket>> by_network_;
};

}  // namespace caip::web
