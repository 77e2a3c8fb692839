#include "outbound/network.h"

#include <arpa/inet.h>

#include <catch2/catch_all.hpp>

namespace caip::outbound {

TEST_CASE("S21: which addresses are public: first and last of every range that is not, and their neighbours") {
  const auto public_ = [](const char* text) { return is_public(Address::parse(text).value()); };
  for (const char* no :
       {"0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1", "127.255.255.255", "169.254.0.0",
        "169.254.169.254", "169.254.255.255", "172.16.0.0", "172.31.255.255", "192.0.0.0", "192.0.0.255", "192.0.2.1", "192.88.99.1", "192.168.0.0",
        "192.168.255.255", "198.18.0.0", "198.19.255.255", "198.51.100.7", "203.0.113.7", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::7f00:1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1",
        "64:ff9b::8.8.8.8", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:7f00:1::", "2001:10::1", "2001:20::1", "2001:1ff:ffff::1", "2001:db8::1",
        "2002:7f00:1::1", "2002:808:808::1", "3fff::1", "3fff:fff:ffff::1", "4000::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fdff::1", "fe80::1",
        "febf::1", "fec0::1", "ff02::1", "ffff::1"})
    CHECK((std::string(no) + (public_(no) ? " public" : "")) == no);
  for (const char* yes :
       {"1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0",
        "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.0.3.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255",
        "::ffff:8.8.8.8", "2000::1", "2001:200::1", "2001:4860:4860::8888", "2001:db7:ffff::1", "2001:db9::1", "2003::1", "2606:4700::1111",
        "2a00:1450::1", "3ffe:ffff::1"})
    CHECK((std::string(yes) + (public_(yes) ? "" : " not public")) == yes);
}

TEST_CASE("a network of the configuration is exact, and a misspelt one is refused") {
  const auto in = [](const char* network, const char* address) { return Network::parse(network).value().contains(Address::parse(address).value()); };
  CHECK(in("10.0.0.0/8", "10.255.0.1"));
  CHECK(in("10.0.0.0/8", "::ffff:10.1.2.3"));
  CHECK_FALSE(in("10.0.0.0/8", "11.0.0.0"));
  CHECK(in("192.0.2.7", "192.0.2.7"));
  CHECK_FALSE(in("192.0.2.7", "192.0.2.6"));
  CHECK(in("fd00::/8", "fdff::1"));
  CHECK_FALSE(in("fd00::/8", "fc00::1"));
  CHECK(in("0.0.0.0/0", "8.8.8.8"));
  CHECK_FALSE(in("0.0.0.0/0", "2001:db8::1"));
  for (const char* wrong : {"", "/", "10.0.0.0/33", "10.0.0.1/8", "fd00::1/8", "10.0.0.0/8x", "10.0.0.0/", "10.0/8", "example.org", "fd00::/129", "10.0.0.0/-1"})
    CHECK_FALSE(Network::parse(wrong));
}

}  // namespace caip::outbound
