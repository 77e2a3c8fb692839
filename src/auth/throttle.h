// Failed attempts, and how long they make one wait: back-off, never a lock. Each kind of counter has its own budget,
// and an attempt is counted by all those that are its own: a known device by itself alone, everybody else by account
// and network, by network, and by account. So a stranger's failures never delay the owner on a device that is known.
// In memory, and in the table failed_attempts, so that a restart forgives nothing. Private.
#pragma once
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/guarded.h"
#include "base/result.h"
#include "base/time.h"

namespace caip::auth {

struct Budget {
  unsigned free;     // failures that cost nothing
  Duration longest;  // the wait doubles with each further one, up to this
  Duration forget = std::chrono::hours(1);  // after the last of them
};
inline constexpr Budget kOfPair{5, std::chrono::minutes(15)};      // one account from one network
inline constexpr Budget kOfNetwork{30, std::chrono::minutes(15)};  // whatever account
inline constexpr Budget kOfAccount{100, std::chrono::minutes(1)};  // from wherever: guessing by many machines
inline constexpr Budget kOfDevice{5, std::chrono::minutes(15)};    // a known one, or a session that steps up
// Six digits can be guessed by who has the password and patience: from wherever, over days.
inline constexpr Budget kOfCodes{5, std::chrono::minutes(15)};     // of one account from one network
inline constexpr Budget kOfAllCodes{30, std::chrono::minutes(15), std::chrono::hours(72)};
inline constexpr Duration kLongestMemory = kOfAllCodes.forget;

struct Counter {
  Digest key;  // SHA-256 of what it stands for: the table holds no addresses
  Budget budget;
};
using Counters = std::vector<Counter>;

Counters counters_of_stranger(const std::string& account, const std::string& address);
Counters counters_of_device(const std::string& device);
Counters counters_of_codes(const std::string& account, const std::string& address);

struct Failures {  // a row of the table
  Digest key;
  std::int64_t failures;
  Instant last, until;
};

class Throttle {  // thread-safe
 public:
  explicit Throttle(const Clock& clock) : clock_(clock) {}
  // Code::too_many while one of these has to wait.
  Result<void> check(const Counters&) const;
  // The same wait is worth one line in the log, not one for each attempt: true the first time.
  bool first_refusal(const Counters&);
  std::vector<Failures> failed(const Counters&);  // as they stand now
  // check() and failed() in one: of many at once, no more pass than are free. Whoever was right is forgiven.
  Result<std::vector<Failures>> take(const Counters&);
  // Forgets the narrowest counter, the first: that account from that network, or that device.
  void succeeded(const Counters&);
  void forget(const Counters&);  // all of them
  void load(const std::vector<Failures>&);  // at start

 private:
  struct Count {
    std::int64_t failures = 0;
    Instant last = {};
    Instant until = {};
    Instant told = {};  // the `until` that was said
    Duration forget = kLongestMemory;  // as the last who counted had it
  };
  struct Hash {
    std::size_t operator()(const Digest&) const noexcept;
  };
  using Counts = std::unordered_map<Digest, Count, Hash>;
  static Result<void> check(const Counts&, const Counters&, Instant now);
  static std::vector<Failures> count(Counts&, const Counters&, Instant now);
  const Clock& clock_;
  Guarded<Counts> counts_;
};

}  // namespace caip::auth
