// tls.h: the TLS contexts of the listener and the choice between them, made in the
// ClientHello: whoever offers caip-agent/1 gets the agent's rules before anything is negotiated.
#pragma once
#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "http/server.h"

namespace caip::http {

inline constexpr std::string_view kAgentProtocol = "caip-agent/1";

class TlsContexts {
 public:
  static Result<std::shared_ptr<TlsContexts>> make(const Certificates&);  // outlives every handshake that began with it
  ~TlsContexts();
  boost::asio::ssl::context& web() { return web_; }
  static bool speaks_agent(SSL*);  // after the handshake

 private:
  TlsContexts();
  static int on_client_hello(SSL*, int* alert, void* self);
  static int on_server_name(SSL*, int* alert, void* self);
  boost::asio::ssl::context web_, own_, agent_;
};

}  // namespace caip::http
