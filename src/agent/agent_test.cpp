#include <catch2/catch_test_macros.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "agent/agent.h"
#include "agent/enrol.h"
#include "agent/helper.h"
#include "channel/frame.h"
#include "metrics.h"
#include "order_fixture.h"
#include "wire.pb.h"

namespace caip::agent {
namespace {

namespace fs = std::filesystem;

struct Folder {
  std::string path;
  Folder() {
    std::string name = (fs::temp_directory_path() / "caip-agent-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
};

struct FakeUnits final : UnitManager {
  std::vector<std::string> calls;
  bool fails = false;
  std::function<void()> during = [] {};
  Result<void> list(wire::UnitList& out) override {
    out.add_units()->set_unit("nginx.service");
    return {};
  }
  Result<void> status(const UnitName& u, wire::Unit& out) override {
    out.set_unit(u.str());
    out.set_active("active");
    return {};
  }
  Result<void> run(UnitVerb verb, const UnitName& u) override {
    during();
    calls.push_back((verb == UnitVerb::restart ? "restart " : "other ") + u.str());
    if (fails) return fail(Code::not_found, "no such unit");
    return {};
  }
  Result<std::vector<std::string>> journal(const UnitName&, std::int64_t lines) override {
    return std::vector<std::string>(static_cast<std::size_t>(lines), std::string(4000, 'x'));
  }
};

struct Rig {
  Folder folder;
  channel::OrderFixture f;
  FakeUnits units;
  Helper helper = make();
  Helper make() { return make(units); }
  Helper make(UnitManager& u) {
    return Helper(f.trust(), *Witness::open(folder.path, f.trust(), crypto::SigningKey::generate(), f.clock), *OrderBook::open(folder.path), u, f.clock);
  }
  wire::Order order() {
    wire::Order w;
    channel::to_wire(f.make(), w);
    return w;
  }
};

TEST_CASE("an order runs once; its repetition gets the stored answer, after a restart too") {
  Rig r;
  const auto order = r.order();
  const auto first = r.helper.handle(order);
  CHECK(first.succeeded());
  CHECK(first.unit().active() == "active");
  CHECK(r.units.calls == std::vector<std::string>{"restart nginx.service"});
  CHECK(r.helper.handle(order).SerializeAsString() == first.SerializeAsString());
  Helper again = r.make();
  r.f.clock.advance(std::chrono::hours(1));  // long expired: the answer is still the answer
  CHECK(again.handle(order).SerializeAsString() == first.SerializeAsString());
  CHECK(r.units.calls.size() == 1);
}

TEST_CASE("the same id or the same nonce in another order is a replay") {
  Rig r;
  REQUIRE(r.helper.handle(r.order()).succeeded());
  r.f.order.nonce = channel::new_nonce();
  auto same_id = r.helper.handle(r.order());
  CHECK_FALSE(same_id.succeeded());
  CHECK(same_id.error().starts_with("key_reused"));
  Rig s;
  REQUIRE(s.helper.handle(s.order()).succeeded());
  s.f.order.order = OperationId{IdBytes{2}};
  CHECK(s.helper.handle(s.order()).error().starts_with("key_reused"));
  CHECK(s.units.calls.size() == 1);
}

TEST_CASE("what is begun is on the disk before it runs; a crash in the middle never runs it twice") {
  Rig r;
  const auto order = r.order();
  wire::OrderResult after_crash;
  r.units.during = [&] {
    FakeUnits other;
    Helper restarted = r.make(other);
    after_crash = restarted.handle(order);
    CHECK(other.calls.empty());
  };
  CHECK(r.helper.handle(order).succeeded());
  CHECK_FALSE(after_crash.succeeded());
  CHECK(after_crash.error().find("not known") != std::string::npos);
}

TEST_CASE("a refused order runs nothing, and says why") {
  Rig r;
  auto order = r.order();
  order.mutable_signature()->at(0) ^= 1;
  CHECK(r.helper.handle(order).error().starts_with("forbidden"));
  r.f.clock.advance(std::chrono::minutes(20));
  CHECK(r.helper.handle(r.order()).error().starts_with("expired"));
  CHECK(r.units.calls.empty());
}

TEST_CASE("a verb that fails is a result") {
  Rig r;
  r.units.fails = true;
  const auto result = r.helper.handle(r.order());
  CHECK_FALSE(result.succeeded());
  CHECK(result.error() == "not_found: no such unit");
}

TEST_CASE("journal lines fit a frame") {
  Rig r;
  r.f.action = ReadJournal{channel::test_server(), *UnitName::parse("nginx.service"), 500};
  const auto result = r.helper.handle(r.order());
  CHECK(result.succeeded());
  CHECK(result.lines_size() > 100);
  CHECK(channel::frame(result.SerializeAsString()).has_value());
}

TEST_CASE("the helper serves its socket until the other end is gone") {
  Rig r;
  int pair[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  std::thread helper([&] { CHECK(r.helper.serve(pair[1]).has_value()); });
  wire::ToHelper ask;
  ask.set_list_units(true);
  const std::string bytes = *channel::frame(ask.SerializeAsString());
  REQUIRE(::write(pair[0], bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  channel::FrameReader reader;
  std::vector<wire::FromHelper> got;
  while (got.size() < 2) {
    char buffer[512];
    ssize_t n = ::read(pair[0], buffer, sizeof buffer);
    REQUIRE(n > 0);
    reader.feed({buffer, static_cast<std::size_t>(n)});
    for (auto body = *reader.next(); body; body = *reader.next()) REQUIRE(got.emplace_back().ParseFromString(*body));
  }
  CHECK(got[0].has_witnessed());  // its greeting: how much of the log it has seen
  CHECK(got[1].units().units(0).unit() == "nginx.service");
  ::close(pair[0]);
  helper.join();
  ::close(pair[1]);
}

TEST_CASE("/proc is read as it is written") {
  CHECK(parse_stat("cpu  10 0 20 60 10 0 0 0 0 0\ncpu0 1 1 1 1\n").busy == 30);
  CHECK(parse_stat("cpu  10 0 20 60 10 0 0 0 0 0\n").total == 100);
  CHECK(parse_stat("nonsense").total == 0);
  const auto net = parse_net("Inter-|   Receive\n face |bytes\n    lo: 5 0 0 0 0 0 0 0 5 0\n  eth0: 100 1 0 0 0 0 0 0 200 1\n eth1:1 0 0 0 0 0 0 0 2 0\n");
  CHECK(net.received == 101);
  CHECK(net.sent == 202);
  CHECK(meminfo_bytes("MemTotal:  16 kB\nMemTotalX: 1 kB\n", "MemTotal") == 16 * 1024);
}

TEST_CASE("pauses grow, have a limit and are spread") {
  const AgentTimes t;
  for (std::uint32_t random : {0u, 12345u, 0xffffffffu}) {
    CHECK(backoff(0, t, random) <= t.first_pause);
    CHECK(backoff(0, t, random) >= t.first_pause / 2);
    CHECK(backoff(4000, t, random) <= t.longest_pause);
    CHECK(backoff(4000, t, random) >= t.longest_pause / 2);
  }
}

TEST_CASE("endpoints") {
  CHECK(Endpoint::parse("host.example:8443")->host == "host.example");
  CHECK(Endpoint::parse("[::1]:8443")->str() == "[::1]:8443");
  for (auto bad : {"", "host", "host:", ":1", "ho st:1", "host:port", "host\r\nX:1", "https://h:1"}) CHECK_FALSE(Endpoint::parse(bad).has_value());
}

TEST_CASE("a refused enrolment says what the control plane said, harmlessly") {
  auto refused = http_body("HTTP/1.1 401 Unauthorized\r\n\r\n{\"detail\":\"used\\u001b[31m\"}");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().detail.find('\x1b') == std::string::npos);
  CHECK_FALSE(http_body("garbage").has_value());
  CHECK_FALSE(http_body("HTTP/1.1 200").has_value());
  CHECK(*http_body("HTTP/1.1 200 OK\r\nA: b\r\n\r\n{}") == "{}");
  CHECK_FALSE(read_enrolled("{}", *Endpoint::parse("h:1"), "").has_value());
}

TEST_CASE("install.sh carries the unit file as it is in packaging/") {
  const char* source = std::getenv("CAIP_SOURCE");
  if (!source) FAIL("CAIP_SOURCE is not set: run it through ctest");
  const std::string script = read_file(std::string(source) + "/packaging/install.sh").value();
  CHECK(script.find("<<'UNIT'\n" + read_file(std::string(source) + "/packaging/caip-agent.service").value() + "UNIT\n") != std::string::npos);
}

}  // namespace
}  // namespace caip::agent
