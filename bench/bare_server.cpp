// bare_server CERT KEY CLIENT-CA: the limit the agents' channel is compared with. OpenSSL over
// epoll, one thread, nothing else: TLS 1.3, X25519MLKEM768, client certificates checked, buffers
// released when idle; reads and forgets. Prints its port.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

int choose(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* in, unsigned int, void*) {
  *out = in + 1;
  *size = in[0];
  return SSL_TLSEXT_ERR_OK;
}

SSL_CTX* context(char** argv) {
  SSL_CTX* c = SSL_CTX_new(TLS_server_method());
  SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION);
  SSL_CTX_set1_groups_list(c, "X25519MLKEM768");
  SSL_CTX_set_num_tickets(c, 0);
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_alpn_select_cb(c, choose, nullptr);
  SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  if (SSL_CTX_use_certificate_chain_file(c, argv[1]) != 1 || SSL_CTX_use_PrivateKey_file(c, argv[2], SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_load_verify_file(c, argv[3]) != 1)
    die("certificate");
  return c;
}

// True: keep it.
bool serve(SSL* ssl) {
  char buffer[4096];
  int n = 1;
  if (!SSL_is_init_finished(ssl)) n = SSL_accept(ssl);
  while (n > 0) n = SSL_read(ssl, buffer, sizeof buffer);
  const int why = SSL_get_error(ssl, n);
  return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

void accept_all(int listener, int epoll, SSL_CTX* c, std::vector<SSL*>& all) {
  for (;;) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    if (all.size() <= static_cast<std::size_t>(fd)) all.resize(static_cast<std::size_t>(fd) + 1);
    SSL* ssl = SSL_new(c);
    SSL_set_fd(ssl, fd);
    all[static_cast<std::size_t>(fd)] = ssl;
    epoll_event e{};
    e.events = EPOLLIN;
    e.data.fd = fd;
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: bare_server CERT KEY CLIENT-CA\n");
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  SSL_CTX* c = context(argv);
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof a;
  if (bind(listener, reinterpret_cast<sockaddr*>(&a), size) != 0 || listen(listener, 4096) != 0) die("listen");
  getsockname(listener, reinterpret_cast<sockaddr*>(&a), &size);
  std::printf("%d\n", ntohs(a.sin_port));
  std::fflush(stdout);
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  epoll_event e{};
  e.events = EPOLLIN;
  e.data.fd = listener;
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e);
  std::vector<SSL*> all;
  for (;;) {
    epoll_event events[256];
    const int n = epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < n; ++i) {
      const int fd = events[i].data.fd;
      if (fd == listener) {
        accept_all(listener, epoll, c, all);
      } else if (SSL*& ssl = all[static_cast<std::size_t>(fd)]; ssl && !serve(ssl)) {
        SSL_free(ssl);
        ssl = nullptr;
        close(fd);
      }
    }
  }
}
