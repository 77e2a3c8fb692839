// connection.h: one agent's connection, as the hub holds it. Private.
#pragma once
#include <boost/asio/steady_timer.hpp>
#include <atomic>
#include <chrono>
#include <list>
#include <memory>
#include <string>

#include "proofs/agent_identity.h"
#include "seats.h"
#include "tls/stream.h"

namespace caip::channel {

using Steady = std::chrono::steady_clock;

// An agent reports every 15 s; one that was silent for three reports is gone.
constexpr auto kSilence = std::chrono::seconds(50);

inline std::string address_of(tls::Stream& stream) {
  boost::system::error_code gone;
  return stream.socket().remote_endpoint(gone).address().to_string();
}

// What an idle agent costs beyond OpenSSL: this, one coroutine that reads, one timer.
struct Connection {
  Connection(std::unique_ptr<tls::Stream> s, AgentIdentity i)
      : stream(std::move(s)), identity(std::move(i)), address(address_of(*stream)), timer(stream->get_executor()) {}
  std::unique_ptr<tls::Stream> stream;
  AgentIdentity identity;
  std::string address;
  // On the io thread only:
  boost::asio::steady_timer timer;    // the next ping, or the end of patience
  Steady::time_point heard = Steady::now(), spoken = Steady::now();
  Steady::duration patience = kSilence;
  Bucket bucket;
  std::list<std::string> out;  // an empty deque would hold half a KiB
  bool writing = false;
  bool closed = false;
  bool waiting = true;         // for its hello to be accepted
  bool greeted = false;        // its hello was read
  std::weak_ptr<Connection> newer;  // that came with its key, while it is in doubt whether anybody is here any more
  std::uint64_t pings = 0, doubted = 0;  // doubted: the ping that asks for that
  // On any:
  std::atomic<bool> accepted = false;   // AgentEvents said yes
  std::atomic<bool> renews = false;     // to its key alone: its certificate has ended
  std::atomic<bool> replaced = false;

  std::string seat() const { return hex(identity.shown().key); }
  void close() {
    closed = true;
    timer.cancel();
    stream->close();
  }
};
using Shared = std::shared_ptr<Connection>;

}  // namespace caip::channel
