// audit/verify.h: does the log of this data directory hold? Recomputes everything from the
// database file, read-only, with or without a running server. What it cannot know without an
// older checkpoint: that someone with the signing key rewrote or cut the whole log. Give it the
// checkpoint you kept.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace caip::audit {

struct Finding {
  std::optional<std::uint64_t> index;  // the first entry that does not hold, when it is one
  std::string what;                    // "entry 17: its bytes are not what was logged"
};
struct Report {
  std::uint64_t entries = 0;
  Digest root{};
  std::string checkpoint;  // newest signed note
  std::optional<Finding> broken;
  bool holds() const { return !broken; }
};

// An error means that nothing could be checked (no such file, not a database).
Result<Report> verify_data_dir(const std::filesystem::path& data, const std::optional<std::string>& old_checkpoint = {});

}  // namespace caip::audit
