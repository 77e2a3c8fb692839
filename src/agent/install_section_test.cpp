#include "install_section.h"

#include <catch2/catch_test_macros.hpp>

namespace caip::agent {
namespace {

std::vector<std::string> names(std::string_view text) {
  auto section = install_section(text).value();
  section.also.insert(section.also.end(), section.aliases.begin(), section.aliases.end());
  return section.also;
}

TEST_CASE("what a unit's file brings along is found however systemd would read it") {
  using V = std::vector<std::string>;
  CHECK(names("") == V{});
  CHECK(names("[Service]\nExecStart=/bin/true --Also=x.service\n[Install]\nWantedBy=multi-user.target\n") == V{});
  CHECK(names("[Install]\nAlso=a.socket b.timer\nAlias=c.service\n") == V{"a.socket", "b.timer", "c.service"});
  CHECK(names("  Also  =  a.socket  \r\nAlso=\nAlso=b.path") == V{"a.socket", "b.path"});
  CHECK(names("Also=a.socket \\\n  b.socket\nAlias=c.service") == V{"a.socket", "b.socket", "c.service"});
  CHECK(names("Al\\\nso=a.socket") == V{});  // systemd reads "Al so" too
}

TEST_CASE("other units and further names of the unit itself are told apart") {
  const auto section = install_section("[Install]\nAlias=sshd.service\nAlso=a.socket\nAlias=b.service c.service").value();
  CHECK(section.also == std::vector<std::string>{"a.socket"});
  CHECK(section.aliases == std::vector<std::string>{"sshd.service", "b.service", "c.service"});
}

TEST_CASE("a name that is a pattern is not guessed at") {
  for (const char* text : {"Also=x@%i.service", "Alias=%p.service", "Also=\"a.service\"", "Also=a\\x20b.service", "Also=a.socket\tb.socket"}) CHECK_FALSE(install_section(text));
}

}  // namespace
}  // namespace caip::agent
