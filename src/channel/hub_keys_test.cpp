// Keys at the door: who is refused before a word, who may renew and nothing else, who is asked.
#include "test_hub.h"

namespace caip::channel {
namespace {

TEST_CASE("a key that is refused at the door says no word: its frames are not read") {
  Plane plane;
  plane.events.known = false;
  FakeAgent agent(plane, kUri);
  agent.hello("retired");
  CHECK_FALSE(agent.receive().has_value());
  CHECK(plane.events.knocked == 1);
  CHECK(plane.events.nothing());
}

TEST_CASE("an agent is asked about its key with its hello, if it knows the question, and later; its answer is answered") {
  Plane plane;
  plane.events.ask = KeyAsk{false, Bytes(kNonce, 7)};
  FakeAgent before(plane, other_uri(1));  // of an older version: nothing it could not read
  before.hello("before");
  REQUIRE(plane.events.saw("connected " + ServerId{IdBytes{100, 1}}.str() + " before"));
  CHECK_FALSE(before.closed_within(std::chrono::milliseconds(200)));
  FakeAgent agent(plane, kUri);
  agent.hello("a", true);
  const auto asked = agent.receive();
  REQUIRE(asked.has_value());
  CHECK(plane.events.signature == "mldsa65");
  CHECK(asked->ask().nonce() == std::string(kNonce, 7));
  agent.offer("csr");
  const auto issued = agent.receive();
  REQUIRE(issued.has_value());
  CHECK(issued->issued().certificate() == "for csr");
  CHECK(issued->issued().reconnect());
  REQUIRE(plane.hub.send(test_server(), KeyAsk{true, Bytes(kNonce, 8)}).has_value());
  CHECK(agent.receive()->ask().rotate());
  plane.events.issues = false;
  agent.offer("another");
  CHECK_FALSE(agent.receive().has_value());
}

TEST_CASE("whose certificate has ended is asked to renew it, and everything else it says is passed over") {
  Plane plane({.hello = std::chrono::milliseconds(1500), .bar = {}});
  plane.events.ahead = std::chrono::hours(25);  // our own clock says that it is valid: the log knows better
  plane.events.ask = KeyAsk{false, Bytes(kNonce, 7)};
  FakeAgent agent(plane, kUri);
  agent.hello("back", true);
  REQUIRE(agent.receive()->has_ask());
  CHECK(plane.events.saw("connected " + test_server().str() + " back lapsed"));
  CHECK_FALSE(plane.hub.online(test_server()));
  OrderFixture f;
  CHECK(plane.hub.send(test_server(), f.make()).error().code == Code::server_offline);
  wire::ToServer report;
  report.mutable_report()->mutable_metrics()->set_load1(3);
  agent.send(report);
  agent.send(result_of(f.order.order));
  agent.offer("csr");
  CHECK(agent.receive()->issued().certificate() == "for csr");
  {
    std::scoped_lock lock(plane.events.mutex);
    CHECK(plane.events.seen == std::vector<std::string>{"connected " + test_server().str() + " back lapsed", "offered csr"});
  }
  CHECK(plane.events.results == 0);
  bool over = false;  // it does not stay like this, whatever it says
  for (int n = 0; n < 40 && !over; ++n) {
    agent.send(report);
    over = agent.closed_within(std::chrono::milliseconds(100));
  }
  CHECK(over);
}

// What an agent of its own would do: answer pings for so long.
bool answers(FakeAgent& agent) {
  for (;;) {
    const auto said = agent.receive();
    if (!said) return false;
    if (!said->has_ping()) continue;
    wire::ToServer pong;
    *pong.mutable_pong() = said->ping();
    return agent.send(pong);
  }
}

TEST_CASE("two that answer with one key are both thrown out, and it is told") {
  Plane plane;
  FakeAgent first(plane, kUri);
  first.hello("first");
  REQUIRE(plane.events.saw("connected " + test_server().str() + " first"));
  FakeAgent second(plane, first);
  second.hello("second");
  REQUIRE(plane.events.saw("connected " + test_server().str() + " second"));
  REQUIRE(answers(first));
  CHECK(plane.events.saw("twice " + test_server().str()));
  CHECK(first.closed_within(std::chrono::seconds(3)));
  CHECK(second.closed_within(std::chrono::seconds(3)));
}

TEST_CASE("an old copy of a certificate is a second holder, too") {
  Plane plane;
  FakeAgent first(plane, kUri);
  first.hello("first");
  REQUIRE(plane.events.saw("connected " + test_server().str() + " first"));
  plane.events.ahead = std::chrono::hours(25);
  FakeAgent copy(plane, first);
  copy.hello("copy", true);
  REQUIRE(plane.events.saw("connected " + test_server().str() + " copy lapsed"));
  REQUIRE(answers(first));
  CHECK(plane.events.saw("twice " + test_server().str()));
  CHECK(copy.closed_within(std::chrono::seconds(3)));
}

TEST_CASE("a disconnect finds whoever may renew, too") {
  Plane plane;
  plane.events.ahead = std::chrono::hours(25);
  FakeAgent agent(plane, kUri);
  agent.hello("back", true);
  REQUIRE(plane.events.saw("connected " + test_server().str() + " back lapsed"));
  plane.hub.disconnect(test_server());
  CHECK(agent.closed_within(std::chrono::seconds(3)));
}

TEST_CASE("an agent that comes again, while nobody answers where it was, is one: also with what was on its way") {
  Plane plane({.doubt = std::chrono::milliseconds(400), .bar = {}});
  FakeAgent first(plane, kUri);
  first.hello("first");
  REQUIRE(plane.events.saw("connected " + test_server().str() + " first"));
  FakeAgent second(plane, first);
  second.hello("second");
  REQUIRE(plane.events.saw("connected " + test_server().str() + " second"));
  wire::ToServer late;
  late.mutable_report()->mutable_metrics()->set_load1(3);
  first.send(late);
  late.mutable_pong()->set_serial(0);  // to a ping of before
  first.send(late);
  CHECK(first.closed_within(std::chrono::seconds(3)));
  CHECK_FALSE(second.closed_within(std::chrono::milliseconds(300)));
  CHECK(plane.hub.online(test_server()));
  std::scoped_lock lock(plane.events.mutex);
  CHECK(plane.events.seen.size() == 2);
}

TEST_CASE("a certificate of tomorrow is not let in") {
  Plane plane;
  plane.events.ahead = -std::chrono::hours(2);
  FakeAgent agent(plane, kUri);
  agent.hello("early");
  CHECK_FALSE(agent.receive().has_value());
  CHECK(plane.events.nothing());
}

}  // namespace
}  // namespace caip::channel
