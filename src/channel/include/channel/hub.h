// channel/hub.h: the server's end of all agent connections. http hands over a stream after its
// TLS handshake; the Hub mints the AgentIdentity, reads frames within limits and tells
// AgentEvents, on one thread of its own and never on the io thread, so handlers may block.
//
// A server that was taken over harms nobody else: the next frame of a connection is read when its
// last one was handled, so at most one of its events waits; frames have a rate; a body grows as its
// bytes arrive; the first frame is a small hello, soon; connections of one key, and of one address
// before their hello, are few. Who breaks the protocol is barred for a moment. Whose certificate has
// ended renews it over a connection that does nothing else.
#pragma once
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/text.h"
#include "base/time.h"
#include "channel/agent_keys.h"
#include "channel/order.h"
#include "proofs/agent_identity.h"

namespace caip::tls { class Stream; }

namespace caip::channel {

struct AgentHello {
  Foreign hostname, os, kernel, version;
  std::optional<std::uint64_t> witnessed = {};  // how much of the log its helper has seen
  std::optional<HeldKeys> keys = {};            // and what it goes by
  bool renews = false;                          // it may be asked about its own key
  bool proves = false;                          // and to sign a challenge with it
};

struct Metrics {
  double cpu_ratio = 0;  // 0..1
  std::uint64_t mem_used = 0, mem_total = 0, disk_used = 0, disk_total = 0;
  std::uint64_t net_rx_bps = 0, net_tx_bps = 0;
  double load1 = 0;
};

struct UnitState {
  Foreign unit, description, load, active, sub, file_state;
};

struct OrderResult {
  OperationId order;
  bool succeeded = false;
  Foreign error;                  // empty when it succeeded
  std::optional<UnitState> unit;  // its state afterwards
  std::vector<Foreign> lines;     // journal.read
  json::object machine = {};      // process.list, socket.list, disk.list: what it says, as people read it (web/schemas.json)
  bool replayed = false;          // the order had been dealt with: its kept answer, nothing ran
  bool stale = false;             // not run: the proof did not start where the helper is
  bool contradicts = false;       // not run: the log was forked, cut or rolled back
  std::uint64_t witnessed = 0;    // with either
  bool unknown = false;           // not succeeded as far as is known; it may have been run
};

struct Witnessed {
  std::uint64_t size = 0;     // how much of the log the helper has seen
  std::uint64_t offered = 0;  // the checkpoint this is about
  std::string line;           // its cosignature; not verified yet
  Foreign refused;            // or the code of the refusal
};

struct KeysSaid {
  HeldKeys keys;
  Foreign refused;  // or the code of why it does not go by the next ones
};

class AgentEvents {
 public:
  virtual ~AgentEvents() = default;
  virtual Instant now() = 0;  // what certificates are held against; on the io thread
  // After the handshake, before the first frame. Refusing (unknown server, another key than its own, one that was revoked) closes it.
  virtual Result<void> knocks(const AgentIdentity&) = 0;
  // Refusing closes the connection. Of one that has lapsed, only a question about its key has consequences.
  virtual Result<std::optional<KeyAsk>> connected(const AgentIdentity&, const AgentHello&) = 0;
  virtual Result<KeyIssued> offered(const AgentIdentity&, const KeyOffer&) = 0;  // the answer to a question
  virtual void proved(const AgentIdentity&, const KeyProof&) = 0;
  // Somebody answered over the connection of before after this one was let in with the same key: both are closed by then.
  virtual void twice(const AgentIdentity&, const std::string& here, const std::string& there) = 0;  // the addresses of both
  virtual void reported(const AgentIdentity&, const Metrics&) = 0;
  virtual void units(const AgentIdentity&, const std::vector<UnitState>&) = 0;
  // May come again after a reconnect. An error closes the connection: nobody waited for this.
  virtual Result<void> finished(const AgentIdentity&, const OrderResult&) = 0;
  virtual void witnessed(const AgentIdentity&, const Witnessed&) = 0;
  virtual void held(const AgentIdentity&, const KeysSaid&) = 0;
  virtual void disconnected(const AgentIdentity&) = 0;                  // not called when replaced by a newer one
};

struct HubLimits {
  std::chrono::milliseconds hello{10'000};  // from the handshake to the hello
  std::chrono::milliseconds doubt{5'000};   // for the connection of before to answer, when another came with its key
  std::chrono::milliseconds bar{10'000};    // no connection with the key of who broke the protocol or was refused
  int per_identity = 3;                     // connections with one key: the one there is, one before it that is in doubt, one that comes
  int waiting_per_address = 1024;           // connections that said no hello yet
  double frames_per_second = 100;           // of one connection; 64 KiB count as one more
  double frames_at_once = 400;
};

class Hub {  // thread-safe but for the constructor and listen()
 public:
  explicit Hub(boost::asio::io_context&, HubLimits = {});
  ~Hub();
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  void listen(AgentEvents&);                       // once, before the first stream; outlives the Hub
  void accept_stream(std::unique_ptr<tls::Stream>);     // on the io thread, after the handshake
  bool online(const ServerId&) const;              // connected and accepted by AgentEvents
  std::optional<std::string> group(const ServerId&) const;  // "X25519MLKEM768"
  Result<void> send(const ServerId&, const SignedOrder&);   // queued; server_offline when not online
  Result<void> send(const ServerId&, const Offer&);
  Result<void> send(const ServerId&, const Successions&);
  Result<void> send(const ServerId&, const KeyAsk&);
  Result<void> challenge(const ServerId&, const Bytes& nonce);
  void disconnect(const ServerId&);
  std::size_t count() const;
  void stop();  // closes all, waits for running handlers; not on the io thread's callbacks

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace caip::channel
