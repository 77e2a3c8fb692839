// agent/panic.h: root's brake on this server, without network and whatever the control plane says. While the file is there no order runs,
// those that only look neither; what runs already comes to its end. `caip-agent panic` writes it, `caip-agent panic --end` takes it away.
//
//   /etc/caip/panic   a note to people: since when, and why
#pragma once
#include <filesystem>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace caip::agent {

inline constexpr const char* kPanicFile = "panic";  // beside the policy, and as much root's

// Both are on the disk when they answer, and nothing changes where it is so already. `folder`: kConfigDir.
// A full disk keeps nobody from beginning: that the file is there is what counts, its text may be missing.
Result<void> begin_panic(const std::filesystem::path& folder, std::string_view why, Instant now);
Result<void> end_panic(const std::filesystem::path& folder);

// Why no order runs (Code::forbidden). Whatever bears the name counts, and so does a folder that cannot be looked into.
std::optional<Error> panic(const std::filesystem::path& folder);

}  // namespace caip::agent
