#include "http/server.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/log.h"
#include "connection.h"

namespace caip::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {
constexpr std::size_t kMaxQueued = 1024;
}

struct Server::Impl {
  using Acceptor = std::shared_ptr<tcp::acceptor>;
  std::vector<Acceptor> acceptors;
  std::shared_ptr<Shared> shared = std::make_shared<Shared>();

  static asio::awaitable<void> accept_loop(std::shared_ptr<Impl> self, Acceptor acceptor) {
    while (acceptor->is_open()) {
      error_code ec;
      tcp::socket socket = co_await acceptor->async_accept(asio::redirect_error(asio::use_awaitable, ec));
      if (!ec) {
        asio::co_spawn(acceptor->get_executor(), serve_connection(self->shared, std::move(socket)), &Impl::finished);
      } else if (acceptor->is_open()) {  // out of descriptors: wait instead of spinning
        asio::steady_timer pause(acceptor->get_executor(), std::chrono::milliseconds(100));
        co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ec));
      }
    }
  }

  static Result<Acceptor> open(asio::io_context& io, const Endpoint& e) {
    error_code ec;
    const auto address = asio::ip::make_address(e.address, ec);
    if (ec) return fail(Code::invalid, "not an address to listen on: " + e.address);
    const tcp::endpoint endpoint(address, e.port);
    auto a = std::make_shared<tcp::acceptor>(io);
    if (a->open(endpoint.protocol(), ec) || a->set_option(tcp::acceptor::reuse_address(true), ec) || a->bind(endpoint, ec) || a->listen(4096, ec))
      return fail(Code::unavailable, "cannot listen on " + e.address + ":" + std::to_string(e.port) + ": " + ec.message());
    return a;
  }

  static void finished(std::exception_ptr e) {
    if (!e) return;
    try {
      std::rethrow_exception(e);
    } catch (const std::exception& x) {
      log::warn("connection ended", {{"what", x.what()}});
    }
  }
};

Server::Server(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() { drain(); }

Result<std::unique_ptr<Server>> Server::listen(asio::io_context& io, ServerConfig config, Handler handler, AgentHandler on_agent) {
  auto impl = std::make_shared<Impl>();
  CAIP_TRY(tls, TlsContexts::make(config.certificates));
  for (const Endpoint& e : config.listen) {
    CAIP_TRY(acceptor, Impl::open(io, e));
    impl->acceptors.push_back(std::move(acceptor));
  }
  CAIP_ASSERT(!impl->acceptors.empty());
  auto& shared = *impl->shared;
  CAIP_TRY(proxies, Proxies::parse(config.proxies));
  shared.proxies = std::move(proxies);
  shared.tls = std::move(tls);
  shared.quick = std::make_unique<Shared::Pool>(config.workers, kMaxQueued);
  shared.slow = std::make_unique<Shared::Pool>(config.slow_workers, config.slow_queue);
  shared.handshakes = std::make_unique<asio::thread_pool>(config.handshake_workers);
  config.certificates = {};  // their keys are in the contexts
  shared.config = std::move(config);
  shared.handler = std::move(handler);
  shared.on_agent = std::move(on_agent);
  for (const auto& acceptor : impl->acceptors) asio::co_spawn(io, Impl::accept_loop(impl, acceptor), asio::detached);
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

std::uint16_t Server::port() const {
  error_code ec;
  return impl_->acceptors.front()->local_endpoint(ec).port();
}

Result<void> Server::show(const Certificates& certificates) {
  CAIP_TRY(tls, TlsContexts::make(certificates));
  asio::post(impl_->acceptors.front()->get_executor(), [impl = impl_, tls = std::move(tls)] { impl->shared->tls = tls; });
  return {};
}

void Server::stop() {
  error_code ignored;
  impl_->shared->stopped = true;
  for (const auto& acceptor : impl_->acceptors) acceptor->close(ignored);
  for (auto* stream : impl_->shared->open) stream->close();
}

void Server::drain() {
  impl_->shared->handshakes->join();
  impl_->shared->quick->threads.join();
  impl_->shared->slow->threads.join();
}

}  // namespace caip::http
