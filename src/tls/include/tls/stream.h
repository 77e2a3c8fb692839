// tls/stream.h: one TLS connection on a socket; an Asio stream that keeps no buffer of its own.
// OpenSSL reads from the socket and writes to it, and (SSL_MODE_RELEASE_BUFFERS) gives its
// buffers back between records, so an idle connection costs what OpenSSL must remember and no
// more. Used on the socket's executor only (accept() alone computes elsewhere); at most one read
// and one write under way. After close() every operation fails, and none touches a descriptor
// that has since become another's.
#pragma once
#include <openssl/ssl.h>

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <cstdint>
#include <memory>
#include <utility>

namespace caip::tls {

namespace asio = boost::asio;
using boost::system::error_code;

class Stream {  // not final: Asio derives from it to see what it is
 public:
  using executor_type = asio::any_io_executor;

  Stream(asio::ip::tcp::socket, SSL_CTX*);  // the context's settings are copied, as SSL_new does
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  executor_type get_executor() { return socket_.get_executor(); }
  asio::ip::tcp::socket& socket() { return socket_; }
  SSL* native_handle() { return ssl_.get(); }
  void close();  // operations under way end with an error; a computation elsewhere is waited for first

  // The server's side of the handshake, its arithmetic on `elsewhere`, so that a thousand agents
  // coming back do not hold up who is connected. The client's key share is forgotten afterwards.
  asio::awaitable<error_code> accept(asio::any_io_executor elsewhere);
  asio::awaitable<error_code> shutdown();  // says goodbye, does not wait for the answer

  // What Asio calls an AsyncReadStream and an AsyncWriteStream.
  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    asio::mutable_buffer to;
    for (auto b = asio::buffer_sequence_begin(buffers); b != asio::buffer_sequence_end(buffers) && to.size() == 0; ++b) to = *b;
    return compose([this, to] { return read(to); }, std::forward<Token>(token));
  }
  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return compose([this, buffers] { return write_gathered(buffers); }, std::forward<Token>(token));
  }

 private:
  enum class Wants : std::uint8_t { nothing, readable, writable };
  struct Step {
    Wants wants = Wants::nothing;
    error_code error;
    std::size_t bytes = 0;
  };
  struct Free { void operator()(SSL* s) const noexcept { SSL_free(s); } };
  static constexpr std::size_t kGather = 8 * 1024;  // a response's head and a short body are one record

  Step read(asio::mutable_buffer);
  Step write(asio::const_buffer);
  Step finished(int result, std::size_t bytes);
  asio::awaitable<error_code> wait(Wants);
  Step one(int (*step)(SSL*));
  void swallow();
  bool only_finished_is_left();
  void forget_key_share();

  template <class Buffers>
  Step write_gathered(const Buffers& buffers) {
    auto first = asio::buffer_sequence_begin(buffers);
    const auto end = asio::buffer_sequence_end(buffers);
    while (first != end && asio::const_buffer(*first).size() == 0) ++first;
    if (first == end) return {};
    if (asio::const_buffer head(*first); head.size() >= kGather || std::next(first) == end) return write(head);
    std::array<unsigned char, kGather> together;
    return write(asio::buffer(together.data(), asio::buffer_copy(asio::buffer(together), buffers)));
  }

  // A step, then as often as it needs: wait for the socket, a step. Never completes inside the
  // call that began it.
  template <class Do>
  struct Operation {
    Stream& stream;
    Do step;
    enum class At : std::uint8_t { start, waited, posted } at = At::start;
    Step last = {};

    template <class Self>
    void operator()(Self& self, error_code waited = {}) {
      if (at == At::posted) return self.complete(last.error, last.bytes);
      if (waited) return self.complete(waited, 0);
      last = step();
      if (last.wants != Wants::nothing) {
        at = At::waited;
        auto& socket = stream.socket_;
        return socket.async_wait(last.wants == Wants::readable ? asio::socket_base::wait_read : asio::socket_base::wait_write, std::move(self));
      }
      if (at == At::waited) return self.complete(last.error, last.bytes);
      at = At::posted;
      asio::post(stream.get_executor(), std::move(self));
    }
  };
  template <class Do, class Token>
  auto compose(Do step, Token&& token) {
    return asio::async_compose<Token, void(error_code, std::size_t)>(Operation<Do>{*this, std::move(step)}, token, socket_);
  }

  asio::ip::tcp::socket socket_;
  std::unique_ptr<SSL, Free> ssl_;
  bool away_ = false;    // a step of the handshake is being computed: the socket must stay
  bool closing_ = false;
};

}  // namespace caip::tls
