// servers/witnesses.h: the agents as witnesses of the log, from the control plane's side. Each
// server's helper keeps the newest checkpoint it has seen; what is sent to it (an order's proof, an
// offer to cosign) continues from there. This class knows where each is, offers new checkpoints,
// keeps the cosignatures, and records when a server says that the log contradicts itself.
//
// Everything that moves a server on is built and sent under one lock of that server, so that it
// arrives in the order in which it was built. Thread-safe.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/json.h"
#include "channel/order.h"
#include "crypto/succession.h"
#include "proofs/agent_identity.h"
#include "proofs/session.h"
#include "servers/types.h"

namespace caip::audit { class Access; class Ledger; class Query; }
namespace caip::authorization { class Authorizer; }
namespace caip::channel { struct KeysSaid; struct Witnessed; }

namespace caip::servers {

class ServerService;

struct WitnessState {
  ServerId server;
  ServerName name;
  bool online = false;
  std::uint64_t size = 0;                // the newest checkpoint it cosigned
  std::optional<Instant> cosigned_at;    // by its own clock
  std::optional<Instant> contradicted;   // when it said so
};
struct Quorum {
  std::vector<WitnessState> witnesses;
  std::uint64_t size = 0;                // of the log's newest anchored checkpoint
  std::optional<Instant> anchored_at;
  std::size_t have = 0;                  // cosigned within kFresh, nothing contradicted
  std::size_t needed = 0;                // more than half of the servers enrolled
};

class Witnesses final {
 public:
  static constexpr Duration kFresh = std::chrono::minutes(2);
  using Send = std::function<Result<void>(const ServerId&, const channel::Offer&)>;  // channel::Hub::send

  Witnesses(audit::Ledger&, audit::Query&, audit::Access&, ServerService&, const authorization::Authorizer&, const Clock&);
  ~Witnesses();
  void on_send(Send);                                               // at start, before any thread
  using Announce = std::function<Result<void>(const ServerId&, const std::vector<std::string>&)>;
  void on_announce(Announce);                                       // successions; channel::Hub::send
  void on_change(std::function<void(const OrgId&)>);                // a cosignature or a contradiction

  // Where a server says it is: in its hello; or later, because a proof did not fit. The latter does
  // not bring its next offer nearer: a server that always says so costs no more than another.
  void known(const AgentIdentity&, std::optional<std::uint64_t> size, const std::optional<channel::HeldKeys>& = {});
  // Which keys it goes by now; or that it does not go by the next one, which people are told.
  void held(const AgentIdentity&, const channel::KeysSaid&);
  // How many of the enrolled servers have not said, since this process began, that they go by this key.
  std::int64_t waiting_for(crypto::SuccessionKey, BytesView public_key) const;
  void corrected(const ServerId&, std::uint64_t size);
  void gone(const ServerId&);
  // Chooses a checkpoint, calls `send` with a proof from where the server is to its size, and notes
  // that it was moved on: one at a time for each server, since a checkpoint older than the last one
  // sent would look to it like another log. precondition_failed: such a one was chosen, not sent. New
  // keys of the control plane go ahead of what they sign; `order_key` is the newest that the server knows
  // then, and empty while the first one signs.
  using Choose = std::function<Result<std::uint64_t>()>;  // its size
  using Consistency = std::function<Result<void>(std::uint64_t old, std::vector<Digest>, const Bytes& order_key)>;
  Result<void> move_on(const ServerId&, const Choose&, const Consistency& send);
  void witnessed(const AgentIdentity&, const channel::Witnessed&);
  void contradicted(const AgentIdentity&, std::uint64_t seen, std::uint64_t shown);
  void tick();  // a few times a second: anchors, offers, keeps, indexes

  Result<Quorum> quorum(const Session&) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

json::object view(const Quorum&);

}  // namespace caip::servers
