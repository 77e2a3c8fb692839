#include "places/places.h"

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace caip::places {
namespace {

// The smallest database there can be: one IPv4 network and what is said of it.
class Tiny {
 public:
  Tiny(std::uint32_t address, unsigned bits, const std::string& record) {
    std::string out;
    for (unsigned n = 0; n < bits; ++n) {
      const std::uint32_t on = n + 1 < bits ? n + 1 : bits + 16;
      const bool one = (address >> (31U - n)) & 1U;
      out += number(one ? bits : on, 3) + number(one ? on : bits, 3);
    }
    out += std::string(16, '\0') + record + "\xab\xcd\xefMaxMind.com" + map(9);
    out += text("node_count") + unsigned32(bits) + text("record_size") + unsigned16(24) + text("ip_version") + unsigned16(4) + text("database_type") + text("Tiny");
    out += text("languages") + std::string("\x00\x04", 2) + text("binary_format_major_version") + unsigned16(2) + text("binary_format_minor_version") + unsigned16(0);
    out += text("build_epoch") + std::string("\x01\x02\x01", 3) + text("description") + map(0);
    char name[] = "/tmp/caip-places-XXXXXX";
    const int fd = mkstemp(name);
    if (fd >= 0) close(fd);
    path = name;
    std::ofstream(path, std::ios::binary) << out;
  }
  Tiny(const Tiny&) = delete;
  Tiny& operator=(const Tiny&) = delete;
  ~Tiny() { std::filesystem::remove(path); }
  static std::string map(unsigned n) { return {static_cast<char>(0xe0U | n)}; }
  static std::string text(const std::string& s) { return static_cast<char>(0x40U | s.size()) + s; }
  static std::string unsigned32(std::uint32_t v) { return "\xc4" + number(v, 4); }
  static std::string unsigned16(std::uint32_t v) { return "\xa2" + number(v, 2); }
  std::string path;

 private:
  static std::string number(std::uint32_t v, unsigned bytes) {
    std::string out;
    while (bytes-- > 0) out += static_cast<char>(v >> (8U * bytes));
    return out;
  }
};

constexpr std::uint32_t kTestNet = 0xC0000200;  // 192.0.2.0

}  // namespace

TEST_CASE("without a database a place is the /16 or /32 of its address, and what is no address is nowhere") {
  const Places p;
  CHECK(p.of("192.0.2.1").network == "192.0.0.0/16");
  CHECK(p.of("::ffff:192.0.2.1").network == "192.0.0.0/16");
  CHECK(p.of("2001:db8:1234::1").network == "2001:db8::/32");
  CHECK(p.of("fe80::1%eth0").network == "fe80::/32");
  CHECK(p.of("192.0.2.1").country.empty());
  for (const char* no : {"", "localhost", "192.0.2", "192.0.2.1/24", "%"}) CHECK(p.of(no).str().empty());
}

TEST_CASE("a country as either kind of database has it, and the number of a network") {
  const Tiny flat(kTestNet, 24, Tiny::map(1) + Tiny::text("country_code") + Tiny::text("DE"));
  const Tiny deep(kTestNet, 24, Tiny::map(1) + Tiny::text("country") + Tiny::map(1) + Tiny::text("iso_code") + Tiny::text("FR"));
  const Tiny number(kTestNet, 24, Tiny::map(1) + Tiny::text("autonomous_system_number") + Tiny::unsigned32(64496));
  CHECK(Places::open(flat.path, "")->of("192.0.2.9").country == "DE");
  CHECK(Places::open(deep.path, "")->of("192.0.2.9").country == "FR");
  CHECK(Places::open(flat.path, number.path)->of("192.0.2.9").str() == "DE, AS64496");
  CHECK(Places::open(flat.path, number.path)->of("192.0.3.9").str() == "192.0.0.0/16");
  CHECK(Places::open(flat.path, number.path)->of("2001:db8::1").str() == "2001:db8::/32");
}

TEST_CASE("what a database says of a country is two capital letters or nothing") {
  for (const char* odd : {"de", "<b", "DEU", ""}) {
    const Tiny bad(kTestNet, 24, Tiny::map(1) + Tiny::text("country_code") + Tiny::text(odd));
    CHECK(Places::open(bad.path, "")->of("192.0.2.9").country.empty());
  }
  const Tiny wrong(kTestNet, 24, Tiny::map(1) + Tiny::text("country_code") + Tiny::unsigned32(5));
  CHECK(Places::open(wrong.path, "")->of("192.0.2.9").country.empty());
}

TEST_CASE("a file that is no database is an error, and one that is named must be there") {
  CHECK_FALSE(Places::open("/nonexistent/country.mmdb", ""));
  CHECK_FALSE(Places::open("", "/etc/hostname"));
}

TEST_CASE("the database that is shipped knows countries in both families") {
  const auto shipped = Places::open(std::string(std::getenv("CAIP_SOURCE")) + "/packaging/places/country.mmdb", "");
  REQUIRE(shipped);
  CHECK(shipped->of("193.0.6.139").country == "NL");
  CHECK(shipped->of("2001:67c:2e8:22::c100:68b").country == "NL");
  CHECK(shipped->of("127.0.0.1").country.empty());
}

}  // namespace caip::places
