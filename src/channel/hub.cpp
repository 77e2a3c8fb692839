#include "channel/hub.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <algorithm>
#include <array>
#include <atomic>
#include <list>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/guarded.h"
#include "base/log.h"
#include "channel/frame.h"
#include "channel/handshake.h"
#include "channel/order.h"
#include "crypto/secret.h"
#include "inbox.h"
#include "seats.h"
#include "tls/stream.h"
#include "wire.pb.h"

namespace caip::channel {
namespace asio = boost::asio;
namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kMaxQueuedFrames = 256;
// An agent reports every 15 s; one that was silent for three reports is gone.
constexpr auto kSilence = std::chrono::seconds(50);
constexpr auto kPing = std::chrono::seconds(20);
constexpr std::size_t kMaxHello = 4 * 1024;
constexpr std::size_t kChunk = 16 * 1024;
constexpr double kTokenBytes = 64 * 1024;

std::string address_of(tls::Stream& stream) {
  boost::system::error_code gone;
  return stream.socket().remote_endpoint(gone).address().to_string();
}

using Steady = std::chrono::steady_clock;

// What an idle agent costs beyond OpenSSL: this, one coroutine that reads, one timer.
struct Connection {
  Connection(std::unique_ptr<tls::Stream> s, AgentIdentity i)
      : stream(std::move(s)), identity(std::move(i)), address(address_of(*stream)), timer(stream->get_executor()) {}
  std::unique_ptr<tls::Stream> stream;
  AgentIdentity identity;
  std::string address;
  // On the io thread only:
  asio::steady_timer timer;    // the next ping, or the end of patience
  Steady::time_point heard = Steady::now(), spoken = Steady::now();
  Steady::duration patience = kSilence;
  Bucket bucket;
  std::list<std::string> out;  // an empty deque would hold half a KiB
  bool writing = false;
  bool closed = false;
  bool waiting = true;         // for its hello to be accepted
  bool greeted = false;        // its hello was read
  std::uint64_t pings = 0;
  // On any:
  std::atomic<bool> accepted = false;   // AgentEvents said yes
  std::atomic<bool> replaced = false;

  void close() {
    closed = true;
    timer.cancel();
    stream->close();
  }
};
using Shared = std::shared_ptr<Connection>;

}  // namespace

struct Hub::Impl : std::enable_shared_from_this<Hub::Impl> {
  Impl(asio::io_context& context, HubLimits l) : io(context), limits(l) {}

  asio::io_context& io;
  const HubLimits limits;
  Seats seats{limits};
  std::unordered_set<Shared> open;  // io thread only
  asio::thread_pool events_thread{1};  // one: an agent's events keep their order
  AgentEvents* events = nullptr;
  Guarded<std::unordered_map<ServerId, Shared>> agents;
  Guarded<bool> stopped{false};

  // On the events thread, in the order of arrival. False: the hub has stopped. Under the lock, so
  // that stop() waits for all that was told.
  template <class F>
  bool tell(F f) {
    return stopped.with([&](bool& over) {
      if (!over) asio::post(events_thread, std::move(f));
      return !over;
    });
  }

  // Back on the io thread when all that was told so far has been handled.
  asio::awaitable<void> handled() {
    auto hand_over = [this](auto done) {
      auto shared = std::make_shared<decltype(done)>(std::move(done));
      auto back = [self = shared_from_this(), shared] { asio::post(self->io, std::move(*shared)); };
      if (!tell(back)) back();
    };
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(hand_over, asio::use_awaitable);
  }

  asio::awaitable<void> slow_down(const Shared& c, std::size_t bytes) {
    const auto pause = c->bucket.take(1 + static_cast<double>(bytes) / kTokenBytes, Steady::now(), limits);
    if (pause.count() == 0) co_return;
    asio::steady_timer timer(c->stream->get_executor(), pause);
    co_await timer.async_wait(kAwait);
  }

  void push(const Shared& c, std::string bytes) {  // io thread
    if (c->closed) return;
    if (c->out.size() >= kMaxQueuedFrames) return c->close();  // does not read: gone
    c->out.push_back(std::move(bytes));
    c->spoken = Steady::now();
    if (std::exchange(c->writing, true)) return;
    asio::co_spawn(c->stream->get_executor(), [self = shared_from_this(), c] { return write(c); }, asio::detached);
  }

  void push_from_outside(const Shared& c, std::string bytes) {
    asio::post(io, [self = shared_from_this(), c, bytes = std::move(bytes)]() mutable { self->push(c, std::move(bytes)); });
  }

  void ping(const Shared& c) {
    wire::ToAgent message;
    message.mutable_ping()->set_serial(++c->pings);
    if (auto bytes = frame(message.SerializeAsString())) push(c, *std::move(bytes));
  }

  // Lives as long as there is something to write.
  static asio::awaitable<void> write(Shared c) {
    while (!c->closed && !c->out.empty()) {
      std::string bytes = std::move(c->out.front());
      c->out.pop_front();
      auto [error, size] = co_await asio::async_write(*c->stream, asio::buffer(bytes), kAwait);
      wipe(std::span<char>(bytes));  // env values may have been in it
      if (error) c->close();
    }
    c->writing = false;
  }

  // Pings an agent that nothing was said to, and closes on one that says nothing, also when a
  // write to it hangs.
  void watch(const Shared& c) {
    c->timer.expires_at(std::min(c->spoken + kPing, c->heard + c->patience));
    c->timer.async_wait([self = shared_from_this(), c](boost::system::error_code) {
      if (c->closed) return;
      const auto now = Steady::now();
      if (now >= c->heard + c->patience) return c->close();
      if (now >= c->spoken + kPing) self->ping(c);
      if (!c->closed) self->watch(c);
    });
  }

  // Grows as bytes arrive: a length alone makes us hold nothing.
  asio::awaitable<bool> read_body(const Shared& c, std::size_t size, std::string& body) {
    body.clear();
    while (body.size() < size) {
      const std::size_t at = body.size(), more = std::min(size - at, kChunk);
      body.resize(at + more);
      auto [error, n] = co_await asio::async_read(*c->stream, asio::buffer(body.data() + at, more), kAwait);
      if (error) co_return false;
    }
    co_return true;
  }

  // The next frame is read when what this one said was handled: of one agent at most one event waits.
  asio::awaitable<void> read_loop(Shared c) {
    std::array<char, kFrameHead> head{};
    std::string body;
    while (!c->closed) {
      c->heard = Steady::now();
      auto [error, n] = co_await asio::async_read(*c->stream, asio::buffer(head), kAwait);
      if (error) break;
      auto size = frame_length({head.data(), head.size()});
      if (!size || (!c->greeted && *size > kMaxHello)) {
        broke(c, size ? "a first frame that is too large for a hello" : size.error().detail);
        break;
      }
      if (!co_await read_body(c, *size, body)) break;
      c->heard = Steady::now();  // from here on it waits for us
      wire::ToServer message;
      if (!message.ParseFromString(body) || !receive(c, message)) {
        broke(c, "a frame that is no message, or one that may not come now");
        break;
      }
      if (body.capacity() > 64 * 1024) std::string().swap(body);  // idle agents are many
      co_await handled();
      co_await slow_down(c, *size);
    }
    c->close();
    leave(c);
  }

  void broke(const Shared& c, std::string_view what) {
    log::warn("an agent sent what it must not and is disconnected", {{"server", c->identity.server().str()}, {"what", what}});
    bar(c);
  }

  void bar(const Shared& c) {
    seats.bar(c->identity.certificate(), Steady::now());
    c->close();
  }

  void welcomed(const Shared& c) {
    if (std::exchange(c->waiting, false)) seats.welcomed(c->address);
  }

  void leave(const Shared& c) {
    if (open.erase(c) == 0) return;
    seats.leave(c->identity.certificate(), c->address, std::exchange(c->waiting, false));
    forget(c);
  }

  // False closes the connection.
  bool receive(const Shared& c, const wire::ToServer& message) {
    if (c->greeted == message.has_hello()) return false;  // first, and once
    switch (message.body_case()) {
      case wire::ToServer::kHello:
        c->greeted = true;
        c->patience = kSilence;
        if (auto said = read_hello(message.hello())) return hello(c, *std::move(said));
        return false;
      case wire::ToServer::kReport:
        return report(c, message.report());
      case wire::ToServer::kResult: {
        auto result = read_result(message.result());
        if (!result) return false;
        tell([self = shared_from_this(), c, r = *std::move(result)] {
          if (c->accepted && !self->events->finished(c->identity, r)) asio::post(self->io, [self, c] { self->bar(c); });
        });
        return true;
      }
      case wire::ToServer::kPong:
        return true;
      case wire::ToServer::kWitnessed:
        tell([self = shared_from_this(), c, w = read_witnessed(message.witnessed())] {
          if (c->accepted && !c->replaced) self->events->witnessed(c->identity, w);
        });
        return true;
      case wire::ToServer::kHeld: {
        auto said = read_held(message.held());
        if (!said) return false;
        tell([self = shared_from_this(), c, s = *std::move(said)] {
          if (c->accepted && !c->replaced) self->events->held(c->identity, s);
        });
        return true;
      }
      case wire::ToServer::BODY_NOT_SET:
        return false;
    }
    return false;
  }

  bool hello(const Shared& c, AgentHello said) {
    tell([self = shared_from_this(), c, said = std::move(said)] {
      if (c->accepted) return;
      if (auto ok = self->events->connected(c->identity, said); !ok) {
        log::warn("an agent was refused", {{"server", c->identity.server().str()}, {"why", ok.error().detail}});
        asio::post(self->io, [self, c] { self->bar(c); });
        return;
      }
      c->accepted = true;
      Shared older = self->agents.with([&](auto& map) { return std::exchange(map[c->identity.server()], c); });
      if (older && older != c) {
        older->replaced = true;
        asio::post(self->io, [older] { older->close(); });
      }
      log::info("an agent is connected", {{"server", c->identity.server().str()}, {"group", c->identity.group()}});
      // It may have gone while its hello was looked at; then forget() came too early.
      asio::post(self->io, [self, c] {
        self->welcomed(c);
        if (c->closed) self->forget(c);
      });
    });
    return true;
  }

  bool report(const Shared& c, const wire::Report& r) {
    auto units = read_units(r.units());
    if (!units) return false;
    tell([self = shared_from_this(), c, metrics = read_metrics(r.metrics()), has = r.has_metrics(), has_units = r.has_units(),
          units = *std::move(units)] {
      if (!c->accepted || c->replaced) return;
      if (has) self->events->reported(c->identity, metrics);
      if (has_units) self->events->units(c->identity, units);
    });
    return true;
  }

  void forget(const Shared& c) {
    tell([self = shared_from_this(), c] {
      bool was = self->agents.with([&](auto& map) {
        auto found = map.find(c->identity.server());
        if (found == map.end() || found->second != c) return false;
        map.erase(found);
        return true;
      });
      if (was) self->events->disconnected(c->identity);
    });
  }

  Result<void> send(const ServerId& server, const wire::ToAgent& message) {
    Shared c = find(server);
    if (!c) return fail(Code::server_offline, "the server is not connected");
    std::string body = message.SerializeAsString();
    auto bytes = frame(body);
    wipe(std::span<char>(body));
    if (!bytes) return std::unexpected(std::move(bytes).error());
    push_from_outside(c, *std::move(bytes));
    return {};
  }

  Shared find(const ServerId& server) const {
    return agents.with([&](const auto& map) {
      auto found = map.find(server);
      return found == map.end() ? Shared{} : found->second;
    });
  }
};

Hub::Hub(asio::io_context& io, HubLimits limits) : impl_(std::make_shared<Impl>(io, limits)) {}
Hub::~Hub() { stop(); }

void Hub::listen(AgentEvents& events) { impl_->events = &events; }

void Hub::accept_stream(std::unique_ptr<tls::Stream> stream) {
  if (impl_->stopped.with([](bool over) { return over; }) || !impl_->events) return;
  auto identity = Handshake::identify(stream->native_handle());
  if (!identity) {
    log::warn("an agent's handshake was refused", {{"why", identity.error().detail}});
    return;
  }
  auto c = std::make_shared<Connection>(std::move(stream), *std::move(identity));
  if (const char* why = impl_->seats.take(c->identity.certificate(), c->address, Steady::now()))
    return log::debug("an agent's connection was closed", {{"server", c->identity.server().str()}, {"why", why}});
  impl_->open.insert(c);
  c->patience = impl_->limits.hello;
  impl_->watch(c);
  asio::co_spawn(c->stream->get_executor(), [i = impl_, c] { return i->read_loop(c); }, asio::detached);
}

bool Hub::online(const ServerId& server) const { return impl_->find(server) != nullptr; }

std::optional<std::string> Hub::group(const ServerId& server) const {
  Shared c = impl_->find(server);
  return c ? std::optional(c->identity.group()) : std::nullopt;
}

Result<void> Hub::send(const ServerId& server, const SignedOrder& order) {
  wire::ToAgent message;
  to_wire(order, *message.mutable_order());
  auto sent = impl_->send(server, message);
  wipe_env(*message.mutable_order());
  return sent;
}

Result<void> Hub::send(const ServerId& server, const Offer& offer) {
  wire::ToAgent message;
  to_wire(offer, *message.mutable_offer());
  return impl_->send(server, message);
}

Result<void> Hub::send(const ServerId& server, const Successions& successions) {
  wire::ToAgent message;
  to_wire(successions, *message.mutable_successions());
  return impl_->send(server, message);
}

void Hub::disconnect(const ServerId& server) {
  // Behind a hello that is being looked at right now, which this is about as well.
  impl_->tell([i = impl_, server] {
    if (Shared c = i->find(server)) asio::post(i->io, [c] { c->close(); });
  });
}

std::size_t Hub::count() const {
  return impl_->agents.with([](const auto& map) { return map.size(); });
}

void Hub::stop() {
  if (impl_->stopped.with([](bool& over) { return std::exchange(over, true); })) return;
  impl_->agents.with([](auto& map) { map.clear(); });
  asio::post(impl_->io, [i = impl_] {
    for (const Shared& c : i->open) c->close();
  });
  impl_->events_thread.join();
}

}  // namespace caip::channel
