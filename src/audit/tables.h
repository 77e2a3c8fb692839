// audit/tables.h (private): the log's tables and how a tree node is read from them.
#pragma once
#include "crypto/merkle.h"
#include "crypto/succession.h"
#include "storage/tx.h"

namespace caip::audit {

// Every complete node from this level up is kept: a proof is then a few point reads at any size. Those below
// are made of the few leaves under them, which costs a read less than a row for nearly every entry.
inline constexpr unsigned kLowestKept = 4;

// A node that is not kept: the root over its leaves.
inline Result<Digest> node_from_leaves(storage::Reader& tx, merkle::NodeId id) {
  merkle::Frontier tree;
  std::optional<Error> bad;
  CAIP_CHECKED(tx.query("SELECT leaf FROM log_entries WHERE idx >= ?1 AND idx < ?2 ORDER BY idx", static_cast<std::int64_t>(id.index << id.level),
                        static_cast<std::int64_t>((id.index + 1) << id.level), [&](const storage::Row& r) {
                          if (auto leaf = r.digest(0)) tree.append(*leaf);
                          else bad = std::move(leaf).error();
                        }));
  if (bad) return std::unexpected(*std::move(bad));
  if (tree.size() != std::uint64_t{1} << id.level) return fail(Code::storage_failed, "an entry of the log is missing");
  return tree.root();
}

inline merkle::NodeReader node_reader(storage::Reader& tx) {
  return [&tx](merkle::NodeId id) -> Result<Digest> {
    if (id.level < kLowestKept) return node_from_leaves(tx, id);
    Result<Digest> out = fail(Code::storage_failed, "a node of the log is missing");
    CAIP_CHECKED(tx.query("SELECT hash FROM log_nodes WHERE level = ?1 AND idx = ?2", id.level, static_cast<std::int64_t>(id.index),
                          [&](const storage::Row& r) { out = r.digest(0); }));
    return out;
  };
}

inline Result<std::uint64_t> log_size(storage::Reader& tx) {
  CAIP_TRY(last, tx.one<std::int64_t>("SELECT idx FROM log_entries ORDER BY idx DESC LIMIT 1",
                                      [](const storage::Row& r) { return r.integer(0); }));
  return last ? static_cast<std::uint64_t>(*last) + 1 : 0;
}

inline Result<std::string> body_at(storage::Reader& tx, std::uint64_t index) {
  CAIP_TRY(body, tx.one<std::string>("SELECT body FROM log_entries WHERE idx = ?1", static_cast<std::int64_t>(index),
                                     [](const storage::Row& r) { return r.text(0); }));
  if (!body) return fail(Code::storage_failed, "an entry of the log is missing");
  return *std::move(body);
}

inline Result<std::optional<std::string>> newest_checkpoint(storage::Reader& tx) {
  return tx.one<std::string>("SELECT note FROM log_checkpoints ORDER BY size DESC LIMIT 1",
                             [](const storage::Row& r) { return r.text(0); });
}

inline constexpr std::int64_t kNow = std::int64_t{1} << 53;

// The public key of a kind that signs for a log of that size. Nothing: the log knows none yet (an
// order key is in it only when it is handed over).
inline Result<std::optional<Bytes>> key_at(storage::Reader& tx, crypto::SuccessionKey key, std::int64_t size = kNow) {
  const auto take = [](const storage::Row& r) { return r.blob(0); };
  CAIP_TRY(later, tx.one<Bytes>("SELECT public_key FROM log_successions WHERE key = ?1 AND idx < ?2 ORDER BY idx DESC LIMIT 1", crypto::text(key), size, take));
  if (later || key == crypto::SuccessionKey::order) return later;
  if (key == crypto::SuccessionKey::cosign) return tx.one<Bytes>("SELECT public_key FROM log_cosigner WHERE id = 1", take);
  return tx.one<Bytes>("SELECT public_key FROM log_key WHERE id = 1", take);
}

}  // namespace caip::audit
