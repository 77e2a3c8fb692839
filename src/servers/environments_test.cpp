// What a server is for: who says so, what it counts as, and what ends when that changes.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "server_world.h"

namespace caip::servers {
namespace {

struct World : test::Domain {
  World() : Domain(servers::migrations()) {
    servers->on_move([this](storage::WriteTx&, const OrgId&, const std::optional<UserId>&, const ServerId& s) -> Result<std::function<void()>> {
      moved.push_back(s);
      return [] {};
    });
    const auto e = enrol(offer().token).value();
    server = e.server;
    holds(e);
  }
  Result<Receipt<SetEnvironment>> set(const test::Person& who, Environment to, std::optional<std::int64_t> version = {}) {
    auto permit = authorize(who.session(), SetEnvironment{*server, to});
    if (!permit) return fail(permit.error().code);
    return servers->set_environment(*std::move(permit), version.value_or(servers->find(*server)->version));
  }
  bool production() {
    auto tx = db->begin_read();
    return ServerService::production_within(tx, org, *server).value();
  }
  Environment environment() { return servers->find(*server)->environment; }
  std::size_t told() {
    auto tx = db->begin_read();
    return static_cast<std::size_t>(tx.one<std::int64_t>("SELECT count(*) FROM notices WHERE kind = 'production.protection'", [](const storage::Row& r) { return r.integer(0); }).value().value());
  }
  test::Person admin{org, crypto::random_id<UserId>(), Role::admin}, member{org, crypto::random_id<UserId>(), Role::member};
  test::Person elsewhere{crypto::random_id<OrgId>()};
  std::vector<ServerId> moved;
};

template <class T>
Code code_of(const Result<T>& r) {
  REQUIRE_FALSE(r.has_value());
  return r.error().code;
}

TEST_CASE("a new server is unknown, which counts as production, and so does one that is not there or another organisation's") {
  World w;
  CHECK(w.environment() == Environment::unknown);
  CHECK(w.production());
  REQUIRE(w.set(w.owner, Environment::staging));
  CHECK_FALSE(w.production());
  auto tx = w.db->begin_read();
  CHECK(ServerService::production_within(tx, w.org, crypto::random_id<ServerId>()).value());
  CHECK(ServerService::production_within(tx, w.elsewhere.org, *w.server).value());
}

TEST_CASE("that a server counts as production no more is an Owner's to say, whether it was one or nobody had said so; the rest is an Admin's too") {
  World w;
  for (const Environment from : {Environment::production, Environment::unknown}) {
    CAPTURE(text(from));
    REQUIRE(w.set(w.admin, from));
    for (const Environment to : {Environment::staging, Environment::development}) {
      CHECK(code_of(w.set(w.admin, to)) == Code::forbidden);
      CHECK(w.environment() == from);
      REQUIRE(w.set(w.owner, to));
      CHECK(w.set(w.admin, to == Environment::staging ? Environment::development : Environment::staging));
      REQUIRE(w.set(w.admin, from));
    }
  }
  CHECK(code_of(w.set(w.member, Environment::production)) == Code::forbidden);
  CHECK(code_of(w.set(w.elsewhere, Environment::production)) == Code::not_found);
  CHECK(w.logged("server.set_environment", "blocked") == 5);
}

TEST_CASE("it outlives a restart, and its change is on the record with what was before; leaving production is told") {
  World w;
  REQUIRE(w.set(w.owner, Environment::production));
  CHECK(w.told() == 0);
  REQUIRE(w.set(w.owner, Environment::development));
  CHECK(w.told() == 1);
  w.open();
  w.start();
  CHECK(w.environment() == Environment::development);
  CHECK(w.servers->find(*w.server)->version == 3);
  CHECK(w.logged("server.set_environment", "completed") == 2);
}

TEST_CASE("of two who change it, the second is told that it is not as they saw it") {
  World w;
  REQUIRE(w.set(w.owner, Environment::staging, 1));
  CHECK(code_of(w.set(w.owner, Environment::development, 1)) == Code::precondition_failed);
  CHECK(w.environment() == Environment::staging);
}

TEST_CASE("what hangs on whether it counts as production ends with the change of that, and with no other") {
  World w;
  REQUIRE(w.set(w.owner, Environment::production));
  CHECK(w.moved.empty());  // unknown counted as that already
  REQUIRE(w.set(w.owner, Environment::staging));
  CHECK(w.moved.size() == 1);
  REQUIRE(w.set(w.owner, Environment::development));
  CHECK(w.moved.size() == 1);
  REQUIRE(w.set(w.owner, Environment::unknown));
  CHECK(w.moved.size() == 2);
}

TEST_CASE("where what hangs on it cannot end, it stays as it was") {
  World w;
  w.servers->on_move([](storage::WriteTx&, const OrgId&, const std::optional<UserId>&, const ServerId&) -> Result<std::function<void()>> { return fail(Code::storage_failed); });
  CHECK(code_of(w.set(w.owner, Environment::staging)) == Code::storage_failed);
  CHECK(w.environment() == Environment::unknown);
  CHECK(w.production());
}

TEST_CASE("the first server is classified once; what somebody says afterwards stays, also that it is unknown") {
  World w;
  const auto offer = [&] { return w.servers->offer_environment(w.authorizer.authorize_system(OfferEnvironment{*w.server, Environment::development}, w.org).value()); };
  REQUIRE(offer());
  CHECK(w.environment() == Environment::development);
  REQUIRE(w.set(w.owner, Environment::unknown));
  REQUIRE(offer());
  CHECK(w.environment() == Environment::unknown);
  CHECK(w.logged("server.offer_environment", "completed") == 1);
}

TEST_CASE("another machine in a server's place is unknown, whoever made its command, and what hung on the old one ends; production stays production") {
  World w;
  const Environment before = GENERATE(Environment::development, Environment::staging, Environment::production);
  REQUIRE(w.set(w.owner, before));
  w.moved.clear();
  const auto notices = w.told();
  REQUIRE(w.enrol(w.offer("web-1", true).token));
  CHECK(w.environment() == (before == Environment::production ? before : Environment::unknown));
  CHECK(w.production());
  CHECK(w.moved == std::vector{*w.server});
  CHECK(w.told() == notices + (before == Environment::production ? 0 : 1));
}

TEST_CASE("what whoever started both said holds for a machine that came by the control plane's own command alone, and where nothing was said before") {
  World w;
  CHECK_FALSE(w.servers->came_by_offer(w.org, *w.server).value());  // a person's command
  const auto offer = [&] { return w.servers->offer_environment(w.authorizer.authorize_system(OfferEnvironment{*w.server, Environment::development}, w.org).value()); };
  {  // as a migration left it
    auto tx = w.db->begin_write();
    REQUIRE(tx.exec("UPDATE servers SET environment = 'production'"));
    auto permit = w.authorizer.authorize_system(FailOperation{crypto::random_id<OperationId>()}, w.org).value();
    REQUIRE(w.ledger->commit(std::move(tx), std::move(permit).spend(w.clock.now()).value(), {}));
  }
  REQUIRE(offer());
  CHECK(w.production());
  auto made = w.servers->create_enrolment(w.authorizer.authorize_system(OfferEnrolment{crypto::random_id<EnrolmentId>(), ServerName::parse("web-2").value()}, w.org).value());
  const auto first = w.enrol(made->token).value().server;
  CHECK(w.servers->came_by_offer(w.org, first).value());
  CHECK_FALSE(w.servers->came_by_offer(w.elsewhere.org, first).value());
}

TEST_CASE("an order says whether its server counts as production") {
  World w;
  w.connect();
  REQUIRE(w.restart(w.owner));
  CHECK(channel::decode_order(w.sent.back().order)->production);
  REQUIRE(w.set(w.owner, Environment::staging));
  REQUIRE(w.restart(w.owner));
  CHECK_FALSE(channel::decode_order(w.sent.back().order)->production);
}

TEST_CASE("a data directory of before environments opens: a server that was said to be production is, of the others nobody has said anything") {
  auto before = servers::migrations();
  before.erase(std::ranges::find_if(before, [](const auto& m) { return m.name.starts_with("servers/9 "); }), before.end());
  struct Old : test::Base {
    explicit Old(storage::Migrations m) : Base(std::move(m)) {}
  } w(before);
  const ServerId marked = crypto::random_id<ServerId>(), other = crypto::random_id<ServerId>();
  {
    auto tx = w.db->begin_write();
    for (const auto& [id, name, production] : {std::tuple{marked, "web-1", 1}, {other, "web-2", 0}})
      REQUIRE(tx.exec("INSERT INTO servers (id, org, name, production, certificate, enrolled_at) VALUES (?1, ?2, ?3, ?4, 'c', 1)", id, w.org, name, production));
    auto permit = w.authorizer.authorize_system(FailOperation{crypto::random_id<OperationId>()}, w.org).value();
    REQUIRE(w.ledger->commit(std::move(tx), std::move(permit).spend(w.clock.now()).value(), {}));
  }
  w.migrations = servers::migrations();
  w.open();
  auto tx = w.db->begin_read();
  const auto environment = [&](const ServerId& id) { return tx.one<std::string>("SELECT environment FROM servers WHERE id = ?1", id, [](const storage::Row& r) { return r.text(0); }).value().value(); };
  CHECK(environment(marked) == "production");
  CHECK(environment(other) == "unknown");
  for (const auto& id : {marked, other}) CHECK(ServerService::production_within(tx, w.org, id).value());
}

}  // namespace
}  // namespace caip::servers
