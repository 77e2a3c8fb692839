#include "servers/absences.h"

#include <catch2/catch_test_macros.hpp>

#include "server_world.h"

namespace caip::servers {
namespace {


struct World : test::Domain {
  World() : Domain(servers::migrations()) {}
  std::unique_ptr<Absences> absences;
  void watch() {
    absences = std::make_unique<Absences>(*db, *ledger, *servers, authorizer, clock, std::chrono::seconds(60));
    REQUIRE(absences->load());
  }
  void pass(std::int64_t seconds) {
    for (std::int64_t i = 0; i < seconds; ++i) {
      clock.advance(std::chrono::seconds(1));
      absences->tick();
    }
  }
  std::vector<std::string> told() {  // "server.offline web-1"
    std::vector<std::string> out;
    auto tx = db->begin_read();
    REQUIRE(tx.query("SELECT kind || ' ' || subject FROM notices ORDER BY seq", [&](const storage::Row& r) { out.push_back(r.text(0)); }));
    return out;
  }
  ServerId enrolled(const std::string& name) { return enrol(offer(name).token).value().server; }
};

using Told = std::vector<std::string>;

TEST_CASE("a server that is away for a minute is told of once, and once when it is back; both are in the log") {
  World w;
  w.with_server();
  w.watch();
  w.pass(120);
  CHECK(w.told().empty());
  w.servers->offline(w.agent());
  w.pass(60);
  CHECK(w.told().empty());
  w.pass(120);
  CHECK(w.told() == Told{"server.offline web-1"});
  w.connect();
  w.pass(120);
  CHECK(w.told() == Told{"server.offline web-1", "server.back web-1"});
  CHECK(w.logged("server.missed", "completed") == 1);
  CHECK(w.logged("server.met", "completed") == 1);
}

TEST_CASE("a server that is back within the minute is no news, and its next absence begins anew") {
  World w;
  w.with_server();
  w.watch();
  for (int i = 0; i < 5; ++i) {
    w.servers->offline(w.agent());
    w.pass(50);
    w.connect();
    w.pass(50);
  }
  CHECK(w.told().empty());
  CHECK(w.logged("server.missed", "completed") == 0);
}

TEST_CASE("a restart tells of no absence twice, and of a server as back that came meanwhile") {
  World w;
  w.with_server();
  w.watch();
  w.servers->offline(w.agent());
  w.pass(70);
  w.start();
  w.watch();
  w.pass(200);
  CHECK(w.told() == Told{"server.offline web-1"});
  w.connect();
  w.pass(62);
  CHECK(w.told() == Told{"server.offline web-1", "server.back web-1"});
}

TEST_CASE("a server that comes and goes is told of once as away, and as back when it has stayed") {
  World w;
  w.with_server();
  w.watch();
  for (int i = 0; i < 5; ++i) {
    w.servers->offline(w.agent());
    w.pass(70);
    w.connect();
    w.pass(20);
  }
  CHECK(w.told() == Told{"server.offline web-1"});
  w.pass(50);
  CHECK(w.told() == Told{"server.offline web-1", "server.back web-1"});
}

TEST_CASE("a server that does not come back after a restart of the control plane is missed a minute later") {
  World w;
  w.with_server();
  w.start();
  w.watch();
  w.pass(60);
  CHECK(w.told().empty());
  w.pass(2);
  CHECK(w.told() == Told{"server.offline web-1"});
}

TEST_CASE("many servers away at once are one message and an entry each") {
  World w;
  w.with_server();
  for (int i = 2; i <= 40; ++i) w.enrolled("web-" + std::to_string(i));
  w.watch();
  w.pass(70);
  const auto told = w.told();
  REQUIRE(told.size() == 1);
  CHECK(told.front().ends_with(" and 36 more"));
  CHECK(w.logged("server.missed", "completed") == 39);
}

}  // namespace
}  // namespace caip::servers
