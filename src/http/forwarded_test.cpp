#include "forwarded.h"

#include <catch2/catch_test_macros.hpp>

using namespace caip;
using namespace caip::http;

TEST_CASE("S16 forwarded addresses count as far as configured proxies wrote them, and nobody else's do") {
  const auto none = Proxies::parse({}).value();
  CHECK(none.client("192.0.2.1", "198.51.100.7") == "192.0.2.1");
  const auto proxies = Proxies::parse({"10.0.0.0/8", "192.0.2.7", "fd00::/8"}).value();
  CHECK(proxies.client("198.51.100.1", "203.0.113.5") == "198.51.100.1");      // not one of ours
  CHECK(proxies.client("10.1.2.3", "203.0.113.5") == "203.0.113.5");
  CHECK(proxies.client("::ffff:10.1.2.3", "203.0.113.5") == "203.0.113.5");
  CHECK(proxies.client("10.1.2.3", "") == "10.1.2.3");
  CHECK(proxies.client("10.1.2.3", "1.1.1.1, 203.0.113.5") == "203.0.113.5");  // the first was the client's own invention
  CHECK(proxies.client("10.1.2.3", "1.1.1.1, 203.0.113.5 ,192.0.2.7,10.9.9.9") == "203.0.113.5");
  CHECK(proxies.client("10.1.2.3", "not an address") == "10.1.2.3");
  CHECK(proxies.client("10.1.2.3", "1.1.1.1, nonsense, 10.9.9.9") == "10.9.9.9");
  CHECK(proxies.client("fd00::1", "2001:db8::5") == "2001:db8::5");
  CHECK(proxies.client("192.0.2.8", "1.1.1.1") == "192.0.2.8");
  for (const char* bad : {"10.0.0.0/33", "nonsense", "10.0.0/8", "fd00::/129", ""}) CHECK_FALSE(Proxies::parse({bad}));
}
