// The page people read about roles is what the table says, to the letter.
#include "web/roles.h"

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "model/permission.h"

using namespace caip;

TEST_CASE("doc/roles.md is made from the table") {
  const char* source = std::getenv("CAIP_SOURCE");
  const char* binary = std::getenv("CAIP_BINARY");
  REQUIRE(source != nullptr);
  std::ifstream file(std::string(source) + "/doc/roles.md", std::ios::binary);
  const std::string there{std::istreambuf_iterator<char>(file), {}};
  const std::string made = web::roles_markdown();
  if (there != made && binary != nullptr) std::ofstream(std::string(binary) + "/roles.md", std::ios::binary) << made;
  INFO("copy roles.md of the build folder to doc/ when the change is meant");
  CHECK(there == made);
}

TEST_CASE("the CSV has a line for each permission and no formula") {
  const std::string csv = web::roles_csv();
  std::size_t lines = 0;
  for (std::size_t at = 0; (at = csv.find("\r\n", at)) != csv.npos; at += 2) ++lines;
  CHECK(lines == permission_table().size() + 1);
  CHECK(csv.find("\"=") == csv.npos);
}
