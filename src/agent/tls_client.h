// agent/tls_client.h: the agent's side of TLS: 1.3 only, X25519MLKEM768 only, the control plane's
// own CA and nothing else, under the one name kControlName (base/product.h). The key is parsed once, before privileges are dropped.
#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "agent/config.h"
#include "fd.h"

struct ssl_st;
struct ssl_ctx_st;

namespace caip::agent {

using Deadline = std::chrono::steady_clock::time_point;

class TlsClient {  // one connection; not thread-safe
 public:
  Result<void> write(std::string_view bytes, Deadline);
  // What is there now: empty when nothing is; unavailable when the peer has gone.
  Result<std::string> read();
  int fd() const { return fd_.get(); }

 private:
  friend class TlsContext;
  struct Free {
    void operator()(ssl_st*) const noexcept;
  };
  Result<void> handshake(Deadline);
  Result<void> wait(int ssl_error, Deadline);
  Fd fd_;  // outlives ssl_
  std::unique_ptr<ssl_st, Free> ssl_;
};

class TlsContext {
 public:
  // protocol: the ALPN name. Without a certificate: for enrolment only.
  static Result<TlsContext> make(std::string_view protocol, const std::string& ca_pem);
  Result<void> use(const std::string& certificate_pem, const SecretBytes& key_pem);
  Result<TlsClient> connect(const Endpoint&, Deadline) const;

 private:
  struct Free {
    void operator()(ssl_ctx_st*) const noexcept;
  };
  std::unique_ptr<ssl_ctx_st, Free> ctx_;
  std::string protocol_;
};

}  // namespace caip::agent
