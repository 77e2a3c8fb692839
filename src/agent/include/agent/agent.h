// agent/agent.h: the network half. Dials out, carries orders to the helper and its answers
// back, reports every 15 s. It can run nothing itself and decides nothing.
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "agent/config.h"

namespace caip::agent {

struct AgentTimes {
  std::chrono::milliseconds report{15'000};
  std::chrono::milliseconds silence{60'000};  // the control plane pings every 20 s
  std::chrono::milliseconds patience{20'000};  // connect, handshake, one write
  std::chrono::milliseconds first_pause{500}, longest_pause{30'000};
};

// The pause before attempt n (from 0): doubled up to the longest, then a random point in its
// upper half, so that ten thousand agents do not come back together.
std::chrono::milliseconds backoff(unsigned attempt, const AgentTimes&, std::uint32_t random);

// Everything that needs privileges happens in prepare(); run() works confined and returns only
// when the helper has gone (or the configuration cannot work).
class Agent {
 public:
  static Result<Agent> prepare(AgentConfig config, int helper_fd, AgentTimes times = {});
  Error run();
  Agent(Agent&&) noexcept;
  ~Agent();

 private:
  struct Impl;
  explicit Agent(std::unique_ptr<Impl>);
  std::unique_ptr<Impl> impl_;
};

}  // namespace caip::agent
