// The listener against a real TLS client.
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <future>
#include <thread>

#include "base/product.h"
#include "http/events.h"
#include "http/server.h"
#include "tls/stream.h"

namespace {

using namespace caip::http;
namespace asio = boost::asio;
namespace ssl = asio::ssl;
using asio::ip::tcp;

std::string pem(BIO* bio) {
  char* data = nullptr;
  long size = BIO_get_mem_data(bio, &data);
  std::string out(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return out;
}

Certificate self_signed(const char* name = "test") {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* x = X509_new();
  X509_set_version(x, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
  X509_gmtime_adj(X509_getm_notBefore(x), -3600);
  X509_gmtime_adj(X509_getm_notAfter(x), 3600);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
  X509_set_issuer_name(x, X509_get_subject_name(x));
  X509_set_pubkey(x, key);
  X509_sign(x, key, EVP_sha256());
  BIO* a = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(a, x);
  BIO* b = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(b, key, nullptr, nullptr, 0, nullptr, nullptr);
  X509_free(x);
  EVP_PKEY_free(key);
  return {pem(a), pem(b)};
}

struct Fixture {
  asio::io_context io;
  std::unique_ptr<Server> server;
  std::thread thread;
  std::atomic<int> agents{0};
  std::shared_ptr<EventQueue> queue = std::make_shared<EventQueue>();
  Certificate certificate = self_signed();

  Fixture() {
    ServerConfig c;
    c.listen = {{"127.0.0.1", 0}};
    c.certificates = {.web = certificate, .own = certificate, .agents = certificate, .agent_authorities = certificate.chain_pem};
    c.workers = 2;
    c.limits.header_seconds = c.limits.body_seconds = 2;
    auto made = Server::listen(io, c, [this](const Request& r) { return handle(r); }, [this](std::unique_ptr<caip::tls::Stream>) { ++agents; });
    REQUIRE(made);
    server = *std::move(made);
    thread = std::thread([this] { io.run(); });
  }
  ~Fixture() {
    asio::post(io, [this] { server->stop(); });
    server->drain();
    io.stop();
    thread.join();
  }
  Response handle(const Request& r) {
    Response out;
    if (r.path == "/events") out.events = queue;
    if (r.path == "/throw") throw std::runtime_error("as planned");
    out.body = r.method + " " + r.path + "?" + r.query + " " + std::to_string(r.body.size());
    return out;
  }
};

struct Client {
  asio::io_context io;
  ssl::context context{ssl::context::tls_client};
  std::unique_ptr<ssl::stream<tcp::socket>> stream;
  boost::system::error_code error;

  // From a browser's first words on; what it asks for after a HelloRetryRequest may be something else.
  static void ask_anew(int outgoing, int, int type, const void* data, std::size_t size, SSL* s, void* hello) {
    const auto* bytes = static_cast<const unsigned char*>(data);
    constexpr unsigned char retry[] = {0xcf, 0x21, 0xad, 0x74};  // RFC 8446 section 4.1.3: so its random begins
    if (outgoing != 0 || type != SSL3_RT_HANDSHAKE || size < 38 || bytes[0] != SSL3_MT_SERVER_HELLO || std::memcmp(bytes + 6, retry, 4) != 0) return;
    ++*static_cast<int*>(hello);
    SSL_set_alpn_protos(s, reinterpret_cast<const unsigned char*>("\x0c" "caip-agent/1"), 13);
  }

  explicit Client(std::uint16_t port, const char* groups = nullptr, std::string_view alpn = {}, const Certificate* own = nullptr, int max = 0, int* retried = nullptr) {
    if (own) {
      context.use_certificate_chain(asio::buffer(own->chain_pem));
      context.use_private_key(asio::buffer(own->key_pem), ssl::context::pem);
    }
    stream = std::make_unique<ssl::stream<tcp::socket>>(io, context);
    SSL* s = stream->native_handle();
    if (groups) REQUIRE(SSL_set1_groups_list(s, groups) == 1);
    if (retried) {
      std::string name(caip::kControlName);  // what the macros do, without their C casts
      SSL_ctrl(s, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data());
      SSL_set_msg_callback(s, ask_anew);
      SSL_ctrl(s, SSL_CTRL_SET_MSG_CALLBACK_ARG, 0, retried);
    }
    if (max) SSL_set_max_proto_version(s, max);
    if (!alpn.empty()) {
      std::string wire = static_cast<char>(alpn.size()) + std::string(alpn);
      SSL_set_alpn_protos(s, reinterpret_cast<const unsigned char*>(wire.data()), static_cast<unsigned>(wire.size()));
    }
    stream->next_layer().connect({asio::ip::address_v4::loopback(), port});
    stream->handshake(ssl::stream_base::client, error);
  }
  std::string ask(std::string_view bytes) {
    asio::write(*stream, asio::buffer(bytes), error);
    std::string answer;
    asio::read(*stream, asio::dynamic_buffer(answer), error);
    return answer;
  }
};

}  // namespace

TEST_CASE("a request is answered, a broken one refused") {
  Fixture f;
  REQUIRE(Client(f.server->port()).ask("GET /a/b?c=d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ends_with("GET /a/b?c=d 0"));
  REQUIRE(Client(f.server->port()).ask("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc").ends_with("POST /? 3"));
  for (std::string_view bad : {"GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "GET x HTTP/1.1\r\nHost: a\r\n\r\n",
                               "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "nonsense\r\n\r\n"})
    CHECK(Client(f.server->port()).ask(bad).starts_with("HTTP/1.1 400"));
  CHECK(Client(f.server->port()).ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n").starts_with("HTTP/1.1 413"));
  CHECK(Client(f.server->port()).ask("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(20000, 'x') + "\r\n\r\n").starts_with("HTTP/1.1 431"));
  CHECK(Client(f.server->port()).ask("GET /throw HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").starts_with("HTTP/1.1 500"));
}

TEST_CASE("a silent client is cut off") {
  Fixture f;
  auto begin = std::chrono::steady_clock::now();
  CHECK(Client(f.server->port()).ask("GET / HT").empty());
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
}

TEST_CASE("TLS 1.3 alone, the hybrid group preferred") {
  Fixture f;
  CHECK(Client(f.server->port(), nullptr, {}, nullptr, TLS1_2_VERSION).error);
  Client both(f.server->port(), "X25519:X25519MLKEM768");
  REQUIRE_FALSE(both.error);
  CHECK(std::string_view(SSL_get0_group_name(both.stream->native_handle())) == "X25519MLKEM768");
  Client classic(f.server->port(), "X25519");
  CHECK_FALSE(classic.error);
}

TEST_CASE("an agent needs a certificate and the hybrid group") {
  Fixture f;
  Client good(f.server->port(), "X25519MLKEM768", "caip-agent/1", &f.certificate);
  REQUIRE_FALSE(good.error);
  for (int i = 0; i < 100 && f.agents == 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK(f.agents == 1);
  CHECK(Client(f.server->port(), "X25519", "caip-agent/1", &f.certificate).error);
  Client none(f.server->port(), "X25519MLKEM768", "caip-agent/1");  // in TLS 1.3 the refusal comes with the first read
  none.ask("x");
  CHECK(none.error != asio::error::eof);
  Certificate other = self_signed();
  Client wrong(f.server->port(), "X25519MLKEM768", "caip-agent/1", &other);
  wrong.ask("x");
  CHECK(wrong.error != asio::error::eof);
  CHECK(f.agents == 1);
  CHECK(Client(f.server->port(), nullptr, "h2").error);
}

TEST_CASE("browsers, who asks for our own name, and agents are each shown a certificate of theirs; others take their place at once") {
  Fixture f;
  const auto shown = [&](std::string_view alpn, bool own_name) {
    int retried = 0;
    Client c(f.server->port(), "X25519MLKEM768", alpn, &f.certificate, 0, own_name ? &retried : nullptr);
    REQUIRE_FALSE(c.error);
    X509* const leaf = SSL_get0_peer_certificate(c.stream->native_handle());
    return leaf != nullptr ? X509_subject_name_hash(leaf) : 0;
  };
  const Certificate web = self_signed("web"), own = self_signed("own"), agents = self_signed("agents");
  const auto hash = [](const Certificate& c) {
    const std::unique_ptr<BIO, decltype([](BIO* b) { BIO_free(b); })> bio(BIO_new_mem_buf(c.chain_pem.data(), -1));
    const std::unique_ptr<X509, decltype([](X509* x) { X509_free(x); })> x(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    return X509_subject_name_hash(x.get());
  };
  CHECK_FALSE(f.server->show({.web = web, .own = own, .agents = {.chain_pem = agents.chain_pem, .key_pem = own.key_pem}, .agent_authorities = {}}));
  CHECK(shown("http/1.1", false) == hash(f.certificate));
  REQUIRE(f.server->show({.web = web, .own = own, .agents = agents, .agent_authorities = f.certificate.chain_pem}));
  CHECK(shown("http/1.1", false) == hash(web));
  CHECK(shown("http/1.1", true) == hash(own));
  CHECK(shown("caip-agent/1", false) == hash(agents));
  CHECK(shown("caip-agent/1", true) == hash(agents));
}

TEST_CASE("who speaks of the agent's protocol only after a HelloRetryRequest needs a certificate too") {
  Fixture f;
  int retried = 0;
  Client late(f.server->port(), "P-256:X25519MLKEM768", {}, nullptr, 0, &retried);
  late.ask("x");
  CHECK(retried == 1);
  CHECK(late.error != asio::error::eof);
  CHECK(f.agents == 0);
  retried = 0;
  Client agent(f.server->port(), "P-256:X25519MLKEM768", {}, &f.certificate, 0, &retried);
  REQUIRE_FALSE(agent.error);
  CHECK(retried == 1);
  for (int i = 0; i < 100 && f.agents == 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK(f.agents == 1);
}

TEST_CASE("events arrive, and a full queue ends the stream") {
  Fixture f;
  auto frame = std::make_shared<const std::string>(event_frame("x", "{\n\"a\":1}"));
  CHECK(*frame == "event: x\ndata: {\"a\":1}\n\n");
  auto answer = std::async(std::launch::async, [&] { return Client(f.server->port()).ask("GET /events HTTP/1.1\r\nHost: a\r\n\r\n"); });
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  f.queue->push(frame);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  f.queue->close();
  CHECK(answer.get().find(*frame) != std::string::npos);
  EventQueue full;
  for (std::size_t i = 0; i < EventQueue::kMaxFrames; ++i) REQUIRE(full.push(frame));
  CHECK_FALSE(full.push(frame));
  CHECK(full.closed());
}

TEST_CASE("a queue that ends gives out nothing of what waited in it") {
  const auto frame = std::make_shared<const std::string>(event_frame("server.updated", "{}"));
  EventQueue queue;
  REQUIRE(queue.push(frame));
  queue.end();
  CHECK(queue.closed());
  CHECK(queue.pop() == nullptr);
  CHECK_FALSE(queue.push(frame));
}
