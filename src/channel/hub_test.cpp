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
#include <condition_variable>
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
  void note(const std::string& what) {
    std::scoped_lock lock(mutex);
    seen.push_back(what);
    changed.notify_all();
  }
  bool saw(const std::string& what) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(10), [&] { return std::ranges::find(seen, what) != seen.end(); });
  }
  Result<void> connected(const AgentIdentity& who, const AgentHello& hello) override {
    note("connected " + who.server().str() + " " + hello.hostname.raw());
    return welcome ? Result<void>{} : fail(Code::forbidden, "not welcome");
  }
  void reported(const AgentIdentity&, const Metrics& m) override { note("load " + std::to_string(static_cast<int>(m.load1))); }
  void units(const AgentIdentity&, const std::vector<UnitState>& u) override { note("units " + std::to_string(u.size())); }
  void finished(const AgentIdentity&, const OrderResult& r) override { note("finished " + r.order.str()); }
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
  Hub hub{io};
  asio::executor_work_guard<asio::io_context::executor_type> work = asio::make_work_guard(io);
  std::thread thread;

  Plane() {
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

  FakeAgent(Plane& plane, const std::string& uri, const char* groups = "X25519MLKEM768") {
    auto request = crypto::make_request("web-1");
    if (!uri.empty()) {
      auto certificate = crypto::issue_client_certificate(plane.ca, request->csr_pem, uri, kNow, 1);
      take(context, *certificate, request->key_pem);
    }
    SSL_CTX_set1_groups_list(context.native_handle(), groups);
    const std::string alpn = std::string(1, static_cast<char>(kAgentProtocol.size())) + std::string(kAgentProtocol);
    SSL_CTX_set_alpn_protos(context.native_handle(), reinterpret_cast<const unsigned char*>(alpn.data()), static_cast<unsigned>(alpn.size()));
    stream = std::make_unique<ssl::stream<asio::ip::tcp::socket>>(io, context);
    stream->lowest_layer().connect(plane.acceptor.local_endpoint());
    boost::system::error_code ignored;
    ignored = stream->handshake(ssl::stream_base::client, ignored);
  }
  void send(const wire::ToServer& m) { raw(*frame(m.SerializeAsString())); }
  void raw(const std::string& bytes) {
    boost::system::error_code ignored;
    asio::write(*stream, asio::buffer(bytes), ignored);
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
  CHECK(plane.events.seen.empty());
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
