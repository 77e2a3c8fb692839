// handshakes PORT SECONDS THREADS: full TLS 1.3 handshakes with X25519MLKEM768 against PORT on
// loopback, no resumption; prints how many a second.
// handshakes serve CERT KEY THREADS: the bare accept loop it is compared with; prints its port.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr const char* kGroup = "X25519MLKEM768";

sockaddr_in loopback(int port) {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(static_cast<std::uint16_t>(port));
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return a;
}

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

bool one_handshake(SSL_CTX* context, int port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const sockaddr_in a = loopback(port);
  bool ok = false;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&a), sizeof a) == 0) {
    SSL* ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    char name[] = "localhost";
    SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name);
    ok = SSL_connect(ssl) == 1;
    if (ok) SSL_shutdown(ssl);
    SSL_free(ssl);
  }
  close(fd);
  return ok;
}

int client(int port, int duration, int threads) {
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set1_groups_list(context, kGroup);
  std::atomic<long> done = 0, failed = 0;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(duration);
  {
    std::vector<std::jthread> all;
    for (int i = 0; i < threads; ++i) {
      all.emplace_back([&] {
        while (std::chrono::steady_clock::now() < end) ++(one_handshake(context, port) ? done : failed);
      });
    }
  }
  std::printf("{\"per_s\":%.0f,\"failed\":%ld}\n", static_cast<double>(done) / duration, failed.load());
  SSL_CTX_free(context);
  return 0;
}

int serve(const char* certificate, const char* key, int threads) {
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set1_groups_list(context, kGroup);
  SSL_CTX_set_num_tickets(context, 0);
  if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1) die("certificate");
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in a = loopback(0);
  socklen_t size = sizeof a;
  if (bind(listener, reinterpret_cast<sockaddr*>(&a), size) != 0 || listen(listener, 512) != 0) die("listen");
  getsockname(listener, reinterpret_cast<sockaddr*>(&a), &size);
  std::printf("%d\n", ntohs(a.sin_port));
  std::fflush(stdout);
  std::vector<std::jthread> all;
  for (int i = 0; i < threads; ++i) {
    all.emplace_back([=] {
      for (;;) {
        const int fd = accept(listener, nullptr, nullptr);
        if (fd < 0) return;
        SSL* ssl = SSL_new(context);
        SSL_set_fd(ssl, fd);
        if (SSL_accept(ssl) == 1) {
          char byte = 0;
          (void)SSL_read(ssl, &byte, 1);
        }
        SSL_free(ssl);
        close(fd);
      }
    });
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 5 && std::strcmp(argv[1], "serve") == 0) return serve(argv[2], argv[3], std::atoi(argv[4]));
  if (argc == 4) return client(std::atoi(argv[1]), std::atoi(argv[2]), std::atoi(argv[3]));
  std::fprintf(stderr, "usage: handshakes PORT SECONDS THREADS | handshakes serve CERT KEY THREADS\n");
  return 2;
}
