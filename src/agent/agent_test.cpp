#include <catch2/catch_test_macros.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "agent/agent.h"
#include "agent/enrol.h"
#include "agent/helper.h"
#include "base/text.h"
#include "channel/frame.h"
#include "failing_calls.h"
#include "metrics.h"
#include "order_fixture.h"
#include "tidy.h"
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
  int reboots = 0;
  std::vector<std::string> calls;
  bool fails = false;
  std::function<void()> during = [] {};
  wire::UnitList units;
  FakeUnits() { units.add_units()->set_unit("nginx.service"); }
  Result<void> list(wire::UnitList& out) override {
    out = units;
    return {};
  }
  Result<void> status(const UnitName& u, wire::Unit& out) override {
    out.set_unit(u.str());
    out.set_active("active");
    return {};
  }
  std::vector<std::string> aliases;
  std::vector<std::string> journal_lines;
  Result<std::vector<std::string>> reached(UnitVerb, const UnitName& u) override {
    auto all = aliases;
    all.push_back(u.str());
    return all;
  }
  Result<void> run(UnitVerb verb, const UnitName& u) override {
    during();
    calls.push_back((verb == UnitVerb::restart ? "restart " : "other ") + u.str());
    if (fails) return fail(Code::not_found, "no such unit");
    return {};
  }
  Result<void> reboot() override {
    ++reboots;
    return {};
  }
  Result<std::vector<std::string>> journal(const UnitName&, std::int64_t lines) override {
    if (!journal_lines.empty()) return journal_lines;
    return std::vector<std::string>(static_cast<std::size_t>(lines), std::string(4000, 'x'));
  }
};

struct Rig {
  Folder folder;
  Folder memory;  // of the log
  channel::OrderFixture f;
  FakeUnits units;
  Folder files;  // of env values
  std::function<Result<Owner>(const UnixUser&)> find = [](const UnixUser&) -> Result<Owner> { return Owner{::geteuid(), ::getegid()}; };
  EnvFiles env{files.path, [this](const UnixUser& u) { return find(u); }};
  Helper helper = make();
  Helper make() { return make(units); }
  Helper make(UnitManager& u, PolicyFile policy = PolicyFile(kPolicyFile)) {
    return Helper(*Keys::open(memory.path, f.trust()), *Witness::open(memory.path, f.trust(), crypto::SigningKey::generate(), f.clock), *OrderBook::open(folder.path, f.clock.now()), u, env, f.clock, std::move(policy));
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
  auto kept = first;
  kept.set_replayed(true);
  CHECK(r.helper.handle(order).SerializeAsString() == kept.SerializeAsString());
  Helper again = r.make();
  CHECK(again.handle(order).SerializeAsString() == kept.SerializeAsString());
  r.f.clock.advance(std::chrono::hours(1));  // long expired: that it ran is known, its answer is gone
  CHECK(r.make().handle(order).error().contains("dealt with before"));
  CHECK(r.units.calls.size() == 1);
}

TEST_CASE("what runs here, listens and how full disks are come back with the answer; a server is rebooted once, and not where root forbids it") {
  Rig r;
  const std::string path = r.folder.path + "/policy.json";
  Helper helper = r.make(r.units, PolicyFile(path));
  const auto fresh = [&](const ServerAction& action) {
    r.f.action = action;
    r.f.order.order = OperationId{crypto::random_id<OperationId>()};
    r.f.order.nonce = channel::new_nonce();
    r.f.order.approver = r.f.order.approval = std::nullopt;
    return r.order();
  };
  const ServerId here = channel::test_server();
  CHECK(helper.handle(fresh(ListProcesses{here})).machine().processes_size() > 0);
  CHECK(helper.handle(fresh(ListSockets{here})).succeeded());
  CHECK(helper.handle(fresh(ListDisks{here})).machine().disks_size() > 0);
  CHECK(r.units.calls.empty());
  const auto reboot = fresh(RebootServer{here});
  CHECK(helper.handle(reboot).succeeded());
  CHECK(helper.handle(reboot).replayed());
  CHECK(r.units.reboots == 1);
  REQUIRE(write_file(path, R"({"forbid": ["server.reboot"]})", 0644));
  CHECK(helper.handle(fresh(RebootServer{here})).error().starts_with("forbidden"));
  CHECK(helper.handle(fresh(ListDisks{here})).succeeded());  // it writes nothing
  CHECK(r.units.reboots == 1);
}

TEST_CASE("what root of this server forbids does not run, however well it is signed, logged and approved; it is asked anew each time") {
  Rig r;
  const std::string path = r.folder.path + "/policy.json";
  Helper helper = r.make(r.units, PolicyFile(path));
  const auto says = [&](std::string_view text) { REQUIRE(write_file(path, text, 0644)); };
  const auto fresh = [&](bool by_ai) {  // another order each time
    r.f.order.order = OperationId{crypto::random_id<OperationId>()};
    r.f.order.nonce = channel::new_nonce();
    r.f.order.approver = by_ai ? std::optional<std::string>("usr_y") : std::nullopt;
    r.f.order.approval = by_ai ? std::optional<std::string>("apr_z") : std::nullopt;
    return helper.handle(r.order());
  };
  says(R"({"ai": false})");
  const auto refused = fresh(true);
  CHECK_FALSE(refused.succeeded());
  CHECK(refused.error().starts_with("forbidden"));
  CHECK(refused.error().contains("policy.json) forbids what an AI asked for"));
  CHECK(r.units.calls.empty());
  CHECK(fresh(false).succeeded());
  says(R"({"forbid": ["unit.restart"]})");
  CHECK_FALSE(fresh(false).succeeded());
  says("{}");
  CHECK(fresh(true).succeeded());
  CHECK(r.units.calls.size() == 2);
}

TEST_CASE("P10: an AI's order for a production server is refused by the helper itself, well signed, logged and approved as it is; a person's runs") {
  Rig r;
  r.f.order.production = true;
  const auto refused = r.helper.handle(r.order());
  CHECK_FALSE(refused.succeeded());
  CHECK(refused.error().starts_with("forbidden"));
  CHECK(refused.error().contains("setting: Production Protection"));
  CHECK(r.units.calls.empty());
  Rig by_a_person;
  by_a_person.f.order.production = true;
  by_a_person.f.order.approver.reset();
  by_a_person.f.order.approval.reset();
  CHECK(by_a_person.helper.handle(by_a_person.order()).succeeded());
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

// The helper is the last word: such an order is signed, logged and for this server.
TEST_CASE("units that carry the machine or the platform are refused before the order is begun, whoever signed it") {
  for (const char* unit : {"poweroff.target", "rescue.target", "system.slice", "debug-shell.service", "emergency.service", "caip-agent.service",
                           "dbus.socket", "systemd-poweroff.service", "systemd-journald.service", "getty@tty1.service", "user@0.service"})
    for (const char* verb : {"unit.start", "unit.stop", "unit.restart"}) {
      CAPTURE(unit, verb);
      Rig r;
      r.f.unspeakable = json::object{{"action", verb}, {"server", channel::test_server().str()}, {"unit", unit}, {"v", 1}};
      const auto result = r.helper.handle(r.order());
      CHECK_FALSE(result.succeeded());
      CHECK(result.error().starts_with("invalid: "));
      CHECK(r.units.calls.empty());
      CHECK(fs::is_empty(r.folder.path));
    }
}

TEST_CASE("an alias does not reach what its other name would refuse") {
  for (const char* alias : {"dbus-org.freedesktop.login1.service", "rescue.service", "getty@tty1.service", "ssh.service"}) {
    CAPTURE(alias);
    Rig r;
    r.units.aliases = {alias};
    CHECK_FALSE(r.helper.handle(r.order()).succeeded());
    CHECK(r.units.calls.empty());
    CHECK(fs::is_empty(r.folder.path));
  }
  Rig r;
  r.units.aliases = {"sshd.service"};
  r.f.action = RestartUnit{channel::test_server(), *ControlUnit::parse("ssh.service")};
  CHECK(r.helper.handle(r.order()).succeeded());
}

std::int64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::int64_t size = 0, resident = 0;
  statm >> size >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

std::uint64_t bytes_in(const std::string& folder) {
  std::uint64_t total = 0;
  for (const auto& e : fs::directory_iterator(folder)) total += e.file_size();
  return total;
}

TEST_CASE("1,000 results of 512 KiB: little memory, little disk, and every order is still known") {
  Folder folder;
  const Instant now(1'790'000'000'000'000);
  auto book = *OrderBook::open(folder.path, now);
  wire::OrderResult result;
  for (int i = 0; i < 128; ++i) result.add_lines(std::string(4096, 'x'));
  const auto nth = [&](std::size_t i) {
    channel::OrderFixture f;
    IdBytes id{};
    id[0] = static_cast<std::uint8_t>(i & 0xff);
    id[1] = static_cast<std::uint8_t>(i >> 8);
    f.order.order = OperationId{id};
    f.order.nonce = hex(id);
    f.order.expires = now + std::chrono::seconds(60 + i / 100);
    return f.order;
  };
  const auto digest = [&](std::size_t i) { return crypto::sha256(view(channel::encode(nth(i)))); };
  const auto before = resident_bytes();
  for (std::size_t i = 0; i < 1000; ++i) {
    result.set_order(nth(i).order.str());
    REQUIRE(book.begin(nth(i), digest(i)).has_value());
    REQUIRE(book.end(digest(i), result).has_value());
  }
  CHECK(resident_bytes() - before < 32 * 1024 * 1024);
  CHECK(bytes_in(folder.path) <= OrderBook::kMaxResultBytes + 1000);
  CHECK(book.find(digest(999))->lines_size() == 128);
  CHECK(book.find(digest(0))->error().contains("not run again"));
  auto again = *OrderBook::open(folder.path, now);
  CHECK(resident_bytes() - before < 32 * 1024 * 1024);
  for (std::size_t i = 0; i < 1000; ++i) CHECK(again.begin(nth(i), digest(i)).error().code == Code::key_reused);
  // Expired: results go, what is known stays for a day, then goes too.
  auto later = *OrderBook::open(folder.path, now + std::chrono::hours(1));
  CHECK(bytes_in(folder.path) <= 1000);
  CHECK(later.begin(nth(5), digest(5)).error().code == Code::key_reused);
  CHECK(OrderBook::open(folder.path, now + std::chrono::hours(25))->begin(nth(5), digest(5)).has_value());
  CHECK(std::distance(fs::directory_iterator(folder.path), {}) == 1);
}

TEST_CASE("a kept result that is too large or broken keeps no book shut, and its order does not run again") {
  Rig r;
  const auto order = r.order();
  REQUIRE(r.helper.handle(order).succeeded());
  const auto file = fs::directory_iterator(r.folder.path)->path();
  for (const std::string& bytes : {std::string(3 * 1024 * 1024, '\n'), std::string("\xff\xff\xff")}) {
    std::ofstream(file, std::ios::trunc) << bytes;
    Helper again = r.make();
    CHECK(again.handle(order).error().contains("cannot be read"));
    CHECK(r.units.calls.size() == 1);
  }
}

TEST_CASE("the files of an earlier version still keep their orders from running again") {
  Rig r;
  const auto order = r.order();
  REQUIRE(r.helper.handle(order).succeeded());
  const auto file = fs::directory_iterator(r.folder.path)->path();
  fs::rename(file, file.string().substr(0, file.string().rfind('.')));
  CHECK(r.make().handle(order).succeeded());
  CHECK(r.units.calls.size() == 1);
}

TEST_CASE("file and folder of a begun order are synced before it runs") {
  Rig r;
  const auto order = r.order();
  const test::FailingCalls look;
  std::vector<std::string> before;
  r.units.during = [&] { before = look.seen(); };
  REQUIRE(r.helper.handle(order).succeeded());
  const std::vector<std::string> begun{"open", "mode", "sync the file", "rename", "sync the folder"};  // an empty file, the last thing before
  REQUIRE(before.size() >= begun.size());
  CHECK(std::vector(before.end() - static_cast<std::ptrdiff_t>(begun.size()), before.end()) == begun);
}

TEST_CASE("what a machine writes into its log arrives as UTF-8, cut between characters") {
  Rig r;
  std::string cut_inside(4095, 'x');
  for (int i = 0; i < 10; ++i) cut_inside += "\xc3\xa4";
  r.units.journal_lines = {"a\xff" "b", cut_inside, std::string("\xe2\x82", 2), "plain \xc3\xa4"};
  r.f.action = ReadJournal{channel::test_server(), *UnitName::parse("nginx.service"), 10};
  const auto result = r.helper.handle(r.order());
  REQUIRE(result.succeeded());
  REQUIRE(result.lines_size() == 4);
  for (const auto& line : result.lines()) {
    CHECK(valid_utf8(line));
    CHECK(line.size() <= 4096);
  }
  CHECK(result.lines(0) == "a\xef\xbf\xbd" "b");
  CHECK(result.lines(3) == "plain \xc3\xa4");
  wire::FromHelper answer;
  *answer.mutable_result() = result;
  CHECK(wire::FromHelper().ParseFromString(answer.SerializeAsString()));
}

TEST_CASE("a list of units of any size fits a frame; names and descriptions have 256 bytes") {
  wire::UnitList list;
  for (int i = 0; i < 2048; ++i) {
    auto& u = *list.add_units();
    u.set_unit(std::string(2000, 'u'));
    u.set_description("\xff" + std::string(5000, 'd'));
    u.set_sub(std::string(500, 's'));
  }
  tidy(list);
  CHECK(list.units_size() > 1000);
  CHECK(list.units(0).unit().size() <= 256);
  CHECK(list.units(0).description().size() <= 256);
  wire::FromHelper answer;
  *answer.mutable_units() = list;
  CHECK(channel::frame(answer.SerializeAsString()).has_value());
  CHECK(wire::FromHelper().ParseFromString(answer.SerializeAsString()));
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
  while (got.size() < 3) {
    char buffer[512];
    ssize_t n = ::read(pair[0], buffer, sizeof buffer);
    REQUIRE(n > 0);
    reader.feed({buffer, static_cast<std::size_t>(n)});
    for (auto body = *reader.next(); body; body = *reader.next()) REQUIRE(got.emplace_back().ParseFromString(*body));
  }
  CHECK(got[0].has_witnessed());  // its greeting: how much of the log it has seen
  CHECK(got[1].has_held());       // and which keys it goes by
  CHECK(got[2].units().units(0).unit() == "nginx.service");
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
  CHECK_FALSE(read_enrolled("{}", *Endpoint::parse("h:1"), {}).has_value());
}

TEST_CASE("install.sh carries the unit file as it is in packaging/") {
  const char* source = std::getenv("CAIP_SOURCE");
  if (!source) FAIL("CAIP_SOURCE is not set: run it through ctest");
  const std::string script = read_file(std::string(source) + "/packaging/install.sh").value();
  CHECK(script.find("<<'UNIT'\n" + read_file(std::string(source) + "/packaging/caip-agent.service").value() + "UNIT\n") != std::string::npos);
}

}  // namespace
}  // namespace caip::agent
