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

Result<std::uint64_t> indexed_upto(storage::Reader& tx) {
  CAIP_TRY(upto, tx.one<std::int64_t>("SELECT upto FROM log_indexed ORDER BY upto DESC LIMIT 1", [](const storage::Row& r) { return r.integer(0); }));
  return static_cast<std::uint64_t>(upto.value_or(0));
}

Result<std::optional<std::uint64_t>> last_with(storage::Reader& tx, std::int64_t term, std::uint64_t from) {
  CAIP_TRY(found, tx.one<std::int64_t>("SELECT idx FROM log_terms WHERE term = ?1 AND idx <= ?2 ORDER BY idx DESC LIMIT 1", term,
                                       static_cast<std::int64_t>(from), [](const storage::Row& r) { return r.integer(0); }));
  if (!found) return std::optional<std::uint64_t>{};
  return std::optional(static_cast<std::uint64_t>(*found));
}

}  // namespace caip::audit
