// The stream against OpenSSL's own client, over a socket pair on loopback.
#include "tls/stream.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <future>
#include <optional>
#include <string>
#include <thread>

#include "crypto/certificates.h"

namespace {

using namespace caip;
namespace asio = boost::asio;
using asio::ip::tcp;

struct FreeContext { void operator()(SSL_CTX* c) const noexcept { SSL_CTX_free(c); } };
struct FreeSsl { void operator()(SSL* s) const noexcept { SSL_free(s); } };

std::unique_ptr<SSL_CTX, FreeContext> server_context() {
  const Instant now = SystemClock().now();
  const auto ca = crypto::make_authority("test", now, 2);
  const auto own = crypto::issue_server_certificate(*ca, {"localhost"}, now, 2);
  std::unique_ptr<SSL_CTX, FreeContext> c(SSL_CTX_new(TLS_server_method()));
  std::unique_ptr<BIO, decltype(&BIO_free)> pem(BIO_new_mem_buf(own->certificate_pem.data(), -1), &BIO_free);
  X509* x = PEM_read_bio_X509(pem.get(), nullptr, nullptr, nullptr);
  SSL_CTX_use_certificate(c.get(), x);
  X509_free(x);
  own->key_pem.expose(Use::load_key, [&](BytesView k) {
    std::unique_ptr<BIO, decltype(&BIO_free)> in(BIO_new_mem_buf(k.data(), static_cast<int>(k.size())), &BIO_free);
    EVP_PKEY* key = PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr);
    SSL_CTX_use_PrivateKey(c.get(), key);
    EVP_PKEY_free(key);
  });
  SSL_CTX_set_num_tickets(c.get(), 0);
  return c;
}

// A client in a thread of its own and our stream, after the handshake.
struct Pair {
  asio::io_context io;
  asio::thread_pool pool{1};
  asio::executor_work_guard<asio::io_context::executor_type> work = asio::make_work_guard(io);
  std::unique_ptr<SSL_CTX, FreeContext> server = server_context();
  std::unique_ptr<SSL_CTX, FreeContext> client{SSL_CTX_new(TLS_client_method())};
  tcp::socket theirs{io};
  std::unique_ptr<SSL, FreeSsl> ssl;
  std::unique_ptr<tls::Stream> stream;
  std::thread thread{[this] { io.run(); }};

  Pair() {
    std::signal(SIGPIPE, SIG_DFL);  // a write to somebody who has gone must not need it ignored
    tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
    theirs.connect(acceptor.local_endpoint());
    stream = std::make_unique<tls::Stream>(acceptor.accept(), server.get());
    auto shaken = asio::co_spawn(io, stream->accept(pool.get_executor()), asio::use_future);
    theirs.native_non_blocking(false);
    ssl.reset(SSL_new(client.get()));
    SSL_set_fd(ssl.get(), theirs.native_handle());
    REQUIRE(SSL_connect(ssl.get()) == 1);
    REQUIRE_FALSE(shaken.get());
  }
  ~Pair() {
    asio::post(io, [this] { stream->close(); });
    work.reset();
    thread.join();
  }
  template <class F>
  auto on_io(F f) { return asio::co_spawn(io, std::move(f), asio::use_future).get(); }
  std::pair<tls::error_code, std::size_t> read(std::size_t size) {
    std::string to(size, '\0');
    return on_io([&]() -> asio::awaitable<std::pair<tls::error_code, std::size_t>> {
      tls::error_code ec;
      const std::size_t n = co_await stream->async_read_some(asio::buffer(to), asio::redirect_error(asio::use_awaitable, ec));
      co_return std::pair{ec, n};
    });
  }
  tls::error_code write(const std::string& text) {
    return on_io([&]() -> asio::awaitable<tls::error_code> {
      tls::error_code ec;
      co_await asio::async_write(*stream, asio::buffer(text), asio::redirect_error(asio::use_awaitable, ec));
      co_return ec;
    });
  }
};

}  // namespace

TEST_CASE("what is far larger than a record and the socket's buffers arrives whole, both ways at once") {
  Pair p;
  const std::string text(3'000'000, 'x');
  auto sent = asio::co_spawn(p.io, [&]() -> asio::awaitable<std::size_t> {
    const std::array<asio::const_buffer, 3> parts{asio::buffer(text, 10), asio::buffer(text, 0), asio::buffer(text)};
    co_return co_await asio::async_write(*p.stream, parts, asio::use_awaitable);
  }, asio::use_future);
  std::string back(text.size(), '\0');
  auto received = asio::co_spawn(p.io, [&]() -> asio::awaitable<std::size_t> {
    co_return co_await asio::async_read(*p.stream, asio::buffer(back), asio::use_awaitable);
  }, asio::use_future);
  std::string got;
  std::size_t out = 0;
  char buffer[16 * 1024];
  while (got.size() < text.size() + 10 || out < text.size()) {
    if (out < text.size()) {
      const int n = SSL_write(p.ssl.get(), text.data() + out, static_cast<int>(std::min<std::size_t>(16384, text.size() - out)));
      REQUIRE(n > 0);
      out += static_cast<std::size_t>(n);
    }
    if (got.size() < text.size() + 10) {
      const int n = SSL_read(p.ssl.get(), buffer, sizeof buffer);
      REQUIRE(n > 0);
      got.append(buffer, static_cast<std::size_t>(n));
    }
  }
  CHECK(sent.get() == text.size() + 10);
  CHECK(received.get() == text.size());
  CHECK(got == text + text.substr(0, 10));
  CHECK(back == text);
}

TEST_CASE("a goodbye is an end, a cut is an error") {
  Pair polite;
  SSL_shutdown(polite.ssl.get());
  CHECK(polite.read(10).first == asio::error::eof);
  Pair rude;
  rude.theirs.close();
  CHECK(rude.read(10).first == asio::ssl::error::stream_truncated);
}

TEST_CASE("a write to somebody who has gone is an error and no signal") {
  Pair p;
  p.theirs.set_option(asio::socket_base::linger(true, 0));
  p.theirs.close();
  (void)p.write("once");
  CHECK(p.write("and again"));
}

TEST_CASE("after close the descriptor is somebody else's, and nothing is read from it or sent to it") {
  Pair p;
  const int number = p.stream->socket().native_handle();
  p.on_io([&]() -> asio::awaitable<void> { p.stream->close(); co_return; });
  int pipe[2];
  REQUIRE(::pipe(pipe) == 0);
  const int reader = ::fcntl(pipe[0], F_DUPFD, 100), writer = ::fcntl(pipe[1], F_DUPFD, 100);  // not in the way
  ::close(pipe[0]);
  ::close(pipe[1]);
  REQUIRE(::dup2(reader, number) == number);
  REQUIRE(::write(writer, "secret", 6) == 6);
  CHECK(p.read(10).first);
  CHECK(p.write("x"));
  char left[8];
  CHECK(::read(number, left, sizeof left) == 6);
  for (const int fd : {reader, writer, number}) ::close(fd);
}

TEST_CASE("closing ends a read that is under way") {
  Pair p;
  auto reading = std::async(std::launch::async, [&] { return p.read(10).first; });
  tls::error_code ec;
  p.write("hello");  // the loop has taken up the read by now
  asio::post(p.io, [&] { p.stream->close(); });
  CHECK(reading.get());
}

TEST_CASE("an idle connection holds no buffers") {
  // OpenSSL's own count: nothing waits in it, and a record's buffer is back with the allocator.
  Pair p;
  REQUIRE(SSL_write(p.ssl.get(), "hello", 5) == 5);
  CHECK(p.read(10).second == 5);
  CHECK(SSL_has_pending(p.stream->native_handle()) == 0);
  CHECK((SSL_get_mode(p.stream->native_handle()) & SSL_MODE_RELEASE_BUFFERS) != 0);
  CHECK(SSL_alloc_buffers(p.stream->native_handle()) == 1);
  CHECK(SSL_free_buffers(p.stream->native_handle()) == 1);
  CHECK(sizeof(tls::Stream) <= 256);
}

TEST_CASE("the client's key share is forgotten after the handshake, and the connection lives on") {
  Pair p;
  CHECK(std::string_view(SSL_get0_group_name(p.stream->native_handle())) == "X25519MLKEM768");
  EVP_PKEY* share = nullptr;
  REQUIRE(SSL_get_peer_tmp_key(p.stream->native_handle(), &share) == 1);
  CHECK(EVP_PKEY_get0_provider(share) == nullptr);  // nothing is in it
  EVP_PKEY_free(share);
  // New traffic keys, asked for by each side in turn, come from what the handshake left behind.
  char byte = 0;
  for (int i = 0; i < 3; ++i) {
    REQUIRE(SSL_key_update(p.ssl.get(), SSL_KEY_UPDATE_REQUESTED) == 1);
    REQUIRE(SSL_write(p.ssl.get(), "a", 1) == 1);
    CHECK(p.read(1).second == 1);
    p.on_io([&]() -> asio::awaitable<void> { CHECK(SSL_key_update(p.stream->native_handle(), SSL_KEY_UPDATE_REQUESTED) == 1); co_return; });
    CHECK_FALSE(p.write("b"));
    CHECK(SSL_read(p.ssl.get(), &byte, 1) == 1);
  }
}

TEST_CASE("a close in the middle of a handshake's arithmetic waits for its end") {
  asio::io_context io;
  asio::thread_pool pool(1);
  const auto context = server_context();
  tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
  tcp::socket theirs(io);
  theirs.connect(acceptor.local_endpoint());
  tls::Stream stream(acceptor.accept(), context.get());
  std::promise<void> go;
  asio::write(theirs, asio::buffer("anything", 8));
  asio::post(pool, [&] { go.get_future().wait(); });  // the step is queued behind this
  std::optional<tls::error_code> ended;
  asio::co_spawn(io, stream.accept(pool.get_executor()), [&](std::exception_ptr, tls::error_code ec) { ended = ec; });
  io.poll();
  stream.close();
  CHECK(stream.socket().is_open());
  go.set_value();
  io.restart();
  io.run();
  REQUIRE(ended);
  CHECK(*ended == asio::error::operation_aborted);
  CHECK_FALSE(stream.socket().is_open());
}
