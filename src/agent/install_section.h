// install_section.h: which other units systemd enables and disables together with one (systemd.unit(5), "[Install] Section Options").
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace caip::agent {

struct InstallSection {
  std::vector<std::string> also;     // enabled and disabled with it, and with what those name in turn
  std::vector<std::string> aliases;  // further names of the unit itself, from when it is enabled on
};
// Of a unit file or a drop-in, in its order, as the words stand there. Errors: invalid, where one is not a plain name (a
// specifier, say): what it stands for is not known here.
Result<InstallSection> install_section(std::string_view text);

}  // namespace caip::agent
