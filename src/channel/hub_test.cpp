// Connections of agents: their seats, rates and limits.
#include "test_hub.h"

namespace caip::channel {
namespace {

TEST_CASE("an agent comes, reports, gets an order and goes") {
  Plane plane;
  OrderFixture f;
  CHECK(plane.hub.send(test_server(), f.make()).error().code == Code::server_offline);
  auto agent = std::make_unique<FakeAgent>(plane, kUri);
  agent->hello("web-1");
  REQUIRE(plane.events.saw("connected " + test_server().str() + " web-1"));
  wire::ToServer report;
  report.mutable_report()->mutable_metrics()->set_load1(3);
  report.mutable_report()->mutable_units()->add_units()->set_unit("a.service");
  agent->send(report);
  REQUIRE(plane.events.saw("units 1"));
  CHECK(plane.events.saw("load 3"));
  CHECK(plane.hub.group(test_server()) == "X25519MLKEM768");
  REQUIRE(plane.hub.send(test_server(), f.make()).has_value());
  auto order = agent->receive();
  REQUIRE(order.has_value());
  CHECK(order->order().order() == encode(f.order));
  wire::ToServer result;
  result.mutable_result()->set_order(f.order.order.str());
  agent->send(result);
  CHECK(plane.events.saw("finished " + f.order.order.str()));
  agent.reset();
  CHECK(plane.events.saw("disconnected"));
  CHECK_FALSE(plane.hub.online(test_server()));
}

TEST_CASE("a second connection of a server replaces the first") {
  Plane plane;
  FakeAgent first(plane, kUri);
  first.hello("one");
  REQUIRE(plane.events.saw("connected " + test_server().str() + " one"));
  FakeAgent second(plane, kUri);
  second.hello("two");
  REQUIRE(plane.events.saw("connected " + test_server().str() + " two"));
  CHECK_FALSE(first.receive().has_value());
  CHECK(plane.hub.online(test_server()));
  CHECK(plane.hub.count() == 1);
}

TEST_CASE("who brings no server's certificate, or no post-quantum group, is sent away") {
  Plane plane;
  for (auto [uri, groups] : {std::pair<std::string, const char*>{"", "X25519MLKEM768"}, {"caip:server:srv_nonsense", "X25519MLKEM768"}, {kUri, "X25519"}}) {
    FakeAgent agent(plane, uri, groups);
    agent.hello("x");
    CHECK_FALSE(agent.receive().has_value());
  }
  CHECK(plane.hub.count() == 0);
  CHECK(plane.events.nothing());
}

std::int64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::int64_t size = 0, resident = 0;
  statm >> size >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

TEST_CASE("an agent that pours out 100,000 results is slowed down: little memory, and another's hello is heard within a second") {
  Plane plane;
  plane.events.work = std::chrono::milliseconds(5);
  FakeAgent loud(plane, kUri);
  loud.hello("loud");
  REQUIRE(plane.events.saw("connected " + test_server().str() + " loud"));
  const auto before = resident_bytes();
  std::atomic<int> sent = 0;
  std::thread pours([&] {
    const auto bytes = *frame(result_of(OperationId{IdBytes{1}}).SerializeAsString());
    while (sent < 100'000 && loud.raw(bytes)) ++sent;
  });
  while (plane.events.results < 100) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  for (std::uint8_t n = 0; n < 20; ++n) {
    FakeAgent quiet(plane, other_uri(n));
    const auto began = std::chrono::steady_clock::now();
    quiet.hello("quiet");
    REQUIRE(plane.events.saw("connected " + ServerId{IdBytes{100, n}}.str() + " quiet"));
    CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(1));
  }
#ifdef __SANITIZE_ADDRESS__
  constexpr int kMost = 32;  // with what ASan puts round each allocation
#else
  constexpr int kMost = 16;
#endif
  CHECK(resident_bytes() - before < kMost * 1024 * 1024);
  CHECK(sent < 100'000);  // it has to wait: nobody reads what is not handled
  plane.hub.disconnect(test_server());
  pours.join();
}

TEST_CASE("results have a rate, also when handling one costs nothing") {
  Plane plane({.bar = {}, .frames_per_second = 50, .frames_at_once = 20});
  FakeAgent agent(plane, kUri);
  agent.hello("a");
  REQUIRE(plane.events.saw("connected " + test_server().str() + " a"));
  const auto began = std::chrono::steady_clock::now();
  wire::ToServer small;
  small.mutable_result()->set_order(OperationId{IdBytes{1}}.str());
  for (int i = 0; i < 60; ++i) REQUIRE(agent.send(small));
  while (plane.events.results < 60) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  CHECK(std::chrono::steady_clock::now() - began > std::chrono::milliseconds(600));  // (1 + 60 - 20) / 50 s, less some
}

TEST_CASE("a result that nobody waits for ends the connection and bars the certificate for a moment") {
  Plane plane({.bar = std::chrono::milliseconds(60'000)});
  plane.events.awaited = false;
  FakeAgent agent(plane, kUri);
  agent.hello("liar");
  REQUIRE(plane.events.saw("connected " + test_server().str() + " liar"));
  agent.send(result_of(OperationId{IdBytes{1}}));
  CHECK_FALSE(agent.receive().has_value());
  CHECK(plane.events.results == 1);
  FakeAgent renewed(plane, kUri);  // the same server, another certificate: not barred
  renewed.hello("renewed");
  CHECK(plane.events.saw("connected " + test_server().str() + " renewed"));
}

TEST_CASE("100 connections of one key that say no hello: the newest is kept, not for long, and the seat of the agent that spoke is its own") {
  Plane plane({.hello = std::chrono::milliseconds(1500), .bar = {}});
  FakeAgent first(plane, kUri);
  std::vector<std::unique_ptr<FakeAgent>> all;
  for (int i = 0; i < 99; ++i) all.push_back(std::make_unique<FakeAgent>(plane, first));
  int closed = 0;
  for (auto& a : all) closed += a->closed_within(std::chrono::milliseconds(20)) ? 1 : 0;
  CHECK(closed == 98);
  // While they hold what they can: the agent itself gets in at its first try.
  FakeAgent real(plane, first);
  real.hello("real");
  REQUIRE(plane.events.saw("connected " + test_server().str() + " real"));
  std::vector<std::unique_ptr<FakeAgent>> more;
  for (int i = 0; i < 5; ++i) more.push_back(std::make_unique<FakeAgent>(plane, first));
  CHECK_FALSE(real.closed_within(std::chrono::milliseconds(300)));
  FakeAgent other(plane, other_uri(1));
  other.hello("other");
  CHECK(plane.events.saw("connected " + ServerId{IdBytes{100, 1}}.str() + " other"));
  CHECK(first.closed_within(std::chrono::seconds(5)));  // no hello
  FakeAgent back(plane, first);
  back.hello("back");
  CHECK(plane.events.saw("connected " + test_server().str() + " back"));
  CHECK(back.closed_within(std::chrono::milliseconds(2500)) == false);
}

TEST_CASE("one address does not hold many connections that said no hello") {
  Plane plane({.bar = {}, .waiting_per_address = 3});
  std::vector<std::unique_ptr<FakeAgent>> all;
  for (std::uint8_t n = 0; n < 4; ++n) all.push_back(std::make_unique<FakeAgent>(plane, other_uri(n)));
  CHECK(all[3]->closed_within(std::chrono::seconds(5)));
  all[0]->hello("makes room");
  REQUIRE(plane.events.saw("connected " + ServerId{IdBytes{100, 0}}.str() + " makes room"));
  FakeAgent next(plane, other_uri(9));
  next.hello("next");
  CHECK(plane.events.saw("connected " + ServerId{IdBytes{100, 9}}.str() + " next"));
}

TEST_CASE("the first frame is a hello and small; there is no second hello") {
  Plane plane;
  wire::ToServer pong;
  pong.mutable_pong();
  {
    FakeAgent agent(plane, kUri);
    agent.send(pong);
    CHECK_FALSE(agent.receive().has_value());
  }
  {
    FakeAgent agent(plane, kUri);
    agent.raw(std::string("\x00\x0f\xff\xff", 4));  // its length alone
    CHECK(agent.closed_within(std::chrono::seconds(3)));  // not only when the hello's time is over
  }
  FakeAgent agent(plane, kUri);
  agent.hello("one");
  agent.hello("two");
  CHECK_FALSE(agent.receive().has_value());
  CHECK(plane.events.first().ends_with(" one"));
}

TEST_CASE("a length of 1 MiB costs nothing before its bytes come") {
  Plane plane;
  std::vector<std::unique_ptr<FakeAgent>> all;
  for (std::uint8_t n = 0; n < 40; ++n) {
    all.push_back(std::make_unique<FakeAgent>(plane, other_uri(n)));
    all.back()->hello("x");
    REQUIRE(plane.events.saw("connected " + ServerId{IdBytes{100, n}}.str() + " x"));
  }
  const auto before = resident_bytes();
  for (auto& a : all) a->raw(std::string("\x00\x10\x00\x00", 4));
  for (auto& a : all) CHECK_FALSE(a->closed_within(std::chrono::milliseconds(10)));
  CHECK(resident_bytes() - before < 8 * 1024 * 1024);
}

// The certificate was exchanged while the hello was looked at.
TEST_CASE("a disconnect during a hello is about that hello") {
  Plane plane;
  std::mutex held;
  held.lock();
  plane.events.during_connected = [&] { std::scoped_lock wait(held); };
  FakeAgent agent(plane, kUri);
  agent.hello("old");
  REQUIRE(plane.events.saw("connected " + test_server().str() + " old"));
  plane.hub.disconnect(test_server());
  held.unlock();
  CHECK_FALSE(agent.receive().has_value());
  CHECK(plane.events.saw("disconnected"));
}

TEST_CASE("refused, empty, oversized and senseless are ends of the connection") {
  Plane plane;
  plane.events.welcome = false;
  {
    FakeAgent agent(plane, kUri);
    agent.hello("refused");
    CHECK_FALSE(agent.receive().has_value());
  }
  for (const std::string& bytes : {std::string(4, '\0'), std::string(4, '\xff'), std::string("\0\0\0\2zz", 6)}) {
    FakeAgent agent(plane, kUri);
    agent.raw(bytes);
    CHECK_FALSE(agent.receive().has_value());
  }
  CHECK(plane.hub.count() == 0);
}

}  // namespace
}  // namespace caip::channel
