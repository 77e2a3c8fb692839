// Orders that come to a server twice: replayed by somebody, or sent again over a new connection.
#include <catch2/catch_test_macros.hpp>

#include "server_world.h"

namespace caip::servers {
namespace {

struct World : test::Domain {
  World() : Domain(servers::migrations()) {}
};

Code code_of(const Result<void>& r) { return r ? Code{255} : r.error().code; }

// The helper answers a repeated order with what it has kept (agent_test "an order runs once"): that is how one hears of it.
TEST_CASE("a replayed order stands in the log, whatever came of it; it changes nothing, and its agent told no lie") {
  for (const bool ok : {true, false})
    for (const bool kept : {true, false}) {  // the helper lets go of an answer after a while, and says "dealt with before"
      World w;
      w.with_server();
      const auto o = w.restart(w.owner).value();
      REQUIRE(w.answer(o.id, ok).has_value());
      CHECK(w.logged("operation.finish", "blocked") == 0);
      CHECK(code_of(w.answer(o.id, kept && ok, true, !kept)) == Code::key_reused);
      CHECK(w.logged("operation.finish", "blocked") == 1);
      w.open();
      w.start();
      w.connect();
      CHECK(code_of(w.answer(o.id, kept && ok, true, !kept)) == Code::key_reused);  // known after a restart too
      CHECK(w.logged("operation.finish", "blocked") == 2);
      CHECK(w.logged("operation.finish", ok ? "completed" : "failed") == 1);
      CHECK(w.orders->find(o.id)->status == (ok ? OperationStatus::succeeded : OperationStatus::failed));
    }
}

TEST_CASE("that an order came again is no excuse for another answer to it") {
  World w;
  w.with_server();
  const auto o = w.restart(w.owner).value();
  REQUIRE(w.answer(o.id, false).has_value());
  CHECK(code_of(w.answer(o.id, true, true)) == Code::conflict);
  CHECK(w.orders->find(o.id)->status == OperationStatus::failed);
}

TEST_CASE("an order that was sent again because nobody heard its answer ends with the one that was kept") {
  World w;
  w.with_server();
  const auto o = w.restart(w.owner).value();
  REQUIRE(w.answer(o.id, true, true).has_value());
  CHECK(w.logged("operation.finish", "completed") == 1);
  CHECK(w.logged("operation.finish", "blocked") == 0);
}

}  // namespace
}  // namespace caip::servers
