#include <catch2/catch_test_macros.hpp>

#include <functional>

#include "channel/frame.h"
#include "channel/order.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "crypto/merkle.h"
#include "crypto/note.h"
#include "crypto/random.h"
#include "inbox.h"
#include "order_fixture.h"
#include "wire.pb.h"

namespace caip::channel {
namespace {

TEST_CASE("a frame is read back, however it was cut") {
  const std::string bytes = *frame("hello") + *frame(std::string(kMaxFrame, 'x'));
  FrameReader reader;
  std::vector<std::string> out;
  for (std::size_t at = 0; at < bytes.size(); at += 977) {
    reader.feed(std::string_view(bytes).substr(at, 977));
    for (;;) {
      auto next = reader.next();
      REQUIRE(next.has_value());
      if (!*next) break;
      out.push_back(**next);
    }
  }
  REQUIRE(out.size() == 2);
  CHECK(out[0] == "hello");
  CHECK(out[1].size() == kMaxFrame);
}

TEST_CASE("frames that are empty or too large are refused") {
  CHECK_FALSE(frame("").has_value());
  CHECK_FALSE(frame(std::string(kMaxFrame + 1, 'x')).has_value());
  for (std::string_view head : {std::string_view("\0\0\0\0", 4), std::string_view("\0\x10\0\x01", 4), std::string_view("\xff\xff\xff\xff", 4)}) {
    FrameReader reader;
    reader.feed(head);
    CHECK_FALSE(reader.next().has_value());
  }
}

TEST_CASE("an order passes when everything fits") {
  OrderFixture f;
  auto verified = f.verifier().verify(f.make());
  REQUIRE(verified.has_value());
  CHECK(verified->order().order == f.order.order);
  CHECK(std::get<RestartUnit>(verified->action()).unit.str() == "nginx.service");
  CHECK(decode_order(encode(f.order))->nonce == f.order.nonce);
}

TEST_CASE("an order survives the wire") {
  OrderFixture f;
  wire::Order w;
  to_wire(f.make(), w);
  auto back = from_wire(w);
  REQUIRE(back.has_value());
  CHECK(f.verifier().verify(*back).has_value());
}

TEST_CASE("an altered order is refused, whichever field it is") {
  OrderFixture f;
  const SignedOrder good = f.make();
  auto refused = [&](auto alter) {
    SignedOrder bad = good;
    alter(bad);
    return !f.verifier().verify(bad).has_value();
  };
  CHECK(refused([](SignedOrder& o) { o.signature[5] ^= 1; }));
  CHECK(refused([](SignedOrder& o) { o.signature.clear(); }));
  CHECK(refused([](SignedOrder& o) { o.action = caip::encode(ServerAction{StopUnit{test_server(), *ControlUnit::parse("nginx.service")}}); }));
  CHECK(refused([](SignedOrder& o) { o.action += " "; }));
  CHECK(refused([](SignedOrder& o) { o.proof.entry += " "; }));
  CHECK(refused([](SignedOrder& o) { o.proof.index ^= 1; }));
  CHECK(refused([](SignedOrder& o) { o.proof.size += 1; }));
  CHECK(refused([](SignedOrder& o) { o.proof.hashes.pop_back(); }));
  CHECK(refused([](SignedOrder& o) { o.proof.hashes[0][0] ^= 1; }));
  CHECK(refused([](SignedOrder& o) { o.proof.checkpoint.clear(); }));
  // Each byte of the signed order itself.
  for (std::size_t i = 0; i < good.order.size(); ++i) {
    INFO(i);
    CHECK(refused([&](SignedOrder& o) { o.order[i] = static_cast<char>(o.order[i] ^ 1); }));
  }
}

// Signed with the right key, and still wrong.
TEST_CASE("a well-signed order is refused when it is not for here and now") {
  auto verdict = [](const std::function<void(OrderFixture&)>& change) {
    OrderFixture f;
    change(f);
    return f.verifier().verify(f.make());
  };
  REQUIRE(verdict([](OrderFixture&) {}).has_value());
  CHECK(verdict([](OrderFixture& f) { f.order.server = ServerId{IdBytes{9}}; }).error().code == Code::forbidden);
  CHECK(verdict([](OrderFixture& f) { f.action = RestartUnit{ServerId{IdBytes{9}}, *ControlUnit::parse("nginx.service")}; }).error().code == Code::forbidden);
  CHECK(verdict([](OrderFixture& f) { f.clock.advance(std::chrono::minutes(6)); }).error().code == Code::expired);
  CHECK(verdict([](OrderFixture& f) { f.clock.advance(-std::chrono::minutes(5)); }).error().code == Code::invalid);
  CHECK(verdict([](OrderFixture& f) { f.order.expires = f.order.issued + std::chrono::hours(2); }).error().code == Code::invalid);
  CHECK_FALSE(verdict([](OrderFixture& f) { f.order.nonce = "short"; }).has_value());
}

TEST_CASE("the log entry must be the decision about this order") {
  auto with_entry = [](const std::function<void(json::object&)>& change) {
    OrderFixture f;
    f.change_entry = change;
    return f.verifier().verify(f.make());
  };
  REQUIRE(with_entry([](json::object&) {}).has_value());
  CHECK_FALSE(with_entry([](json::object& e) { e["action"] = "unit.stop"; }).has_value());
  CHECK_FALSE(with_entry([](json::object& e) { e["params"].as_object()["unit"] = "ssh.service"; }).has_value());
  CHECK_FALSE(with_entry([](json::object& e) { e["result"] = "blocked"; }).has_value());
  CHECK_FALSE(with_entry([](json::object& e) { e["approver"] = nullptr; }).has_value());
  CHECK_FALSE(with_entry([](json::object& e) { e["approver"] = "usr_z"; }).has_value());
  CHECK_FALSE(with_entry([](json::object& e) { e["org"] = OrgId{IdBytes{9}}.str(); }).has_value());
  CHECK_FALSE(with_entry([](json::object& e) { e["target"] = ServerId{IdBytes{9}}.str(); }).has_value());
  CHECK_FALSE(with_entry([](json::object& e) { e["actor"].as_object()["id"] = "usr_z"; }).has_value());
  CHECK_FALSE(with_entry([](json::object& e) { e["actor"].as_object()["kind"] = "agent"; }).has_value());
  CHECK_FALSE(with_entry([](json::object& e) { e["detail"].as_object()["approval"] = "apr_other"; }).has_value());
  CHECK_FALSE(with_entry([](json::object& e) { e["detail"].as_object().erase("approval"); }).has_value());
  for (const char* source : {"user", "api_token", "agent", "system", "anonymous", "?"})  // approved, but nobody proposed it
    CHECK_FALSE(with_entry([&](json::object& e) { e["source"] = source; }).has_value());
  CHECK_FALSE(with_entry([](json::object& e) { e["detail"].as_object()["operation"] = OperationId{IdBytes{8}}.str(); }).has_value());
  CHECK_FALSE(with_entry([](json::object& e) { e["detail"].as_object().erase("digest"); }).has_value());
}

TEST_CASE("a write that a pilot asked for carries its approver and its approval; what a person did carries none, and a read needs none") {
  const auto verdict = [](std::optional<std::string> approver, std::optional<std::string> approval, const char* source, bool read = false) {
    OrderFixture f;
    if (read) f.action = ReadJournal{test_server(), *UnitName::parse("nginx.service"), 10};
    f.order.approver = std::move(approver);
    f.order.approval = std::move(approval);
    f.change_entry = [&](json::object& e) { e["source"] = source; };
    return f.verifier().verify(f.make());
  };
  REQUIRE(verdict("usr_y", "apr_z", "pilot"));
  REQUIRE(verdict(std::nullopt, std::nullopt, "user"));
  REQUIRE(verdict(std::nullopt, std::nullopt, "api_token"));
  CHECK(verdict(std::nullopt, std::nullopt, "pilot").error().code == Code::approval_needed);
  CHECK(verdict("usr_y", std::nullopt, "pilot").error().code == Code::approval_needed);
  CHECK(verdict(std::nullopt, "apr_z", "pilot").error().code == Code::approval_needed);
  CHECK(verdict(std::nullopt, std::nullopt, "pilot", true));
  CHECK_FALSE(verdict("usr_y", "apr_z", "user"));
  CHECK_FALSE(verdict(std::nullopt, "apr_z", "user"));
}

TEST_CASE("an order for an earlier enrolment of the same server is not for this machine") {
  OrderFixture f;
  f.order.certificate = std::string(64, 'd');
  const auto refused = f.verifier().verify(f.make());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::forbidden);
  CHECK(refused.error().detail.contains("enrolment"));
}

TEST_CASE("another log key or order key is not ours") {
  OrderFixture f;
  auto other = crypto::SigningKey::generate().public_key();
  const auto order = f.make();
  CHECK_FALSE(OrderVerifier({test_server(), other, f.log_key.public_key(), f.cosign_key.public_key(), test_certificate()}, f.clock).verify(order).has_value());
  CHECK_FALSE(OrderVerifier({test_server(), f.order_key.public_key(), other, f.cosign_key.public_key(), test_certificate()}, f.clock).verify(order).has_value());
  CHECK_FALSE(OrderVerifier({test_server(), f.order_key.public_key(), f.log_key.public_key(), crypto::CosigningKey::generate().public_key(), test_certificate()}, f.clock)
                  .verify(order).has_value());
}

TEST_CASE("orders with unknown members or another version are refused") {
  OrderFixture f;
  auto o = parse_object(encode(f.order)).value();
  o["more"] = 1;
  CHECK_FALSE(decode_order(canonical(o)).has_value());
  o.erase("more");
  o["v"] = 2;
  CHECK_FALSE(decode_order(canonical(o)).has_value());
  CHECK_FALSE(decode_order(encode(f.order) + "\n").has_value());
}

TEST_CASE("what an agent says is bounded") {
  wire::Metrics m;
  m.set_cpu_ratio(std::numeric_limits<double>::quiet_NaN());
  m.set_load1(-3);
  m.set_mem_total(std::numeric_limits<std::uint64_t>::max());
  const Metrics read = read_metrics(m);
  CHECK(read.cpu_ratio == 0);
  CHECK(read.load1 == 0);
  CHECK(read.mem_total == (std::uint64_t{1} << 53) - 1);
  wire::OrderResult r;
  r.set_order("opr_nonsense");
  CHECK_FALSE(read_result(r).has_value());
  r.set_order(OperationId{IdBytes{1}}.str());
  r.add_lines(std::string(100'000, 'x'));
  r.add_lines("a\xff\x1b[31m");
  auto ok = read_result(r);
  REQUIRE(ok.has_value());
  CHECK(ok->lines[0].raw().size() <= 4200);
  CHECK(valid_utf8(ok->lines[1].raw()));
  for (int i = 0; i < 500; ++i) r.add_lines("x");
  CHECK_FALSE(read_result(r).has_value());
  r.clear_lines();
  CHECK(read_result(r)->machine.empty());
  wire::Process& p = *r.mutable_machine()->add_processes();
  p.set_name(std::string(100'000, '\xff'));
  p.set_memory(std::numeric_limits<std::uint64_t>::max());
  p.set_started_at(std::numeric_limits<std::int64_t>::max());
  r.mutable_machine()->add_sockets()->set_port(70'000);
  r.mutable_machine()->set_left_out(7);
  CHECK(read_result(r)->machine.empty());  // of which list it is, is not said
  r.mutable_machine()->set_of("processes");
  const json::object said = read_result(r)->machine;
  CHECK(said.size() == 2);
  const auto& first = said.at("processes").at(0).as_object();
  CHECK(valid_utf8(std::string_view(first.at("name").as_string())));
  CHECK(first.at("name").as_string().size() < 100);
  CHECK(first.at("memory").as_int64() == (std::int64_t{1} << 53) - 1);
  CHECK(Instant::parse(first.at("started_at").as_string()));
  CHECK(said.at("left_out").as_int64() == 7);
  r.mutable_machine()->set_of("sockets");
  CHECK(read_result(r)->machine.at("sockets").at(0).at("port").as_int64() == 65'535);
  r.mutable_machine()->set_of("disks");
  CHECK(read_result(r)->machine.at("disks").as_array().empty());  // there are none: that is said
  for (int i = 0; i < 1000; ++i) r.mutable_machine()->add_disks();
  CHECK(read_result(r).has_value());
  r.mutable_machine()->add_disks();
  CHECK_FALSE(read_result(r).has_value());
}

}  // namespace
}  // namespace caip::channel
