// verifier/verifier.h: does this log hold? An own small reading of the formats, that shares with
// the writer nothing but SHA-256: own tree, own notes and signatures, own scanner of entries. It
// reads what someone may have tampered with, changes nothing, and needs no server.
//
// What it cannot know without a checkpoint that was kept elsewhere: that whoever has the log's
// keys rewrote or cut all of it. Give it one. Of a data directory it takes the keys from the file
// log.keys, which caipd writes beside the database, and not from the database alone.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace caip::verifier {

struct Finding {
  std::optional<std::uint64_t> index;  // the first entry that does not hold, when it is one
  std::string what;                    // "entry 17: its bytes are not what was logged"
  bool operator==(const Finding&) const = default;
};

struct Report {
  std::uint64_t entries = 0;       // that were checked
  std::uint64_t size = 0;          // of the tree
  std::string root;                // hex
  std::string checkpoint;          // the newest signed note, with its cosignatures
  std::uint64_t cosignatures = 0;  // of witnesses, that hold
  std::string complete;            // of a bundle: what it is complete in, for people
  // The log's keys were held against something outside of what was read: DATA/log.keys, or a kept
  // checkpoint. Without it a log that somebody wrote and signed anew with keys of their own holds too.
  bool anchored = false;
  std::optional<Finding> broken;
  bool holds() const { return !broken; }
};

// The database of a data directory, with or without a running server. An error means that nothing
// could be checked (no such file, not a database).
Result<Report> verify_data_dir(const std::filesystem::path& data, const std::optional<std::string>& kept_checkpoint = {});

// An export with its proof: the text of the bundle.
Result<Report> verify_bundle(std::string_view bundle, const std::optional<std::string>& kept_checkpoint = {});

// Whether one entry's bytes are at this place in the tree that a checkpoint is over. Who signed the checkpoint is not looked
// at: it is as good as the place that it comes from.
struct Place {
  std::uint64_t index = 0;
  std::vector<Digest> path;  // the inclusion proof (RFC 9162, 2.1.3)
};
Result<Report> verify_entry(std::string_view entry, const Place&, std::string_view checkpoint);

}  // namespace caip::verifier
