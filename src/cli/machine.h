// cli/machine.h (private): what process.list, socket.list and disk.list brought back, as tables.
#pragma once
#include <optional>
#include <string>

#include "base/json.h"

namespace caip::cli {

std::optional<std::string> machine_text(const json::object& result);  // nothing: it is not of these

}  // namespace caip::cli
