#include "web/roles.h"

#include <array>

#include "base/csv.h"
#include "model/permission.h"

namespace caip::web {
namespace {

constexpr std::array kRoles{Role::owner, Role::admin, Role::member, Role::viewer};

std::string_view mark(bool yes, std::string_view as) { return yes ? as : ""; }

}  // namespace

json::array roles_of(const PermissionRow& row) {
  json::array roles;
  for (const Role role : kRoles)
    if (granted(role, row.permission)) roles.emplace_back(text(role));
  return roles;
}

std::string roles_csv() {
  std::string out = "category,permission,owner,admin,member,viewer,api_token,pilot,about\r\n";
  for (const auto& row : permission_table()) {
    out += csv_cell(row.category) + ',' + csv_cell(row.name);
    for (const Role role : kRoles) out += std::string(",") + (granted(role, row.permission) ? "yes" : "no");
    out += std::string(",") + (row.token ? "yes" : "no") + ',' + (row.pilot ? "yes" : "no") + ',' + csv_cell(row.about) + "\r\n";
  }
  return out;
}

std::string roles_markdown() {
  std::string out = "# Roles and permissions\n\n"
                    "Made from the one table that decides (`src/model/permission.cpp`); a test fails when this page differs. What is not in it is refused.\n"
                    "\"Token\": an API token may carry it. \"Pilot\": the AI may do it by itself when its human may; what changes a service it may propose.\n";
  std::string_view category;
  for (const auto& row : permission_table()) {
    if (row.category != category) {
      category = row.category;
      out += "\n## " + std::string(category) + "\n\n| Permission | What it allows | Owner | Admin | Member | Viewer | Token | Pilot |\n|---|---|---|---|---|---|---|---|\n";
    }
    out += "| `" + std::string(row.name) + "` | " + std::string(row.about);
    for (const Role role : kRoles) out += " | " + std::string(mark(granted(role, row.permission), "yes"));
    out += " | " + std::string(mark(row.token, "yes")) + " | " + std::string(mark(row.pilot, "yes")) + " |\n";
  }
  return out;
}

}  // namespace caip::web
