// https.h: one kept-alive HTTPS connection for the load generator; blocking, trusted CA only.
#pragma once
#include <openssl/ssl.h>

#include <string>
#include <string_view>

namespace caip::bench {

struct FreeContext { void operator()(SSL_CTX* c) const noexcept { SSL_CTX_free(c); } };
struct FreeSsl { void operator()(SSL* s) const noexcept { SSL_free(s); } };
using Context = std::unique_ptr<SSL_CTX, FreeContext>;
using Ssl = std::unique_ptr<SSL, FreeSsl>;

[[noreturn]] void die(const std::string& what);
// TLS 1.3 and X25519MLKEM768 only; the peer is verified against `ca_file` unless that is empty.
Context client_context(std::string_view alpn, const std::string& ca_file);
int connect_to(int port, bool blocking);  // loopback; -1 on failure

class Https {
 public:
  Https(int port, const std::string& ca_file);
  ~Https();
  Https(const Https&) = delete;
  Https& operator=(const Https&) = delete;
  // The body of an answer with the status that was expected; anything else ends the program.
  std::string post(const std::string& path, const std::string& body, const std::string& bearer, int expected);

 private:
  void open();
  Context context_;
  int port_;
  int fd_ = -1;
  Ssl ssl_;
};

}  // namespace caip::bench
