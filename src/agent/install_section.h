// install_section.h: which other units systemd enables and disables together with one (systemd.unit(5), "[Install] Section Options").
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace caip::agent {

// The words of each Also= and Alias= of a unit file or a drop-in, in its order, as they stand there. Errors: invalid, where one
// is not a plain name (a specifier, say): what it stands for is not known here.
Result<std::vector<std::string>> brought_along(std::string_view text);

}  // namespace caip::agent
