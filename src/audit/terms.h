// audit/terms.h (private): the inverted index of the log. A term is 64 bits of the SHA-256 of
// (organisation, member, value); log_terms has a row for each term of each entry. What it finds is
// checked against the entry itself, so neither a collision nor a wrong row shows a wrong entry.
// The index is filled behind the log (Ledger::index_some), in batches; newer entries are scanned.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "storage/tx.h"

namespace caip::audit {

inline constexpr std::array<std::string_view, 6> kIndexed{"action", "actor", "approver", "result", "source", "target"};

std::int64_t term_of(std::string_view org, std::string_view member, std::string_view value);
// Of an entry: its organisation, and its indexed members that are not null. An actor is its id.
std::vector<std::int64_t> terms_of(const json::object& entry);
// A member's text as a filter has it; empty when it has none.
std::string_view text_in(const json::object& entry, std::string_view member);

Result<std::uint64_t> indexed_upto(storage::Reader&);
// The largest entry at or below `from` that has the term.
Result<std::optional<std::uint64_t>> last_with(storage::Reader&, std::int64_t term, std::uint64_t from);

}  // namespace caip::audit
