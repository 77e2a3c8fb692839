#include "tls/stream.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <sys/socket.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <new>

namespace caip::tls {
namespace {

using Socket = asio::ip::tcp::socket;

// A BIO of our own instead of OpenSSL's socket BIO: it asks the socket object, which knows when
// it was closed, rather than a number that the next connection may have got; and it sends
// without SIGPIPE.
Socket& socket_of(BIO* bio) { return *static_cast<Socket*>(BIO_get_data(bio)); }

bool again() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

int bio_read(BIO* bio, char* to, std::size_t size, std::size_t* got) {
  BIO_clear_retry_flags(bio);
  *got = 0;
  Socket& socket = socket_of(bio);
  if (!socket.is_open()) return 0;
  const ssize_t n = ::recv(socket.native_handle(), to, size, 0);
  if (n > 0) *got = static_cast<std::size_t>(n);
  else if (n < 0 && again()) BIO_set_retry_read(bio);
  else if (n == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return n > 0 ? 1 : 0;
}

int bio_write(BIO* bio, const char* from, std::size_t size, std::size_t* sent) {
  BIO_clear_retry_flags(bio);
  *sent = 0;
  Socket& socket = socket_of(bio);
  if (!socket.is_open()) return 0;
  const ssize_t n = ::send(socket.native_handle(), from, size, MSG_NOSIGNAL);
  if (n > 0) *sent = static_cast<std::size_t>(n);
  else if (n < 0 && again()) BIO_set_retry_write(bio);
  return n > 0 ? 1 : 0;
}

long bio_control(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_FLUSH) return 1;
  if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
  return 0;
}

const BIO_METHOD* method() {
  static const BIO_METHOD* const kMethod = [] {
    BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "caip socket");
    if (m == nullptr || BIO_meth_set_read_ex(m, bio_read) != 1 || BIO_meth_set_write_ex(m, bio_write) != 1 ||
        BIO_meth_set_ctrl(m, bio_control) != 1)
      throw std::bad_alloc();
    return m;
  }();
  return kMethod;
}

}  // namespace

Stream::Stream(Socket socket, SSL_CTX* context) : socket_(std::move(socket)), ssl_(SSL_new(context)) {
  BIO* bio = ssl_ ? BIO_new(method()) : nullptr;
  if (bio == nullptr) throw std::bad_alloc();
  BIO_set_data(bio, &socket_);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_mode(ssl_.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_set_read_ahead(ssl_.get(), 1);  // a record's head and body in one call
  error_code ignored;
  socket_.native_non_blocking(true, ignored);
}

Stream::~Stream() = default;

void Stream::close() {
  closing_ = true;
  if (away_) return;  // accept() does it
  error_code ignored;
  socket_.close(ignored);
}

Stream::Step Stream::finished(int result, std::size_t bytes) {
  if (result == 1) return {.wants = Wants::nothing, .error = {}, .bytes = bytes};
  const int system = errno;
  const int why = SSL_get_error(ssl_.get(), result);
  if (why == SSL_ERROR_WANT_READ) return {.wants = Wants::readable, .error = {}, .bytes = 0};
  if (why == SSL_ERROR_WANT_WRITE) return {.wants = Wants::writable, .error = {}, .bytes = 0};
  Step step;
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (!socket_.is_open()) step.error = asio::error::operation_aborted;
  else if (why == SSL_ERROR_ZERO_RETURN) step.error = asio::error::eof;
  else if (ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) step.error = asio::ssl::error::stream_truncated;
  else if (code != 0) step.error = error_code(static_cast<int>(code), asio::error::get_ssl_category());
  else if (system != 0) step.error = error_code(system, asio::error::get_system_category());
  else step.error = asio::ssl::error::stream_truncated;
  return step;
}

// Errors of an earlier call on this thread, another connection's too, must not be taken for
// this one's: the queue is emptied before each step.
Stream::Step Stream::read(asio::mutable_buffer to) {
  if (to.size() == 0) return {};
  ERR_clear_error();
  errno = 0;
  std::size_t n = 0;
  const int result = SSL_read_ex(ssl_.get(), to.data(), to.size(), &n);
  return finished(result, n);
}

Stream::Step Stream::write(asio::const_buffer from) {
  if (from.size() == 0) return {};
  ERR_clear_error();
  errno = 0;
  std::size_t n = 0;
  const int result = SSL_write_ex(ssl_.get(), from.data(), from.size(), &n);
  return finished(result, n);
}

asio::awaitable<error_code> Stream::wait(Wants what) {
  error_code ec;
  co_await socket_.async_wait(what == Wants::readable ? asio::socket_base::wait_read : asio::socket_base::wait_write,
                              asio::redirect_error(asio::use_awaitable, ec));
  co_return ec;
}

Stream::Step Stream::one(int (*step)(SSL*)) {
  ERR_clear_error();
  errno = 0;
  return finished(step(ssl_.get()), 0);
}

asio::awaitable<error_code> Stream::accept(asio::any_io_executor elsewhere) {
  if (const error_code ec = co_await wait(Wants::readable)) co_return ec;  // nothing to compute yet
  for (;;) {
    Step step;
    if (only_finished_is_left()) {
      step = one(&SSL_accept);
    } else {
      away_ = true;  // from here to the end of the step nobody but the step touches socket and SSL
      step = co_await asio::co_spawn(elsewhere, [this]() -> asio::awaitable<Step> { co_return one(&SSL_accept); }, asio::use_awaitable);
      away_ = false;
    }
    if (closing_) {
      close();
      co_return asio::error::operation_aborted;
    }
    if (step.wants == Wants::nothing) {
      if (step.error) swallow();
      else forget_key_share();
      co_return step.error;
    }
    if (const error_code ec = co_await wait(step.wants)) co_return ec;
  }
}

// What came and was not read would turn our close into a reset, and a reset may overtake the alert
// that says why.
void Stream::swallow() {
  std::array<char, 4096> junk;
  for (int i = 0; i < 8 && socket_.is_open() && ::recv(socket_.native_handle(), junk.data(), junk.size(), 0) > 0; ++i) {
  }
}

// The keys are agreed on and no certificate will come: one HMAC, not worth another thread.
bool Stream::only_finished_is_left() {
  EVP_PKEY* share = nullptr;
  if (SSL_get_verify_mode(ssl_.get()) != SSL_VERIFY_NONE || SSL_get_peer_tmp_key(ssl_.get(), &share) != 1) return false;
  EVP_PKEY_free(share);
  return true;
}

// The client's ephemeral public key (7 KiB with ML-KEM-768) has done its work, but OpenSSL keeps
// it as long as the connection, for whoever asks. Giving the key object another type empties it.
void Stream::forget_key_share() {
  EVP_PKEY* share = nullptr;
  if (SSL_get_peer_tmp_key(ssl_.get(), &share) != 1) return;
  (void)EVP_PKEY_set_type(share, EVP_PKEY_ED25519);
  EVP_PKEY_free(share);
  ERR_clear_error();
}

asio::awaitable<error_code> Stream::shutdown() {
  for (;;) {
    // 0 is "ours is sent, theirs has not come": that is all we want.
    const Step step = one([](SSL* s) { return SSL_shutdown(s) >= 0 ? 1 : -1; });
    if (step.wants == Wants::nothing) co_return step.error;
    if (const error_code ec = co_await wait(step.wants)) co_return ec;
  }
}

}  // namespace caip::tls
