#include "outbound/client.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch_all.hpp>
#include <thread>

namespace caip::outbound {
namespace {

using std::chrono::milliseconds;

enum class Manner { answers, holds, greets };  // holds: does not hang up; greets: speaks first

// A listener on 127.0.0.1 that reads a request's head and sends the bytes it was given.
class Stand {
 public:
  explicit Stand(std::string answer, Manner manner = Manner::answers) : answer_(std::move(answer)), manner_(manner), fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof a;
    REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&a), size) == 0);
    REQUIRE(::listen(fd_, 16) == 0);
    REQUIRE(::getsockname(fd_, reinterpret_cast<sockaddr*>(&a), &size) == 0);
    port = ntohs(a.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~Stand() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
  }
  std::string url(const std::string& path = "/") const { return "http://127.0.0.1:" + std::to_string(port) + path; }
  std::uint16_t port = 0;
  std::atomic<int> connections = 0;
  std::string asked;

 private:
  void serve() {
    for (int c = ::accept(fd_, nullptr, nullptr); c >= 0; c = ::accept(fd_, nullptr, nullptr)) {
      ++connections;
      std::array<char, 4096> piece{};
      asked.clear();
      while (manner_ != Manner::greets && !asked.contains("\r\n\r\n")) {
        const auto n = ::read(c, piece.data(), piece.size());
        if (n <= 0) break;
        asked.append(piece.data(), static_cast<std::size_t>(n));
      }
      static_cast<void>(::send(c, answer_.data(), answer_.size(), MSG_NOSIGNAL));
      if (manner_ != Manner::answers) static_cast<void>(::read(c, piece.data(), piece.size()));  // until the other side gives up
      ::close(c);
    }
  }
  std::string answer_;
  Manner manner_;
  int fd_;
  std::thread thread_;
};

Rules allowing(const char* network) { return {.allowed = {Network::parse(network).value()}, .ca_file = {}}; }
const char* const kLoopback = "127.0.0.0/8";

Code refusal(const Client& client, const std::string& url) {
  auto answer = client.get(url);
  REQUIRE_FALSE(answer);
  return answer.error().code;
}

}  // namespace

TEST_CASE("S21: every spelling of an address that is not public is refused, and nothing is connected to") {
  const Client client({});
  for (const char* host : {"127.0.0.1", "127.1", "0x7f.1", "0x7f000001", "2130706433", "017700000001", "0177.0.0.1", "0", "0.0.0.0", "10.0.0.1", "localhost",
                           "localhost.", "LOCALHOST", "169.254.169.254", "192.168.1.1", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]",
                           "[64:ff9b::7f00:1]", "[64:ff9b::127.0.0.1]", "[2002:7f00:1::1]", "[fd00::1]", "[fe80::1]", "[fe80::1%25lo]", "[ff02::1]",
                           "127.0.0.1.", "%31%32%37.0.0.1", "①②⑦.0.0.1"}) {
    INFO(host);
    auto answer = client.get("https://" + std::string(host) + ":1/");
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code != Code::timeout);
    // What is no address to the resolver either does not resolve; all others are refused as what they are.
    const bool name = std::string_view(host).starts_with("①") || std::string_view(host).ends_with('.');
    if (!name) CHECK(answer.error().code == Code::forbidden);
  }
}

TEST_CASE("S21: the address is looked at when it is connected to: a name of any private address is refused there") {
  for (const char* address : {"127.0.0.1", "10.1.2.3", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::a00:1]", "[fd00::1]", "[fe80::1]", "224.0.0.1"}) {
    const Client client({.allowed = {}, .ca_file = {}, .resolve_for_test = {"rebinding.example:443:" + std::string(address)}});
    INFO(address);
    CHECK(client.acceptable("https://rebinding.example/"));  // nothing to see in the name
    CHECK(refusal(client, "https://rebinding.example/") == Code::forbidden);
  }
}

TEST_CASE("S21: DNS rebinding: of a name with a public and a private address the private one is never connected to") {
  Stand inside("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  const std::string port = std::to_string(inside.port);
  const Client client({.allowed = {}, .ca_file = {}, .resolve_for_test = {"rebinding.example:" + port + ":[2001:200::1],127.0.0.1"}});
  Limits soon;
  soon.connect = milliseconds(300);
  CHECK_FALSE(client.get("https://rebinding.example:" + port + "/", {}, soon));
  CHECK(inside.connections == 0);
}

TEST_CASE("S21: a network of the configuration opens that network and no other, http:// for it alone") {
  Stand inside("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Thing:  a b \r\n\r\nhi");
  const Client client(allowing(kLoopback));
  auto answer = client.get(inside.url());
  REQUIRE(answer);
  CHECK(answer->status == 200);
  CHECK(answer->body == "hi");
  REQUIRE(answer->header("x-thing"));
  CHECK(*answer->header("x-thing") == "a b");
  CHECK(refusal(client, "http://10.0.0.1/") == Code::forbidden);
  CHECK(refusal(client, "http://192.0.9.1/") == Code::forbidden);  // public, and yet not by http://
  CHECK(refusal(Client(allowing("10.0.0.0/8")), inside.url()) == Code::forbidden);
  CHECK(refusal(Client({}), inside.url()) == Code::invalid);
  CHECK(inside.connections == 1);
}

TEST_CASE("S21: a redirect is an answer: what it points to is not asked") {
  Stand target("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret");
  for (const std::string& to : {target.url(), std::string("http://169.254.169.254/latest/meta-data/"), std::string("file:///etc/passwd")}) {
    Stand first("HTTP/1.1 302 Found\r\nLocation: " + to + "\r\nContent-Length: 0\r\n\r\n");
    auto answer = Client(allowing(kLoopback)).get(first.url());
    REQUIRE(answer);
    CHECK(answer->status == 302);
    CHECK(answer->body.empty());
  }
  CHECK(target.connections == 0);
}

TEST_CASE("S21: no proxy from the environment") {
  Stand proxy("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), inside("HTTP/1.1 204 No\r\n\r\n");
  for (const char* name : {"http_proxy", "https_proxy", "all_proxy", "ALL_PROXY"}) ::setenv(name, proxy.url().c_str(), 1);
  auto answer = Client(allowing(kLoopback)).get(inside.url());
  for (const char* name : {"http_proxy", "https_proxy", "all_proxy", "ALL_PROXY"}) ::unsetenv(name);
  REQUIRE(answer);
  CHECK(answer->status == 204);
  CHECK(proxy.connections == 0);
}

TEST_CASE("answers are bounded in bytes, header bytes and time, and a stop ends them") {
  const Client client(allowing(kLoopback));
  Limits limits;
  limits.body = 1000;
  limits.headers = 2000;
  Stand fits("HTTP/1.1 200 OK\r\n\r\n" + std::string(1000, 'x')), over("HTTP/1.1 200 OK\r\n\r\n" + std::string(1001, 'x'));
  CHECK(client.get(fits.url(), {}, limits)->body.size() == 1000);
  CHECK(client.get(over.url(), {}, limits).error().code == Code::too_large);
  Limits first = limits;
  first.keep = Body::first;
  auto kept = client.get(over.url(), {}, first);
  REQUIRE(kept);
  CHECK(kept->body.size() == 1000);
  CHECK(kept->status == 200);
  Stand heads("HTTP/1.1 200 OK\r\nA: " + std::string(2000, 'x') + "\r\n\r\n");
  CHECK(client.get(heads.url(), {}, limits).error().code == Code::too_large);
  Stand slow("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", Manner::holds);
  limits.time = milliseconds(200);
  CHECK(client.get(slow.url(), {}, limits).error().code == Code::timeout);
  std::stop_source stop;
  stop.request_stop();
  CHECK(client.get(slow.url(), {}, {}, stop.get_token()).error().detail == "stopped");
}

TEST_CASE("a broken answer is no answer") {
  const Client client(allowing(kLoopback));
  for (const char* bytes : {"", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "not http\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"}) {
    Stand stand(bytes);
    CHECK(refusal(client, stand.url()) == Code::unavailable);
  }
  // For who wants the head alone, what breaks off after it is an answer.
  Limits head;
  head.keep = Body::first;
  Stand half("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"), quarter("HTTP/1.1 200 OK\r\nContent-Le");
  CHECK(client.get(half.url(), {}, head)->status == 200);
  CHECK_FALSE(client.get(quarter.url(), {}, head));
}

TEST_CASE("Retry-After comes along, a form is encoded, and no header can be smuggled in") {
  Stand busy("HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n");
  const Client client(allowing(kLoopback));
  auto answer = client.post_form(busy.url("/token"), {{"code", "a b&c=ä"}, {"client_id", "x"}}, {{"Accept", "application/json"}});
  REQUIRE(answer);
  CHECK(answer->retry_after == std::chrono::seconds(7));
  CHECK(busy.asked.starts_with("POST /token HTTP/1.1\r\n"));
  CHECK(busy.asked.contains("Accept: application/json\r\n"));
  CHECK(form_encoded({{"code", "a b&c=ä"}, {"client_id", "x"}}) == "code=a+b%26c%3D%C3%A4&client_id=x");
  CHECK(client.get(busy.url(), {{"A", "b\r\nC: d"}}).error().code == Code::invalid);
  CHECK(client.get(busy.url(), {{"A: b", "c"}}).error().code == Code::invalid);
}

TEST_CASE("URLs that are not for going out") {
  const Client client(allowing(kLoopback));
  for (const char* url : {"", "x", "ftp://example.org/", "file:///etc/passwd", "gopher://example.org/", "https://", "https://user@example.org/",
                          "https://user:password@example.org/", "https://example.org/\r\nHost: x", "https://exa mple.org/", "//example.org/", "javascript:alert(1)"}) {
    INFO(url);
    CHECK_FALSE(client.acceptable(url));
  }
  CHECK_FALSE(client.acceptable("https://example.org/" + std::string(2048, 'a')));
  CHECK(client.acceptable("https://example.org/hook?a=b"));
  CHECK(client.acceptable("HTTPS://example.org"));
}

TEST_CASE("S21: a letter goes to no private address and not without TLS, and carries no commands") {
  Letter letter;
  letter.host = "127.0.0.1";
  letter.from = "caip@example.org";
  letter.to = "olga@example.org";
  letter.message = "Subject: x\r\n\r\nx\r\n";
  CHECK(Client({}).send_mail(letter).error().code == Code::forbidden);
  Stand plain("220 mail ESMTP\r\n250 mail\r\n", Manner::greets);  // offers no STARTTLS
  letter.port = plain.port;
  CHECK(Client(allowing(kLoopback)).send_mail(letter).error().detail == "the mail server offers no TLS");
  for (const char* bad : {"", "a@b>\r\nRCPT TO:<c@d", "a b@c", "<a@b>"}) {
    letter.to = bad;
    CHECK(Client(allowing(kLoopback)).send_mail(letter).error().code == Code::invalid);
  }
  letter.to = "a@b";
  letter.host = "mail.example/x";
  CHECK(Client({}).send_mail(letter).error().code == Code::invalid);
}

}  // namespace caip::outbound
