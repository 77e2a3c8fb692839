// fleet.h: many agents in one thread: epoll and OpenSSL, no more memory for each than the
// protocol needs. They speak caip-agent/1 as src/agent does, with certificates they got by the
// public enrolment, and run orders through the real caip-helper code (every check, the order
// book on the disk) with a made-up systemd behind it.
#pragma once
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "agent/agent.h"
#include "agent/helper.h"
#include "channel/frame.h"
#include "https.h"

namespace caip::wire { class ToAgent; class ToServer; }

namespace caip::bench {

struct FreeCertificate { void operator()(X509* c) const noexcept { X509_free(c); } };
struct FreeKey { void operator()(EVP_PKEY* k) const noexcept { EVP_PKEY_free(k); } };

// systemd as a server without work has it; notes when something is run.
class MadeUpUnits final : public agent::UnitManager {
 public:
  Result<void> list(wire::UnitList&) override { return {}; }
  Result<void> status(const UnitName& unit, wire::Unit& out) override;
  Result<std::vector<std::string>> reached(UnitVerb, const UnitName& unit) override { return std::vector<std::string>{unit.str()}; }
  Result<void> run(UnitVerb, const UnitName&) override;
  Result<void> reboot() override { return {}; }
  Result<std::vector<std::string>> journal(const UnitName&, std::int64_t) override { return std::vector<std::string>{"a line"}; }
  std::int64_t ran_ns = 0;  // CLOCK_MONOTONIC, as Python's time.monotonic_ns()
};

struct Stats {
  std::size_t enrolled = 0, wanted = 0, asked = 0, up = 0;
  std::uint64_t lost = 0, refused = 0, reports = 0, pings = 0, orders = 0;
};

class Fleet {
 public:
  using Clock = std::chrono::steady_clock;
  Fleet(int port, std::string ca_file, std::string folder);
  ~Fleet();
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  // Tokens and certificates for agents up to `count`, through the public API as the owner of `bearer`.
  void enrol(std::size_t count, const std::string& bearer);
  // Sends them, from now on, to another port; `verified` false: to a bare server with a certificate of its own.
  void aim(int port, bool verified);
  void want(std::size_t count) { stats_.wanted = std::min(count, agents_.size()); }
  void turn(int watched_fd, int milliseconds);  // one round of events; ends early when watched_fd has input
  bool settled() const { return stats_.up == stats_.wanted; }
  const Stats& stats() const { return stats_; }
  void hang_up();  // all of them; want(0) first, or they come back

 private:
  enum class State : std::uint8_t { down, connecting, handshake, up };
  struct Agent {
    explicit Agent(const ServerId& s) : server(s) {}
    ServerId server;
    std::unique_ptr<X509, FreeCertificate> certificate;
    std::string fingerprint;  // of it
    std::unique_ptr<EVP_PKEY, FreeKey> key;
    Ssl ssl;
    int fd = -1;
    State state = State::down;
    unsigned attempt = 0;
    Clock::time_point next;  // a report or an attempt
    std::string in, out;  // empty but for a frame under way
    std::unique_ptr<agent::Helper> helper;  // made when the first order comes
  };
  struct Due {
    Clock::time_point at;
    std::size_t agent;
    bool operator>(const Due& o) const { return at > o.at; }
  };

  void enrol_one(Https&, const std::string& bearer);
  void begin(std::size_t);
  void proceed(std::size_t);
  void established(std::size_t);
  void drop(std::size_t, bool refused);
  void receive(std::size_t);
  bool take(std::size_t, const wire::ToAgent&);
  void send(std::size_t, const wire::ToServer&);
  bool flush(std::size_t);
  void report(std::size_t);
  void listen_for(std::size_t, bool writable, int operation);
  void remind(std::size_t, std::chrono::milliseconds after);
  void tick();

  int port_;
  std::string ca_file_, agent_ca_file_, folder_, ca_pem_, agent_ca_pem_;
  Context context_;
  bool verified_ = true;
  int epoll_;
  SystemClock clock_;
  MadeUpUnits units_;
  channel::OrderTrust trust_{.server = ServerId{IdBytes{}}, .order_key = {}, .log_key = {}, .cosign_key = {}, .certificate = {}};
  std::vector<Agent> agents_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;  // reports and attempts
  std::deque<std::size_t> waiting_;                                // to connect, at most kAtOnce together
  std::size_t in_flight_ = 0;
  Stats stats_;
};

}  // namespace caip::bench
