// audit/query.h: reading the log. Only durable entries are visible. Thread-safe.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "model/ids.h"

namespace caip::audit {

class Ledger;

struct Entry {
  std::uint64_t index = 0;
  Digest leaf{};     // RFC 6962 leaf hash of body
  std::string body;  // canonical JSON
};
struct Page {
  std::vector<Entry> entries;  // newest first
  std::optional<std::string> next_cursor;
};
struct Filter {
  std::optional<OrgId> org = {};  // its entries and those of no organisation
  std::optional<std::string> action = {};
  std::optional<std::string> result = {};
};
// That an entry is in the log, for someone who holds the log's public key and nothing else.
struct Proof {
  std::string entry_bytes;
  std::uint64_t index = 0;
  std::uint64_t size = 0;
  std::vector<Digest> hashes;
  std::string checkpoint;  // signed note over `size`
};
using Subscription = std::shared_ptr<void>;  // ends when dropped

class Query final {
 public:
  explicit Query(Ledger& ledger) : ledger_(ledger) {}
  // At most `limit` (1..200) entries. May be short, even empty, while next_cursor says to go on.
  Result<Page> list(const Filter&, std::size_t limit, const std::optional<std::string>& cursor) const;
  Result<Entry> entry(std::uint64_t index) const;
  Result<std::uint64_t> size() const;
  Result<std::string> checkpoint() const;  // newest signed note
  Result<std::vector<Digest>> inclusion(std::uint64_t index, std::uint64_t size) const;
  Result<std::vector<Digest>> consistency(std::uint64_t from, std::uint64_t to) const;
  Result<Proof> prove(std::uint64_t index) const;  // against the newest checkpoint
  // C2SP tlog-tiles: `width` hashes (1..256) of tile `index` at tile level `level`, and the
  // entries below a level 0 tile, each with its 16-bit big-endian length.
  Result<Bytes> tile(unsigned level, std::uint64_t index, unsigned width) const;
  Result<Bytes> bundle(std::uint64_t index, unsigned width) const;
  Bytes public_key() const;
  // Called with the new size after each durable commit, on the committing thread: hand over, do
  // not work there.
  Subscription subscribe(std::function<void(std::uint64_t size)>);

 private:
  Ledger& ledger_;
};

}  // namespace caip::audit
