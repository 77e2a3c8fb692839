// completion.h: completion scripts, written from the commands themselves.
#pragma once
#include <string>
#include <string_view>

#include "base/result.h"

namespace CLI { class App; }

namespace caip::cli {

Result<std::string> completion(const CLI::App&, std::string_view shell);  // bash, zsh, fish

}  // namespace caip::cli
