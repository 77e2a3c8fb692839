#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/bytes.h"
#include "crypto/random.h"
#include "https.h"

namespace caip::bench {

void die(const std::string& what) {
  std::fprintf(stderr, "load generator: %s\n", what.c_str());
  std::exit(1);
}

Context client_context(std::string_view alpn, const std::string& ca_file) {
  Context context(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* c = context.get();
  const std::string wire = std::string(1, static_cast<char>(alpn.size())) + std::string(alpn);
  SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  if (!ca_file.empty()) {
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER, nullptr);
    if (SSL_CTX_load_verify_file(c, ca_file.c_str()) != 1) die("cannot read " + ca_file);
  }
  if (SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) != 1 || SSL_CTX_set1_groups_list(c, "X25519MLKEM768") != 1 ||
      SSL_CTX_set_alpn_protos(c, reinterpret_cast<const unsigned char*>(wire.data()), static_cast<unsigned>(wire.size())) != 0)
    die("TLS set-up");
  return context;
}

int connect_to(int port, bool blocking) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | (blocking ? 0 : SOCK_NONBLOCK), 0);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(static_cast<std::uint16_t>(port));
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&a), sizeof a) == 0 || (!blocking && errno == EINPROGRESS)) return fd;
  ::close(fd);
  return -1;
}

Https::Https(int port, const std::string& ca_file) : context_(client_context("http/1.1", ca_file)), port_(port) { open(); }
Https::~Https() {
  ssl_.reset();
  if (fd_ >= 0) ::close(fd_);
}

void Https::open() {
  fd_ = connect_to(port_, true);
  ssl_.reset(SSL_new(context_.get()));
  SSL_set1_host(ssl_.get(), "localhost");
  SSL_set_fd(ssl_.get(), fd_);
  if (fd_ < 0 || SSL_connect(ssl_.get()) != 1) die("cannot connect to the control plane");
}

std::string Https::post(const std::string& path, const std::string& body, const std::string& bearer, int expected) {
  std::string request = "POST " + path + " HTTP/1.1\r\nHost: localhost:" + std::to_string(port_) +
                        "\r\nContent-Type: application/json\r\nIdempotency-Key: \"" + hex(crypto::random_bytes(16)) + "\"\r\n";
  if (!bearer.empty()) request += "Authorization: Bearer " + bearer + "\r\n";
  request += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  if (SSL_write(ssl_.get(), request.data(), static_cast<int>(request.size())) <= 0) die("the control plane closed the connection");
  std::string answer;
  std::size_t whole = std::string::npos, head = 0;
  while (answer.size() < whole) {
    char buffer[16 * 1024];
    const int n = SSL_read(ssl_.get(), buffer, sizeof buffer);
    if (n <= 0) die("the control plane closed the connection");
    answer.append(buffer, static_cast<std::size_t>(n));
    if (whole != std::string::npos) continue;
    const auto end = answer.find("\r\n\r\n");
    if (end == std::string::npos) continue;
    const auto length = answer.find("Content-Length: ");
    if (length == std::string::npos || length > end) die("an answer without a length");
    head = end + 4;
    whole = head + std::stoul(answer.substr(length + 16));
  }
  if (std::atoi(answer.c_str() + 9) != expected) die(path + ": " + answer);
  return answer.substr(head);
}

}  // namespace caip::bench
