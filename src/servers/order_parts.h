// What the two halves of OrderService share: sending and answering in order_service.cpp, time and
// restarts in order_time.cpp. Private.
#pragma once
#include <condition_variable>
#include <map>
#include <mutex>

#include "audit/ledger.h"
#include "audit/query.h"
#include "authorization/authorizer.h"
#include "base/log.h"
#include "channel/order.h"
#include "operations.h"
#include "order_key.h"
#include "outbox/outbox.h"
#include "placements.h"
#include "servers/order_service.h"
#include "servers/server_service.h"
#include "servers/witnesses.h"
#include "storage/database.h"

namespace caip::servers {

struct Pending {
  ServerId server;
  Instant expires;
  std::uint64_t index;  // of its log entry
  bool sent = false;       // over the connection that its server has now
  bool ever_sent = false;  // then nobody can say that nothing was run
  int again = 0;           // sent once more because its proof did not fit
};

struct Refused {  // unwanted answers of one server
  Instant told;
  std::uint64_t since = 0;
};

struct OrderService::Parts {
  storage::Database& db;
  audit::Ledger& ledger;
  audit::Query& query;
  secrets::Keeper& keeper;
  const authorization::Authorizer& authorizer;
  ServerService& servers;
  const Clock& clock;
  Witnesses* witnesses = nullptr;
  Send send = {};
  InFinish in_finish = {};
  std::function<void(const Operation&)> durable = {};
  std::function<void(const Operation&)> update = {};
  std::function<Result<channel::EnvValues>(const Operation&, const PlaceEnv&)> open_env = {};
  AskGates gates = {};
  Follow follow = {};
  std::recursive_mutex telling = {};
  std::mutex mutex = {};  // guards `pending`
  std::condition_variable finished = {};
  std::map<OperationId, Pending> pending = {};
  std::map<OperationId, Instant> lost = {};  // left over from an earlier run, past sending; same mutex
  std::map<ServerId, Refused> refused = {};  // same mutex; as many as there are servers
  Instant forget_next = {};                  // tick()'s own

  // Read again under the lock: of two who tell at once, the later one tells the newer state.
  void tell(const OperationId& id) {
    const std::scoped_lock lock(telling);
    if (!update) return;
    std::optional<operations::Stored> newest;
    {
      auto tx = db.begin_read();
      if (auto found = operations::find(tx, id)) newest = *std::move(found);
    }
    if (newest) update(as_seen(std::move(newest->operation)));
  }
  Result<void> tell_of_failure(storage::WriteTx&, const Operation&) const;
  Result<operations::Stored> must_find(storage::Reader& tx, const OperationId& id) const {
    CAIP_TRY(found, operations::find(tx, id));
    if (!found) return fail(Code::not_found, "no such operation");
    return *std::move(found);
  }
  Operation as_seen(Operation o) {
    const std::scoped_lock lock(mutex);
    const auto it = pending.find(o.id);
    if (it != pending.end() && it->second.sent && o.status == OperationStatus::pending) o.status = OperationStatus::running;
    return o;
  }

  template <Action A>
  Result<Server> reachable(const Authorized<A>& permit) const;
  template <Action A>
  Result<Operation> write(storage::WriteTx&&, Authorized<A>&&, const Server&, const UnderApproval*);
  void dispatch(const OperationId&);
  Result<void> transmit(const OperationId&, const Pending&);
  Result<void> carried(const ServerId&, const Witnesses::Choose&, const Witnesses::Consistency&);
  Result<channel::SharedEnv> env_for(const Operation&);
  // Who began it, as its log entry has it, and the gates of an AI; the error inside is one that ends it.
  Result<std::expected<channel::Began, Error>> began(const Operation&, const Pending&) const;
  // Without an answer: expired, or failed when it is certain that nothing was run and that nothing can be.
  void expire(const OperationId&, std::string_view why, placements::Certainty);
  void end_unopened(const OperationId&, const Pending&, const std::string& why);
  void end_departed(const OperationId&, const Pending&);
  void end_all(const ServerId&, std::string_view unsent, std::string_view meanwhile);
  void end(const OperationId&, OperationStatus, std::string_view why, placements::Certainty);
  Result<std::optional<std::uint64_t>> entry_of(const OperationId&, Instant created) const;
  Result<void> awaited(const ServerId&, const OperationId&, const Answer&);
  Result<void> refuse(Denied);
  Result<void> forget(Instant now);
  void done(const Operation&);
  // With the rows that go with it.
  Result<void> settle(storage::WriteTx&, const Operation&, placements::Certainty) const;
};

}  // namespace caip::servers
