// The Hub over real TLS on loopback, with certificates of a real authority.
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
namespace {

namespace asio = boost::asio;
namespace ssl = asio::ssl;
const Instant kNow = SystemClock().now();

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
  Result<void> connected(const AgentIdentity& who, const AgentHello& hello) override {
    note("connected " + who.server().str() + " " + hello.hostname.raw());
    during_connected();
    return welcome ? Result<void>{} : fail(Code::forbidden, "not welcome");
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

int choose(SSL*, const unsigned char** out, unsigned char* size, const unsigned char*, unsigned int, void*) {
  *out = reinterpret_cast<const unsigned char*>(kAgentProtocol.data());
  *size = static_cast<unsigned char>(kAgentProtocol.size());
  return SSL_TLSEXT_ERR_OK;
}

void take(ssl::context& c, std::string_view certificate, const SecretBytes& key) {
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
      certificate = *crypto::issue_client_certificate(plane.ca, request->csr_pem, uri, kNow, 1);
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
  void hello(const std::string& name) {
    wire::ToServer m;
    m.mutable_hello()->set_hostname(name);
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

const std::string kUri = "caip:server:" + test_server().str();

TEST_CASE("an agent comes, reports, gets an order and goes") {
  Plane plane;
  OrderFixture f;
  CHECK(plane.hub.send(test_server(), f.make()).error().code == Code::server_offline);
  auto agent = std::make_unique<FakeAgent>(plane, kUri);
  agent->hello("web-1");
  REQUIRE(plane.events.saw("connected " + test_server().str() + " web-1"));
  wire::ToServer report;
  report.mutable_report()->mutable_metrics()->set_load1(3);
  report.mutable_report()->mutable_units()->add_units()->set_unit("a.service");
  agent->send(report);
  REQUIRE(plane.events.saw("units 1"));
  CHECK(plane.events.saw("load 3"));
  CHECK(plane.hub.group(test_server()) == "X25519MLKEM768");
  REQUIRE(plane.hub.send(test_server(), f.make()).has_value());
  auto order = agent->receive();
  REQUIRE(order.has_value());
  CHECK(order->order().order() == encode(f.order));
  wire::ToServer result;
  result.mutable_result()->set_order(f.order.order.str());
  agent->send(result);
  CHECK(plane.events.saw("finished " + f.order.order.str()));
  agent.reset();
  CHECK(plane.events.saw("disconnected"));
  CHECK_FALSE(plane.hub.online(test_server()));
}

TEST_CASE("a second connection of a server replaces the first") {
  Plane plane;
  FakeAgent first(plane, kUri);
  first.hello("one");
  REQUIRE(plane.events.saw("connected " + test_server().str() + " one"));
  FakeAgent second(plane, kUri);
  second.hello("two");
  REQUIRE(plane.events.saw("connected " + test_server().str() + " two"));
  CHECK_FALSE(first.receive().has_value());
  CHECK(plane.hub.online(test_server()));
  CHECK(plane.hub.count() == 1);
}

TEST_CASE("who brings no server's certificate, or no post-quantum group, is sent away") {
  Plane plane;
  for (auto [uri, groups] : {std::pair<std::string, const char*>{"", "X25519MLKEM768"}, {"caip:server:srv_nonsense", "X25519MLKEM768"}, {kUri, "X25519"}}) {
    FakeAgent agent(plane, uri, groups);
    agent.hello("x");
    CHECK_FALSE(agent.receive().has_value());
  }
  CHECK(plane.hub.count() == 0);
  CHECK(plane.events.nothing());
}

std::int64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::int64_t size = 0, resident = 0;
  statm >> size >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

wire::ToServer result_of(const OperationId& id) {
  wire::ToServer m;
  m.mutable_result()->set_order(id.str());
  for (int i = 0; i < 20; ++i) m.mutable_result()->add_lines(std::string(1000, 'x'));
  return m;
}

std::string other_uri(std::uint8_t n) { return "caip:server:" + ServerId{IdBytes{100, n}}.str(); }

TEST_CASE("an agent that pours out 100,000 results is slowed down: little memory, and another's hello is heard within a second") {
  Plane plane;
  plane.events.work = std::chrono::milliseconds(5);
  FakeAgent loud(plane, kUri);
  loud.hello("loud");
  REQUIRE(plane.events.saw("connected " + test_server().str() + " loud"));
  const auto before = resident_bytes();
  std::atomic<int> sent = 0;
  std::thread pours([&] {
    const auto bytes = *frame(result_of(OperationId{IdBytes{1}}).SerializeAsString());
    while (sent < 100'000 && loud.raw(bytes)) ++sent;
  });
  while (plane.events.results < 100) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  for (std::uint8_t n = 0; n < 20; ++n) {
    FakeAgent quiet(plane, other_uri(n));
    const auto began = std::chrono::steady_clock::now();
    quiet.hello("quiet");
    REQUIRE(plane.events.saw("connected " + ServerId{IdBytes{100, n}}.str() + " quiet"));
    CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(1));
  }
#ifdef __SANITIZE_ADDRESS__
  constexpr int kMost = 32;  // with what ASan puts round each allocation
#else
  constexpr int kMost = 16;
#endif
  CHECK(resident_bytes() - before < kMost * 1024 * 1024);
  CHECK(sent < 100'000);  // it has to wait: nobody reads what is not handled
  plane.hub.disconnect(test_server());
  pours.join();
}

TEST_CASE("results have a rate, also when handling one costs nothing") {
  Plane plane({.bar = {}, .frames_per_second = 50, .frames_at_once = 20});
  FakeAgent agent(plane, kUri);
  agent.hello("a");
  REQUIRE(plane.events.saw("connected " + test_server().str() + " a"));
  const auto began = std::chrono::steady_clock::now();
  wire::ToServer small;
  small.mutable_result()->set_order(OperationId{IdBytes{1}}.str());
  for (int i = 0; i < 60; ++i) REQUIRE(agent.send(small));
  while (plane.events.results < 60) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  CHECK(std::chrono::steady_clock::now() - began > std::chrono::milliseconds(600));  // (1 + 60 - 20) / 50 s, less some
}

TEST_CASE("a result that nobody waits for ends the connection and bars the certificate for a moment") {
  Plane plane({.bar = std::chrono::milliseconds(60'000)});
  plane.events.awaited = false;
  FakeAgent agent(plane, kUri);
  agent.hello("liar");
  REQUIRE(plane.events.saw("connected " + test_server().str() + " liar"));
  agent.send(result_of(OperationId{IdBytes{1}}));
  CHECK_FALSE(agent.receive().has_value());
  CHECK(plane.events.results == 1);
  FakeAgent renewed(plane, kUri);  // the same server, another certificate: not barred
  renewed.hello("renewed");
  CHECK(plane.events.saw("connected " + test_server().str() + " renewed"));
}

TEST_CASE("100 connections of one certificate: two are kept, and without a hello not for long") {
  Plane plane({.hello = std::chrono::milliseconds(1500), .bar = {}});
  FakeAgent first(plane, kUri);
  std::vector<std::unique_ptr<FakeAgent>> all;
  for (int i = 0; i < 99; ++i) all.push_back(std::make_unique<FakeAgent>(plane, first));
  int closed = 0;
  for (auto& a : all) closed += a->closed_within(std::chrono::milliseconds(20)) ? 1 : 0;
  CHECK(closed == 98);
  FakeAgent other(plane, other_uri(1));
  other.hello("other");
  CHECK(plane.events.saw("connected " + ServerId{IdBytes{100, 1}}.str() + " other"));
  CHECK(first.closed_within(std::chrono::seconds(5)));  // no hello
  FakeAgent back(plane, first);
  back.hello("back");
  CHECK(plane.events.saw("connected " + test_server().str() + " back"));
  CHECK(back.closed_within(std::chrono::milliseconds(2500)) == false);
}

TEST_CASE("one address does not hold many connections that said no hello") {
  Plane plane({.bar = {}, .waiting_per_address = 3});
  std::vector<std::unique_ptr<FakeAgent>> all;
  for (std::uint8_t n = 0; n < 4; ++n) all.push_back(std::make_unique<FakeAgent>(plane, other_uri(n)));
  CHECK(all[3]->closed_within(std::chrono::seconds(5)));
  all[0]->hello("makes room");
  REQUIRE(plane.events.saw("connected " + ServerId{IdBytes{100, 0}}.str() + " makes room"));
  FakeAgent next(plane, other_uri(9));
  next.hello("next");
  CHECK(plane.events.saw("connected " + ServerId{IdBytes{100, 9}}.str() + " next"));
}

TEST_CASE("the first frame is a hello and small; there is no second hello") {
  Plane plane;
  wire::ToServer pong;
  pong.mutable_pong();
  {
    FakeAgent agent(plane, kUri);
    agent.send(pong);
    CHECK_FALSE(agent.receive().has_value());
  }
  {
    FakeAgent agent(plane, kUri);
    agent.raw(std::string("\x00\x0f\xff\xff", 4));  // its length alone
    CHECK(agent.closed_within(std::chrono::seconds(3)));  // not only when the hello's time is over
  }
  FakeAgent agent(plane, kUri);
  agent.hello("one");
  agent.hello("two");
  CHECK_FALSE(agent.receive().has_value());
  CHECK(plane.events.first().ends_with(" one"));
}

TEST_CASE("a length of 1 MiB costs nothing before its bytes come") {
  Plane plane;
  std::vector<std::unique_ptr<FakeAgent>> all;
  for (std::uint8_t n = 0; n < 40; ++n) {
    all.push_back(std::make_unique<FakeAgent>(plane, other_uri(n)));
    all.back()->hello("x");
    REQUIRE(plane.events.saw("connected " + ServerId{IdBytes{100, n}}.str() + " x"));
  }
  const auto before = resident_bytes();
  for (auto& a : all) a->raw(std::string("\x00\x10\x00\x00", 4));
  for (auto& a : all) CHECK_FALSE(a->closed_within(std::chrono::milliseconds(10)));
  CHECK(resident_bytes() - before < 8 * 1024 * 1024);
}

// The certificate was exchanged while the hello was looked at.
TEST_CASE("a disconnect during a hello is about that hello") {
  Plane plane;
  std::mutex held;
  held.lock();
  plane.events.during_connected = [&] { std::scoped_lock wait(held); };
  FakeAgent agent(plane, kUri);
  agent.hello("old");
  REQUIRE(plane.events.saw("connected " + test_server().str() + " old"));
  plane.hub.disconnect(test_server());
  held.unlock();
  CHECK_FALSE(agent.receive().has_value());
  CHECK(plane.events.saw("disconnected"));
}

TEST_CASE("refused, empty, oversized and senseless are ends of the connection") {
  Plane plane;
  plane.events.welcome = false;
  {
    FakeAgent agent(plane, kUri);
    agent.hello("refused");
    CHECK_FALSE(agent.receive().has_value());
  }
  for (const std::string& bytes : {std::string(4, '\0'), std::string(4, '\xff'), std::string("\0\0\0\2zz", 6)}) {
    FakeAgent agent(plane, kUri);
    agent.raw(bytes);
    CHECK_FALSE(agent.receive().has_value());
  }
  CHECK(plane.hub.count() == 0);
}

}  // namespace
}  // namespace caip::channel
