// web/roles.h: the matrix as text, for people who want it outside the product. Both are made from
// permission_table(); doc/roles.md is the second one, and a test compares.
#pragma once
#include <string>

#include "base/json.h"

namespace caip { struct PermissionRow; }

namespace caip::web {

json::array roles_of(const PermissionRow&);  // ["owner","admin"]
std::string roles_csv();
std::string roles_markdown();

}  // namespace caip::web
