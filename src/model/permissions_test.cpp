// The matrix against test/data/permissions.txt, where it stands a second time and the code does not
// look; and that each cell of it is really held: with any one flipped, the comparison says so.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <vector>

#include "model/permission.h"

namespace caip {
namespace {

struct Expected {
  std::string roles;  // "OAMV", or "-"
  bool token = false, pilot = false;
  bool operator==(const Expected&) const = default;
};
using Oracle = std::map<std::string, Expected, std::less<>>;

Oracle oracle() {
  const char* source = std::getenv("CAIP_SOURCE");
  REQUIRE(source != nullptr);
  std::ifstream file(std::string(source) + "/test/data/permissions.txt");
  Oracle out;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string name, roles, token, pilot;
    if (!(words >> name)) continue;
    REQUIRE(static_cast<bool>(words >> roles >> token >> pilot));
    REQUIRE(out.emplace(name, Expected{roles == "-" ? "" : roles, token == "T", pilot == "P"}).second);
  }
  return out;
}

Expected of(const PermissionRow& row) { return {std::string(row.roles), row.token, row.pilot}; }

// The names of rows that are not as the oracle has them, and of those that only one of the two has.
std::vector<std::string> differences(const std::vector<PermissionRow>& table, const Oracle& wanted) {
  std::vector<std::string> out;
  for (const auto& row : table)
    if (const auto it = wanted.find(row.name); it == wanted.end() || it->second != of(row)) out.emplace_back(row.name);
  for (const auto& [name, row] : wanted)
    if (!std::ranges::any_of(table, [&](const auto& r) { return r.name == name; })) out.push_back(name);
  return out;
}

std::vector<PermissionRow> table() { return {permission_table().begin(), permission_table().end()}; }

std::string without(std::string_view roles, char role) {
  std::string out(roles);
  std::erase(out, role);
  return out;
}

}  // namespace

TEST_CASE("the matrix is what test/data/permissions.txt says") {
  CHECK(differences(table(), oracle()).empty());
}

TEST_CASE("what a role is granted is what its letter says, for each permission and role") {
  for (const auto& row : permission_table())
    for (const auto& [role, letter] : {std::pair{Role::owner, 'O'}, {Role::admin, 'A'}, {Role::member, 'M'}, {Role::viewer, 'V'}}) {
      CAPTURE(row.name, letter);
      CHECK(granted(role, row.permission) == row.roles.contains(letter));
      CHECK(granted(role).has(row.permission) == row.roles.contains(letter));
    }
}

TEST_CASE("S06: each cell flipped, each row taken out and each row put in goes red") {
  const auto wanted = oracle();
  const auto whole = table();
  std::size_t mutants = 0;
  const auto red = [&](const std::vector<PermissionRow>& mutant) {
    ++mutants;
    CHECK_FALSE(differences(mutant, wanted).empty());
  };
  for (std::size_t i = 0; i < whole.size(); ++i) {
    CAPTURE(whole[i].name);
    for (const char role : {'O', 'A', 'M', 'V'}) {
      auto mutant = whole;
      const std::string flipped = whole[i].roles.contains(role) ? without(whole[i].roles, role) : std::string(whole[i].roles) + role;
      mutant[i].roles = flipped;
      red(mutant);
    }
    auto token = whole, pilot = whole, missing = whole;
    token[i].token = !token[i].token;
    pilot[i].pilot = !pilot[i].pilot;
    missing.erase(missing.begin() + static_cast<std::ptrdiff_t>(i));
    red(token);
    red(pilot);
    red(missing);
  }
  auto more = whole;
  more.push_back(PermissionRow{Permission::system, "Keys", "key.export", "O", false, false, false, "no"});
  red(more);
  CHECK(mutants == whole.size() * 7 + 1);
}

TEST_CASE("P4: a Viewer's permissions are pages and lists, and nothing that acts") {
  for (const auto& row : permission_table())
    if (row.roles.contains('V')) CHECK(row.reads);
}

TEST_CASE("whoever holds less never holds what whoever holds more lacks") {
  for (const auto& row : permission_table()) {
    CAPTURE(row.name);
    CHECK((row.roles == "O" || row.roles == "OA" || row.roles == "OAM" || row.roles == "OAMV"));
    if (row.pilot) CHECK(row.token);  // what the AI may do by itself, a program may be given
  }
}

TEST_CASE("what a token can never carry: decisions, people, tokens, sessions, secrets, keys, and what shuts people out") {
  for (const auto& row : permission_table())
    for (const char* category : {"Account", "API tokens", "Organisation"})
      if (row.category == category) CHECK_FALSE(row.token);
  for (const Permission p : {Permission::approval_decide, Permission::member_add, Permission::member_change_role, Permission::member_remove, Permission::member_disable,
                             Permission::invitation_create, Permission::invitation_revoke, Permission::secret_env, Permission::secret_cloud, Permission::secret_ssh,
                             Permission::secret_notification, Permission::secret_ai, Permission::key_rotate, Permission::unit_control_access, Permission::pilot_use})
    CHECK_FALSE(row_of(p)->token);
}

}  // namespace caip
