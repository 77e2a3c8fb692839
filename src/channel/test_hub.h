// test_hub.h: the Hub over real TLS on loopback, with certificates of a real authority: what http does with a connection, and agents
// that say what a test wants them to say.
#pragma once
#include <catch2/catch_test_macros.hpp>

#include <openssl/ssl.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/write.hpp>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <fstream>
#include <functional>
#include <mutex>
#include <thread>

#include "channel/frame.h"
#include "channel/hub.h"
#include "crypto/certificates.h"
#include "order_fixture.h"
#include "tls/stream.h"
#include "wire.pb.h"

namespace caip::channel {

namespace asio = boost::asio;
namespace ssl = asio::ssl;
inline const Instant kNow = SystemClock().now();

struct Recorder final : AgentEvents {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> seen;
  bool welcome = true;
  std::function<void()> during_connected = [] {};
  void held(const AgentIdentity&, const KeysSaid& said) override { note("held " + hex(said.keys.order) + said.refused.raw()); }
  void note(const std::string& what) {
    std::scoped_lock lock(mutex);
    seen.push_back(what);
    changed.notify_all();
  }
  bool saw(const std::string& what) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(10), [&] { return std::ranges::find(seen, what) != seen.end(); });
  }
  bool nothing() {
    std::scoped_lock lock(mutex);
    return seen.empty();
  }
  std::string first() {
    std::scoped_lock lock(mutex);
    return seen.front();
  }
  std::atomic<Duration> ahead{Duration{}};  // the time of the log, before ours
  Instant now() override { return SystemClock().now() + ahead.load(); }
  bool known = true;
  std::atomic<int> knocked = 0;
  Result<void> knocks(const AgentIdentity&) override {
    ++knocked;
    return known ? Result<void>{} : fail(Code::forbidden, "a retired key");
  }
  std::optional<KeyAsk> ask;
  std::string signature;
  Result<std::optional<KeyAsk>> connected(const AgentIdentity& who, const AgentHello& hello) override {
    {
      std::scoped_lock lock(mutex);
      signature = who.shown().signature;
    }
    note("connected " + who.server().str() + " " + hello.hostname.raw() + (who.shown().lapsed ? " lapsed" : ""));
    during_connected();
    if (!welcome) return fail(Code::forbidden, "not welcome");
    return hello.renews ? ask : std::nullopt;
  }
  void proved(const AgentIdentity&, const KeyProof& proof) override { note("proved " + hex(proof.nonce)); }
  void twice(const AgentIdentity& who, const std::string&, const std::string&) override { note("twice " + who.server().str()); }
  bool issues = true;
  Result<KeyIssued> offered(const AgentIdentity&, const KeyOffer& offer) override {
    note("offered " + offer.request);
    if (!issues) return fail(Code::forbidden, "nobody asked");
    return KeyIssued{"for " + offer.request, true};
  }
  void reported(const AgentIdentity&, const Metrics& m) override { note("load " + std::to_string(static_cast<int>(m.load1))); }
  void units(const AgentIdentity&, const std::vector<UnitState>& u) override { note("units " + std::to_string(u.size())); }
  bool awaited = true;
  std::chrono::milliseconds work{0};  // what a durable write takes
  std::atomic<int> results = 0;
  Result<void> finished(const AgentIdentity&, const OrderResult& r) override {
    ++results;
    std::this_thread::sleep_for(work);
    if (results < 10) note("finished " + r.order.str());
    return awaited ? Result<void>{} : fail(Code::not_found, "nobody asked");
  }
  void witnessed(const AgentIdentity&, const Witnessed& w) override { note("witnessed " + std::to_string(w.size)); }
  void disconnected(const AgentIdentity&) override { note("disconnected"); }
};

inline int choose(SSL*, const unsigned char** out, unsigned char* size, const unsigned char*, unsigned int, void*) {
  *out = reinterpret_cast<const unsigned char*>(kAgentProtocol.data());
  *size = static_cast<unsigned char>(kAgentProtocol.size());
  return SSL_TLSEXT_ERR_OK;
}

inline void take(ssl::context& c, std::string_view certificate, const SecretBytes& key) {
  c.use_certificate_chain(asio::buffer(certificate));
  key.expose(Use::load_key, [&](BytesView k) { c.use_private_key(asio::buffer(k.data(), k.size()), ssl::context::pem); });
}

// What http does: accept, handshake, hand over.
struct Plane {
  asio::io_context io;
  asio::thread_pool pool{1};
  crypto::KeyAndCertificate ca = *crypto::make_authority("test", kNow, 2);
  ssl::context context{ssl::context::tls_server};
  asio::ip::tcp::acceptor acceptor{io, {asio::ip::address_v4::loopback(), 0}};
  Recorder events;
  Hub hub;
  asio::executor_work_guard<asio::io_context::executor_type> work = asio::make_work_guard(io);
  std::thread thread;

  explicit Plane(HubLimits limits = {.bar = {}}) : hub(io, limits) {
    auto own = crypto::issue_server_certificate(ca, {"127.0.0.1"}, kNow, 2);
    take(context, own->certificate_pem, own->key_pem);
    context.add_certificate_authority(asio::buffer(ca.certificate_pem));
    context.set_verify_mode(ssl::verify_peer);
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context.native_handle()), X509_V_FLAG_NO_CHECK_TIME);
    SSL_CTX_set_alpn_select_cb(context.native_handle(), choose, nullptr);
    hub.listen(events);
    accept();
    thread = std::thread([this] { io.run(); });
  }
  ~Plane() {
    hub.stop();
    io.stop();
    thread.join();
  }
  asio::awaitable<void> welcome(asio::ip::tcp::socket socket) {
    auto stream = std::make_unique<tls::Stream>(std::move(socket), context.native_handle());
    if (!co_await stream->accept(pool.get_executor())) hub.accept_stream(std::move(stream));
  }
  void accept() {
    acceptor.async_accept([this](boost::system::error_code e, asio::ip::tcp::socket socket) {
      if (e) return;
      asio::co_spawn(io, welcome(std::move(socket)), asio::detached);
      accept();
    });
  }
};

struct FakeAgent {
  asio::io_context io;
  ssl::context context{ssl::context::tls_client};
  std::unique_ptr<ssl::stream<asio::ip::tcp::socket>> stream;
  std::string certificate;
  std::shared_ptr<SecretBytes> key;

  FakeAgent(Plane& plane, const std::string& uri, const char* groups = "X25519MLKEM768") {
    auto request = crypto::make_request("web-1");
    if (!uri.empty()) {
      certificate = *crypto::issue_client_certificate(plane.ca, request->csr_pem, uri, kNow, std::chrono::hours(24));
      key = std::make_shared<SecretBytes>(std::move(request->key_pem));
    }
    connect(plane, groups);
  }
  FakeAgent(Plane& plane, const FakeAgent& same) : certificate(same.certificate), key(same.key) { connect(plane, "X25519MLKEM768"); }
  void connect(Plane& plane, const char* groups) {
    if (key) take(context, certificate, *key);
    SSL_CTX_set1_groups_list(context.native_handle(), groups);
    const std::string alpn = std::string(1, static_cast<char>(kAgentProtocol.size())) + std::string(kAgentProtocol);
    SSL_CTX_set_alpn_protos(context.native_handle(), reinterpret_cast<const unsigned char*>(alpn.data()), static_cast<unsigned>(alpn.size()));
    stream = std::make_unique<ssl::stream<asio::ip::tcp::socket>>(io, context);
    stream->lowest_layer().connect(plane.acceptor.local_endpoint());
    boost::system::error_code ignored;
    ignored = stream->handshake(ssl::stream_base::client, ignored);
  }
  bool send(const wire::ToServer& m) { return raw(*frame(m.SerializeAsString())); }
  bool raw(const std::string& bytes) {
    boost::system::error_code failed;
    asio::write(*stream, asio::buffer(bytes), failed);
    return !failed;
  }
  // True when the other end closed; false when there was silence for so long.
  bool closed_within(std::chrono::milliseconds time) {
    const auto until = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < until) {
      pollfd p{.fd = stream->lowest_layer().native_handle(), .events = POLLIN, .revents = 0};
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
      if (::poll(&p, 1, static_cast<int>(std::max<std::int64_t>(left, 0))) <= 0) return false;
      char byte = 0;
      if (::recv(p.fd, &byte, 1, MSG_PEEK) <= 0) return true;
      boost::system::error_code e;  // a session ticket or a ping
      stream->lowest_layer().non_blocking(true);
      std::array<char, 64> some{};
      stream->read_some(asio::buffer(some), e);
      stream->lowest_layer().non_blocking(false);
      if (e && e != asio::error::would_block && e != asio::error::try_again) return true;
    }
    return false;
  }
  void hello(const std::string& name, bool renews = false) {
    wire::ToServer m;
    m.mutable_hello()->set_hostname(name);
    if (renews) m.mutable_hello()->set_renews(kRenewsKeys);
    send(m);
  }
  void offer(const std::string& request) {
    wire::ToServer m;
    m.mutable_key()->set_request(request);
    m.mutable_key()->set_nonce(std::string(kNonce, 7));
    send(m);
  }
  std::optional<wire::ToAgent> receive() {
    std::array<char, kFrameHead> head{};
    boost::system::error_code e;
    asio::read(*stream, asio::buffer(head), e);
    if (e) return std::nullopt;
    std::string body(*frame_length({head.data(), head.size()}), '\0');
    asio::read(*stream, asio::buffer(body), e);
    wire::ToAgent m;
    return !e && m.ParseFromString(body) ? std::optional(m) : std::nullopt;
  }
};

inline const std::string kUri = "caip:server:" + test_server().str();

inline wire::ToServer result_of(const OperationId& id) {
  wire::ToServer m;
  m.mutable_result()->set_order(id.str());
  for (int i = 0; i < 20; ++i) m.mutable_result()->add_lines(std::string(1000, 'x'));
  return m;
}

inline std::string other_uri(std::uint8_t n) { return "caip:server:" + ServerId{IdBytes{100, n}}.str(); }

}  // namespace caip::channel
