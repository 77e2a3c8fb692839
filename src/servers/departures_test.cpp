// Servers that are let go: out of service at once, restorable until their date, forgotten after it.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "server_world.h"
#include "servers/absences.h"

namespace caip::servers {
namespace {

constexpr Duration kWeek = kServerGrace;

struct World : test::Domain {
  World() : Domain(servers::migrations()) { wire(); }
  void wire() {
    servers->on({.server_updated = {}, .metrics = {}, .units_updated = {}, .gone = {}, .departed = [&](const ServerId& id) { thrown_out.push_back(id); orders->departed(id); }, .reenrolled = {}});
  }
  Result<Receipt<DisconnectServer>> disconnect(std::string_view typed = "web-1") { return disconnect(owner, *server, typed); }
  Result<Receipt<DisconnectServer>> disconnect(const test::Person& who, const ServerId& id, std::string_view typed = "web-1") {
    auto permit = authorize(who.session(), DisconnectServer{id});
    if (!permit) return fail(permit.error().code);
    return servers->disconnect(*std::move(permit), ServerName::parse(typed).value());
  }
  Result<Receipt<RestoreServer>> restore() { return restore(owner); }
  Result<Receipt<RestoreServer>> restore(const test::Person& who) {
    auto permit = authorize(who.session(), RestoreServer{*server});
    if (!permit) return fail(permit.error().code);
    return servers->restore(*std::move(permit));
  }
  Result<Receipt<ForgetServer>> forget() {
    auto permit = authorizer.authorize_system(ForgetServer{*server}, org);
    if (!permit) return fail(permit.error().code);
    return servers->forget(*std::move(permit));
  }
  Server seen() { return servers->get(owner.session(), *server).value(); }
  std::int64_t told(std::string_view words) {
    auto tx = db->begin_read();
    return tx.one<std::int64_t>("SELECT count(*) FROM notices WHERE kind = 'server.disconnected' AND instr(subject, ?1) > 0", words, [](const storage::Row& r) { return r.integer(0); }).value().value();
  }
  std::vector<ServerId> thrown_out;
};

template <class T>
Code code_of(const Result<T>& r) {
  return r ? Code{255} : r.error().code;
}
constexpr Code kFine{255};

TEST_CASE("a server that is let go is out at once: its agent, its reports, and every order to it") {
  World w;
  w.with_server();
  w.wire_down = true;
  const auto unsent = w.restart(w.owner).value();
  w.wire_down = false;
  const auto sent = w.restart(w.owner).value();
  CHECK(w.servers->hanging(w.owner.session(), *w.server)->orders == 2);
  REQUIRE(w.disconnect());
  CHECK(w.thrown_out == std::vector{*w.server});
  CHECK_FALSE(w.servers->accepts(w.agent()));
  CHECK_FALSE(w.servers->online(w.agent(), {Foreign("web-1"), Foreign(), Foreign()}));
  w.servers->report(w.agent(), Sample{.load1 = 0.5, .at = w.clock.now()});
  CHECK_FALSE(w.seen().latest);
  CHECK_FALSE(w.seen().online);
  CHECK(view(w.seen()).at("channel").at("status") == "disconnected");
  CHECK(w.seen().leaves == w.clock.now() + kWeek);
  CHECK(w.orders->find(unsent.id)->error.contains("Nothing was run"));
  CHECK(w.orders->find(sent.id)->error.contains("may have run"));
  CHECK(code_of(w.answer(sent.id)) == Code::forbidden);
  CHECK(code_of(w.restart(w.owner)) == Code::conflict);
  const auto count = w.sent.size();
  w.orders->tick();
  CHECK(w.sent.size() == count);
  CHECK(w.logged("server.disconnect", "completed") == 1);
  CHECK(w.told("is disconnected, and will be forgotten on") == 1);
}

TEST_CASE("it is restored as it was, also after a restart, and goes on by itself") {
  World w;
  w.with_server();
  CHECK(code_of(w.restore()) == Code::conflict);
  REQUIRE(w.disconnect());
  w.clock.advance(kWeek - std::chrono::seconds(1));
  w.start();
  w.wire();
  CHECK_FALSE(w.servers->accepts(w.agent()));
  CHECK(w.servers->leaving().empty());
  REQUIRE(w.restore());
  CHECK(w.servers->accepts(w.agent()));
  w.connect();
  CHECK(code_of(w.restart(w.owner)) == kFine);
  CHECK_FALSE(w.seen().leaves);
  CHECK(w.told("was restored") == 1);
  w.clock.advance(kWeek);
  CHECK(w.servers->leaving().empty());
  CHECK(code_of(w.forget()) == Code::conflict);
  CHECK(w.logged("server.restore", "completed") == 1);
}

TEST_CASE("when its date has come it is forgotten, once, and its name is free") {
  World w;
  w.with_server();
  REQUIRE(w.disconnect());
  CHECK(code_of(w.forget()) == Code::conflict);  // before its date
  w.clock.advance(kWeek);
  CHECK(w.servers->leaving() == std::vector{std::pair{w.org, *w.server}});
  REQUIRE(w.forget());
  CHECK(code_of(w.forget()) == Code::conflict);
  CHECK(w.servers->leaving().empty());
  CHECK(code_of(w.servers->get(w.owner.session(), *w.server)) == Code::not_found);
  CHECK_FALSE(w.servers->accepts(w.agent()));
  CHECK(code_of(w.restore()) == Code::not_found);
  CHECK(w.logged("server.forget", "completed") == 1);
  const auto next = w.enrol(w.offer().token).value();  // without saying that it replaces anything
  CHECK(next.server != *w.server);
}

TEST_CASE("killed on its day, it is forgotten after the start") {
  World w;
  w.with_server();
  REQUIRE(w.disconnect());
  w.clock.advance(kWeek);
  w.open();
  w.start();
  CHECK(w.servers->leaving() == std::vector{std::pair{w.org, *w.server}});
  REQUIRE(w.forget());
  w.open();
  w.start();
  CHECK(w.servers->list(w.owner.session())->empty());
}

TEST_CASE("letting go asks for the name, once; who may not, or whose it is not, changes nothing; all of that is on the record") {
  World w;
  w.with_server();
  CHECK(code_of(w.disconnect("web-2")) == Code::invalid);
  const test::Person stranger{crypto::random_id<OrgId>()};
  CHECK(code_of(w.disconnect(stranger, *w.server)) == Code::not_found);
  CHECK(code_of(w.restore(stranger)) == Code::not_found);
  CHECK(w.servers->accepts(w.agent()));
  test::Person member = w.owner;
  member.role = Role::member;
  CHECK(code_of(w.disconnect(member, *w.server)) == Code::forbidden);
  REQUIRE(w.disconnect());
  CHECK(code_of(w.disconnect()) == Code::conflict);
  CHECK(w.logged("server.disconnect", "blocked") == 3);
  CHECK(w.logged("server.restore", "blocked") == 1);
}

TEST_CASE("a server that counts as production is let go by an Owner alone") {
  World w;
  w.with_server();
  w.set_environment(GENERATE(Environment::production, Environment::unknown));
  test::Person admin = w.owner;
  admin.role = Role::admin;
  CHECK(code_of(w.disconnect(admin, *w.server)) == Code::forbidden);
  CHECK(w.servers->accepts(w.agent()));
  CHECK(code_of(w.disconnect()) == kFine);
  CHECK(code_of(w.restore(admin)) == Code::forbidden);
  CHECK(code_of(w.restore()) == kFine);
}

TEST_CASE("nobody misses a server that was let go, and one that was away counts anew when it is restored") {
  World w;
  w.with_server();
  Absences absences(*w.db, *w.ledger, *w.servers, w.authorizer, w.clock, std::chrono::seconds(60));
  REQUIRE(absences.load());
  const auto pass = [&](int seconds) {
    for (int i = 0; i < seconds; ++i) {
      w.clock.advance(std::chrono::seconds(1));
      absences.tick();
    }
  };
  REQUIRE(w.disconnect());
  pass(200);
  CHECK(w.logged("server.missed", "completed") == 0);
  REQUIRE(w.restore());
  pass(50);
  CHECK(w.logged("server.missed", "completed") == 0);
  pass(20);
  CHECK(w.logged("server.missed", "completed") == 1);
}

TEST_CASE("no machine takes the place of a server that was let go, by no command of before or after") {
  World w;
  w.with_server();
  const auto before = w.offer("web-1", true);
  REQUIRE(w.disconnect());
  CHECK(code_of(w.enrol(before.token)) == Code::bad_credentials);
  for (const bool replaces : {true, false}) {
    auto permit = w.authorize(w.owner.session(), CreateEnrolment{crypto::random_id<EnrolmentId>(), ServerName::parse("web-1").value()});
    CHECK(code_of(w.servers->create_enrolment(*std::move(permit), replaces)) == Code::conflict);
  }
  REQUIRE(w.restore());
  CHECK(code_of(w.enrol(before.token)) == Code::bad_credentials);  // it stays ended
  CHECK(w.enrol(w.offer("web-1", true).token)->server == *w.server);
}

TEST_CASE("of an order that the process before may have sent nobody says that nothing was run") {
  World w;
  w.with_server();
  const auto sent = w.restart(w.owner).value();
  w.open();
  w.start();
  w.wire();
  REQUIRE(w.orders->recover());
  REQUIRE(w.disconnect());
  CHECK(w.orders->find(sent.id)->status == OperationStatus::expired);
  CHECK(w.orders->find(sent.id)->error.contains("may have run"));
}

TEST_CASE("an order that was written while its server was let go ends with the next tick, and restoring does not send it") {
  World w;
  w.with_server();
  w.servers->on({});  // nobody ends it at once, as when caipd is killed in between
  w.wire_down = true;
  const auto o = w.restart(w.owner).value();
  w.wire_down = false;
  REQUIRE(w.disconnect());
  SECTION("it runs on") {
    w.orders->tick();
    CHECK(w.orders->find(o.id)->error.contains("Nothing was run"));
  }
  SECTION("it starts anew") {
    w.open();
    w.start();
    REQUIRE(w.orders->recover());
    w.orders->tick();
    CHECK(w.orders->find(o.id)->error.contains("may have run"));
  }
  CHECK(w.orders->find(o.id)->finished());
  REQUIRE(w.restore());
  w.connect();
  w.orders->tick();
  CHECK(w.sent.empty());
}

TEST_CASE("a look before its day, with an order still under way, ends that order and forgets nothing") {
  World w;
  w.with_server();
  w.servers->on({});
  w.wire_down = true;
  const auto o = w.restart(w.owner).value();
  REQUIRE(w.disconnect());
  w.wire();
  CHECK(code_of(w.forget()) == Code::conflict);
  CHECK(w.orders->find(o.id)->finished());
  CHECK(w.seen().leaves);
}

TEST_CASE("what is left on a machine that is forgotten is said once more") {
  World w;
  w.with_server();
  {
    auto tx = w.db->begin_write();
    REQUIRE(tx.exec("INSERT INTO env_placements (operation, org, server, user, secret, version, state, at) VALUES ('opr_x', ?1, ?2, 'www-data', 'sec_x', 1, 'placed', 1)", w.org, *w.server));
    auto spent = std::move(*w.authorize(w.owner.session(), CreateEnrolment{crypto::random_id<EnrolmentId>(), ServerName::parse("x").value()})).spend(w.clock.now());
    REQUIRE(w.ledger->commit(std::move(tx), *std::move(spent)));
  }
  CHECK(w.servers->hanging(w.owner.session(), *w.server)->env_values == 1);
  REQUIRE(w.disconnect());
  w.clock.advance(kWeek);
  REQUIRE(w.forget());
  CHECK(w.told("of your env values 1 are still in files on it") == 1);
}

}  // namespace
}  // namespace caip::servers
