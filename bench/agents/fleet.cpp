#include "fleet.h"

#include <openssl/pem.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "agent/enrol.h"
#include "base/json.h"
#include "base/product.h"
#include "crypto/certificates.h"
#include "crypto/random.h"
#include "wire.pb.h"

namespace caip::bench {
namespace {

constexpr std::size_t kAtOnce = 64;  // handshakes under way
constexpr std::uint64_t kWatched = ~std::uint64_t{0};
constexpr auto kReport = std::chrono::milliseconds(15'000);
const agent::AgentTimes kTimes;

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Fleet::Clock::now().time_since_epoch()).count();
}

std::uint32_t random_number() {
  std::uint32_t n = 0;
  crypto::random_bytes({reinterpret_cast<std::uint8_t*>(&n), sizeof n});
  return n;
}

std::chrono::milliseconds within(std::chrono::milliseconds longest) { return std::chrono::milliseconds(random_number() % longest.count()); }

template <class T>
T need(Result<T> r, const char* what) {
  if (!r) die(std::string(what) + ": " + r.error().detail);
  return *std::move(r);
}

}  // namespace

Result<void> MadeUpUnits::status(const UnitName& unit, wire::Unit& out) {
  out.set_unit(unit.str());
  out.set_description("a unit of the load generator");
  out.set_load("loaded");
  out.set_active("active");
  out.set_sub("running");
  return {};
}

Result<void> MadeUpUnits::run(UnitVerb, const UnitName&) {
  ran_ns = now_ns();
  return {};
}

Fleet::Fleet(int port, std::string ca_file, std::string folder)
    : port_(port), ca_file_(std::move(ca_file)), folder_(std::move(folder)), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  std::ifstream file(ca_file_, std::ios::binary);
  ca_pem_.assign(std::istreambuf_iterator<char>(file), {});
  agent_ca_file_ = std::filesystem::path(ca_file_).parent_path() / "agent-ca.pem";
  std::ifstream agents(agent_ca_file_, std::ios::binary);
  agent_ca_pem_.assign(std::istreambuf_iterator<char>(agents), {});
  aim(port, true);
}

Fleet::~Fleet() {
  hang_up();
  ::close(epoll_);
}

void Fleet::aim(int port, bool verified) {
  port_ = port;
  verified_ = verified;
  context_ = client_context(channel::kAgentProtocol, verified ? agent_ca_file_ : std::string());
}

// --- enrolment -----------------------------------------------------------------------------

void Fleet::enrol(std::size_t count, const std::string& bearer) {
  if (agents_.size() >= count) return;
  Https https(port_, ca_file_);
  while (agents_.size() < count) {
    enrol_one(https, bearer);
    if (agents_.size() % 500 == 0) std::fprintf(stderr, "  enrolled %zu of %zu\n", agents_.size(), count);
    turn(-1, 0);
  }
  stats_.enrolled = agents_.size();
}

void Fleet::enrol_one(Https& https, const std::string& bearer) {
  char name[32];
  std::snprintf(name, sizeof name, "bench-%05zu", agents_.size() + 1);
  auto offered = need(parse_object(https.post("/api/v1/enrolments", canonical(json::object{{"name", name}}), bearer, 201)), "enrolment");
  const std::string command(offered.at("install_command").as_string());
  constexpr std::string_view kBefore = "printf '%s' '";
  const auto from = command.find(kBefore) + kBefore.size();
  const std::string token = command.substr(from, command.find('\'', from) - from);
  auto request = need(crypto::make_request(name), "key");
  auto answer = https.post("/api/v1/agent/enrol", canonical(json::object{{"token", token}, {"csr", request.csr_pem}, {"hostname", name}}), {}, 200);
  auto enrolled = need(agent::read_enrolled(answer, {"localhost", std::to_string(port_)}, {.ca_pem = ca_pem_, .agent_ca_pem = agent_ca_pem_, .agent_ca_sha256 = {}}), "enrolment");
  Agent a(enrolled.trust.server);
  trust_ = enrolled.trust;
  std::unique_ptr<BIO, decltype(&BIO_free)> pem(BIO_new_mem_buf(enrolled.certificate_pem.data(), -1), &BIO_free);
  a.fingerprint = need(crypto::certificate_fingerprint(enrolled.certificate_pem), "fingerprint");
  a.certificate.reset(PEM_read_bio_X509(pem.get(), nullptr, nullptr, nullptr));
  request.key_pem.expose(Use::load_key, [&](BytesView k) {
    std::unique_ptr<BIO, decltype(&BIO_free)> in(BIO_new_mem_buf(k.data(), static_cast<int>(k.size())), &BIO_free);
    a.key.reset(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr));
  });
  if (!a.certificate || !a.key) die("an enrolment without certificate or key");
  agents_.push_back(std::move(a));
}

// --- connections ---------------------------------------------------------------------------

void Fleet::listen_for(std::size_t i, bool writable, int operation) {
  epoll_event e{};
  e.events = EPOLLIN | (writable ? EPOLLOUT : 0U);
  e.data.u64 = i;
  ::epoll_ctl(epoll_, operation, agents_[i].fd, &e);
}

void Fleet::begin(std::size_t i) {
  Agent& a = agents_[i];
  ++in_flight_;
  a.state = State::connecting;
  a.fd = connect_to(port_, false);
  if (a.fd < 0) return drop(i, false);
  a.ssl.reset(SSL_new(context_.get()));
  SSL* s = a.ssl.get();
  SSL_set_fd(s, a.fd);
  if (verified_) SSL_set1_host(s, std::string(kControlName).c_str());
  if (SSL_use_certificate(s, a.certificate.get()) != 1 || SSL_use_PrivateKey(s, a.key.get()) != 1) die("client certificate");
  SSL_set_connect_state(s);
  listen_for(i, true, EPOLL_CTL_ADD);
}

void Fleet::proceed(std::size_t i) {
  Agent& a = agents_[i];
  if (a.state == State::connecting) a.state = State::handshake;
  if (a.state != State::handshake) {
    if (!a.out.empty() && !flush(i)) return;
    return receive(i);
  }
  const int n = SSL_do_handshake(a.ssl.get());
  if (n == 1) return established(i);
  const int why = SSL_get_error(a.ssl.get(), n);
  if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) return drop(i, false);
  listen_for(i, why == SSL_ERROR_WANT_WRITE, EPOLL_CTL_MOD);
}

void Fleet::established(std::size_t i) {
  Agent& a = agents_[i];
  --in_flight_;
  a.state = State::up;
  ++stats_.up;
  listen_for(i, false, EPOLL_CTL_MOD);
  wire::ToServer hello;
  auto& h = *hello.mutable_hello();
  h.set_hostname("bench-" + std::to_string(i + 1));
  h.set_os("Debian GNU/Linux 13 (trixie)");
  h.set_kernel("Linux 6.12.0-amd64 x86_64");
  h.set_version("0.1.0");
  send(i, hello);
  // Spread over the interval, as agents that came at different times are.
  if (a.state == State::up) remind(i, within(kReport));
}

void Fleet::drop(std::size_t i, bool refused) {
  Agent& a = agents_[i];
  if (a.state == State::up) {
    --stats_.up;
    ++(refused ? stats_.refused : stats_.lost);
  } else {
    --in_flight_;
    ++stats_.lost;
  }
  a.ssl.reset();
  if (a.fd >= 0) ::close(a.fd);
  a.fd = -1;
  a.state = State::down;
  std::string().swap(a.in);
  std::string().swap(a.out);
  remind(i, agent::backoff(a.attempt++, kTimes, random_number()));
}

void Fleet::hang_up() {
  for (std::size_t i = 0; i < agents_.size(); ++i) {
    Agent& a = agents_[i];
    if (a.state == State::up) --stats_.up;
    else if (a.state != State::down) --in_flight_;
    if (a.state != State::down) SSL_shutdown(a.ssl.get());
    a.ssl.reset();
    if (a.fd >= 0) ::close(a.fd);
    a.fd = -1;
    a.state = State::down;
    a.attempt = 0;
  }
  due_ = {};
  waiting_.clear();
  stats_.asked = 0;
}

// --- frames --------------------------------------------------------------------------------

void Fleet::send(std::size_t i, const wire::ToServer& message) {
  agents_[i].out += need(channel::frame(message.SerializeAsString()), "frame");
  (void)flush(i);
}

bool Fleet::flush(std::size_t i) {
  Agent& a = agents_[i];
  while (!a.out.empty()) {
    std::size_t n = 0;
    const int ok = SSL_write_ex(a.ssl.get(), a.out.data(), a.out.size(), &n);
    if (ok == 1) {
      a.out.erase(0, n);
      continue;
    }
    if (SSL_get_error(a.ssl.get(), ok) != SSL_ERROR_WANT_WRITE) {
      drop(i, false);
      return false;
    }
    listen_for(i, true, EPOLL_CTL_MOD);
    return true;
  }
  std::string().swap(a.out);
  listen_for(i, false, EPOLL_CTL_MOD);
  return true;
}

void Fleet::receive(std::size_t i) {
  Agent& a = agents_[i];
  char buffer[16 * 1024];
  for (;;) {
    std::size_t n = 0;
    const int ok = SSL_read_ex(a.ssl.get(), buffer, sizeof buffer, &n);
    if (ok != 1) {
      if (SSL_get_error(a.ssl.get(), ok) == SSL_ERROR_WANT_READ) break;
      return drop(i, true);
    }
    a.in.append(buffer, n);
  }
  while (a.in.size() >= channel::kFrameHead) {
    const auto size = need(channel::frame_length(a.in), "frame");
    if (a.in.size() < channel::kFrameHead + size) return;
    wire::ToAgent message;
    if (!message.ParseFromArray(a.in.data() + channel::kFrameHead, static_cast<int>(size))) die("the control plane sent what it must not");
    a.in.erase(0, channel::kFrameHead + size);
    if (!take(i, message)) return;
  }
  if (a.in.empty()) std::string().swap(a.in);
}

bool Fleet::take(std::size_t i, const wire::ToAgent& message) {
  Agent& a = agents_[i];
  wire::ToServer answer;
  if (message.has_ping()) {
    ++stats_.pings;
    *answer.mutable_pong() = message.ping();
  } else if (message.has_offer()) {
    // These witness nothing (10,000 files to sync would be the disk's benchmark): always at the start.
    answer.mutable_witnessed()->set_refused("precondition_failed");
  } else if (message.has_order()) {
    const std::int64_t arrived = now_ns();
    ++stats_.orders;
    if (!a.helper) {
      channel::OrderTrust trust = trust_;
      trust.server = a.server;
      trust.certificate = a.fingerprint;
      const std::string state = folder_ + "/" + a.server.str();
      auto keys = need(agent::Keys::open(state, std::move(trust)), "keys");
      auto witness = need(agent::Witness::open(state, keys.trust(), std::nullopt, clock_), "witness");
      a.helper = std::make_unique<agent::Helper>(std::move(keys), std::move(witness), need(agent::OrderBook::open(state + "/book", clock_.now()), "order book"),
                                                 units_, agent::EnvFiles(state), clock_);
    }
    units_.ran_ns = 0;
    *answer.mutable_result() = a.helper->handle(message.order());
    std::printf("{\"event\":\"order\",\"order\":\"%s\",\"succeeded\":%s,\"arrived_ns\":%lld,\"ran_ns\":%lld}\n", answer.result().order().c_str(),
                answer.result().succeeded() ? "true" : "false", static_cast<long long>(arrived), static_cast<long long>(units_.ran_ns));
    std::fflush(stdout);
  }
  send(i, answer);
  return a.state == State::up;
}

void Fleet::report(std::size_t i) {
  wire::ToServer message;
  auto& m = *message.mutable_report()->mutable_metrics();
  m.set_cpu_ratio(0.01 * static_cast<double>(random_number() % 100));
  m.set_mem_used(700'000'000 + random_number() % 1'000'000);
  m.set_mem_total(2'000'000'000);
  m.set_disk_used(9'000'000'000);
  m.set_disk_total(40'000'000'000);
  m.set_net_rx_bps(random_number() % 100'000);
  m.set_net_tx_bps(random_number() % 100'000);
  m.set_load1(0.1);
  ++stats_.reports;
  send(i, message);
  if (agents_[i].state == State::up) remind(i, kReport);
}

// --- time ----------------------------------------------------------------------------------

void Fleet::remind(std::size_t i, std::chrono::milliseconds after) {
  agents_[i].next = Clock::now() + after;
  due_.push({agents_[i].next, i});
}

void Fleet::tick() {
  const auto now = Clock::now();
  while (!due_.empty() && due_.top().at <= now) {
    const auto [at, i] = due_.top();
    due_.pop();
    if (agents_[i].next != at) continue;  // of a connection that is gone
    if (agents_[i].state == State::up) report(i);
    else if (agents_[i].state == State::down && i < stats_.wanted) waiting_.push_back(i);
  }
  while (in_flight_ < kAtOnce && !waiting_.empty()) {
    const auto i = waiting_.front();
    waiting_.pop_front();
    if (agents_[i].state == State::down) begin(i);
  }
}

void Fleet::turn(int watched_fd, int milliseconds) {
  // Whoever is wanted and has never been asked.
  for (std::size_t i = stats_.asked; i < stats_.wanted; ++i) waiting_.push_back(i);
  stats_.asked = std::max(stats_.asked, stats_.wanted);
  tick();
  if (watched_fd >= 0) {
    epoll_event e{};
    e.events = EPOLLIN;
    e.data.u64 = kWatched;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, watched_fd, &e);
  }
  if (!due_.empty()) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(due_.top().at - Clock::now()).count() + 1;
    milliseconds = static_cast<int>(std::clamp<long long>(left, 0, milliseconds));
  }
  epoll_event events[256];
  const int n = ::epoll_wait(epoll_, events, 256, milliseconds);
  for (int k = 0; k < n; ++k) {
    const auto i = events[k].data.u64;
    if (i == kWatched || agents_[i].state == State::down) continue;
    proceed(i);
  }
  tick();
}

}  // namespace caip::bench
