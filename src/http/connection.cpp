#include "connection.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <algorithm>
#include <optional>

#include "base/id.h"
#include "base/log.h"
#include "base/network.h"
#include "http/events.h"

namespace caip::http {
namespace {

namespace asio = boost::asio;
namespace bh = boost::beast::http;
using boost::system::error_code;
using Parser = bh::request_parser<bh::string_body>;
using asio::ip::tcp;

auto into(error_code& ec) { return asio::redirect_error(asio::use_awaitable, ec); }

std::string new_request_id() {
  IdBytes bytes{};
  CAIP_ASSERT(RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1);
  return id_text("req_", bytes);
}

// Of what no handler answered.
Response refusal(Code code, std::string detail, int status = 0, const std::string& id = new_request_id()) {
  Response r = problem(Error{code, std::move(detail)}, id, status);
  r.headers.emplace_back("X-Request-Id", id);
  return r;
}

Request convert(Parser& parser, const std::string& peer, const Proxies& proxies) {
  auto& m = parser.get();
  Request r;
  r.method = std::string(m.method_string());
  std::string_view target = m.target();
  auto mark = target.find('?');
  r.path = std::string(target.substr(0, mark));
  if (mark != std::string_view::npos) r.query = std::string(target.substr(mark + 1));
  for (const auto& field : m) {
    std::string name(field.name_string());
    std::ranges::transform(name, name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    r.headers.emplace_back(std::move(name), std::string(field.value()));
  }
  r.body = std::move(m.body());
  std::string forwarded;  // several lines are one list
  for (const auto& [name, value] : r.headers)
    if (name == "x-forwarded-for") forwarded.append(forwarded.empty() ? "" : ",").append(value);
  r.address = proxies.client(peer, forwarded);
  r.id = new_request_id();
  return r;
}

class Connection {
 public:
  Connection(std::shared_ptr<Shared> shared, tcp::socket socket, std::string address)
      : shared_(std::move(shared)), tls_(shared_->tls), address_(std::move(address)),
        stream_(std::make_unique<tls::Stream>(std::move(socket), tls_->web().native_handle())),
        deadline_(std::in_place, *stream_) {
    shared_->open.insert(stream_.get());
    ++shared_->by_address[network_of(address_)];
  }
  ~Connection() { leave(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  asio::awaitable<void> run() {
    deadline_->within(limits().handshake_seconds);
    if (co_await stream_->accept(shared_->handshakes->get_executor())) co_return;
    if (TlsContexts::speaks_agent(stream_->native_handle())) {
      leave();
      deadline_.reset();
      if (shared_->on_agent) shared_->on_agent(std::move(stream_));
      co_return;
    }
    for (bool first = true, more = true; more; first = false) more = co_await one_request(first);
    deadline_->within(2);
    (void)co_await stream_->shutdown();
  }

 private:
  const Limits& limits() const { return shared_->config.limits; }

  void leave() {
    if (!stream_ || left_) return;
    left_ = true;
    shared_->open.erase(stream_.get());
    if (auto it = shared_->by_address.find(network_of(address_)); it != shared_->by_address.end() && --it->second == 0)
      shared_->by_address.erase(it);
  }

  // True when the connection may carry another request.
  asio::awaitable<bool> one_request(bool first) {
    Parser parser;
    parser.header_limit(static_cast<std::uint32_t>(limits().header_bytes));
    parser.body_limit(limits().body_bytes);
    error_code ec;
    deadline_->within(first ? limits().header_seconds : limits().idle_seconds);
    co_await bh::async_read_header(*stream_, buffer_, parser, into(ec));
    if (!ec && unacceptable(parser)) ec = bh::error::bad_value;
    if (!ec) ec = co_await read_body(parser);
    if (ec) {
      co_await refuse(ec);
      co_return false;
    }
    Request request = convert(parser, address_, shared_->proxies);
    if (!request.body.empty()) wipe_read();
    bool head = request.method == "HEAD";
    std::string id = request.id;
    deadline_->off();
    Response response = co_await handle(std::move(request));
    if (std::ranges::find(response.headers, "X-Request-Id", &Header::first) == response.headers.end())
      response.headers.emplace_back("X-Request-Id", std::move(id));
    if (response.events) {
      co_await stream_events(std::move(response));
      co_return false;
    }
    co_return co_await write(std::move(response), parser.get().keep_alive() && !shared_->stopped, head);
  }

  // The bytes of a body that came through here.
  void wipe_read() {
    const auto rest = buffer_.prepare(buffer_.capacity() - buffer_.size());
    OPENSSL_cleanse(rest.data(), rest.size());
  }

  // What Beast lets through and two readers of one request could understand differently.
  static bool unacceptable(const Parser& parser) {
    const auto& m = parser.get();
    auto [a, b] = m.equal_range(bh::field::host);
    if (m.version() >= 11 && std::distance(a, b) != 1) return true;
    if (m.target().empty() || m.target().front() != '/') return true;
    return m.count(bh::field::content_length) > 1 ||
           (m.count(bh::field::content_length) != 0 && m.count(bh::field::transfer_encoding) != 0);
  }

  asio::awaitable<error_code> read_body(Parser& parser) {
    error_code ec;
    deadline_->within(limits().body_seconds);
    if (boost::beast::iequals(parser.get()[bh::field::expect], "100-continue")) {
      co_await asio::async_write(*stream_, asio::buffer(std::string_view("HTTP/1.1 100 Continue\r\n\r\n")), into(ec));
      if (ec) co_return ec;
    }
    co_await bh::async_read(*stream_, buffer_, parser, into(ec));
    co_return ec;
  }

  asio::awaitable<void> refuse(error_code ec) {
    if (ec == bh::error::end_of_stream || ec.category() != make_error_code(bh::error::bad_value).category()) co_return;
    Response r = refusal(Code::malformed, "this is not a well-formed HTTP request");
    if (ec == bh::error::body_limit) r = refusal(Code::too_large, "a body has at most " + std::to_string(limits().body_bytes) + " bytes");
    if (ec == bh::error::header_limit) r = refusal(Code::too_large, "the headers have at most " + std::to_string(limits().header_bytes) + " bytes", 431);
    co_await write(std::move(r), false, false);
  }

  asio::awaitable<Response> handle(Request request) {
    std::shared_ptr<Shared> shared = shared_;
    Shared::Pool& pool = shared->config.slow && shared->config.slow(request) ? *shared->slow : *shared->quick;
    if (pool.held.load() >= pool.most) {
      Response busy = refusal(Code::unavailable, "too much to do; try again in 2 seconds");
      busy.headers.emplace_back("Retry-After", "2");
      co_return busy;
    }
    ++pool.held;
    auto work = [](std::shared_ptr<Shared> s, Request r) -> asio::awaitable<Response> {
      // Bodies hold passwords and secrets: what is over is wiped.
      struct Wiped {
        std::string& text;
        ~Wiped() { OPENSSL_cleanse(text.data(), text.size()); }
      } const wiped{r.body};
      try {
        co_return s->handler(r);
      } catch (const std::exception& e) {
        log::error("handler threw", {{"what", e.what()}, {"request", r.id}});
      }
      co_return refusal(Code::internal, {}, 500, r.id);
    };
    Response response = co_await asio::co_spawn(pool.threads, work(shared, std::move(request)), asio::use_awaitable);
    --pool.held;
    co_return response;
  }

  asio::awaitable<bool> write(Response response, bool keep, bool head) {
    const std::string_view bytes = response.shared ? std::string_view(*response.shared) : response.lasting.empty() ? std::string_view(response.body) : response.lasting;
    bh::response<bh::span_body<const char>> out;
    out.version(11);
    out.result(static_cast<unsigned>(response.status));
    for (const auto& [name, value] : response.headers) out.insert(name, value);
    bool empty = response.status == 204 || response.status == 304;
    if (!empty) out.set(bh::field::content_type, response.content_type);
    out.keep_alive(keep);
    if (!empty) out.content_length(bytes.size());
    if (!empty && !head) out.body() = {bytes.data(), bytes.size()};
    error_code ec;
    // A large file may take as long as 64 KiB a second needs.
    deadline_->within(limits().write_seconds + static_cast<int>(out.body().size() / (64 * 1024)));
    co_await bh::async_write(*stream_, out, into(ec));
    co_return keep && !ec;
  }

  asio::awaitable<void> stream_events(Response response) {
    std::string head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nConnection: close\r\n";
    for (const auto& [name, value] : response.headers)
      if (name != "Cache-Control") head.append(name).append(": ").append(value).append("\r\n");
    head += "\r\n: open\n\n";
    auto queue = response.events;
    auto timer = std::make_shared<asio::steady_timer>(stream_->get_executor());
    queue->on_change([weak = std::weak_ptr(timer), executor = stream_->get_executor()] {
      asio::post(executor, [weak] { if (auto t = weak.lock()) t->cancel(); });
    });
    bool ok = co_await send(head);
    using Steady = std::chrono::steady_clock;
    const auto every = [](auto time) { return Steady::now() + time; };
    const auto beat = std::chrono::seconds(limits().heartbeat_seconds);
    const auto look = std::chrono::milliseconds(limits().alive_ms);
    auto next_beat = every(beat), next_look = every(look);
    while (ok && !shared_->stopped) {
      // First of all: nothing more goes to somebody who may not be here any longer, however full the queue is.
      if (Steady::now() >= next_look) {
        next_look = every(look);
        ok = co_await still_alive(response.alive);
      } else if (auto frame = queue->pop()) {
        ok = co_await send(*frame);
      } else if (queue->closed()) {
        break;
      } else if (Steady::now() >= next_beat) {
        next_beat = every(beat);
        ok = co_await send(": beat\n\n");
      } else {
        error_code ec;
        timer->expires_at(std::min(next_beat, next_look));
        co_await timer->async_wait(into(ec));
      }
    }
    queue->on_change(nullptr);
    queue->close();
  }

  asio::awaitable<bool> still_alive(std::function<bool()> alive) {
    if (!alive) co_return true;
    auto work = [](std::function<bool()> f) -> asio::awaitable<bool> { co_return f(); };
    co_return co_await asio::co_spawn(shared_->quick->threads, work(std::move(alive)), asio::use_awaitable);
  }

  asio::awaitable<bool> send(std::string_view bytes) {
    error_code ec;
    deadline_->within(limits().write_seconds);
    co_await asio::async_write(*stream_, asio::buffer(bytes), into(ec));
    deadline_->off();
    co_return !ec;
  }

  std::shared_ptr<Shared> shared_;
  std::shared_ptr<TlsContexts> tls_;
  std::string address_;
  std::unique_ptr<tls::Stream> stream_;
  std::optional<Deadline> deadline_;
  boost::beast::flat_buffer buffer_;
  bool left_ = false;
};

}  // namespace

Deadline::Deadline(tls::Stream& stream)
    : watched_(std::make_shared<Watched>(&stream)), timer_(std::make_shared<asio::steady_timer>(stream.get_executor())) {}

Deadline::~Deadline() {
  off();
  watched_->stream = nullptr;
}

void Deadline::within(int seconds) {
  auto generation = ++watched_->generation;
  timer_->expires_after(std::chrono::seconds(seconds));
  timer_->async_wait([watched = watched_, generation](error_code ec) {
    if (!ec && watched->stream && watched->generation == generation) watched->stream->close();
  });
}

void Deadline::off() {
  ++watched_->generation;
  timer_->cancel();
}

asio::awaitable<void> serve_connection(std::shared_ptr<Shared> shared, tcp::socket socket) {
  error_code ec;
  auto peer = socket.remote_endpoint(ec);
  if (ec) co_return;
  socket.set_option(tcp::no_delay(true), ec);
  std::string address = peer.address().to_string();
  auto it = shared->by_address.find(network_of(address));
  if (shared->open.size() >= shared->config.limits.connections ||
      (it != shared->by_address.end() && it->second >= shared->config.limits.per_address))
    co_return;
  Connection connection(std::move(shared), std::move(socket), std::move(address));
  co_await connection.run();
}

}  // namespace caip::http
