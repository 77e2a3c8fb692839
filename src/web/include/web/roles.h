// web/roles.h: the matrix as text, for people who want it outside the product. Both are made from
// permission_table(); doc/roles.md is the second one, and a test compares.
#pragma once
#include <string>

namespace caip::web {

std::string roles_csv();
std::string roles_markdown();

}  // namespace caip::web
