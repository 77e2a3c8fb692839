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

struct Server::Impl {
  explicit Impl(asio::io_context& io) : acceptor(io) {}
  tcp::acceptor acceptor;
  std::shared_ptr<Shared> shared = std::make_shared<Shared>();

  static asio::awaitable<void> accept_loop(std::shared_ptr<Impl> self) {
    while (self->acceptor.is_open()) {
      error_code ec;
      tcp::socket socket = co_await self->acceptor.async_accept(asio::redirect_error(asio::use_awaitable, ec));
      if (!ec) {
        asio::co_spawn(self->acceptor.get_executor(), serve_connection(self->shared, std::move(socket)), &Impl::finished);
      } else if (self->acceptor.is_open()) {  // out of descriptors: wait instead of spinning
        asio::steady_timer pause(self->acceptor.get_executor(), std::chrono::milliseconds(100));
        co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ec));
      }
    }
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
  auto impl = std::make_shared<Impl>(io);
  CAIP_TRY(tls, TlsContexts::make(config));
  error_code ec;
  auto address = asio::ip::make_address(config.address, ec);
  if (ec) return fail(Code::invalid, "not an address to listen on: " + config.address);
  tcp::endpoint endpoint(address, config.port);
  auto& a = impl->acceptor;
  if (a.open(endpoint.protocol(), ec) || a.set_option(tcp::acceptor::reuse_address(true), ec) || a.bind(endpoint, ec) ||
      a.listen(4096, ec))
    return fail(Code::unavailable, "cannot listen on " + config.address + ":" + std::to_string(config.port) + ": " + ec.message());
  auto& shared = *impl->shared;
  shared.tls = std::move(tls);
  shared.pool = std::make_unique<asio::thread_pool>(config.workers);
  shared.handshakes = std::make_unique<asio::thread_pool>(config.handshake_workers);
  shared.config = std::move(config);
  shared.handler = std::move(handler);
  shared.on_agent = std::move(on_agent);
  asio::co_spawn(io, Impl::accept_loop(impl), asio::detached);
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

std::uint16_t Server::port() const {
  error_code ec;
  return impl_->acceptor.local_endpoint(ec).port();
}

void Server::stop() {
  error_code ignored;
  impl_->shared->stopped = true;
  impl_->acceptor.close(ignored);
  for (auto* stream : impl_->shared->open) stream->close();
}

void Server::drain() {
  impl_->shared->handshakes->join();
  impl_->shared->pool->join();
}

}  // namespace caip::http
