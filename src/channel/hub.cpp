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
#include "connection.h"
#include "inbox.h"
#include "seats.h"
#include "tls/stream.h"
#include "wire.pb.h"

namespace caip::channel {
namespace asio = boost::asio;
namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kMaxQueuedFrames = 256;
constexpr auto kPing = std::chrono::seconds(20);
constexpr std::size_t kMaxHello = 4 * 1024;
constexpr std::size_t kChunk = 16 * 1024;
constexpr double kTokenBytes = 64 * 1024;

}  // namespace

struct Hub::Impl : std::enable_shared_from_this<Hub::Impl> {
  Impl(asio::io_context& context, HubLimits l) : io(context), limits(l) {}

  asio::io_context& io;
  const HubLimits limits;
  Seats seats{limits};
  std::unordered_set<Shared> open;  // io thread only, as the next
  std::unordered_map<std::string, Shared> newest_waiting;  // by key
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
    seats.bar(c->seat(), Steady::now());
    c->close();
  }

  void welcomed(const Shared& c) {
    if (!std::exchange(c->waiting, false)) return;
    seats.welcomed(c->address);
    no_longer_newest(c);
  }

  void no_longer_newest(const Shared& c) {
    const auto found = newest_waiting.find(c->seat());
    if (found != newest_waiting.end() && found->second == c) newest_waiting.erase(found);
  }

  // Of those with one key that have not said who they are, one is kept: whoever parks connections keeps nobody's seat.
  void replace_waiting(const Shared& c) {
    const Shared older = std::exchange(newest_waiting[c->seat()], c);
    if (!older || older->greeted) return;  // whoever has said who they are is looked at
    older->close();
    leave(older);
  }

  // io thread. Its first frame is read once its key was looked at.
  void let_in(const Shared& c) {
    replace_waiting(c);
    if (const char* why = seats.take(c->seat(), c->address, Steady::now())) {
      no_longer_newest(c);
      return log::debug("an agent's connection was closed", {{"server", c->identity.server().str()}, {"why", why}});
    }
    open.insert(c);
    c->patience = limits.hello;
    watch(c);
    tell([self = shared_from_this(), c] {
      const auto known = self->events->knocks(c->identity);
      if (!known) log::warn("an agent was refused at the door", {{"server", c->identity.server().str()}, {"why", known.error().detail}});
      asio::post(self->io, [self, c, known = known.has_value()] { known ? self->begin(c) : self->turn_away(c); });
    });
  }

  void begin(const Shared& c) {
    asio::co_spawn(c->stream->get_executor(), [self = shared_from_this(), c] { return self->read_loop(c); }, asio::detached);
  }

  void turn_away(const Shared& c) {
    bar(c);
    leave(c);
  }

  void leave(const Shared& c) {
    if (open.erase(c) == 0) return;
    no_longer_newest(c);
    seats.leave(c->seat(), c->address, std::exchange(c->waiting, false));
    forget(c);
  }

  // False closes the connection.
  bool receive(const Shared& c, const wire::ToServer& message) {
    if (c->greeted == message.has_hello()) return false;  // first, and once
    if (answered_twice(c, message) || c->replaced) return true;
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
      case wire::ToServer::kKey:
        return offered(c, message.key());
      case wire::ToServer::kProof: {
        auto proof = from_wire(message.proof());
        if (!proof) return false;
        tell([self = shared_from_this(), c, p = *std::move(proof)] {
          if (c->accepted && !c->replaced) self->events->proved(c->identity, p);
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
      if (c->accepted || c->renews) return;
      auto ask = self->events->connected(c->identity, said);
      if (!ask) {
        log::warn("an agent was refused", {{"server", c->identity.server().str()}, {"why", ask.error().detail}});
        asio::post(self->io, [self, c] { self->bar(c); });
        return;
      }
      if (c->identity.shown().lapsed) self->returned(c);
      else self->arrived(c);
      if (*ask) self->push_message(c, message_of(**ask));
    });
    return true;
  }

  // On the events thread, as the next. A certificate that has ended: no orders, no reports, and not for long.
  void returned(const Shared& c) {
    c->renews = true;
    const Shared here = find(c->identity.server());
    asio::post(io, [self = shared_from_this(), c, here] {
      self->welcomed(c);
      self->close_in(c, self->limits.hello);  // whatever it says meanwhile
      if (here) self->doubt(here, c);
    });
    log::info("an agent came back whose certificate had ended", {{"server", c->identity.server().str()}});
  }

  void arrived(const Shared& c) {
    c->accepted = true;
    Shared older = agents.with([&](auto& map) { return std::exchange(map[c->identity.server()], c); });
    if (older && older != c) {
      older->replaced = true;
      asio::post(io, [self = shared_from_this(), older, c] { self->doubt(older, c); });
    }
    log::info("an agent is connected", {{"server", c->identity.server().str()}, {"group", c->identity.group()}});
    // It may have gone while its hello was looked at; then forget() came too early.
    asio::post(io, [self = shared_from_this(), c] {
      self->welcomed(c);
      if (c->closed) self->forget(c);
    });
  }

  // io thread. An agent closes what it had before it dials anew, so nobody answers there any more; if somebody does, two hold its key.
  void doubt(const Shared& older, const Shared& newer) {
    if (older->closed || older->identity.shown().key != newer->identity.shown().key) return older->close();
    older->newer = newer;
    ping(older);
    older->doubted = older->pings;
    close_in(older, limits.doubt);
  }

  void close_in(const Shared& c, std::chrono::milliseconds time) {
    auto patience = std::make_shared<asio::steady_timer>(io, time);
    patience->async_wait([c, patience](boost::system::error_code) { c->close(); });
  }

  // Whether this is the answer of somebody who ought not to be there any more.
  bool answered_twice(const Shared& older, const wire::ToServer& message) {
    const Shared newer = older->newer.lock();
    if (!newer || !message.has_pong() || message.pong().serial() < older->doubted) return false;  // what was on its way
    tell([self = shared_from_this(), older, newer] {
      asio::post(self->io, [older, newer] {
        older->close();
        newer->close();
      });
      self->events->twice(newer->identity, newer->address, older->address);
    });
    return true;
  }

  bool offered(const Shared& c, const wire::KeyOffer& said) {
    auto offer = from_wire(said);
    if (!offer) return false;
    tell([self = shared_from_this(), c, offer = *std::move(offer)] {
      if (!(c->accepted || c->renews) || c->replaced) return;
      const auto issued = self->events->offered(c->identity, offer);
      if (issued) return self->push_message(c, message_of(*issued));
      log::warn("a certificate was refused", {{"server", c->identity.server().str()}, {"why", issued.error().detail}});
      if (issued.error().code == Code::forbidden) asio::post(self->io, [self, c] { self->bar(c); });
    });
    return true;
  }

  template <class T>
  static wire::ToAgent message_of(const T& said) {
    wire::ToAgent message;
    if constexpr (std::is_same_v<T, KeyAsk>) to_wire(said, *message.mutable_ask());
    else to_wire(said, *message.mutable_issued());
    return message;
  }

  void push_message(const Shared& c, const wire::ToAgent& message) {
    if (auto bytes = frame(message.SerializeAsString())) push_from_outside(c, *std::move(bytes));
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
  auto identity = Handshake::identify(stream->native_handle(), impl_->events->now());
  if (!identity) {
    log::warn("an agent's handshake was refused", {{"why", identity.error().detail}});
    return;
  }
  impl_->let_in(std::make_shared<Connection>(std::move(stream), *std::move(identity)));
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

Result<void> Hub::send(const ServerId& server, const KeyAsk& ask) { return impl_->send(server, Impl::message_of(ask)); }

Result<void> Hub::challenge(const ServerId& server, const Bytes& nonce) {
  wire::ToAgent message;
  message.mutable_check()->set_nonce(std::string(text_of(nonce)));
  return impl_->send(server, message);
}

void Hub::disconnect(const ServerId& server) {
  // Behind a hello that is being looked at right now, which this is about as well.
  impl_->tell([i = impl_, server] {
    asio::post(i->io, [i, server] {
      for (const Shared& c : i->open)
        if (c->identity.server() == server && (c->accepted || c->renews)) c->close();
    });
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
    i->newest_waiting.clear();
  });
  impl_->events_thread.join();
}

}  // namespace caip::channel
