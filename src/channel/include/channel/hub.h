// channel/hub.h: the server's end of all agent connections. http hands over a stream after its
// TLS handshake; the Hub mints the AgentIdentity, reads frames within limits and tells
// AgentEvents, on one thread of its own and never on the io thread, so handlers may block.
#pragma once
#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/text.h"
#include "base/time.h"
#include "channel/order.h"
#include "proofs/agent_identity.h"

namespace caip::tls { class Stream; }

namespace caip::channel {

struct AgentHello {
  Foreign hostname, os, kernel, version;
  std::optional<std::uint64_t> witnessed = {};  // how much of the log its helper has seen
};

struct Metrics {
  double cpu_ratio = 0;  // 0..1
  std::uint64_t mem_used = 0, mem_total = 0, disk_used = 0, disk_total = 0;
  std::uint64_t net_rx_bps = 0, net_tx_bps = 0;
  double load1 = 0;
};

struct UnitState {
  Foreign unit, description, load, active, sub;
};

struct OrderResult {
  OperationId order;
  bool succeeded = false;
  Foreign error;                  // empty when it succeeded
  std::optional<UnitState> unit;  // its state afterwards
  std::vector<Foreign> lines;     // journal.read
  bool stale = false;             // not run: the proof did not start where the helper is
  bool contradicts = false;       // not run: the log was forked, cut or rolled back
  std::uint64_t witnessed = 0;    // with either
};

struct Witnessed {
  std::uint64_t size = 0;     // how much of the log the helper has seen
  std::uint64_t offered = 0;  // the checkpoint this is about
  std::string line;           // its cosignature; not verified yet
  Foreign refused;            // or the code of the refusal
};

class AgentEvents {
 public:
  virtual ~AgentEvents() = default;
  // Refusing (unknown server, another certificate than the enrolled one) closes the connection.
  virtual Result<void> connected(const AgentIdentity&, const AgentHello&) = 0;
  virtual void reported(const AgentIdentity&, const Metrics&) = 0;
  virtual void units(const AgentIdentity&, const std::vector<UnitState>&) = 0;
  virtual void finished(const AgentIdentity&, const OrderResult&) = 0;  // may come again after a reconnect
  virtual void witnessed(const AgentIdentity&, const Witnessed&) = 0;
  virtual void disconnected(const AgentIdentity&) = 0;                  // not called when replaced by a newer one
};

class Hub {  // thread-safe but for the constructor and listen()
 public:
  explicit Hub(boost::asio::io_context&);
  ~Hub();
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  void listen(AgentEvents&);                       // once, before the first stream; outlives the Hub
  void accept_stream(std::unique_ptr<tls::Stream>);     // on the io thread, after the handshake
  bool online(const ServerId&) const;              // connected and accepted by AgentEvents
  std::optional<std::string> group(const ServerId&) const;  // "X25519MLKEM768"
  Result<void> send(const ServerId&, const SignedOrder&);   // queued; server_offline when not online
  Result<void> send(const ServerId&, const Offer&);
  void disconnect(const ServerId&);
  std::size_t count() const;
  void stop();  // closes all, waits for running handlers; not on the io thread's callbacks

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace caip::channel
