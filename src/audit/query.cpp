#include "audit/query.h"

#include "crypto/mac.h"
#include "crypto/random.h"
#include "crypto/note.h"
#include "parts.h"
#include "search.h"
#include "tables.h"

namespace caip::audit {
namespace {

constexpr std::size_t kMostEntries = 200;
constexpr unsigned kTileWidth = 256;
constexpr unsigned kTileHeight = 8;

Result<Entry> entry_of(const storage::Row& r) {
  CAIP_TRY(leaf, r.digest(1));
  return Entry{static_cast<std::uint64_t>(r.integer(0)), leaf, r.text(2)};
}

Result<std::optional<Entry>> read_entry(storage::Reader& tx, std::uint64_t index) {
  CAIP_TRY(found, tx.one<Result<Entry>>("SELECT idx, leaf, body FROM log_entries WHERE idx = ?1",
                                        static_cast<std::int64_t>(index), entry_of));
  if (!found) return std::optional<Entry>{};
  CAIP_TRY(entry, *std::move(found));
  return std::optional<Entry>{std::move(entry)};
}

// A stored checkpoint with every cosignature that is kept on it.
Result<std::string> stored_note(storage::Reader& tx, std::int64_t size) {
  CAIP_TRY(text, tx.one<std::string>("SELECT note FROM log_checkpoints WHERE size = ?1", size, [](const storage::Row& r) { return r.text(0); }));
  if (!text) return fail(Code::not_found, "there is no checkpoint of that size");
  std::string note = *std::move(text);
  CAIP_CHECKED(tx.query("SELECT line FROM log_cosignatures WHERE size = ?1", size, [&](const storage::Row& r) { note += r.text_view(0); }));
  return note;
}

Result<void> check_tile(std::uint64_t size, unsigned level, std::uint64_t index, unsigned width) {
  if (level > 7 || width == 0 || width > kTileWidth || index > (size >> kTileHeight)) return fail(Code::not_found, "no such tile");
  const std::uint64_t nodes = size >> (level * kTileHeight);  // complete ones at that level
  if (index * kTileWidth + width > nodes) return fail(Code::not_found, "no such tile yet");
  return {};
}

}  // namespace

Query::Query(Ledger& ledger) : ledger_(ledger), cursor_key_(std::make_shared<const SecretBytes>(crypto::random_bytes(32))) {}

Result<Page> Query::list(const Filter& filter, std::size_t limit, const std::optional<std::string>& cursor) const {
  if (limit == 0 || limit > kMostEntries) return fail(Code::invalid, "limit is 1 to 200");
  std::optional<std::uint64_t> below;
  if (cursor) {
    CAIP_TRY(given, open_cursor(*cursor_key_, filter, *cursor));
    below = given;
  }
  auto tx = ledger_.parts_->database.begin_read();
  CAIP_TRY(found, search(tx, filter, limit, below));
  Page page{std::move(found.entries), std::nullopt};
  if (found.next > 0) page.next_cursor = seal_cursor(*cursor_key_, filter, found.next);
  return page;
}

Result<Entry> Query::entry(std::uint64_t index) const {
  auto tx = ledger_.parts_->database.begin_read();
  CAIP_TRY(found, read_entry(tx, index));
  if (!found) return fail(Code::not_found, "no such entry");
  return *std::move(found);
}

Result<std::uint64_t> Query::size() const {
  auto tx = ledger_.parts_->database.begin_read();
  return log_size(tx);
}

Result<std::string> Query::checkpoint() const {
  auto tx = ledger_.parts_->database.begin_read();
  CAIP_TRY(note, newest_checkpoint(tx));
  if (!note) return fail(Code::not_found, "the log is empty");
  return ledger_.parts_->with_second(tx, *note);
}

Result<std::string> Query::witnessed() const {
  auto tx = ledger_.parts_->database.begin_read();
  CAIP_TRY(size, tx.one<std::int64_t>("SELECT size FROM log_cosignatures WHERE name <> ?1 ORDER BY size DESC LIMIT 1", crypto::kLogOrigin,
                                      [](const storage::Row& r) { return r.integer(0); }));
  if (!size) return fail(Code::not_found, "no witness has cosigned this log yet");
  return stored_note(tx, *size);
}

Result<std::pair<std::uint64_t, std::string>> Query::checkpoint_from(std::uint64_t size) const {
  auto tx = ledger_.parts_->database.begin_read();
  CAIP_TRY(found, tx.one<std::int64_t>("SELECT size FROM log_checkpoints WHERE size >= ?1 ORDER BY size LIMIT 1", static_cast<std::int64_t>(size),
                                       [](const storage::Row& r) { return r.integer(0); }));
  if (!found) return fail(Code::not_found, "there is no such checkpoint yet");
  CAIP_TRY(note, stored_note(tx, *found));
  CAIP_TRY(full, ledger_.parts_->with_second(tx, note));
  return std::pair{static_cast<std::uint64_t>(*found), std::move(full)};
}

Result<std::vector<Digest>> Query::inclusion(std::uint64_t index, std::uint64_t size) const {
  auto tx = ledger_.parts_->database.begin_read();
  CAIP_TRY(have, log_size(tx));
  if (size > have) return fail(Code::invalid, "the log is not that long");
  return merkle::inclusion_proof(index, size, node_reader(tx));
}

Result<std::vector<Digest>> Query::consistency(std::uint64_t from, std::uint64_t to) const {
  auto tx = ledger_.parts_->database.begin_read();
  CAIP_TRY(have, log_size(tx));
  if (to > have) return fail(Code::invalid, "the log is not that long");
  return merkle::consistency_proof(from, to, node_reader(tx));
}

Result<Proof> Query::prove(std::uint64_t index) const {
  auto tx = ledger_.parts_->database.begin_read();
  CAIP_TRY(note, newest_checkpoint(tx));
  CAIP_TRY(entry, read_entry(tx, index));
  if (!note || !entry) return fail(Code::not_found, "no such entry");
  CAIP_TRY(parsed, crypto::parse_note(*note));
  CAIP_TRY(checkpoint, crypto::parse_checkpoint_text(parsed.text));
  CAIP_TRY(hashes, merkle::inclusion_proof(index, checkpoint.size, node_reader(tx)));
  CAIP_TRY(full, ledger_.parts_->with_second(tx, *note));
  return Proof{std::move(entry->body), index, checkpoint.size, std::move(hashes), std::move(full)};
}

Result<Bytes> Query::tile(unsigned level, std::uint64_t index, unsigned width) const {
  auto tx = ledger_.parts_->database.begin_read();
  CAIP_TRY(size, log_size(tx));
  CAIP_CHECKED(check_tile(size, level, index, width));
  const auto read = node_reader(tx);
  Bytes out;
  for (unsigned i = 0; i < width; ++i) {
    CAIP_TRY(hash, read({level * kTileHeight, index * kTileWidth + i}));
    out.insert(out.end(), hash.begin(), hash.end());
  }
  return out;
}

Result<Bytes> Query::bundle(std::uint64_t index, unsigned width) const {
  auto tx = ledger_.parts_->database.begin_read();
  CAIP_TRY(size, log_size(tx));
  CAIP_CHECKED(check_tile(size, 0, index, width));
  Bytes out;
  const auto first = static_cast<std::int64_t>(index * kTileWidth);
  CAIP_CHECKED(tx.query("SELECT body FROM log_entries WHERE idx >= ?1 AND idx < ?2 ORDER BY idx", first,
                        first + static_cast<std::int64_t>(width), [&](const storage::Row& r) {
                          const auto body = r.text_view(0);
                          out.push_back(static_cast<std::uint8_t>(body.size() >> 8));
                          out.push_back(static_cast<std::uint8_t>(body.size() & 0xff));
                          out.insert(out.end(), body.begin(), body.end());
                        }));
  return out;
}

Result<Bytes> Query::public_key() const {
  auto tx = ledger_.parts_->database.begin_read();
  CAIP_TRY(key, key_at(tx, crypto::SuccessionKey::checkpoint));
  return key.value_or(Bytes());
}

Result<std::vector<Query::Handover>> Query::successions() const {
  std::vector<Handover> out;
  auto tx = ledger_.parts_->database.begin_read();
  std::optional<Error> damage;
  CAIP_CHECKED(tx.query("SELECT idx, key, old_key, public_key, statement FROM log_successions ORDER BY idx", [&](const storage::Row& r) {
    auto key = crypto::parse_succession_key(r.text_view(1));
    if (key) out.push_back({*key, r.blob(2), r.blob(3), static_cast<std::uint64_t>(r.integer(0)) + 1, r.text(4)});
    else damage = std::move(key).error();
  }));
  if (damage) return std::unexpected(*std::move(damage));
  return out;
}

Subscription Query::subscribe(std::function<void(const Growth&)> f) {
  const auto watchers = ledger_.parts_->watchers;
  std::scoped_lock lock(watchers->mutex);
  const auto place = watchers->all.insert(watchers->all.end(), std::move(f));
  return {nullptr, [watchers, place](std::nullptr_t) {
            std::scoped_lock again(watchers->mutex);
            watchers->all.erase(place);
          }};
}

}  // namespace caip::audit
