// The one-time token in DATA/setup-token that lets whoever can read the data directory create the
// first owner. Private.
#pragma once
#include <string>

#include "base/result.h"

namespace caip::auth {

// The token in `path`, made (0600) when there is none. A restart keeps it: links stay valid.
Result<std::string> open_setup_token(const std::string& path);
void remove_setup_token(const std::string& path) noexcept;

}  // namespace caip::auth
