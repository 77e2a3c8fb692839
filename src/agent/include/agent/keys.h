// agent/keys.h: the keys of the control plane that this server goes by. They begin with those of the
// enrolment; each may hand over to its successor, and what it said of it stays on this server's disk,
// so that the way from the first key is walked again at every start. Used by the root half alone; one
// thread.
#pragma once
#include <array>
#include <string>
#include <vector>

#include "channel/order.h"
#include "crypto/succession.h"

namespace caip::agent {

inline constexpr const char* kKeysFile = "/keys";  // below the helper's state
inline constexpr std::size_t kMostFollowed = 1024;   // then this server is enrolled anew

class Keys final {
 public:
  // `dir` is the helper's state. What is kept there must lead on from the pinned keys: otherwise it
  // does not open, and no order runs.
  static Result<Keys> open(const std::string& dir, channel::OrderTrust pinned);

  const channel::OrderTrust& trust() const { return trust_; }
  // Goes by the new keys: on the disk before it returns. What was followed before is passed over.
  // All or nothing: malformed or forbidden when one of them is not said by the key held.
  Result<void> follow(const channel::Successions&);

 private:
  Keys(std::string dir, channel::OrderTrust trust);
  Result<void> take(const std::string& statement);
  std::string dir_;
  channel::OrderTrust trust_;
  std::array<std::uint32_t, 3> generations_{};  // of a SuccessionKey; 0: pinned, and nobody said which it is
  channel::Successions followed_;
};

}  // namespace caip::agent
