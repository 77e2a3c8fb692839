// Exports that prove themselves: what verifier/bundle.cpp reads, from the writer's side.
#include <bit>

#include "audit/query.h"
#include "crypto/note.h"
#include "parts.h"
#include "search.h"
#include "tables.h"

namespace caip::audit {
namespace {

constexpr std::uint64_t kBundlePiece = 10'000;  // entries looked at for one piece

class Piece {
 public:
  explicit Piece(storage::Reader& tx) : read_(node_reader(tx)) {}

  void show(std::uint64_t index, std::string_view body) {
    text_ += canonical(json::object{{"e", body}, {"i", index}}) + "\n";
  }
  // Leaves [from, to) as the largest complete nodes that fit.
  Result<void> hide(std::uint64_t from, std::uint64_t to) {
    while (from < to) {
      const unsigned fits = static_cast<unsigned>(std::bit_width(to - from)) - 1;
      const unsigned level = from == 0 ? fits : std::min(fits, static_cast<unsigned>(std::countr_zero(from)));
      CAIP_TRY(hash, read_({level, from >> level}));
      text_ += canonical(json::object{{"h", hex(hash)}, {"i", from}, {"l", level}}) + "\n";
      from += std::uint64_t{1} << level;
    }
    return {};
  }
  std::string take() { return std::move(text_); }

 private:
  merkle::NodeReader read_;
  std::string text_;
};

}  // namespace

Result<std::string> Query::bundle_head(const Filter& filter, std::uint64_t size, std::uint64_t closing) const {
  CAIP_TRY(found, checkpoint_from(size));
  if (found.first != size) return fail(Code::not_found, "there is no checkpoint of that size");
  auto tx = ledger_.parts_->database.begin_read();
  CAIP_TRY(key, key_at(tx, crypto::SuccessionKey::checkpoint, static_cast<std::int64_t>(size)));
  CAIP_TRY(own, Ledger::Parts::own(tx));
  std::string successions;
  CAIP_CHECKED(tx.query("SELECT statement FROM log_successions WHERE key <> 'order' AND idx < ?1 ORDER BY idx", static_cast<std::int64_t>(size),
                        [&](const storage::Row& r) { successions += canonical(json::object{{"s", r.text_view(0)}}) + "\n"; }));
  return canonical(json::object{{"type", "caip-audit-bundle"},
                                {"v", 1},
                                {"size", size},
                                {"checkpoint", found.second},
                                {"log_key", crypto::note_vkey(crypto::kLogOrigin, key.value_or(Bytes()))},
                                {"cosign_key", own ? crypto::vkey(*own) : std::string()},
                                {"org", filter.org ? filter.org->str() : std::string()},
                                {"unowned", filter.unowned ? "true" : "false"},
                                {"filter", canonical(filter_json(filter))},
                                {"export", closing}}) + "\n" + successions;
}

Result<void> Query::check_piece(const Filter& filter, const UserId& by, std::uint64_t size, std::uint64_t closing) const {
  CAIP_TRY(stands, entry(closing));
  CAIP_TRY(body, parse_object(stands.body));
  const json::value said(std::move(body));
  const auto at = [&said](std::string_view pointer) -> json::value {
    boost::system::error_code missing;
    const auto* found = said.find_pointer(pointer, missing);
    return found ? *found : json::value();
  };
  const bool made = at("/action") == json::value("log.export") && at("/actor/id") == json::value(by.str()) && at("/detail/filter") == json::value(filter_json(filter));
  if (!made) return fail(Code::malformed, "not a place in an export of this filter");
  CAIP_TRY(covered, checkpoint_from(closing + 1));
  if (covered.first != size) return fail(Code::malformed, "not a place in an export of a log this long");
  return {};
}

Result<std::pair<std::string, std::uint64_t>> Query::bundle_piece(const Filter& filter, std::uint64_t from, std::uint64_t size) const {
  auto tx = ledger_.parts_->database.begin_read();
  CAIP_TRY(have, log_size(tx));
  if (size > have || from > size) return fail(Code::invalid, "the log is not that long");
  const std::uint64_t to = std::min(size, from + kBundlePiece);
  // Which are shown is decided by the entries themselves, not by an index that could leave some out.
  std::vector<std::pair<std::uint64_t, std::string>> shown_entries;
  CAIP_CHECKED(tx.query("SELECT idx, body FROM log_entries WHERE idx >= ?1 AND idx < ?2 ORDER BY idx", static_cast<std::int64_t>(from),
                        static_cast<std::int64_t>(to), [&](const storage::Row& r) {
                          if (fits(filter, r.text_view(1))) shown_entries.emplace_back(static_cast<std::uint64_t>(r.integer(0)), r.text(1));
                        }));
  Piece piece(tx);
  std::uint64_t at = from;
  for (const auto& [index, body] : shown_entries) {
    CAIP_CHECKED(piece.hide(at, index));
    piece.show(index, body);
    at = index + 1;
  }
  CAIP_CHECKED(piece.hide(at, to));
  std::string text = piece.take();
  if (to == size) text += canonical(json::object{{"end", size}}) + "\n";
  return std::pair{std::move(text), to};
}

}  // namespace caip::audit
