// audit/terms.h (private): the inverted index of the log. A term is 64 bits of the SHA-256 of
// (organisation, member, value). log_postings has a row for each term in each batch of entries (several, where a
// batch has many): the place of the first entry that has it, and those of all, as distances from the first. What
// it finds is checked against the entry itself, so neither a collision nor a wrong row shows a wrong entry. The
// index is filled behind the log (Ledger::index_some); newer entries are scanned.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/json.h"
#include "storage/tx.h"

namespace caip::audit {

inline constexpr std::array<std::string_view, 6> kIndexed{"action", "actor", "approver", "result", "source", "target"};

std::int64_t term_of(std::string_view org, std::string_view member, std::string_view value);
// Of an entry: its organisation, and its indexed members that are not null. An actor is its id.
std::vector<std::int64_t> terms_of(const json::object& entry);
// A member's text as a filter has it; empty when it has none.
std::string_view text_in(const json::object& entry, std::string_view member);

// Of entries in one batch: a distance has 16 bits.
inline constexpr std::size_t kMostPosted = 65'535;
// Places in one row: what more has, SQLite would put on pages of their own.
inline constexpr std::size_t kMostPlaces = 480;
using Postings = std::map<std::int64_t, std::vector<std::uint64_t>>;  // in the order of the table: each page is touched once
// Of the entries [from, upto): by term, their places.
Result<Postings> postings_of(storage::Reader&, std::uint64_t from, std::uint64_t upto);
Bytes packed(std::span<const std::uint64_t> places);  // each less the first, 16 bits, big-endian
// The largest place at or below `from`, which is not below `first`; damage shows as a place that does not fit.
std::uint64_t last_in(std::uint64_t first, BytesView packed, std::uint64_t from);

Result<std::uint64_t> indexed_upto(storage::Reader&);
// The places of a term, asked for from the end towards the beginning: a row that was read is not read again.
class Places final {
 public:
  explicit Places(std::int64_t term) : term_(term) {}
  std::int64_t term() const { return term_; }
  // The largest place at or below `from`.
  Result<std::optional<std::uint64_t>> last(storage::Reader&, std::uint64_t from);

 private:
  std::int64_t term_;
  std::uint64_t first_ = 1, asked_ = 0;  // what row_ answers: from its first place up to where it was asked for. Nothing yet
  Bytes row_;
};

}  // namespace caip::audit
