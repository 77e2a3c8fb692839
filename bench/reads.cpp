// reads PORT PATH CONNECTIONS SECONDS RATE [TOKEN-FILE]: GET requests on kept-alive TLS 1.3
// connections to loopback; one thread, epoll. RATE 0: each connection asks again as soon as it is
// answered. RATE n: n a second altogether at fixed times, and an answer's delay counts from the
// time at which its request was due, so that a stall is seen by all that it held up.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "reads: %s\n", what);
  std::exit(1);
}

struct Connection {
  SSL* ssl = nullptr;
  int fd = -1;
  bool busy = false;
  Clock::time_point due;
  std::string in;
};

struct Load {
  std::string request;
  std::vector<Connection> all;
  std::vector<double> delays;  // microseconds
  Clock::duration every{0};    // of one connection; 0: closed loop
  Clock::time_point counted_from, end;
  long failed = 0;
};

SSL* connect_tls(SSL_CTX* c, int port, int& fd) {
  fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(static_cast<std::uint16_t>(port));
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&a), sizeof a) != 0) die("cannot connect");
  SSL* ssl = SSL_new(c);
  SSL_set_fd(ssl, fd);
  char name[] = "localhost";
  SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name);
  if (SSL_connect(ssl) != 1) die("handshake");
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return ssl;
}

void ask(Load& load, Connection& c) {
  c.busy = true;
  c.in.clear();
  if (SSL_write(c.ssl, load.request.data(), static_cast<int>(load.request.size())) <= 0) die("the server closed a connection");
}

bool complete(const std::string& answer) {
  const auto head = answer.find("\r\n\r\n");
  if (head == std::string::npos) return false;
  const auto length = answer.find("Content-Length: ");
  if (length == std::string::npos || length > head) die("an answer without a length");
  return answer.size() >= head + 4 + static_cast<std::size_t>(std::atol(answer.c_str() + length + 16));
}

void readable(Load& load, Connection& c) {
  char buffer[16 * 1024];
  int n = 0;
  while ((n = SSL_read(c.ssl, buffer, sizeof buffer)) > 0) c.in.append(buffer, static_cast<std::size_t>(n));
  if (SSL_get_error(c.ssl, n) != SSL_ERROR_WANT_READ) die("the server closed a connection");
  if (!c.busy || !complete(c.in)) return;
  const auto now = Clock::now();
  if (c.in.compare(9, 3, "200") != 0) ++load.failed;
  else if (now >= load.counted_from && now < load.end) load.delays.push_back(std::chrono::duration<double, std::micro>(now - c.due).count());
  c.busy = false;
  c.due = load.every.count() == 0 ? now : c.due + load.every;
  if (c.due <= now) ask(load, c);
}

void run(Load& load) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  for (std::size_t i = 0; i < load.all.size(); ++i) {
    epoll_event e{};
    e.events = EPOLLIN;
    e.data.u64 = i;
    epoll_ctl(epoll, EPOLL_CTL_ADD, load.all[i].fd, &e);
  }
  for (auto now = Clock::now(); now < load.end; now = Clock::now()) {
    auto next = now + std::chrono::milliseconds(100);
    for (auto& c : load.all) {
      if (!c.busy && c.due <= now) ask(load, c);
      if (!c.busy) next = std::min(next, c.due);
    }
    const auto wait = next - now;
    timespec timeout{0, std::max<long>(0, static_cast<long>(std::chrono::nanoseconds(wait).count()))};
    epoll_event events[256];
    const int n = epoll_pwait2(epoll, events, 256, &timeout, nullptr);
    for (int k = 0; k < n; ++k) readable(load, load.all[events[k].data.u64]);
  }
}

double percentile(std::vector<double>& v, double p) {
  if (v.empty()) return NAN;
  std::sort(v.begin(), v.end());
  return v[static_cast<std::size_t>(p * static_cast<double>(v.size() - 1))];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) die("usage: reads PORT PATH CONNECTIONS SECONDS RATE [TOKEN-FILE]");
  const int port = std::atoi(argv[1]), seconds = std::atoi(argv[4]);
  const double rate = std::atof(argv[5]);
  Load load;
  load.all.resize(static_cast<std::size_t>(std::atoi(argv[3])));
  load.request = std::string("GET ") + argv[2] + " HTTP/1.1\r\nHost: localhost:" + argv[1] + "\r\n";
  if (argc > 6) {
    std::ifstream file(argv[6]);
    std::string token;
    file >> token;
    load.request += "Authorization: Bearer " + token + "\r\n";
  }
  load.request += "\r\n";
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  for (auto& c : load.all) c.ssl = connect_tls(context, port, c.fd);
  const auto start = Clock::now();
  if (rate > 0) load.every = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(static_cast<double>(load.all.size()) / rate));
  for (std::size_t i = 0; i < load.all.size(); ++i)
    load.all[i].due = start + load.every * static_cast<long>(i) / static_cast<long>(load.all.size());
  load.counted_from = start + std::chrono::milliseconds(500);
  load.end = load.counted_from + std::chrono::seconds(seconds);
  run(load);
  std::printf("{\"per_s\":%.0f,\"p50_us\":%.0f,\"p99_us\":%.0f,\"failed\":%ld}\n", static_cast<double>(load.delays.size()) / seconds,
              percentile(load.delays, 0.5), percentile(load.delays, 0.99), load.failed);
  return 0;
}
