// The network half between a helper and a control plane, over a real socketpair and real TLS.
#include <catch2/catch_test_macros.hpp>

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "agent/agent.h"
#include "agent/helper.h"
#include "base/product.h"
#include "base/text.h"
#include "channel/agent_keys.h"
#include "channel/frame.h"
#include "crypto/certificates.h"
#include "order_fixture.h"
#include "wire.pb.h"

namespace caip::agent {
namespace {

namespace asio = boost::asio;
namespace ssl = asio::ssl;
const Instant kNow = SystemClock().now();

int choose(SSL*, const unsigned char** out, unsigned char* size, const unsigned char*, unsigned int, void*) {
  *out = reinterpret_cast<const unsigned char*>(channel::kAgentProtocol.data());
  *size = static_cast<unsigned char>(channel::kAgentProtocol.size());
  return SSL_TLSEXT_ERR_OK;
}

// The control plane's end, one agent, blocking.
struct Control {
  asio::io_context io;
  crypto::KeyAndCertificate ca = *crypto::make_authority("test", kNow, 2);
  ssl::context context{ssl::context::tls_server};
  asio::ip::tcp::acceptor acceptor{io, {asio::ip::address_v4::loopback(), 0}};
  std::unique_ptr<ssl::stream<asio::ip::tcp::socket>> stream;

  Control() {
    auto own = crypto::issue_server_certificate(ca, {std::string(kControlName), "127.0.0.1"}, kNow, 2);
    context.use_certificate_chain(asio::buffer(own->certificate_pem));
    own->key_pem.expose(Use::load_key, [&](BytesView k) { context.use_private_key(asio::buffer(k.data(), k.size()), ssl::context::pem); });
    context.add_certificate_authority(asio::buffer(ca.certificate_pem));
    context.set_verify_mode(ssl::verify_peer);
    SSL_CTX_set_alpn_select_cb(context.native_handle(), choose, nullptr);
  }
  AgentConfig config() {
    auto request = crypto::make_request("web-1");
    auto certificate = crypto::issue_client_certificate(ca, request->csr_pem, "caip:server:" + channel::test_server().str(), kNow, std::chrono::hours(24));
    return {.server = *Endpoint::parse("127.0.0.1:" + std::to_string(acceptor.local_endpoint().port())), .authority_pem = ca.certificate_pem,
            .certificate_pem = *certificate, .key_pem = std::move(request->key_pem)};
  }
  void accept() {
    stream = std::make_unique<ssl::stream<asio::ip::tcp::socket>>(acceptor.accept(), context);
    stream->handshake(ssl::stream_base::server);
  }
  void send(const channel::SignedOrder& order) {
    wire::ToAgent m;
    channel::to_wire(order, *m.mutable_order());
    asio::write(*stream, asio::buffer(*channel::frame(m.SerializeAsString())));
  }
  void offer() {
    wire::ToAgent m;
    m.mutable_offer()->set_checkpoint("for the helper to judge");
    asio::write(*stream, asio::buffer(*channel::frame(m.SerializeAsString())));
  }
  void say(const wire::ToAgent& m) { asio::write(*stream, asio::buffer(*channel::frame(m.SerializeAsString()))); }
  std::string peer() {
    X509* const c = SSL_get0_peer_certificate(stream->native_handle());
    std::array<unsigned char, 32> digest{};
    unsigned size = 0;
    REQUIRE(X509_digest(c, EVP_sha256(), digest.data(), &size) == 1);
    return hex(digest);
  }
  wire::OrderResult result() {
    return next([](const wire::ToServer& m) { return m.has_result(); }).result();
  }
  wire::UnitList units() {
    return next([](const wire::ToServer& m) { return m.report().units().units_size() > 0; }).report().units();
  }
  template <class F>
  wire::ToServer next(F wanted) {  // whatever else the agent says is passed over
    for (;;) {
      std::array<char, channel::kFrameHead> head{};
      asio::read(*stream, asio::buffer(head));
      std::string body(*channel::frame_length({head.data(), head.size()}), '\0');
      asio::read(*stream, asio::buffer(body));
      wire::ToServer m;
      REQUIRE(m.ParseFromString(body));
      if (wanted(m)) return m;
    }
  }
};

struct Session {
  Control control;
  int helper = -1;
  std::thread thread;

  Session() {
    int pair[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    helper = pair[1];
    thread = std::thread([config = control.config(), fd = pair[0]]() mutable {
      auto agent = Agent::prepare(std::move(config), fd);
      CHECK(agent->run().code == Code::unavailable);  // when its helper has gone
    });
    control.accept();
  }
  ~Session() {
    ::close(helper);
    thread.join();
  }
};

struct ByHand {  // a helper whose answers the test writes
  int fd;
  channel::FrameReader reader = {};
  wire::ToHelper order() {
    return next([](const wire::ToHelper& m) { return m.has_order(); });
  }
  wire::ToHelper offer() {
    return next([](const wire::ToHelper& m) { return m.has_offer(); });
  }
  template <class F>
  wire::ToHelper next(F wanted) {  // asked for units, it says that there are none
    for (;;) {
      auto body = reader.next();
      REQUIRE(body.has_value());
      if (!*body) {
        std::array<char, 4096> some{};
        const auto n = ::recv(fd, some.data(), some.size(), 0);
        REQUIRE(n > 0);
        reader.feed({some.data(), static_cast<std::size_t>(n)});
        continue;
      }
      wire::ToHelper m;
      REQUIRE(m.ParseFromString(**body));
      if (wanted(m)) return m;
      if (!m.list_units()) continue;
      wire::FromHelper units;
      units.mutable_units();
      answer(units.SerializeAsString());
    }
  }
  void answer(const std::string& body) {
    const std::string bytes = *channel::frame(body);
    REQUIRE(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
  }
};

TEST_CASE("an answer of the helper that cannot be read is a failed result that says so; the agent stays connected") {
  Session s;
  ByHand helper{s.helper};
  channel::OrderFixture f;
  s.control.send(f.make());
  helper.order();
  wire::FromHelper bad;
  bad.mutable_result()->set_order(f.order.order.str());
  bad.mutable_result()->add_lines("a\xff");
  helper.answer(bad.SerializeAsString());
  const auto failed = s.control.result();
  CHECK(failed.order() == f.order.order.str());
  CHECK_FALSE(failed.succeeded());
  CHECK(failed.error().contains("could not be read"));

  f.order.order = OperationId{IdBytes{2}};
  s.control.send(f.make());
  helper.order();
  wire::FromHelper good;
  good.mutable_result()->set_order(f.order.order.str());
  good.mutable_result()->set_succeeded(true);
  helper.answer(good.SerializeAsString());
  CHECK(s.control.result().succeeded());
}

TEST_CASE("a result without an order's id is kept back, not sent to be taken for a lie") {
  Session s;
  ByHand helper{s.helper};
  channel::OrderFixture f;
  s.control.send(f.make());
  helper.order();
  wire::FromHelper nameless;
  nameless.mutable_result()->set_error("could not be read");
  helper.answer(nameless.SerializeAsString());
  wire::FromHelper good;
  good.mutable_result()->set_order(f.order.order.str());
  helper.answer(good.SerializeAsString());
  CHECK(s.control.result().order() == f.order.order.str());
}

TEST_CASE("what the helper says of the log reaches the control plane, and where it is opens the next connection") {
  Session s;
  ByHand helper{s.helper};
  channel::OrderFixture f;
  s.control.offer();
  helper.offer();
  wire::FromHelper cosigned;
  cosigned.mutable_witnessed()->set_size(7);
  cosigned.mutable_witnessed()->set_line("a cosignature");
  helper.answer(cosigned.SerializeAsString());
  CHECK(s.control.next([](const wire::ToServer& m) { return m.has_witnessed(); }).witnessed().line() == "a cosignature");
  s.control.offer();
  helper.offer();
  wire::FromHelper refused;
  refused.mutable_witnessed()->set_size(8);
  refused.mutable_witnessed()->set_refused("digest_mismatch");
  helper.answer(refused.SerializeAsString());
  CHECK(s.control.next([](const wire::ToServer& m) { return m.has_witnessed(); }).witnessed().refused() == "digest_mismatch");
  // Neither is owed any longer: an unreadable answer is now the order's.
  s.control.send(f.make());
  helper.order();
  wire::FromHelper bad;
  bad.mutable_result()->add_lines("a\xff");
  helper.answer(bad.SerializeAsString());
  CHECK(s.control.result().order() == f.order.order.str());
  s.control.stream.reset();
  s.control.accept();
  CHECK(s.control.next([](const wire::ToServer& m) { return m.has_hello(); }).hello().witnessed() == 8);
}

TEST_CASE("a question about its key goes to the root half and its answer back; what was issued is what it comes with next") {
  Session s;
  ByHand helper{s.helper};
  wire::ToAgent ask;
  ask.mutable_ask()->set_nonce(std::string(channel::kNonce, 1));
  s.control.say(ask);
  CHECK(helper.next([](const wire::ToHelper& m) { return m.has_ask(); }).ask().nonce() == std::string(channel::kNonce, 1));
  wire::FromHelper none;
  none.mutable_key();
  helper.answer(none.SerializeAsString());  // it has no answer: nothing is said
  s.control.say(ask);
  helper.next([](const wire::ToHelper& m) { return m.has_ask(); });
  wire::FromHelper offer;
  offer.mutable_key()->set_request("a request");
  helper.answer(offer.SerializeAsString());
  CHECK(s.control.next([](const wire::ToServer& m) { return m.has_key(); }).key().request() == "a request");

  auto config = s.control.config();  // another key and its certificate
  wire::ToAgent issued;
  issued.mutable_issued()->set_certificate("for the root half to judge");
  issued.mutable_issued()->set_reconnect(true);
  s.control.say(issued);
  helper.next([](const wire::ToHelper& m) { return m.has_issued(); });
  wire::FromHelper credential;
  credential.mutable_credential()->set_certificate(config.certificate_pem);
  config.key_pem.expose(Use::store_key, [&](BytesView key) { credential.mutable_credential()->set_key(std::string(text_of(key))); });
  credential.mutable_credential()->set_reconnect(true);
  helper.answer(credential.SerializeAsString());
  s.control.stream.reset();
  s.control.accept();
  CHECK(s.control.peer() == crypto::certificate_fingerprint(config.certificate_pem).value());
  CHECK(s.control.next([](const wire::ToServer& m) { return m.has_hello(); }).hello().renews() == channel::kProvesKeys);
}

TEST_CASE("a challenge is answered over a connection of its own") {
  Session s;
  ByHand helper{s.helper};
  wire::ToAgent check;
  check.mutable_check()->set_nonce("n");
  s.control.say(check);
  helper.next([](const wire::ToHelper& m) { return m.has_check(); });
  wire::FromHelper proof;
  proof.mutable_proof()->set_signature("signed");
  helper.answer(proof.SerializeAsString());
  s.control.stream.reset();
  s.control.accept();
  CHECK(s.control.next([](const wire::ToServer& m) { return m.has_proof(); }).proof().signature() == "signed");
}

struct Journal final : UnitManager {
  Result<void> list(wire::UnitList& out) override {
    for (int i = 0; i < 2048; ++i) {
      out.add_units()->set_unit("u" + std::to_string(i) + ".service");
      out.mutable_units(i)->set_description("\xff" + std::string(4000, 'd'));
    }
    return {};
  }
  Result<void> status(const UnitName&, wire::Unit&) override { return fail(Code::not_found); }
  Result<std::vector<std::string>> reached(UnitVerb, const UnitName& u) override { return std::vector{u.str()}; }
  Result<void> run(UnitVerb, const UnitName&) override { return {}; }
  Result<void> reboot() override { return {}; }
  Result<std::vector<std::string>> journal(const UnitName&, std::int64_t) override {
    std::string cut_inside(4095, 'x');
    return std::vector<std::string>{"raw \xff byte", cut_inside + "\xc3\xa4", std::string(600'000, '\xfe'), "last"};
  }
};

TEST_CASE("a helper whose machine writes raw bytes and long descriptions answers through a real agent") {
  Session s;
  std::string folder = (std::filesystem::temp_directory_path() / "caip-session-XXXXXX").string();
  REQUIRE(::mkdtemp(folder.data()));
  channel::OrderFixture f;
  Journal journal;
  Helper helper(*Keys::open(folder, f.trust()), *Witness::open(folder, f.trust(), crypto::SigningKey::generate(), f.clock), *OrderBook::open(folder + "/book", f.clock.now()), journal, EnvFiles(folder), f.clock);
  std::thread serves([&] { static_cast<void>(helper.serve(s.helper)); });
  f.action = ReadJournal{channel::test_server(), *UnitName::parse("nginx.service"), 100};
  s.control.send(f.make());
  const auto result = s.control.result();
  CHECK(result.succeeded());
  REQUIRE(result.lines_size() == 4);
  CHECK(result.lines(0) == "raw \xef\xbf\xbd byte");
  for (const auto& line : result.lines()) CHECK(line.size() <= 4096);
  CHECK(result.lines(3) == "last");
  const auto units = s.control.units();
  CHECK(units.units_size() == 2048);
  CHECK(units.units(0).description().size() <= 256);
  ::shutdown(s.helper, SHUT_RDWR);
  serves.join();
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace caip::agent
