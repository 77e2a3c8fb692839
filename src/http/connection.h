// connection.h: one accepted socket: handshake, then either handed to the agent's handler or
// served as HTTP/1.1 until it ends. Everything here runs on the io thread; handlers do not.
#pragma once
#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "forwarded.h"
#include "http/server.h"
#include "tls.h"
#include "tls/stream.h"

namespace caip::http {

// Closes the connection when an operation takes too long. The timer's handler may already be queued
// when the socket is gone, so what it looks at is shared and emptied.
class Deadline {
 public:
  explicit Deadline(tls::Stream&);
  ~Deadline();
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  void within(int seconds);
  void off();

 private:
  struct Watched {
    tls::Stream* stream;
    std::uint64_t generation = 0;
  };
  std::shared_ptr<Watched> watched_;
  std::shared_ptr<boost::asio::steady_timer> timer_;
};

struct Shared {  // of all connections of one server
  ServerConfig config;
  Proxies proxies;
  Handler handler;
  Server::AgentHandler on_agent;
  std::shared_ptr<TlsContexts> tls;  // replaced on the io thread
  struct Pool {
    Pool(unsigned workers, std::size_t at_most) : threads(workers), most(at_most) {}
    boost::asio::thread_pool threads;
    const std::size_t most;  // running and waiting
    std::atomic<std::size_t> held{0};
  };
  std::unique_ptr<Pool> quick, slow;
  std::unique_ptr<boost::asio::thread_pool> handshakes;
  std::set<tls::Stream*> open;  // HTTP connections, and those that are not yet known to be something else
  std::map<std::string, std::size_t> by_address;
  bool stopped = false;
};

boost::asio::awaitable<void> serve_connection(std::shared_ptr<Shared>, boost::asio::ip::tcp::socket);

}  // namespace caip::http
