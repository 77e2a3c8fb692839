#include <catch2/catch_test_macros.hpp>
#include <rapidcheck.h>

#include <array>

#include "base/bytes.h"
#include "base/error.h"
#include "base/id.h"
#include "base/json.h"
#include "base/network.h"
#include "base/text.h"
#include "base/time.h"

namespace caip {
namespace {

struct TestTag { static constexpr std::string_view kPrefix = "tst_"; };
using TestId = Id<TestTag>;

TEST_CASE("every byte string has exactly one hex, base64 and base64url text") {
  CHECK(rc::check([](const Bytes& bytes) {
    RC_ASSERT(from_hex(hex(bytes)) == bytes);
    RC_ASSERT(from_base64(base64(bytes)) == bytes);
    RC_ASSERT(from_base64url(base64url(bytes)) == bytes);
  }));
  CHECK(base64(view("foob")) == "Zm9vYg==");  // RFC 4648 section 10
  CHECK_FALSE(from_base64("Zm9vYh=="));       // nonzero trailing bits
  CHECK_FALSE(from_base64("Zm9vYg=="  "="));
  CHECK_FALSE(from_base64url("Zm9vYg=="));
  CHECK_FALSE(from_hex("AB"));
}

TEST_CASE("an id has one text, and a text of another prefix, length or spelling is refused") {
  CHECK(rc::check([](const IdBytes& bytes) {
    const TestId id{bytes};
    RC_ASSERT(id.str().size() == 30u);
    RC_ASSERT(TestId::parse(id.str()).value() == id);
  }));
  IdBytes bytes{};
  bytes.fill(0xff);
  const std::string text = TestId{bytes}.str();
  CHECK_FALSE(TestId::parse("usr_" + text.substr(4)));
  CHECK_FALSE(TestId::parse(text + "0"));
  CHECK_FALSE(TestId::parse(text.substr(0, 29)));
  CHECK_FALSE(TestId::parse("tst_z" + text.substr(5)));  // more than 128 bits
  std::string upper = text;
  upper[5] = 'Z';
  CHECK_FALSE(TestId::parse(upper));
}

TEST_CASE("a time has one text form and parses back to itself") {
  CHECK(Instant{0}.str() == "1970-01-01T00:00:00.000000Z");
  CHECK(Instant::parse("2026-02-29T00:00:00.000000Z").error().code == Code::malformed);
  CHECK_FALSE(Instant::parse("2026-02-28T00:00:00Z"));
  CHECK_FALSE(Instant::parse("2026-02-28T24:00:00.000000Z"));
  CHECK(rc::check([] {
    const Instant t{*rc::gen::inRange<std::int64_t>(0, 4'102'444'800'000'000)};
    RC_ASSERT(Instant::parse(t.str()).value() == t);
  }));
}

TEST_CASE("canonical JSON sorts members by UTF-16 and escapes as RFC 8785 says") {
  // Section 3.2.3 of the RFC: its own sorting example.
  const auto value = parse_json("{\"\\u20ac\":1,\"\\r\":2,\"\\ufb33\":3,\"1\":4,\"\\ud83d\\ude00\":5,\"\\u0080\":6,\"\\u00f6\":7}");
  REQUIRE(value);
  CHECK(canonical(*value) == "{\"\\r\":2,\"1\":4,\"\xc2\x80\":6,\"\xc3\xb6\":7,\"\xe2\x82\xac\":1,\"\xf0\x9f\x98\x80\":5,\"\xef\xac\xb3\":3}");
  CHECK(canonical(json::value{"\b\t\n\f\r\"\\\x0f/"}) == R"("\b\t\n\f\r\"\\\u000f/")");
}

TEST_CASE("what is not byte for byte canonical is refused") {
  CHECK(parse_canonical(R"({"a":1,"b":[true,null,"x"]})"));
  CHECK_FALSE(parse_canonical(R"({"b":1,"a":1})"));
  CHECK_FALSE(parse_canonical(R"({"a": 1})"));
  CHECK_FALSE(parse_canonical(R"({"a":1.0})"));
  CHECK_FALSE(parse_canonical(R"({"a":40.00})"));
  CHECK_FALSE(parse_canonical(R"({"a":9007199254740992})"));
  CHECK_FALSE(parse_canonical(R"({"a":"\u0041"})"));
}

TEST_CASE("duplicate members, bad UTF-8, deep nesting and trailing text are refused") {
  CHECK(parse_json(R"({"a":1,"a":2})").error().detail == "a JSON member stands twice");
  CHECK_FALSE(parse_json(R"({"a":{"b":1,"\u0062":2}})"));
  CHECK(parse_json(R"([{"a":1},{"a":2}])"));
  CHECK_FALSE(parse_json("\"\xff\""));
  CHECK_FALSE(parse_json("1 2"));
  CHECK_FALSE(parse_json(""));
  CHECK_FALSE(parse_json("{"));
  CHECK_FALSE(parse_json("// x\n1"));
  CHECK_FALSE(parse_json(std::string(40, '[') + std::string(40, ']')));
}

TEST_CASE("an unknown member is refused by name, with its hidden characters made visible") {
  const auto object = parse_object("{\"name\":\"x\",\"role\\u202e\":\"owner\"}");
  REQUIRE(object);
  Members m(*object);
  CHECK(m.string("name", 10).value() == "x");
  CHECK(m.finish().error().code == Code::unknown_member);
  CHECK(m.finish().error().detail.contains("role<U+202E>"));
  Members n(*object);
  CHECK(n.string("name", 0).error().code == Code::invalid);
  CHECK(n.integer("name", 0, 1).error().code == Code::malformed);
}

TEST_CASE("what may deceive a reader is found and shown as code points") {
  for (const char* text : {"a\tb", "a\nb", "\x1b[31m", "a\xe2\x80\xae", "a\xe2\x80\x8b", "\xc2\xad", "\xef\xbb\xbf", "\xff", "\xed\xa0\x80"})
    CHECK(has_hidden(text));
  CHECK_FALSE(has_hidden("web-1 ünï €😀"));
  CHECK(shown("a\xe2\x80\xae\x1b\xff") == "a<U+202E><U+001B><0xFF>");
  CHECK(rc::check([](const std::string& bytes) {
    RC_ASSERT(!has_hidden(shown(bytes)));
    RC_ASSERT(valid_utf8(Foreign(bytes, 16).raw()));
    RC_ASSERT(valid_utf8(shown(bytes)));
  }));
}

TEST_CASE("a cut is said, and never splits a character") {
  CHECK(cut("abc", 3) == "abc");
  CHECK(cut("ab\xe2\x82\xac", 3) == "ab…(cut)");
}

TEST_CASE("every error code has its own stable text and a status of an error") {
  std::set<std::string_view> seen;
  for (int i = 0; i <= static_cast<int>(Code::internal); ++i) {
    const auto code = static_cast<Code>(i);
    CHECK(seen.insert(code_text(code)).second);
    CHECK(code_status(code) >= 400);
    CHECK_FALSE(code_title(code).empty());
  }
}

}  // namespace
}  // namespace caip

TEST_CASE("limits count a subscriber's network, not its many addresses") {
  CHECK(caip::network_of("192.0.2.7") == "192.0.2.7");
  CHECK(caip::network_of("::ffff:192.0.2.7") == "192.0.2.7");
  CHECK(caip::network_of("2001:db8:1:2:3:4:5:6") == "2001:db8:1:2::/64");
  CHECK(caip::network_of("2001:db8:1:2::1") == caip::network_of("2001:db8:1:2:ffff::"));
  CHECK(caip::network_of("2001:db8:1:3::1") != caip::network_of("2001:db8:1:2::1"));
  CHECK(caip::network_of("fe80::1%eth0") == "fe80::/64");
  CHECK(caip::network_of("not an address") == "not an address");
}
