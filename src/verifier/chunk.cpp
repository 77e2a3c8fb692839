#include "chunk.h"

#include "chain.h"

namespace caip::verifier {

ChunkReader::ChunkReader(sqlite3* db)
    : entries_(db, "SELECT idx, body, leaf FROM log_entries WHERE idx >= ?1 AND idx < ?2 ORDER BY idx"),
      nodes_(db, "SELECT idx, hash FROM log_nodes WHERE level = ?1 AND idx >= ?2 AND idx < ?3 ORDER BY idx") {}

Chunk ChunkReader::read(std::uint64_t from, std::uint64_t count) {
  Chunk out;
  const auto broken = [&](std::uint64_t index, std::string what) {
    if (!out.broken) out.broken = Finding{index, entry_name(index) + std::move(what)};
  };
  std::vector<Digest> level;
  level.reserve(count);
  entries_.reset();
  entries_.bind(1, from);
  entries_.bind(2, from + count);
  while (!out.broken && entries_.step()) {
    const std::uint64_t index = from + level.size();
    if (entries_.number(0) != index) {
      broken(index, " is missing");
      break;
    }
    const auto body = entries_.bytes(1);
    const Digest leaf = leaf_of(view(body));
    if (!entries_.is_text(1) || entries_.bytes(2) != text_of(leaf)) broken(index, ": its bytes are not what was logged");
    else if (const auto e = scan_entry(body); !e) broken(index, ": it is not what the log writes");
    else {
      out.history.see(index, *e);
      if (const auto statement = handover_in(e->action, e->detail); !statement.empty()) out.handovers.push_back({index, std::string(statement)});
      if (e->action == "server.enrol" && e->result == "completed")
        out.witnesses.push_back({std::string(text_member(e->params, "server")), std::string(text_member(e->detail, "witness"))});
    }
    level.push_back(leaf);
  }
  if (!out.broken && level.size() < count) broken(from + level.size(), entries_.ended() ? " is missing" : " cannot be read");
  if (out.broken) return out;
  // Level by level: what stands in the table must be what these entries make.
  for (unsigned l = 0;; ++l) {
    if (level.size() % 2 == 1) out.parts.insert(out.parts.begin(), {l, level.back()});
    const std::size_t pairs = level.size() / 2;
    if (pairs == 0) break;
    for (std::size_t i = 0; i < pairs; ++i) level[i] = parent_of(level[2 * i], level[2 * i + 1]);
    level.resize(pairs);
    if (l + 1 < kLowestKept) continue;
    const std::uint64_t first = from >> (l + 1);
    nodes_.reset();
    nodes_.bind(1, l + 1);
    nodes_.bind(2, first);
    nodes_.bind(3, first + pairs);
    for (std::size_t i = 0; i < pairs; ++i) {
      if (nodes_.step() && nodes_.number(0) == first + i && nodes_.bytes(1) == text_of(level[i])) continue;
      const std::uint64_t begin = (first + i) << (l + 1);
      out.broken = Finding{begin, "entries " + std::to_string(begin) + " to " + std::to_string(begin + (std::uint64_t{2} << l) - 1) +
                                      ": the tree above them is not what was built"};
      return out;
    }
  }
  return out;
}

}  // namespace caip::verifier
