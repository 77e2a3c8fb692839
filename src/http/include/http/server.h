// http/server.h: the one listener. TLS 1.3 only, X25519MLKEM768 preferred, no resumption.
// Whoever asks for the name kControlName (base/product.h) is shown the certificate of our own
// authority, also where browsers get one of another: so that install commands and agents, which
// trust our authority alone, work with any certificate. A connection whose ALPN offers caip-agent/1
// is shown a certificate of the agents' authority, must bring one of it, and agree on X25519MLKEM768;
// it is handed to `on_agent` after the handshake. All others speak
// HTTP/1.1; their requests run on the worker pool, one at a time per connection. Requests that
// are slow by nature (a password is hashed) have a small pool of their own, so that a storm of
// them holds up nobody else; beyond its queue they are answered 503 with Retry-After.
#pragma once
#include <boost/asio/io_context.hpp>
#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "http/message.h"

namespace caip::tls { class Stream; }

namespace caip::http {

struct Certificate {
  std::string chain_pem;  // leaf first
  std::string key_pem;
};

struct Limits {
  std::size_t header_bytes = 16 * 1024;
  std::size_t body_bytes = 128 * 1024;
  int handshake_seconds = 10;
  int header_seconds = 15;   // from the first byte wait on a fresh connection
  int body_seconds = 30;
  int idle_seconds = 75;     // between requests
  int write_seconds = 30;
  int heartbeat_seconds = 15;  // of server-sent events
  int alive_ms = 500;          // how often Response::alive is asked: an ended session's stream is gone within a second
  std::size_t connections = 4096;      // HTTP; agents are not counted
  std::size_t per_address = 256;       // an IPv6 /64 counts as one
};

struct Endpoint {
  std::string address = "127.0.0.1";
  std::uint16_t port = 8443;      // 0: any free one
};

struct Certificates {
  Certificate web;                // shown to browsers and the CLI
  Certificate own;                // from our own authority: to whoever asks for kControlName
  Certificate agents;             // from the authority of the agents' channel: to whoever speaks its protocol
  std::string agent_authorities;  // PEM; what agents' certificates must be signed by
};

struct ServerConfig {
  std::vector<Endpoint> listen{Endpoint{}};  // at least one
  Certificates certificates;
  std::vector<std::string> proxies;  // networks whose X-Forwarded-For is believed, "10.0.0.0/8"
  unsigned workers = 8;
  unsigned slow_workers = 2;
  std::size_t slow_queue = 64;    // running and waiting
  std::function<bool(const Request&)> slow;  // empty: none is
  unsigned handshake_workers = std::max(2U, std::thread::hardware_concurrency());
  Limits limits;
};

class Server {
 public:
  using AgentHandler = std::function<void(std::unique_ptr<tls::Stream>)>;  // on the io thread

  static Result<std::unique_ptr<Server>> listen(boost::asio::io_context&, ServerConfig, Handler, AgentHandler);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::uint16_t port() const;  // of the first endpoint
  // To everybody who connects from now on; whoever is connected stays. Any thread. Nothing changes when they cannot be used.
  Result<void> show(const Certificates&);
  void stop();   // on the io thread: no new connections, open ones are closed
  void drain();  // any other thread: waits for running handlers

 private:
  struct Impl;
  explicit Server(std::shared_ptr<Impl>);
  std::shared_ptr<Impl> impl_;
};

}  // namespace caip::http
