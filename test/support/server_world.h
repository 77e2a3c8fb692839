// server_world.h: a control plane with one enrolled server, a keeper with real keys, and in the
// place of the channel a list of the orders that were sent.
#pragma once
#include <atomic>
#include <vector>

#include "channel/order.h"
#include "crypto/certificates.h"
#include "domain_world.h"
#include "secrets/keeper.h"
#include "servers/migrations.h"
#include "servers/order_service.h"
#include "servers/server_service.h"

namespace caip::test {

struct Domain : Base {
  explicit Domain(storage::Migrations more) : Base(std::move(more)) { start(); }
  // (Re)builds the services on what the files say.
  void start() {
    orders.reset();
    servers.reset();
    query.reset();
    query = std::make_unique<audit::Query>(*ledger);
    servers = std::make_unique<servers::ServerService>(*db, *ledger, *keeper, authorizer, clock);
    REQUIRE(servers->load().has_value());
    servers->on_maker([this](storage::Reader&, const Principal& who) -> Result<void> {
      return makers_gone ? Result<void>(fail(Code::unauthenticated)) : who.user ? Result<void>() : fail(Code::internal);
    });
    orders = std::make_unique<servers::OrderService>(*db, *ledger, *query, *keeper, authorizer, *servers, clock);
    orders->on_send([this](const ServerId&, const channel::SignedOrder& o) -> Result<void> {
      if (wire_down) return fail(Code::server_offline);
      sent.push_back(o);
      ++sent_count;  // after it: who waits for the count may read the order
      return {};
    });
  }
  servers::NewEnrolment offer(std::string_view name = "web-1", bool replaces = false) {
    auto p = authorize(owner.session(), CreateEnrolment{crypto::random_id<EnrolmentId>(), ServerName::parse(name).value()});
    return servers->create_enrolment(std::move(*p), replaces).value();
  }
  Result<servers::Enrolled> enrol(std::string_view token) {
    const auto csr = crypto::make_request("web-1").value();
    return servers->enrol(token, csr.csr_pem, Foreign("web-1"), Origin{"192.0.2.9", Foreign("curl"), "req_test"});
  }
  void with_server() {
    auto e = enrol(offer().token).value();
    server = e.server;
    holds(e);
    connect();
    auto permit = authorizer.authorize_system(OfferEnvironment{*server, Environment::development}, org);  // a new one is unknown, which counts as production
    REQUIRE(servers->offer_environment(std::move(*permit)));
  }
  void set_environment(Environment to) {
    auto permit = authorize(owner.session(), SetEnvironment{*server, to});
    REQUIRE(servers->set_environment(std::move(*permit), servers->find(*server)->version));
  }
  void holds(const servers::Enrolled& e) {
    certificate_pem = e.certificate_pem;
    certificate = crypto::certificate_fingerprint(e.certificate_pem).value();
  }
  AgentIdentity agent() const { return channel::Handshake::mint(*server, certificate_pem); }
  void connect() {
    REQUIRE(servers->online(agent(), {Foreign("web-1"), Foreign("Debian 13"), Foreign("6.12")}));
    orders->server_online(*server);
  }
  OperationId last_order() const { return channel::decode_order(sent.back().order).value().order; }
  Result<void> answer(const OperationId& id, bool ok = true, bool replayed = false, bool unknown = false) {
    return orders->finish(agent(), id, {.ok = ok, .replayed = replayed, .result = {{"unit", {{"unit", "nginx.service"}, {"active", "active"}, {"sub", "running"}}}},
                                        .error = ok ? Foreign() : Foreign("Unit x not found\n"), .unknown = unknown});
  }
  Result<servers::Operation> restart(const Person& who) {
    auto p = authorize(who.session(), RestartUnit{*server, control("nginx.service")});
    if (!p) return fail(p.error().code);
    return orders->issue(std::move(*p));
  }

  std::unique_ptr<secrets::Keeper> keeper = secrets::open_local_keeper(folder.path + "/keys", clock).value();
  Person owner{org};
  std::unique_ptr<audit::Query> query;
  std::unique_ptr<servers::ServerService> servers;
  std::unique_ptr<servers::OrderService> orders;
  std::vector<channel::SignedOrder> sent;
  std::atomic<std::size_t> sent_count = 0;
  bool wire_down = false;
  bool makers_gone = false;  // nobody may any more what they might
  std::optional<ServerId> server;
  std::string certificate_pem, certificate;  // its fingerprint
};

}  // namespace caip::test
