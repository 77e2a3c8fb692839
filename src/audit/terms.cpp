#include "terms.h"

#include "crypto/hash.h"

namespace caip::audit {

std::int64_t term_of(std::string_view org, std::string_view member, std::string_view value) {
  const std::string_view zero("\0", 1);
  const Digest d = crypto::sha256({view(org), view(zero), view(member), view(zero), view(value)});
  std::uint64_t n = 0;
  for (std::size_t i = 0; i < 8; ++i) n = n << 8 | d[i];
  return static_cast<std::int64_t>(n);
}

std::string_view text_in(const json::object& entry, std::string_view member) {
  const auto* v = entry.if_contains(member);
  if (v && v->is_object()) v = v->get_object().if_contains("id");
  if (!v || !v->is_string()) return {};
  return v->get_string();
}

std::vector<std::int64_t> terms_of(const json::object& entry) {
  const std::string_view org = text_in(entry, "org");
  std::vector<std::int64_t> out{term_of(org, "org", "")};
  for (const auto member : kIndexed)
    if (const auto value = text_in(entry, member); !value.empty()) out.push_back(term_of(org, member, value));
  return out;
}

Result<Postings> postings_of(storage::Reader& tx, std::uint64_t from, std::uint64_t upto) {
  Postings out;
  std::optional<Error> bad;
  CAIP_CHECKED(tx.query("SELECT idx, body FROM log_entries WHERE idx >= ?1 AND idx < ?2 ORDER BY idx", static_cast<std::int64_t>(from), static_cast<std::int64_t>(upto),
                        [&](const storage::Row& r) {
                          auto entry = parse_object(r.text_view(1));
                          if (!entry) return void(bad = std::move(entry).error());
                          for (const auto term : terms_of(*entry)) out[term].push_back(static_cast<std::uint64_t>(r.integer(0)));
                        }));
  if (bad) return std::unexpected(*std::move(bad));
  return out;
}

Bytes packed(std::span<const std::uint64_t> places) {
  Bytes out;
  out.reserve(2 * places.size());
  for (const auto place : places) {
    const std::uint64_t distance = place - places.front();
    CAIP_ASSERT(distance <= kMostPosted);
    out.push_back(static_cast<std::uint8_t>(distance >> 8));
    out.push_back(static_cast<std::uint8_t>(distance));
  }
  return out;
}

std::uint64_t last_in(std::uint64_t first, BytesView packed, std::uint64_t from) {
  const auto at = [&](std::size_t n) { return first + (std::uint64_t{packed[2 * n]} << 8 | packed[2 * n + 1]); };
  std::size_t low = 0, high = packed.size() / 2;  // places below `low` are at or below `from`, those from `high` on are not
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (at(middle) <= from) low = middle + 1;
    else high = middle;
  }
  return low == 0 ? first : at(low - 1);
}

Result<std::uint64_t> indexed_upto(storage::Reader& tx) {
  CAIP_TRY(upto, tx.one<std::int64_t>("SELECT upto FROM log_posted ORDER BY upto DESC LIMIT 1", [](const storage::Row& r) { return r.integer(0); }));
  return static_cast<std::uint64_t>(upto.value_or(0));
}

// The row that begins last at or before `from` has it, for what it begins with is one.
Result<std::optional<std::uint64_t>> Places::last(storage::Reader& tx, std::uint64_t from) {
  if (from < first_ || from > asked_) {
    bool found = false;
    CAIP_CHECKED(tx.query("SELECT first, places FROM log_postings WHERE term = ?1 AND first <= ?2 ORDER BY first DESC LIMIT 1", term_,
                          static_cast<std::int64_t>(from), [&](const storage::Row& r) {
                            first_ = static_cast<std::uint64_t>(r.integer(0));
                            row_ = r.blob(1);
                            found = true;
                          }));
    if (!found) return std::optional<std::uint64_t>{};
    asked_ = from;
  }
  return std::optional(last_in(first_, row_, from));
}

}  // namespace caip::audit
