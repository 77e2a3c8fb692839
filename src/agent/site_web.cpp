// nginx, for sites: by systemd's word and over the loopback address.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <array>

#include "agent/config.h"
#include "agent/helper.h"
#include "agent/sites.h"
#include "fd.h"
#include "tidy.h"
#include "wire.pb.h"

namespace caip::agent {
namespace {

constexpr const char* kProgram = "/usr/sbin/nginx";
constexpr std::uint16_t kHttp = 80;
constexpr std::size_t kMostReason = 600;

UnitName nginx() { return UnitName::parse("nginx.service").value(); }
UnitName checker() { return UnitName::parse("caip-sites-check.service").value(); }

Fd connected(std::uint16_t port) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval limit{.tv_sec = 2, .tv_usec = 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) return Fd();
  return fd;
}

// Whether what answers for this name answers this path with 204, now.
bool marked(const std::string& domain, const std::string& path) {
  const Fd fd = connected(kHttp);
  const std::string ask = "GET " + path + " HTTP/1.1\r\nHost: " + domain + "\r\nConnection: close\r\n\r\n";
  if (!fd || ::send(fd.get(), ask.data(), ask.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(ask.size())) return false;
  constexpr std::string_view kWanted = "HTTP/1.1 204 ";
  std::array<char, kWanted.size()> got{};
  return ::recv(fd.get(), got.data(), got.size(), MSG_WAITALL) == static_cast<ssize_t>(got.size()) && std::string_view(got.data(), got.size()) == kWanted;
}

class Nginx final : public WebServer {
 public:
  Nginx(UnitManager& units, std::string folder) : units_(units), folder_(std::move(folder)) {}

  Result<void> ready() override {
    if (::access(kProgram, X_OK) != 0) return fail(Code::precondition_failed, "nginx is not installed on this server (apt install nginx)");
    if (!runs()) return fail(Code::precondition_failed, "nginx does not run on this server; start it first");
    return {};
  }

  bool runs() override {
    wire::Unit state;
    return units_.status(nginx(), state) && state.active() == "active";
  }

  Result<void> check(const std::string&) override {  // the unit knows the folder
    if (auto ran = units_.run(UnitVerb::start, checker()); ran) return {};
    else if (ran.error().code == Code::not_found) return fail(Code::unavailable, "caip-sites-check.service is not there; install the agent again");
    auto said = read_file(folder_ + "/check.log", 64 * 1024);
    return fail(Code::invalid, "nginx does not take its configuration with this change: " + (said && !said->empty() ? tidy(*said, kMostReason) : "it gave no reason"));
  }

  Result<void> reload() override { return units_.run(UnitVerb::reload, nginx()); }

  bool answers(const std::string& domain, const std::string& path) override { return marked(domain, path); }

  bool accepts(std::int64_t port) override { return static_cast<bool>(connected(static_cast<std::uint16_t>(port))); }

 private:
  UnitManager& units_;
  std::string folder_;
};

}  // namespace

std::unique_ptr<WebServer> make_nginx(UnitManager& units, std::string state_folder) { return std::make_unique<Nginx>(units, std::move(state_folder)); }

std::int64_t seconds_since_boot() {
  timespec t{};
  return ::clock_gettime(CLOCK_BOOTTIME, &t) == 0 ? t.tv_sec : 0;
}

SitePlaces places_here() {
  SitePlaces out;
  out.ipv6 = ::access("/proc/net/if_inet6", F_OK) == 0;
  return out;
}

}  // namespace caip::agent
