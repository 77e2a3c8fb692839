// http/server.h: the one listener. TLS 1.3 only, X25519MLKEM768 preferred, no resumption.
// A connection whose ALPN offers caip-agent/1 must bring a certificate of our agent CA and
// agree on X25519MLKEM768; it is handed to `on_agent` after the handshake. All others speak
// HTTP/1.1; their requests run on the worker pool, one at a time per connection.
#pragma once
#include <boost/asio/io_context.hpp>
#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

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
  std::size_t body_bytes = 1024 * 1024;
  int handshake_seconds = 10;
  int header_seconds = 15;   // from the first byte wait on a fresh connection
  int body_seconds = 30;
  int idle_seconds = 75;     // between requests
  int write_seconds = 30;
  int heartbeat_seconds = 15;  // of server-sent events
  std::size_t connections = 4096;      // HTTP; agents are not counted
  std::size_t per_address = 256;
};

struct ServerConfig {
  std::string address = "127.0.0.1";
  std::uint16_t port = 8443;      // 0: any free one
  Certificate web;                // shown to browsers and the CLI
  Certificate agent;              // shown to agents, from our own CA
  std::string agent_ca_pem;       // what agents' certificates must chain to
  unsigned workers = 8;
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

  std::uint16_t port() const;
  void stop();   // on the io thread: no new connections, open ones are closed
  void drain();  // any other thread: waits for running handlers

 private:
  struct Impl;
  explicit Server(std::shared_ptr<Impl>);
  std::shared_ptr<Impl> impl_;
};

}  // namespace caip::http
