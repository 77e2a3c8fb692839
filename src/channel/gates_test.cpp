// The gates of the AI once more, by the helper itself: what an AI began passes none that is shut, missing or unknown.
#include "channel/gates.h"

#include <catch2/catch_test_macros.hpp>

#include <functional>

#include "crypto/hash.h"
#include "order_fixture.h"
#include "wire.pb.h"

namespace caip::channel {
namespace {

Result<VerifiedOrder> verdict(const std::function<void(OrderFixture&)>& change) {
  OrderFixture f;
  change(f);
  return f.verifier().verify(f.make());
}

// Refused, and names the gate.
void refused(std::string_view setting, const std::function<void(OrderFixture&)>& change) {
  const auto v = verdict(change);
  INFO(setting);
  REQUIRE_FALSE(v);
  CHECK(v.error().code == Code::forbidden);
  CHECK(v.error().detail.contains(setting));
}

void by_a_person(OrderFixture& f) {
  f.order.approver.reset();
  f.order.approval.reset();
}

TEST_CASE("what an AI began runs where every gate is open, and with any one of them shut it is refused by the server itself, approved or not") {
  REQUIRE(verdict([](OrderFixture&) {}));
  refused("setting: AI)", [](OrderFixture& f) { f.gates.on = false; });
  refused("setting: write actions of the AI", [](OrderFixture& f) { f.gates.writes = false; });
  refused("setting: operations of the AI", [](OrderFixture& f) { f.gates.operation = false; });
  refused("setting: AI access of the server", [](OrderFixture& f) { f.gates.access = AiAccess::read; });
  refused("setting: AI access of the server", [](OrderFixture& f) { f.gates.access = AiAccess::none; });
  refused("setting: Production Protection", [](OrderFixture& f) { f.order.production = true; });
  refused("setting: second person", [](OrderFixture& f) { f.gates.two_people = true; });
}

TEST_CASE("on a production server an AI's order runs before the end of the time in which it is unprotected, by this server's own clock") {
  const auto until = [](Duration left) {
    return verdict([&](OrderFixture& f) {
      f.order.production = true;
      f.gates.unprotected_until = f.clock.now() + left;
    });
  };
  CHECK(until(std::chrono::seconds(1)));
  for (const Duration left : {Duration(0), Duration(-std::chrono::seconds(1))}) CHECK(until(left).error().detail.contains("setting: Production Protection"));
  OrderFixture f;  // sent in time, and held back on the way
  f.order.production = true;
  f.gates.unprotected_until = f.clock.now() + std::chrono::seconds(5);
  const auto order = f.make();
  f.clock.advance(std::chrono::seconds(5));
  CHECK_FALSE(f.verifier().verify(order));
}

TEST_CASE("of two people the second is neither the first nor who asked, and the log names the same") {
  const auto second = [](std::optional<std::string> who, bool asked = true) {
    return verdict([&](OrderFixture& f) {
      f.gates.two_people = asked;
      f.gates.second = who;
    });
  };
  CHECK(second("usr_z"));
  CHECK_FALSE(second(std::nullopt));
  CHECK_FALSE(second("usr_y"));  // the approver
  CHECK_FALSE(second("usr_x"));  // the requester
  CHECK_FALSE(second("usr_y", false));
  const auto logged = verdict([](OrderFixture& f) {
    f.gates.two_people = true;
    f.gates.second = "usr_z";
    f.change_entry = [](json::object& e) { e["detail"].as_object()["second"] = "usr_w"; };
  });
  REQUIRE_FALSE(logged);
  CHECK(logged.error().code == Code::digest_mismatch);
}

TEST_CASE("an AI's order without its gates is refused: of an older control plane, or cut off on the way; what a person ordered runs without") {
  OrderFixture f;
  SignedOrder order = f.make();
  order.began.reset();
  const auto no = f.verifier().verify(order);
  REQUIRE_FALSE(no);
  CHECK(no.error().detail.contains("update it"));
  CHECK(verdict(by_a_person));
}

TEST_CASE("what is said of an order is signed, of this order, of now, and agrees with the log") {
  OrderFixture f;
  const SignedOrder good = f.make();
  REQUIRE(f.verifier().verify(good));
  const auto spoilt = [&](const std::function<void(SignedBegan&)>& change) {
    SignedOrder bad = good;
    change(*bad.began);
    return !f.verifier().verify(bad).has_value();
  };
  CHECK(spoilt([](SignedBegan& b) { b.signature[7] ^= 1; }));
  CHECK(spoilt([](SignedBegan& b) { b.signature.clear(); }));
  for (std::size_t i = 0; i < good.began->text.size(); ++i) CHECK(spoilt([&](SignedBegan& b) { b.text[i] = static_cast<char>(b.text[i] ^ 1); }));
  CHECK(spoilt([&](SignedBegan& b) { b = SignedBegan{good.order, good.signature}; }));  // signed, and something else
  const auto said = [](const std::function<void(Began&)>& change) { return verdict([&](OrderFixture& g) { g.change_began = change; }); };
  REQUIRE(said([](Began&) {}));
  CHECK_FALSE(said([](Began& b) { b.order[3] ^= 1; }));
  CHECK_FALSE(said([](Began& b) { b.at = b.at + std::chrono::minutes(2); }));
  CHECK_FALSE(said([](Began& b) { b.at = b.at + -std::chrono::seconds(1); }));  // before there was the order
  CHECK_FALSE(said([](Began& b) {
    b.by = Source::user;
    b.ai.reset();
  }));
}

TEST_CASE("a person's order that claims to be an AI's, or whose claim is not signed, is refused; one in words of a newer control plane is not") {
  OrderFixture f;
  by_a_person(f);
  SignedOrder order = f.make();
  REQUIRE(f.verifier().verify(order));
  order.began = f.say_began(Source::user);
  CHECK(f.verifier().verify(order));
  order.began = f.say_began(Source::api_token);
  CHECK_FALSE(f.verifier().verify(order));
  order.began = f.say_began(Source::pilot);
  CHECK_FALSE(f.verifier().verify(order));
  order.began = f.say_began(Source::user);
  order.began->signature[0] ^= 1;
  CHECK_FALSE(f.verifier().verify(order));
  const std::string newer = R"({"v":2})";
  order.began = SignedBegan{newer, f.order_key.sign(view("gates\n" + newer))};
  CHECK(f.verifier().verify(order));
  OrderFixture ai;
  SignedOrder its = ai.make();
  its.began = SignedBegan{newer, ai.order_key.sign(view("gates\n" + newer))};
  CHECK_FALSE(ai.verifier().verify(its));  // unknown, and an AI's
}

TEST_CASE("what an AI looks at needs that it is on and let in here, and no more") {
  const auto look = [](const std::function<void(OrderFixture&)>& change) {
    return verdict([&](OrderFixture& f) {
      f.action = ReadJournal{test_server(), *UnitName::parse("nginx.service"), 10};
      by_a_person(f);
      f.order.production = true;
      f.gates = {.on = true, .access = AiAccess::read};
      f.change_entry = [](json::object& e) { e["source"] = "pilot"; };
      change(f);
    });
  };
  CHECK(look([](OrderFixture&) {}));
  CHECK(look([](OrderFixture& f) { f.gates.on = false; }).error().detail.contains("setting: AI)"));
  CHECK(look([](OrderFixture& f) { f.gates.access = AiAccess::none; }).error().detail.contains("setting: AI access of the server"));
}

TEST_CASE("the gates are read back as they were written, in their canonical form and in no other") {
  Began b{.order = crypto::sha256(view("order")), .by = Source::pilot, .at = Instant(1'790'000'000'000'000),
          .ai = AiGates{.on = true, .writes = true, .operation = false, .access = AiAccess::read, .unprotected_until = Instant(1'790'000'060'000'000), .two_people = true, .second = "usr_z"}};
  const std::string bytes = encode(b);
  REQUIRE(decode_began(bytes));
  CHECK(encode(*decode_began(bytes)) == bytes);
  const auto as = [&](std::string_view from, std::string_view to) {
    std::string other = bytes;
    other.replace(other.find(from), from.size(), to);
    return decode_began(other).has_value();
  };
  CHECK_FALSE(as("\"v\":1", "\"v\":2"));
  CHECK_FALSE(as("\"began\":\"pilot\"", "\"began\":\"user\""));
  CHECK_FALSE(as("\"began\":\"pilot\"", "\"began\":\"agent\""));
  CHECK_FALSE(as("\"access\":\"read\"", "\"access\":\"write\""));
  CHECK_FALSE(as("\"on\":true", "\"on\":1"));
  CHECK_FALSE(as("\"on\":true", "\"more\":1,\"on\":true"));
  CHECK_FALSE(as("\"on\":true,", ""));
  CHECK_FALSE(as("{\"ai\"", "{ \"ai\""));
  wire::Order w;
  to_wire(SignedBegan{bytes, Bytes(64, 9)}, w);
  CHECK(began_from_wire(w)->text == bytes);
  CHECK_FALSE(began_from_wire(wire::Order{}));
}

}  // namespace
}  // namespace caip::channel
