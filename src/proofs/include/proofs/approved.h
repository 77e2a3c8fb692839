// proofs/approved.h: a human said yes to exactly these bytes, and that yes has been redeemed,
// once. Both are minted by approvals::ApprovalGate alone, in the transaction that marks the
// approval as redeemed.
#pragma once
#include <optional>

#include "base/badge.h"
#include "base/bytes.h"
#include "base/time.h"
#include "model/actions.h"
#include "model/actor.h"

namespace caip::approvals { class ApprovalGate; }

namespace caip {

// What may run on a server because of an approval. `bytes` are the canonical bytes the human
// saw; `digest` is their SHA-256; both are recomputed here and on the server.
class [[nodiscard]] Warrant final {
 public:
  Warrant(Badge<approvals::ApprovalGate>, ApprovalId approval, ServerAction action, std::string bytes, Digest digest,
          Principal requester, UserId approver, Instant expires, std::optional<UserId> second = std::nullopt)
      : approval_(approval), action_(std::move(action)), bytes_(std::move(bytes)), digest_(digest),
        requester_(std::move(requester)), approver_(approver), second_(second), expires_(expires) {}
  Warrant(Warrant&&) noexcept = default;
  Warrant(const Warrant&) = delete;
  Warrant& operator=(const Warrant&) = delete;
  ~Warrant() noexcept {}
  const ApprovalId& approval() const { return approval_; }
  const ServerAction& action() const { return action_; }
  const std::string& bytes() const { return bytes_; }
  const Digest& digest() const { return digest_; }
  const Principal& requester() const { return requester_; }  // source == pilot
  const UserId& approver() const { return approver_; }
  const std::optional<UserId>& second() const { return second_; }  // where two had to say yes; approver() was the first
  Instant expires() const { return expires_; }

 private:
  ApprovalId approval_;
  ServerAction action_;
  std::string bytes_;
  Digest digest_;
  Principal requester_;
  UserId approver_;
  std::optional<UserId> second_;
  Instant expires_;
};

}  // namespace caip
