// base/csv.h: entries of the log as CSV (RFC 4180). A cell that a spreadsheet would take for a
// formula gets an apostrophe in front: much of it is text from outside.
#pragma once
#include <cstdint>
#include <string>

#include "base/json.h"

namespace caip {

std::string csv_head();
std::string csv_row(std::uint64_t index, const json::object& entry);
std::string csv_cell(std::string_view text);

}  // namespace caip
