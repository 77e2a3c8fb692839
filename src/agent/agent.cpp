#include "agent/agent.h"

#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>

#include "base/log.h"
#include "base/text.h"
#include "channel/frame.h"
#include "channel/agent_keys.h"
#include "channel/order.h"
#include "crypto/random.h"
#include "metrics.h"
#include "tls_client.h"
#include "wire.pb.h"

namespace caip::agent {
namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr std::size_t kMaxWaiting = 8 * 1024 * 1024;  // bytes for a helper that is busy
constexpr std::chrono::milliseconds kFirstReport{1000};
constexpr std::size_t kMaxResults = 64;               // kept while there is no connection

// The socketpair to the root half. Its end is our end: run() returns with it.
class HelperLink {
 public:
  explicit HelperLink(Fd fd) : fd_(std::move(fd)) {}
  int fd() const { return fd_.get(); }
  bool wants_write() const { return !out_.empty(); }

  Result<void> send(const wire::ToHelper& message) {
    std::string body = message.SerializeAsString();
    auto bytes = channel::frame(body);
    wipe(std::span<char>(body));
    if (!bytes) return std::unexpected(std::move(bytes).error());
    if (out_.size() + bytes->size() > kMaxWaiting) return fail(Code::too_many, "too many orders at once");
    out_ += *bytes;
    wipe(std::span<char>(*bytes));
    return flush();
  }
  Result<void> flush() {
    while (!out_.empty()) {
      ssize_t n = ::send(fd_.get(), out_.data(), out_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return {};
      if (n <= 0) return gone();
      wipe(std::span<char>(out_).first(static_cast<std::size_t>(n)));  // env values may be in it
      out_.erase(0, static_cast<std::size_t>(n));
    }
    return {};
  }
  // `take` gets each message, `unreadable` is called for one that makes no sense.
  template <class F, class G>
  Result<void> receive(F take, G unreadable) {
    std::array<char, 16 * 1024> buffer;
    for (;;) {
      ssize_t n = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
      if (n <= 0) return gone();
      reader_.feed({buffer.data(), static_cast<std::size_t>(n)});
    }
    for (;;) {
      CAIP_TRY(body, reader_.next());
      if (!body) return {};
      wire::FromHelper message;
      const bool readable = message.ParseFromString(*body);
      wipe(std::span<char>(*body));  // a key may be in it
      if (readable) take(message);
      else unreadable();
    }
  }
  bool alive() const { return alive_; }

 private:
  Result<void> gone() {
    alive_ = false;
    return fail(Code::unavailable, "the helper has gone");
  }
  Fd fd_;
  std::string out_;
  channel::FrameReader reader_;
  bool alive_ = true;
};

int poll_timeout(SteadyClock::time_point until) {
  auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - SteadyClock::now()).count() + 1;
  return static_cast<int>(std::clamp<long long>(left, 0, 60'000));
}

std::uint32_t random_number() {
  std::array<std::uint8_t, 4> b{};
  crypto::random_bytes(b);
  return std::uint32_t{b[0]} << 24 | std::uint32_t{b[1]} << 16 | std::uint32_t{b[2]} << 8 | b[3];
}

}  // namespace

std::chrono::milliseconds backoff(unsigned attempt, const AgentTimes& times, std::uint32_t random) {
  auto longest = times.longest_pause.count();
  auto full = attempt > 16 ? longest : std::min(longest, times.first_pause.count() << attempt);
  auto half = full / 2;
  return std::chrono::milliseconds(half + static_cast<long long>(random) % (full - half + 1));
}

struct Agent::Impl {
  Impl(AgentConfig c, TlsContext t, Fd helper, AgentTimes a)
      : config(std::move(c)), tls(std::move(t)), link(std::move(helper)), times(a) {}

  AgentConfig config;
  TlsContext tls;
  HelperLink link;
  AgentTimes times;
  MetricsReader metrics;
  std::deque<wire::OrderResult> results;  // not sent yet
  bool listing = false;                   // the helper owes us a list of units
  bool fresh_units = false;
  std::optional<std::uint64_t> witnessed;  // by the helper, as of its last message
  std::deque<wire::Witnessed> cosigned;    // not sent yet
  std::optional<wire::KeysHeld> held;      // what the helper goes by
  bool fresh_held = false;
  wire::UnitList units;
  std::optional<wire::KeyOffer> own_key;   // an answer about it, not sent yet
  std::optional<wire::KeyProof> proof;     // the answer to a challenge, for the next connection
  bool renewed = false;                    // the next connection is due: with a new certificate, or with a proof

  // What the helper owes us, in the order of its answers: an order's id, empty for the units, or one of these.
  static constexpr std::string_view kCosignature = "cosignature", kKeys = "keys", kOwnKey = "own key", kCredential = "credential", kProof = "proof";
  static constexpr std::array kNoOrders{kCosignature, kKeys, kOwnKey, kCredential, kProof};
  std::deque<std::string> owed;

  Result<void> ask_units() {
    if (listing) return {};
    listing = true;
    wire::ToHelper ask;
    ask.set_list_units(true);
    owed.emplace_back();
    return link.send(ask);
  }

  void keep(wire::OrderResult result) {
    if (result.order().empty()) return log::warn("a result of an order that could not be read", {{"why", shown(result.error())}});
    if (results.size() >= kMaxResults) results.pop_front();  // the helper has it on disk
    results.push_back(std::move(result));
  }

  // Of one of our questions, at least: answers come in their order.
  void unreadable() {
    log::warn("the helper gave an answer that cannot be read");
    if (owed.empty()) return;
    wire::OrderResult failed;
    failed.set_order(owed.front());
    failed.set_unknown(true);
    failed.set_error("the helper's answer could not be read; the order may have run: look at the unit's state before trying again");
    if (owed.front().empty()) listing = false;
    else if (!std::ranges::contains(kNoOrders, owed.front())) keep(std::move(failed));
    owed.pop_front();
  }

  void answered(std::string_view what) {
    auto found = std::ranges::find(owed, what);
    if (found != owed.end()) owed.erase(found);
  }

  void take(const wire::Witnessed& m) {
    witnessed = m.size();
    if (m.line().empty() && m.refused().empty()) return;  // its greeting: nobody asked
    answered(kCosignature);
    if (cosigned.size() >= kMaxResults) cosigned.pop_front();  // the next offer brings a newer one
    cosigned.push_back(m);
  }

  // The helper keeps it on the disk by now; this process holds it in memory alone.
  void take(wire::Credential& c) {
    answered(kCredential);
    if (c.certificate().empty()) return;  // the helper has said why
    const SecretBytes key{std::string_view(c.key())};
    wipe(std::span<char>(*c.mutable_key()));
    if (!c.authority().empty()) config.authority_pem = c.authority();
    auto fresh = TlsContext::make(channel::kAgentProtocol, config.authority_pem);  // one pair, not also the one before
    const auto used = fresh ? fresh->use(c.certificate(), key) : Result<void>(std::unexpected(fresh.error()));
    if (!used) return log::error("a new certificate cannot be used", {{"why", used.error().detail}});
    tls = *std::move(fresh);
    log::info("this server has a new certificate");
    renewed = renewed || c.reconnect();
  }

  Result<void> drain_helper() {
    bool changed = false;
    CAIP_CHECKED(link.receive(
        [&](wire::FromHelper& m) {
          if (m.has_result()) {
            answered(m.result().order());
            witnessed = m.result().witnessed();
            keep(m.result());
            changed = true;
          } else if (m.has_witnessed()) {
            take(m.witnessed());
          } else if (m.has_held()) {
            answered(kKeys);
            held = m.held();
            fresh_held = true;
          } else if (m.has_key()) {
            answered(kOwnKey);
            if (!m.key().request().empty()) own_key = m.key();
          } else if (m.has_proof()) {
            answered(kProof);
            if (m.proof().signature().empty()) return;
            proof = m.proof();
            renewed = true;
          } else if (m.has_credential()) {
            take(*m.mutable_credential());
          } else if (m.has_units()) {
            answered({});
            listing = false;
            units = m.units();
            fresh_units = true;
          }
        },
        [&] { unreadable(); }));
    return changed ? ask_units() : Result<void>{};
  }

  struct Connection {
    TlsClient tls;
    channel::FrameReader reader;
    SteadyClock::time_point heard;
    SteadyClock::time_point next_report;
  };

  Result<void> write(Connection& c, const wire::ToServer& message) {
    CAIP_TRY(bytes, channel::frame(message.SerializeAsString()));
    return c.tls.write(bytes, SteadyClock::now() + times.patience);
  }

  Result<void> hello(Connection& c) {
    wire::ToServer message;
    read_hello(*message.mutable_hello());
    if (witnessed) message.mutable_hello()->set_witnessed(*witnessed);
    if (held) *message.mutable_hello()->mutable_keys() = *held;
    message.mutable_hello()->set_renews(channel::kProvesKeys);
    return write(c, message);
  }

  Result<void> report(Connection& c) {
    wire::ToServer message;
    metrics.read(*message.mutable_report()->mutable_metrics());
    c.next_report = SteadyClock::now() + times.report;
    CAIP_CHECKED(ask_units());
    return write(c, message);
  }

  Result<void> take(Connection& c, wire::ToAgent& message) {
    if (message.has_order()) {
      wire::ToHelper forward;
      forward.mutable_order()->Swap(message.mutable_order());
      auto order = channel::decode_order(forward.order().order());
      if (order) owed.push_back(order->order.str());  // else the helper will say that it cannot read it
      auto sent = link.send(forward);
      channel::wipe_env(*forward.mutable_order());
      return sent;
    }
    if (message.has_offer()) {
      wire::ToHelper forward;
      *forward.mutable_offer() = message.offer();
      owed.emplace_back(kCosignature);
      return link.send(forward);
    }
    if (message.has_successions()) {
      wire::ToHelper forward;
      *forward.mutable_successions() = message.successions();
      owed.emplace_back(kKeys);
      return link.send(forward);
    }
    if (message.has_ask()) {
      wire::ToHelper forward;
      *forward.mutable_ask() = message.ask();
      owed.emplace_back(kOwnKey);
      return link.send(forward);
    }
    if (message.has_issued()) {
      wire::ToHelper forward;
      *forward.mutable_issued() = message.issued();
      owed.emplace_back(kCredential);
      return link.send(forward);
    }
    if (message.has_check()) {
      wire::ToHelper forward;
      *forward.mutable_check() = message.check();
      owed.emplace_back(kProof);
      return link.send(forward);
    }
    if (!message.has_ping()) return fail(Code::malformed, "the control plane sent what it must not");
    wire::ToServer answer;
    *answer.mutable_pong() = message.ping();
    return write(c, answer);
  }

  Result<void> drain_tls(Connection& c) {
    for (;;) {
      CAIP_TRY(bytes, c.tls.read());
      if (bytes.empty()) return {};
      c.heard = SteadyClock::now();
      c.reader.feed(bytes);
      wipe(std::span<char>(bytes));
      for (;;) {
        CAIP_TRY(body, c.reader.next());
        if (!body) break;
        wire::ToAgent message;
        const bool readable = message.ParseFromString(*body);
        wipe(std::span<char>(*body));
        if (!readable) return fail(Code::malformed, "the control plane sent what it must not");
        CAIP_CHECKED(take(c, message));
      }
    }
  }

  Result<void> send_waiting(Connection& c) {
    while (!results.empty()) {
      wire::ToServer message;
      *message.mutable_result() = results.front();
      CAIP_CHECKED(write(c, message));
      results.pop_front();
    }
    while (!cosigned.empty()) {
      wire::ToServer message;
      *message.mutable_witnessed() = cosigned.front();
      CAIP_CHECKED(write(c, message));
      cosigned.pop_front();
    }
    if (fresh_held) {
      wire::ToServer message;
      *message.mutable_held() = *held;
      fresh_held = false;
      CAIP_CHECKED(write(c, message));
    }
    if (own_key) {
      wire::ToServer message;
      *message.mutable_key() = *std::exchange(own_key, std::nullopt);
      CAIP_CHECKED(write(c, message));
    }
    if (fresh_units) {
      wire::ToServer message;
      *message.mutable_report()->mutable_units() = units;
      fresh_units = false;
      CAIP_CHECKED(write(c, message));
    }
    return {};
  }

  Result<void> session(Connection& c) {
    CAIP_CHECKED(drain_helper());  // its greeting, when it is there; without one the control plane asks
    cosigned.clear();              // about offers of an earlier connection
    own_key.reset();               // likewise
    CAIP_CHECKED(hello(c));
    if (proof) {
      wire::ToServer message;
      *message.mutable_proof() = *std::exchange(proof, std::nullopt);
      CAIP_CHECKED(write(c, message));
    }
    CAIP_CHECKED(ask_units());
    for (;;) {
      CAIP_CHECKED(drain_tls(c));
      CAIP_CHECKED(drain_helper());
      CAIP_CHECKED(send_waiting(c));
      if (renewed) return fail(Code::unavailable, "connecting anew, as it was asked to");
      auto now = SteadyClock::now();
      if (now - c.heard > times.silence) return fail(Code::timeout, "the control plane is silent");
      if (now >= c.next_report) CAIP_CHECKED(report(c));
      std::array<pollfd, 2> fds{pollfd{.fd = c.tls.fd(), .events = POLLIN, .revents = 0},
                                pollfd{.fd = link.fd(), .events = POLLIN, .revents = 0}};
      if (link.wants_write()) fds[1].events |= POLLOUT;
      ::poll(fds.data(), fds.size(), poll_timeout(std::min(c.next_report, c.heard + times.silence)));
      CAIP_CHECKED(link.flush());
    }
  }

  Result<void> once() {
    renewed = false;  // what comes from here on is for the connection after this one
    CAIP_TRY(client, tls.connect(config.server, SteadyClock::now() + times.patience));
    auto now = SteadyClock::now();
    // Rates over the few milliseconds of a handshake would say nothing but that there was one.
    Connection c{.tls = std::move(client), .reader = {}, .heard = now, .next_report = now + std::min(times.report, kFirstReport)};
    log::info("connected", {{"server", config.server.str()}, {"group", "X25519MLKEM768"}});
    return session(c);
  }

  // A pause that still notices when the helper goes.
  Result<void> pause(std::chrono::milliseconds length) {
    const auto until = SteadyClock::now() + length;
    while (SteadyClock::now() < until) {
      pollfd p{.fd = link.fd(), .events = POLLIN, .revents = 0};
      ::poll(&p, 1, poll_timeout(until));
      CAIP_CHECKED(drain_helper());
    }
    return {};
  }
};

Agent::Agent(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Agent::Agent(Agent&&) noexcept = default;
Agent::~Agent() = default;

Result<Agent> Agent::prepare(AgentConfig config, int helper_fd, AgentTimes times) {
  Fd fd(helper_fd);
  CAIP_TRY(tls, TlsContext::make(channel::kAgentProtocol, config.authority_pem));
  CAIP_CHECKED(tls.use(config.certificate_pem, config.key_pem));
  // Name service modules are loaded now: no code can be loaded once we are confined.
  addrinfo* found = nullptr;
  if (::getaddrinfo(config.server.host.c_str(), config.server.port.c_str(), nullptr, &found) == 0) ::freeaddrinfo(found);
  config.key_pem = SecretBytes();
  return Agent(std::make_unique<Impl>(std::move(config), std::move(tls), std::move(fd), times));
}

Error Agent::run() {
  unsigned attempt = 0;
  for (;;) {
    const auto started = SteadyClock::now();
    auto ended = impl_->once();
    if (!impl_->link.alive()) return {Code::unavailable, "the helper has gone"};
    if (SteadyClock::now() - started > std::chrono::seconds(30) || impl_->renewed) attempt = 0;  // it had worked
    auto rest = backoff(attempt++, impl_->times, random_number());
    log::warn("not connected", {{"why", ended ? "" : ended.error().detail}, {"pause_ms", std::int64_t{rest.count()}}});
    if (auto ok = impl_->pause(rest); !ok) return std::move(ok).error();
  }
}

}  // namespace caip::agent
