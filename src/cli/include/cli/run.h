// cli/run.h: the command line client of the public API. It sees no server room; what verifies
// a data directory without a server is handed in by main.
#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace caip::cli {

struct Verified {
  std::uint64_t entries = 0;                 // that were checked
  std::uint64_t size = 0;                    // of the tree
  std::string root;                          // hex
  std::optional<std::string> broken;         // the first thing that does not hold
  std::optional<std::uint64_t> broken_index;  // its entry, when it is one
  std::string checkpoint;                    // newest signed note
  std::uint64_t cosignatures = 0;            // of witnesses, that hold
  std::string complete;                      // of a bundle: what it is complete in
  bool anchored = false;                     // keys or checkpoint were known from elsewhere
};
struct Place {  // of an entry, and its inclusion proof
  std::uint64_t index = 0;
  std::vector<Digest> path;
};
struct Verifiers {
  using Kept = std::optional<std::string>;  // a checkpoint that was kept
  std::function<Result<Verified>(const std::filesystem::path&, const Kept&)> data_dir;
  std::function<Result<Verified>(const std::string& bundle, const Kept&)> bundle;
  std::function<Result<Verified>(const std::string& entry, const Place&, const std::string& checkpoint)> entry;
};

// Exit codes: 0 ok, 1 failure, 2 usage, 3 not found, 4 not allowed, 5 conflict, 6 approval
// needed or denied, 7 time-out.
int run(int argc, char** argv, const Verifiers&);

}  // namespace caip::cli
