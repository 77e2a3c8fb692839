// servers/order_service.h: from a permit to something a server does, once.
//
//   issue(): refused when the server is not of this organisation or not connected; otherwise one
//   transaction writes the operation and its log entry, and only when that is durable the order
//   is signed and sent, together with the proof that it is in the log.
//
// An order keeps its id, nonce and bytes for life. While it is pending and not expired it is
// sent again whenever its server comes online (also after a restart of ours); the helper runs an
// id once. It is for the machine that is enrolled now: when the server is enrolled anew, it ends. When no answer came in time the operation ends as expired, with a text that says what
// is not known. A result is accepted once, from the server the order was for; what nobody waits for
// costs no write, and one entry a minute and server at most. What a read brought back is kept for a
// day. Thread-safe.
#pragma once
#include <expected>
#include <functional>
#include <map>
#include <memory>

#include "channel/gates.h"
#include "proofs/agent_identity.h"
#include "proofs/authorized.h"
#include "proofs/session.h"
#include "servers/types.h"

namespace caip::storage { class Database; class WriteTx; }
namespace caip::audit { class Ledger; class Query; }
namespace caip::channel { class EnvValues; struct SignedOrder; }
namespace caip::secrets { class Keeper; }
namespace caip::authorization { class Authorizer; }

namespace caip::servers {

class ServerService;
class Witnesses;

inline constexpr Duration kOrderLife = std::chrono::seconds(60);
inline constexpr Duration kResultLife = std::chrono::hours(24);  // of what a read brought back

struct UnderApproval {  // what an order redeems; it lives no longer than that
  ApprovalId approval;
  OperationId operation;
  Instant expires;
  std::optional<UserId> second = {};  // whose yes was the second of two
};

struct Answer {  // what a helper says about an order
  bool ok = false;
  bool replayed = false;  // its order had been dealt with when it came: nothing ran for this answer
  json::object result;  // {"unit":{…}} or {"lines":[…]}: text from a server
  Foreign error;        // when it is not ok
  bool unknown = false;  // and then: whether it may have run all the same
};

class OrderService final {
 public:
  using Send = std::function<Result<void>(const ServerId&, const channel::SignedOrder&)>;  // channel::Hub::send
  using AskGates = std::function<Result<std::expected<channel::AiGates, Error>>(const Operation&)>;
  // In the transaction that finishes an operation; an error undoes it.
  using InFinish = std::function<Result<void>(storage::WriteTx&, const Operation&)>;

  OrderService(storage::Database&, audit::Ledger&, audit::Query&, secrets::Keeper&,
               const authorization::Authorizer&, ServerService&, const Clock&);
  ~OrderService();
  Result<void> recover();  // after the wiring: what was pending when we stopped
  void on_send(Send);                                      // these at start, before any thread
  void on_finish(InFinish, std::function<void(const Operation&)> durable);  // one listener: the runner
  void on_witnesses(Witnesses&);  // orders carry on from what their server has seen of the log
  void on_update(std::function<void(const Operation&)>);   // after it is durable
  // Asked each time before what an AI began is sent, also once more: which gates it passes by now, or the error that ends it. At start.
  void on_gates(AskGates);
  // Opens what an order places, each time it is sent; the entry about that is durable first. What can never be opened
  // (not_found, conflict, forbidden, invalid, too_large) ends the order as failed, anything else is tried again.
  void on_env(std::function<Result<channel::EnvValues>(const Operation&, const PlaceEnv&)>);

  // Rows of another room that go with operations, at start: in the transaction that writes one (an error refuses the order) and in the one
  // that ends it; certain: that what it ended as is all that happened.
  struct Follow {
    std::function<Result<void>(storage::WriteTx&, const Operation&)> begun;
    std::function<Result<void>(storage::WriteTx&, const Operation&, bool certain)> ended;
  };
  void follow(Follow);

  template <Action A>
  Result<Operation> issue(Authorized<A>&&);
  // The same inside a transaction that already redeemed an approval for the operation. An error
  // leaves the transaction to the caller and records nothing.
  template <Action A>
  Result<Operation> issue(storage::WriteTx&&, Authorized<A>&&, const UnderApproval&);

  Result<Operation> get(const Session&, const OperationId&);
  Result<Operation> find(const OperationId&);
  // Env values on a server, by user; permission secret_view. placed_on: in how many files each secret of the organisation is.
  Result<std::vector<Placement>> placements(const Session&, const ServerId&);
  Result<std::map<SecretId, std::int64_t>> placed_on(const OrgId&);
  // Waits on this thread until it is finished or `limit` has passed; then as it is.
  Result<Operation> wait(const OperationId&, Duration limit);

  Result<void> finish(Authorized<FinishOperation>&&, const Answer&);
  // From the channel: authorizes (FinishOperation as this agent), then finish(). not_found, conflict
  // and forbidden are what an honest agent does not cause; expired is only late.
  Result<void> finish(const AgentIdentity&, const OperationId&, const Answer&);
  void server_online(const ServerId&);  // what is pending there is to be sent again
  // It was refused unrun because its proof did not fit: once more, at most a few times.
  void resend(const AgentIdentity&, const OperationId&);
  void gone(const ServerId&);           // nobody waits for its answers any more; the rows are gone already
  void reenrolled(const ServerId&);     // what was under way there ends
  void departed(const ServerId&);       // likewise
  void tick();                          // every second or so: sends that, expires what is late

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace caip::servers
