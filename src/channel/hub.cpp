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
#include <utility>

#include "base/guarded.h"
#include "base/log.h"
#include "channel/frame.h"
#include "channel/handshake.h"
#include "inbox.h"
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

using Steady = std::chrono::steady_clock;

// What an idle agent costs beyond OpenSSL: this, one coroutine that reads, one timer.
struct Connection {
  Connection(std::unique_ptr<tls::Stream> s, AgentIdentity i)
      : stream(std::move(s)), identity(std::move(i)), timer(stream->get_executor()) {}
  std::unique_ptr<tls::Stream> stream;
  AgentIdentity identity;
  // On the io thread only:
  asio::steady_timer timer;    // the next ping, or the end of patience
  Steady::time_point heard = Steady::now(), spoken = Steady::now();
  std::list<std::string> out;  // an empty deque would hold half a KiB
  bool writing = false;
  bool closed = false;
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
  explicit Impl(asio::io_context& context) : io(context) {}

  asio::io_context& io;
  asio::thread_pool events_thread{1};  // one: an agent's events keep their order
  AgentEvents* events = nullptr;
  Guarded<std::unordered_map<ServerId, Shared>> agents;
  std::atomic<bool> stopped = false;

  // On the events thread, in the order of arrival.
  template <class F>
  void tell(F f) {
    if (!stopped) asio::post(events_thread, std::move(f));
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
      if (error) c->close();
    }
    c->writing = false;
  }

  // Pings an agent that nothing was said to, and closes on one that says nothing, also when a
  // write to it hangs.
  void watch(const Shared& c) {
    c->timer.expires_at(std::min(c->spoken + kPing, c->heard + kSilence));
    c->timer.async_wait([self = shared_from_this(), c](boost::system::error_code) {
      if (c->closed) return;
      const auto now = Steady::now();
      if (now >= c->heard + kSilence) return c->close();
      if (now >= c->spoken + kPing) self->ping(c);
      if (!c->closed) self->watch(c);
    });
  }

  asio::awaitable<void> read_loop(Shared c) {
    std::array<char, kFrameHead> head{};
    std::string body;
    while (!c->closed) {
      c->heard = Steady::now();
      auto [error, n] = co_await asio::async_read(*c->stream, asio::buffer(head), kAwait);
      if (error) break;
      auto size = frame_length({head.data(), head.size()});
      if (!size) break;
      body.resize(*size);
      auto [error2, n2] = co_await asio::async_read(*c->stream, asio::buffer(body), kAwait);
      if (error2) break;
      wire::ToServer message;
      if (!message.ParseFromString(body) || !receive(c, message)) {
        log::warn("an agent sent what it must not", {{"server", c->identity.server().str()}});
        break;
      }
      if (body.capacity() > 64 * 1024) std::string().swap(body);  // idle agents are many
    }
    c->close();
    forget(c);
  }

  // False closes the connection.
  bool receive(const Shared& c, const wire::ToServer& message) {
    switch (message.body_case()) {
      case wire::ToServer::kHello:
        return !c->accepted && hello(c, read_hello(message.hello()));
      case wire::ToServer::kReport:
        return report(c, message.report());
      case wire::ToServer::kResult: {
        auto result = read_result(message.result());
        if (!result) return false;
        tell([self = shared_from_this(), c, r = *std::move(result)] {
          if (c->accepted) self->events->finished(c->identity, r);
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
        asio::post(self->io, [c] { c->close(); });
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
      asio::post(self->io, [self, c] { if (c->closed) self->forget(c); });
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

  Shared find(const ServerId& server) const {
    return agents.with([&](const auto& map) {
      auto found = map.find(server);
      return found == map.end() ? Shared{} : found->second;
    });
  }
};

Hub::Hub(asio::io_context& io) : impl_(std::make_shared<Impl>(io)) {}
Hub::~Hub() { stop(); }

void Hub::listen(AgentEvents& events) { impl_->events = &events; }

void Hub::accept_stream(std::unique_ptr<tls::Stream> stream) {
  if (impl_->stopped || !impl_->events) return;
  auto identity = Handshake::identify(stream->native_handle());
  if (!identity) {
    log::warn("an agent's handshake was refused", {{"why", identity.error().detail}});
    return;
  }
  auto c = std::make_shared<Connection>(std::move(stream), *std::move(identity));
  impl_->watch(c);
  asio::co_spawn(c->stream->get_executor(), [i = impl_, c] { return i->read_loop(c); }, asio::detached);
}

bool Hub::online(const ServerId& server) const { return impl_->find(server) != nullptr; }

std::optional<std::string> Hub::group(const ServerId& server) const {
  Shared c = impl_->find(server);
  return c ? std::optional(c->identity.group()) : std::nullopt;
}

Result<void> Hub::send(const ServerId& server, const SignedOrder& order) {
  Shared c = impl_->find(server);
  if (!c) return fail(Code::server_offline, "the server is not connected");
  wire::ToAgent message;
  to_wire(order, *message.mutable_order());
  CAIP_TRY(bytes, frame(message.SerializeAsString()));
  impl_->push_from_outside(c, std::move(bytes));
  return {};
}

Result<void> Hub::send(const ServerId& server, const Offer& offer) {
  Shared c = impl_->find(server);
  if (!c) return fail(Code::server_offline, "the server is not connected");
  wire::ToAgent message;
  to_wire(offer, *message.mutable_offer());
  CAIP_TRY(bytes, frame(message.SerializeAsString()));
  impl_->push_from_outside(c, std::move(bytes));
  return {};
}

void Hub::disconnect(const ServerId& server) {
  if (Shared c = impl_->find(server)) asio::post(impl_->io, [c] { c->close(); });
}

std::size_t Hub::count() const {
  return impl_->agents.with([](const auto& map) { return map.size(); });
}

void Hub::stop() {
  if (impl_->stopped.exchange(true)) return;
  auto all = impl_->agents.with([](auto& map) { return std::exchange(map, {}); });
  for (auto& [server, c] : all) asio::post(impl_->io, [c] { c->close(); });
  impl_->events_thread.join();
}

}  // namespace caip::channel
