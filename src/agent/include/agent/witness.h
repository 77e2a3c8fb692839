// agent/witness.h: this server's memory of the log. It keeps the newest checkpoint it has seen on
// the disk, lets nothing pass that does not extend it, and cosigns what does
// (c2sp.org/tlog-cosignature, Ed25519). Used by the root half alone; one thread.
#pragma once
#include <optional>
#include <span>
#include <string>

#include "base/time.h"
#include "channel/order.h"
#include "crypto/cosignature.h"
#include "crypto/ed25519.h"

namespace caip::agent {

class Witness final {
 public:
  // `dir` is the helper's state. What is remembered there must be a checkpoint of the trusted log:
  // otherwise it does not open, and no order runs. A key may be missing: then nothing is cosigned.
  static Result<Witness> open(const std::string& dir, channel::OrderTrust, std::optional<crypto::SigningKey>, const Clock&);

  void go_by(channel::OrderTrust trust) { trust_ = std::move(trust); }
  std::uint64_t size() const { return seen_.size; }  // 0: nothing seen yet
  // Looks at a checkpoint and, when it extends what was seen, remembers it: on the disk before it
  // returns. Refuses with
  //   forbidden            not signed by both keys of the log
  //   precondition_failed  the proof does not start at size(); one that does may follow
  //   digest_mismatch      forked, or shorter than what was seen; kept as evidence in `dir`
  Result<void> see(const std::string& checkpoint, std::uint64_t old, std::span<const Digest> consistency);
  // The signature line for the checkpoint that was seen last.
  Result<std::string> cosign() const;
  // That this server's next key lies on its disk, in answer to one question (channel/agent_keys.h).
  Result<Bytes> vouch(const Digest& held, const Digest& next, const Bytes& nonce) const;

 private:
  Witness(std::string dir, channel::OrderTrust trust, std::optional<crypto::SigningKey> key, const Clock& clock)
      : dir_(std::move(dir)), trust_(std::move(trust)), key_(std::move(key)), clock_(&clock) {}
  std::unexpected<Error> contradicted(const std::string& checkpoint, std::string why);
  std::string dir_;
  channel::OrderTrust trust_;
  std::optional<crypto::SigningKey> key_;
  const Clock* clock_;
  crypto::Checkpoint seen_{.size = 0, .root = {}};
  std::string note_;
};

inline constexpr const char* kWitnessFile = "/witness";  // below the helper's state

}  // namespace caip::agent
