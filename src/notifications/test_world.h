// What the tests of notifications share: a world with an outbox, its courier and an owner, and
// receivers of several kinds on this machine.
#pragma once
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <thread>

#include "domain_world.h"
#include "notifications/channels.h"
#include "notifications/courier.h"
#include "notifications/deliveries.h"
#include "notifications/inbox.h"
#include "outbound/client.h"
#include "outbox/outbox.h"
#include "secrets/keeper.h"
#include "vault/migrations.h"
#include "vault/secret_store.h"

namespace caip::notifications {

using std::chrono::seconds;

// Nobody listens here: found once, and left free.
inline std::string dead_url() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof a;
  REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&a), size) == 0);
  REQUIRE(::getsockname(fd, reinterpret_cast<sockaddr*>(&a), &size) == 0);
  ::close(fd);
  return "http://127.0.0.1:" + std::to_string(ntohs(a.sin_port)) + "/hook";
}

// Takes connections as the system does, and says nothing.
class BlackHole {
 public:
  BlackHole() : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof a;
    REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&a), size) == 0);
    REQUIRE(::getsockname(fd_, reinterpret_cast<sockaddr*>(&a), &size) == 0);
    REQUIRE(::listen(fd_, 64) == 0);
    port_ = ntohs(a.sin_port);
  }
  BlackHole(const BlackHole&) = delete;
  BlackHole& operator=(const BlackHole&) = delete;
  ~BlackHole() { ::close(fd_); }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/hook"; }
  // Whether somebody connects within `time`; the connection, if so.
  int connection(std::chrono::milliseconds time = std::chrono::seconds(20)) const {
    pollfd p{fd_, POLLIN, 0};
    return ::poll(&p, 1, static_cast<int>(time.count())) == 1 ? ::accept(fd_, nullptr, nullptr) : -1;
  }

 private:
  int fd_;
  int port_ = 0;
};

// Gives every request the same answer.
class Receiver {
 public:
  Receiver(int status, const std::string& body)
      : answer_("HTTP/1.1 " + std::to_string(status) + " x\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body),
        thread_([this](const std::stop_token& stop) {
          while (!stop.stop_requested())
            if (const int c = door_.connection(std::chrono::milliseconds(50)); c >= 0) serve(c);
        }) {}
  std::string url() const { return door_.url(); }

 private:
  void serve(int c) const {
    std::string got;
    char piece[4096];
    std::size_t whole = std::string::npos;
    while (got.size() < whole) {
      const auto n = ::recv(c, piece, sizeof piece, 0);
      if (n <= 0) break;
      got.append(piece, static_cast<std::size_t>(n));
      const auto end = got.find("\r\n\r\n"), length = got.find("Content-Length: ");
      if (end != got.npos && length != got.npos) whole = end + 4 + std::stoul(got.substr(length + 16));
    }
    static_cast<void>(::send(c, answer_.data(), answer_.size(), MSG_NOSIGNAL));
    ::close(c);
  }
  std::string answer_;
  BlackHole door_;
  std::jthread thread_;
};

struct World : test::Base {
  World() : Base(vault::migrations()) { start(); }
  void start() {
    courier.reset();
    channels.reset();
    store.reset();
    keeper.reset();
    keeper = secrets::open_local_keeper(folder.path + "/keys", clock).value();
    store = std::make_unique<vault::SecretStore>(*db, *ledger, *keeper, clock);
    channels = std::make_unique<Channels>(*db, *ledger, *store, authorizer, [this](const Session& s) -> Result<StepUp> {
      if (stepped_up) return auth::StepUpVerifier::mint(s, clock.now());
      return fail(Code::step_up_needed);
    }, client, clock);
    deliveries = std::make_unique<Deliveries>(*db, *ledger, clock);
    inbox = std::make_unique<Inbox>(*db, *ledger, clock);
    courier = std::make_unique<Courier>(*db, *ledger, *store, authorizer, client, *channels, clock, CourierSettings{.schedule = {{seconds(10), seconds(100)}}, .telegram_api = "", .public_url = ""});
  }
  void restart() {  // as after kill -9
    courier.reset();
    channels.reset();
    store.reset();
    open();
    start();
  }
  Result<Channel> webhook(std::string_view name, const std::string& url, Routing routing = {}) {
    auto saved = channels->create(owner.session(), ChannelName::parse(name).value(), Target::parse(ChannelKind::webhook, {{"url", url}}).value(), routing, {});
    if (!saved) return std::unexpected(std::move(saved).error());
    return std::move(saved->channel);
  }
  // Raised in the transaction of some change, as rooms do.
  void raise(const outbox::Event& e, bool commits = true) {
    auto tx = db->begin_write();
    REQUIRE(outbox::raise(tx, e, clock.now()));
    auto spent = std::move(authorizer.authorize_system(FailOperation{OperationId{IdBytes{}}}).value()).spend(clock.now());
    if (commits) REQUIRE(ledger->commit(std::move(tx), *std::move(spent)));
  }
  // Some damage or change in the tables.
  template <class F>
  void within(F f) {
    auto tx = db->begin_write();
    REQUIRE(f(tx));
    auto spent = std::move(authorizer.authorize_system(FailOperation{OperationId{IdBytes{}}}).value()).spend(clock.now());
    REQUIRE(ledger->commit(std::move(tx), *std::move(spent)));
  }
  Channel mail(std::string_view to) {  // at a port where nobody listens
    return channels->create(owner.session(), ChannelName::parse("mail").value(), mail_target(to), {}, {})->channel;
  }
  static Target mail_target(std::string_view to, std::string_view host = "127.0.0.1") {
    return Target::parse(ChannelKind::email, {{"host", host}, {"port", 1}, {"security", "tls"}, {"from", "a@example.org"}, {"to", to}}).value();
  }
  std::string newest_entry(std::string_view action) {
    audit::Filter f;
    f.action = std::string(action);
    return audit::Query(*ledger).list(f, 1, {})->entries.at(0).body;
  }
  std::vector<Delivery> log() { return deliveries->list(org, {}, {}, {.limit = 200, .after = {}})->items; }
  outbox::Event offline() const { return {.kind = EventKind::server_offline, .org = org, .subject = "web-1"}; }

  test::Person owner{.org = org};
  bool stepped_up = true;
  outbound::Client client{{.allowed = {outbound::Network::parse("127.0.0.0/8").value()}, .ca_file = {}}};
  std::unique_ptr<secrets::Keeper> keeper;
  std::unique_ptr<vault::SecretStore> store;
  std::unique_ptr<Channels> channels;
  std::unique_ptr<Deliveries> deliveries;
  std::unique_ptr<Inbox> inbox;
  std::unique_ptr<Courier> courier;
};

}  // namespace caip::notifications
