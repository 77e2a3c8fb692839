// agent/helper.h: the root half. It takes orders from the network half over a socketpair and
// believes none of them: OrderVerifier checks each, Witness holds its log against what this server
// has seen of it, OrderBook lets it run once, UnitManager has one function per verb and no command
// line.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/witness.h"
#include "base/time.h"
#include "channel/order.h"
#include "model/names.h"

namespace caip::wire { class CheckpointOffer; class Order; class OrderResult; class Unit; class UnitList; class Witnessed; }

namespace caip::agent {

enum class UnitVerb : std::uint8_t { start, stop, restart };

class UnitManager {
 public:
  virtual ~UnitManager() = default;
  virtual Result<void> list(wire::UnitList&) = 0;
  virtual Result<void> status(const UnitName&, wire::Unit&) = 0;  // not_found when nothing defines it
  virtual Result<void> run(UnitVerb, const UnitName&) = 0;        // waits until systemd is done with it
  virtual Result<std::vector<std::string>> journal(const UnitName&, std::int64_t lines) = 0;  // oldest first
};

std::unique_ptr<UnitManager> make_systemd();  // sd-bus and sd-journal

// Which orders were begun and how they ended, one file each. Begun is on the disk before the
// order runs: after a crash it is known to have begun and is not run again.
class OrderBook {
 public:
  static Result<OrderBook> open(std::string dir);
  // The stored answer for exactly these order bytes; one without an end says so.
  std::optional<wire::OrderResult> find(const Digest& order_bytes) const;
  Result<void> begin(const OperationId&, const std::string& nonce, const Digest& order_bytes);  // key_reused: seen before
  Result<void> end(const Digest& order_bytes, const wire::OrderResult&);
  void prune(std::int64_t now_seconds);  // what ended (or not) more than a day ago: long expired

 private:
  struct Record {
    std::string order, nonce, file, result;  // result: serialized, empty while it runs
    std::int64_t at = 0;
  };
  std::string dir_;
  std::map<Digest, Record> records_;
  std::set<std::string, std::less<>> used_;  // ids and nonces
};

class Helper {
 public:
  Helper(channel::OrderTrust trust, Witness witness, OrderBook book, UnitManager& units, const Clock& clock)
      : verifier_(std::move(trust), clock), witness_(std::move(witness)), book_(std::move(book)), units_(units), clock_(clock) {}
  // Never fails: a refusal is a result too. Empty order id: not even that could be read.
  wire::OrderResult handle(const wire::Order&);
  wire::Witnessed look(const wire::CheckpointOffer&);  // nor does this
  Result<void> list(wire::UnitList& out) { return units_.list(out); }
  // Frames on fd until it is closed.
  Result<void> serve(int fd);

 private:
  Result<void> execute(const ServerAction&, wire::OrderResult&);
  Result<void> serve_one(int fd, const std::string& body);
  channel::OrderVerifier verifier_;
  Witness witness_;
  OrderBook book_;
  UnitManager& units_;
  const Clock& clock_;
};

}  // namespace caip::agent
