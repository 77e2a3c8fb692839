// federation/attempts.h: what was begun and has to come back: the state, nonce and PKCE verifier of one
// sign-in or linking, bound to one browser, used once, for ten minutes. In memory: after a restart people
// begin again. Thread-safe.
#pragma once
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/guarded.h"
#include "base/result.h"
#include "base/time.h"
#include "model/ids.h"

namespace caip::federation {

enum class Purpose : std::uint8_t { sign_in, link, step_up, invitation };

struct Attempt {
  std::string provider = {};
  Purpose purpose = Purpose::sign_in;
  std::optional<SessionId> session = {};  // who links, or steps up
  std::string next = {};  // where to go on; a path of ours
  std::string invitation = {};  // its link's token, which is not sent through the provider
  Instant begun = {};
  std::string nonce = {};
  std::string verifier = {};
};

struct Begun {
  std::string state;    // goes through the provider
  std::string browser;  // stays in this browser, in a cookie
  Attempt attempt;
};

inline constexpr Duration kAttemptLifetime = std::chrono::minutes(10);

std::string pkce_challenge(std::string_view verifier);  // RFC 7636, S256
// Only a path of this site: what else a browser makes of "next" is refused.
bool local_path(std::string_view path);

class Attempts {
 public:
  // More than a router lets through in ten minutes; and of one network's, so that it takes its own room only.
  static constexpr std::size_t kMost = 8192;
  static constexpr std::size_t kMostOfOne = 64;

  explicit Attempts(const Clock& clock) : clock_(clock) {}
  Begun begin(Attempt attempt, std::string_view address);
  // Once, whatever comes of it. Refused: an unknown state, another browser, another provider, another
  // purpose, another session, too late.
  Result<Attempt> take(std::string_view state, std::string_view browser, const Attempt& expected);
  std::size_t size() const { return waiting_.with([](const auto& all) { return all.size(); }); }

 private:
  struct Waiting {
    Digest state;
    Digest browser;
    std::string network;
    Instant until;
    Attempt attempt;
  };
  const Clock& clock_;
  Guarded<std::list<Waiting>> waiting_;  // oldest first
};

}  // namespace caip::federation
