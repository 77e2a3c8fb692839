// channel/order.h: one order to one server: what was decided (Order, canonical JSON signed with
// the order key), the action's own canonical bytes, and the proof that it is in the log.
//
// The log entry an order travels with must name it: its "action" and "params" are the action's,
// "result" is "pending", "org", "target", "actor" (the requester) and "approver" (or null) are the
// order's, and its "detail" holds at least the members of log_detail(). So: commit the entry with
// that detail, prove it, sign, send. The helper refuses an order whose entry is about anything
// else, and what a pilot asked for (entry "source") unless every gate of gates.h is open to it, a write also without an
// approver and an approval. Of two approvers `detail` names the second.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/json.h"
#include "base/time.h"
#include "channel/env.h"
#include "channel/gates.h"
#include "crypto/note.h"
#include "model/actions.h"

namespace caip::wire { class CheckpointOffer; class KeysHeld; class Order; class Successions; }

namespace caip::channel {

struct Order {
  OperationId order;
  ServerId server;
  OrgId org;                            // whose log entry it is
  std::string certificate;              // of the server as it is enrolled now: 64 hex digits, SHA-256 of the DER
  Digest digest{};                      // SHA-256 of the action's canonical bytes
  std::string requester;                // usr_…
  std::optional<std::string> approver;  // usr_…, with an approval
  std::optional<std::string> approval;  // apr_…
  bool production = false;
  std::string nonce;                    // new_nonce(): 32 hex digits
  Instant issued;
  Instant expires;
};

inline constexpr std::int64_t kPolicyVersion = 1;
inline constexpr Duration kMaxOrderLife = std::chrono::minutes(15);
inline constexpr Duration kClockSkew = std::chrono::seconds(60);

std::string new_nonce();
std::string encode(const Order&);
Result<Order> decode_order(std::string_view canonical_bytes);
// {"digest","operation"}, and "approval" when there is one.
json::object log_detail(const OperationId&, const Digest&, const std::optional<std::string>& approval = std::nullopt);

struct LogProof {
  std::string entry;
  std::uint64_t index = 0;
  std::uint64_t size = 0;
  std::vector<Digest> hashes;
  std::string checkpoint;  // signed note
  // That the log only grew since this server last saw it, at size `old`.
  std::uint64_t old = 0;
  std::vector<Digest> consistency = {};
};

// A checkpoint for a server to look at and cosign.
struct Offer {
  std::string checkpoint;
  std::uint64_t old = 0;
  std::vector<Digest> consistency;
};
inline constexpr std::string_view kWitnessPrefix = "cloudaipilot.local/witness/";  // and the server's id

using SharedEnv = std::shared_ptr<const EnvValues>;

struct SignedOrder {
  std::string order;    // encode(Order)
  Bytes signature;      // of signed_bytes(order, env)
  std::string action;   // caip::encode(ServerAction)
  LogProof proof;
  SharedEnv env = {};   // of an env.place: as many values as it names secrets
  std::optional<SignedBegan> began = {};
};

// The order; with env values, also a line end, which no order has in it, and their digest.
std::string signed_bytes(const std::string& order, const SharedEnv&);

using SignFn = std::function<Result<Bytes>(BytesView)>;
Result<SignedOrder> sign_order(const Order&, const ServerAction&, LogProof, const SignFn&, SharedEnv = {});

// What a server trusts: set at enrolment. Of what comes over the channel only a succession that the
// key held itself signed changes it (agent/keys.h).
struct OrderTrust {
  ServerId server;
  Bytes order_key;   // Ed25519, 32 bytes
  Bytes log_key;     // Ed25519
  Bytes cosign_key;  // ML-DSA-44: the log signs its checkpoints twice, and both must hold
  std::string certificate;  // this enrolment's, as in Order: what was sent to a predecessor is not for us
  // What the log's keys were before: for checkpoints that lie on this server's own disk, nothing else.
  std::vector<Bytes> former_log_keys = {}, former_cosign_keys = {};
};

// SHA-256 of the public keys that a server goes by.
struct HeldKeys {
  Digest checkpoint{}, cosign{}, order{};
  bool operator==(const HeldKeys&) const = default;
};
HeldKeys held_keys(const OrderTrust&);

inline constexpr std::size_t kMostSuccessions = 16;  // in one message
using Successions = std::vector<std::string>;

// Signed, for this server, valid now, its digest and log entry about exactly this action.
// Minted by OrderVerifier alone. That it runs once is what the helper's OrderBook adds.
class OrderVerifier;
class [[nodiscard]] VerifiedOrder final {
 public:
  VerifiedOrder(VerifiedOrder&&) noexcept = default;
  VerifiedOrder(const VerifiedOrder&) = delete;
  VerifiedOrder& operator=(const VerifiedOrder&) = delete;
  ~VerifiedOrder() noexcept {}
  const Order& order() const { return order_; }
  const ServerAction& action() const { return action_; }
  Source began_by() const { return by_; }  // as its log entry has it

 private:
  friend class OrderVerifier;
  VerifiedOrder(Order order, ServerAction action, Source by) : order_(std::move(order)), action_(std::move(action)), by_(by) {}
  Order order_;
  ServerAction action_;
  Source by_;
};

class OrderVerifier {
 public:
  OrderVerifier(OrderTrust trust, const Clock& clock) : trust_(std::move(trust)), clock_(clock) {}
  Result<VerifiedOrder> verify(const SignedOrder&) const;
  void go_by(OrderTrust trust) { trust_ = std::move(trust); }

 private:
  OrderTrust trust_;
  const Clock& clock_;
};

// A checkpoint is the log's when both of its keys signed it.
Result<crypto::Checkpoint> open_checkpoint(const std::string& note, const OrderTrust&);
// The same for one from this server's own disk, which former keys may have signed.
Result<crypto::Checkpoint> open_own_checkpoint(const std::string& note, const OrderTrust&);

void to_wire(const Offer&, wire::CheckpointOffer&);
Result<Offer> from_wire(const wire::CheckpointOffer&);
void to_wire(const HeldKeys&, wire::KeysHeld&);
Result<HeldKeys> from_wire(const wire::KeysHeld&);
void to_wire(const Successions&, wire::Successions&);
Result<Successions> from_wire(const wire::Successions&);
void to_wire(const SignedOrder&, wire::Order&);
Result<SignedOrder> from_wire(const wire::Order&);

}  // namespace caip::channel
