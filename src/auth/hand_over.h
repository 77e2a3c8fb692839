// Codes that wait for their programs, in memory: after a restart one asks again. Private.
#pragma once
#include <list>
#include <optional>

#include "auth/hand_over.h"
#include "base/guarded.h"

namespace caip::auth {

class HandOvers {  // thread-safe
 public:
  static constexpr Duration kLifetime = std::chrono::minutes(1);
  static constexpr std::size_t kMost = 1024;
  static constexpr std::size_t kMostOfOne = 4;

  HandOverCode offer(HandedOver, const Challenge&, Instant now);
  struct Taken {
    HandedOver given;
    bool right;  // the verifier is the challenge's
  };
  // Used up by being shown, with a right verifier or a wrong one: of two with the same code, one. nullopt: no such code.
  std::optional<Taken> take(std::string_view code, std::string_view verifier, Instant now);

 private:
  struct Waiting {
    Digest code;
    Challenge challenge;
    HandedOver given;
    Instant until;
  };
  Guarded<std::list<Waiting>> waiting_;  // oldest first
};

}  // namespace caip::auth
