// runner/approval_runner.h: approved -> redeemed, authorized again, ordered, all in one
// transaction; then the server's answer -> completed or failed. An approval whose server is
// offline waits, approved, until the server is back or the approval expires. Thread-safe.
#pragma once
#include <expected>

#include "base/result.h"
#include "channel/gates.h"
#include "model/ids.h"

namespace caip::storage { class Database; }
namespace caip::audit { class Ledger; }
namespace caip::authorization { class Authorizer; }
namespace caip::servers { class ServerService; class OrderService; struct Operation; }
namespace caip::approvals { class ApprovalGate; }

namespace caip::runner {

class Conversations;

class ApprovalRunner final {
 public:
  // Installs the gate's on_change, the orders' on_finish and on_gates.
  ApprovalRunner(storage::Database&, audit::Ledger&, const authorization::Authorizer&, servers::ServerService&,
                 servers::OrderService&, approvals::ApprovalGate&, Conversations&);
  Result<void> run(const ApprovalId&);   // after approve(); harmless when it already ran
  void server_online(const ServerId&);   // after OrderService::server_online
  void tick();                           // every second: expiry of approvals and orders, what waits

 private:
  // What an order of the AI's passes by now, or what ends it.
  Result<std::expected<channel::AiGates, Error>> gates(const servers::Operation&);
  Result<std::expected<channel::AiGates, Error>> looking(const servers::Operation&);
  storage::Database& db_;
  audit::Ledger& ledger_;
  const authorization::Authorizer& authorizer_;
  servers::ServerService& servers_;
  servers::OrderService& orders_;
  approvals::ApprovalGate& gate_;
  Conversations& conversations_;
};

}  // namespace caip::runner
