#include "browser.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/url.hpp>

#include <chrono>
#include <memory>
#include <optional>

#include "base/bytes.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "terminal.h"

namespace caip::cli {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;

constexpr auto kPatience = std::chrono::minutes(5);
constexpr auto kOneRequest = std::chrono::seconds(5);
constexpr auto kAfterError = std::chrono::milliseconds(200);
constexpr std::size_t kMaxHeader = 8 * 1024;
constexpr std::size_t kMostVisits = 16;

constexpr std::string_view kDone = "caip has what it needs. You can close this page and go back to your terminal.\n";
constexpr std::string_view kDenied = "Nothing was allowed. You can close this page.\n";
constexpr std::string_view kNothing = "There is nothing here.\n";

struct Words {
  std::string_view why, yes, parameter;  // the last one for the page: ui/src/pages/command-line.tsx
};
Words words(Errand errand) {
  switch (errand) {
    case Errand::add_passkey: return {"A passkey is made by a browser, for this site alone. ", "go on", "&for=passkey"};
    case Errand::link: return {"The other service asks who you are in a browser. ", "go on", "&for=link"};
    case Errand::sign_in: break;
  }
  return {"", "allow it", ""};
}

std::string unguessable() { return base64url(crypto::random_bytes(32)); }

// The one member of this name.
std::optional<std::string> only(const boost::urls::params_view& all, std::string_view name) {
  if (all.count(name) != 1) return std::nullopt;
  return std::string((*all.find(name)).value);
}

http::response<http::string_body> page(http::status status, std::string_view text) {
  http::response<http::string_body> r{status, 11};
  r.set(http::field::content_type, "text/plain; charset=utf-8");
  r.set(http::field::cache_control, "no-store");
  r.set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
  r.set("Referrer-Policy", "no-referrer");
  r.set("X-Content-Type-Options", "nosniff");
  r.body() = text;
  r.keep_alive(false);
  r.prepare_payload();
  return r;
}

// Connections until one of them brings the code. Whoever says nothing is let go after a moment, and no more than a few
// are let in at once: others on this computer may knock, too.
class Waiting {
 public:
  Waiting(asio::io_context& io, tcp::acceptor& door, std::string state) : io_(io), door_(door), state_(std::move(state)) {}

  Result<std::string> wait() {
    accept();
    io_.run_for(kPatience);
    if (!code_) return fail(Code::timeout, "nothing came from the browser in five minutes; begin again");
    return *code_;
  }

 private:
  struct Visit {
    Visit(tcp::socket s, std::size_t& count) : stream(std::move(s)), present(count) { ++present, parser.header_limit(kMaxHeader), parser.body_limit(std::uint64_t{0}); }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;
    ~Visit() { --present; }
    beast::tcp_stream stream;
    beast::flat_buffer buffer{kMaxHeader};
    http::request_parser<http::empty_body> parser;
    http::response<http::string_body> answer;
    std::size_t& present;
  };

  void accept() {
    door_.async_accept([this](beast::error_code error, tcp::socket socket) {
      if (!error && visits_ < kMostVisits) read(std::make_shared<Visit>(std::move(socket), visits_));
      if (code_) return;
      if (!error) return accept();
      pause_.expires_after(kAfterError);  // out of descriptors, say: not again at once
      pause_.async_wait([this](beast::error_code) { accept(); });
    });
  }
  void read(const std::shared_ptr<Visit>& v) {
    v->stream.expires_after(kOneRequest);
    http::async_read(v->stream, v->buffer, v->parser, [this, v](beast::error_code error, std::size_t) {
      if (error == http::error::end_of_stream || error == beast::error::timeout) return;
      answer(v, error);
    });
  }
  void answer(const std::shared_ptr<Visit>& v, beast::error_code error) {
    const auto& request = v->parser.get();
    Brought b = !error && !code_ && request.method() == http::verb::get ? brought(request.target(), state_) : Brought{};
    if (error) v->answer = page(http::status::bad_request, kNothing);
    else v->answer = b.ours ? page(http::status::ok, b.code ? kDone : kDenied) : page(http::status::not_found, kNothing);
    if (b.ours) code_ = std::move(b.code);
    v->stream.expires_after(kOneRequest);
    http::async_write(v->stream, v->answer, [this, v, last = b.ours](beast::error_code, std::size_t) {
      beast::error_code ignored;
      v->stream.socket().shutdown(tcp::socket::shutdown_both, ignored);
      if (last) io_.stop();
    });
  }

  asio::io_context& io_;
  tcp::acceptor& door_;
  std::string state_;
  asio::steady_timer pause_{io_};
  std::size_t visits_ = 0;
  std::optional<Result<std::string>> code_;
};

}  // namespace

std::string check_text(const Digest& challenge) {
  const std::string digits = hex(challenge);
  return digits.substr(0, 4) + "-" + digits.substr(4, 4);
}

Brought brought(std::string_view target, std::string_view state) {
  const auto url = boost::urls::parse_origin_form(target);
  if (!url || url->encoded_path() != "/callback") return {};
  const auto params = url->params();
  if (only(params, "state") != state) return {};
  if (auto code = only(params, "code"); code && !code->empty()) return {true, *std::move(code)};
  if (only(params, "error") == "access_denied") return {true, fail(Code::forbidden, "it was denied in the browser")};
  return {};
}

Result<LetIn> browser_code(const std::string& url, std::uint16_t port, Errand errand) {
  asio::io_context io(1);
  tcp::acceptor door(io);
  beast::error_code error;
  const tcp::endpoint here(asio::ip::address_v4::loopback(), port);
  door.open(here.protocol(), error);
  if (!error) door.set_option(asio::socket_base::reuse_address(true), error);  // a port that is named may have been used a moment ago
  if (!error) door.bind(here, error);
  if (!error) door.listen(asio::socket_base::max_listen_connections, error);
  if (error) return fail(Code::unavailable, "port " + std::to_string(port) + " on 127.0.0.1: " + error.message());
  const std::string verifier = unguessable(), state = unguessable();
  const Digest challenge = crypto::sha256(view(verifier));
  const auto [why, yes, parameter] = words(errand);
  say(std::string(why) + "Open this page in a browser on this computer, and " + std::string(yes) + " there if it shows " + check_text(challenge) + ":\n\n  " + url +
      "/command-line#challenge=" + base64url(challenge) + "&state=" + state + "&port=" + std::to_string(door.local_endpoint().port()) + std::string(parameter) +
      "\n\nWaiting for your browser; Ctrl-C gives up.");
  CAIP_TRY(code, Waiting(io, door, state).wait());
  return LetIn{std::move(code), verifier};
}

}  // namespace caip::cli
