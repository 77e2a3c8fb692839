// The log in a data directory.
#include <algorithm>
#include <atomic>
#include <fstream>
#include <map>
#include <thread>

#include "base/bytes.h"
#include "base/time.h"
#include "chain.h"
#include "chunk.h"
#include "note.h"

namespace caip::verifier {
namespace {

constexpr const char* kFile = "caip.db";
constexpr std::string_view kKeysFile = "log.keys";
constexpr std::size_t kThreads = 2;
constexpr int kMostCosigned = 200;  // newest checkpoints whose cosignatures are all verified
constexpr Duration kTolerance = std::chrono::minutes(5);
constexpr Duration kUnsigned = std::chrono::minutes(5);  // the second signature comes each second; a process that was killed gives it at its next start
constexpr std::string_view kWitness = "cloudaipilot.local/witness/";

class Check {
 public:
  Check(std::filesystem::path file, Database db, const std::optional<std::string>& kept) : file_(std::move(file)), db_(std::move(db)), kept_text_(kept) {}

  Result<Report> run() {
    if (!keys() || !successions() || !known_outside() || !kept()) return std::move(report_);
    CAIP_CHECKED(entries());
    if (!report_.broken) said_in_entries();
    if (!report_.broken) nodes_above();
    if (!report_.broken) newest();
    if (!report_.broken) kept_holds();
    if (!report_.broken) cosigned();
    if (!report_.broken) second_covers();
    return std::move(report_);
  }

 private:
  bool found(std::optional<std::uint64_t> index, std::string what) {
    if (!report_.broken) report_.broken = Finding{index, std::move(what)};
    return false;
  }

  std::string one(const char* sql) {
    Statement s(db_.get(), sql);
    return s.step() ? std::string(s.bytes(0)) : std::string();
  }

  bool keys() {
    const std::string first = one("SELECT public_key FROM log_key WHERE id = 1 AND origin = 'cloudaipilot.local/log'");
    const std::string second = one("SELECT public_key FROM log_cosigner WHERE id = 1");
    if (first.size() != 32) return found({}, "the log's public key is missing");
    chain_.emplace(Key{std::string(kOrigin), KeyType::ed25519, Bytes(first.begin(), first.end())});
    if (second.empty()) return true;  // a log without a second key
    if (second.size() != 1312) return found({}, "the log's second public key is not one");
    second_.emplace(Key{std::string(kOrigin), KeyType::mldsa44_cosigner, Bytes(second.begin(), second.end())});
    return true;
  }

  // From the first keys to those of today. Each step is signed by the key before it, so the table is
  // believed for now; that the entries say the same is looked at with them.
  bool successions() {
    Statement s(db_.get(), "SELECT idx, statement, key, public_key FROM log_successions ORDER BY idx");
    while (s.step()) {
      const std::uint64_t index = s.number(0);
      const auto h = read_handover(s.bytes(1));
      if (!h || h->size != index + 1) return found(index, entry_name(index) + ": a key's handing over that is not signed by both keys, or not for this place");
      if (s.bytes(2) != h->kind || s.bytes(3) != text_of(h->new_key)) return found(index, entry_name(index) + ": another key stands beside what it hands over to");
      if (!follow(*h)) return found(index, entry_name(index) + ": the key that hands over is not the one in use");
      handovers_.push_back({index, std::string(s.bytes(1))});
    }
    return true;
  }

  bool follow(const Handover& h) {
    if (h.kind == "checkpoint") return chain_->follow(h);
    if (h.kind == "cosign") return second_ && second_->follow(h);
    const bool next = order_key_.empty() || order_key_ == h.old_key;  // the first one is not in the log
    order_key_ = h.new_key;
    return next;
  }

  void said_in_entries() {
    for (std::size_t i = 0; i < std::max(handovers_.size(), said_.size()); ++i) {
      if (i < handovers_.size() && i < said_.size() && handovers_[i].index == said_[i].index && handovers_[i].statement == said_[i].statement) continue;
      const std::uint64_t index = i < said_.size() && (i >= handovers_.size() || said_[i].index < handovers_[i].index) ? said_[i].index : handovers_[i].index;
      return void(found(index, entry_name(index) + ": what it says of a new key is not what the log went by"));
    }
  }

  // Whoever can write the database can put keys of their own into it and sign everything anew.
  bool known_outside() {
    const auto path = file_.parent_path() / kKeysFile;
    std::error_code ignored;
    const bool there = std::filesystem::symlink_status(path, ignored).type() != std::filesystem::file_type::not_found;
    std::ifstream file(path);
    if (!file && there) return found({}, std::string(kKeysFile) + " is beside the database and cannot be read");
    if (!file) return true;
    std::string ed25519, mldsa44;
    std::getline(file, ed25519);
    std::getline(file, mldsa44);
    // One of an earlier generation is as good: what came later is signed by it.
    const auto known = [](const std::string& line, std::string_view name, const std::optional<Chain>& chain) {
      const auto key = line.starts_with(name) ? from_hex(std::string_view(line).substr(name.size())) : std::nullopt;
      return key && (chain ? chain->has(text_of(*key)) : key->empty());
    };
    if (!known(ed25519, "ed25519 ", chain_) || !known(mldsa44, "ml-dsa-44 ", second_))
      return found({}, "the database has other keys than " + std::string(kKeysFile) + " beside it: the log was signed anew");
    report_.anchored = true;
    return true;
  }

  bool kept() {
    if (!kept_text_) return true;
    kept_ = read_checkpoint(*kept_text_);
    if (!kept_) return found({}, "the given checkpoint is not one");
    if (check(*kept_, chain_->at(kept_->size)).is != Signed::yes) return found({}, "the given checkpoint is not signed by the key of this log: it is another log, or was signed anew");
    report_.anchored = true;
    return true;
  }

  // Every entry and every node within a chunk, by two threads, each with a connection of its own;
  // then what joins the chunks.
  Result<void> entries() {
    const std::uint64_t size = size_of_log();
    std::vector<Chunk> chunks((size + kChunk - 1) / kChunk);
    std::atomic<std::size_t> next = 0;
    std::atomic<bool> failed = false;
    const auto work = [&](sqlite3* db) {
      ChunkReader reader(db);
      for (std::size_t i = next++; i < chunks.size(); i = next++) chunks[i] = reader.read(i * kChunk, std::min(kChunk, size - i * kChunk));
    };
    std::vector<std::jthread> others;
    for (std::size_t t = 1; t < kThreads && chunks.size() > 1; ++t)
      others.emplace_back([&] {
        auto db = open_database(file_);
        if (db) work(db->get());
        else failed = true;  // the other threads do its share
      });
    work(db_.get());
    others.clear();
    static_cast<void>(failed);
    join(chunks);
    report_.entries = report_.size = tree_.size();
    report_.root = hex(tree_.root());
    return {};
  }

  std::uint64_t size_of_log() {
    Statement s(db_.get(), "SELECT idx FROM log_entries ORDER BY idx DESC LIMIT 1");
    return s.step() ? s.number(0) + 1 : 0;
  }

  void join(const std::vector<Chunk>& chunks) {
    Statement above(db_.get(), "SELECT hash FROM log_nodes WHERE level = ?1 AND idx = ?2");
    for (const Chunk& c : chunks) {
      if (c.broken) {
        if (c.broken->what.starts_with("entries ")) where_it_stops(*c.broken);
        else report_.broken = c.broken;
        break;
      }
      history_.join(c.history);
      said_.insert(said_.end(), c.handovers.begin(), c.handovers.end());
      for (const auto& w : c.witnesses) witnesses_[w.server].push_back(w.key);
      for (const auto& [level, hash] : c.parts)
        tree_.push(level, hash, [&](unsigned l, std::uint64_t i, const Digest& d) {
          if (report_.broken || l < kLowestKept) return;
          above.reset();
          above.bind(1, l);
          above.bind(2, i);
          if (!above.step() || above.bytes(0) != text_of(d))
            where_it_stops({i << l, "entries " + std::to_string(i << l) + " to " + std::to_string(((i + 1) << l) - 1) + ": the tree above them is not what was built"});
        });
      if (report_.broken) break;
    }
    history_.finish();
    const auto& order = history_.broken();
    if (order && (!report_.broken || (order->index && report_.broken->index && *order->index < *report_.broken->index))) report_.broken = order;
  }

  void nodes_above() {  // none beyond the tree
    Statement s(db_.get(), "SELECT count(*) FROM log_nodes WHERE level >= ?1");
    s.bind(1, kLowestKept);
    const std::uint64_t size = tree_.size(), lowest = size >> kLowestKept;  // of which all above are made
    if (!s.step() || s.number(0) != 2 * lowest - static_cast<std::uint64_t>(std::popcount(lowest)))
      found(size, entry_name(size) + " is missing: the tree was larger");
  }

  void newest() {
    report_.checkpoint = one("SELECT note FROM log_checkpoints ORDER BY size DESC LIMIT 1");
    if (report_.checkpoint.empty()) {
      if (tree_.size() != 0) found({}, "there is no signed checkpoint");
      return;
    }
    const auto c = read_checkpoint(report_.checkpoint);
    if (!c || check(*c, chain_->at(c->size)).is != Signed::yes) return void(found({}, "the newest checkpoint is not signed by the key of this log"));
    if (c->size > tree_.size()) return void(found(tree_.size(), entry_name(tree_.size()) + " is missing: the log was cut"));
    if (c->size < tree_.size()) return void(found(c->size, entry_name(c->size) + ": no signed checkpoint covers it"));
    if (c->root != tree_.root()) where_it_stops({std::nullopt, "the tree is not what the newest signed checkpoint says"});
  }

  // Walks the tree again beside every stored checkpoint: the first that does not fit says where.
  void where_it_stops(Finding otherwise) {
    Statement rows(db_.get(), "SELECT idx, body FROM log_entries ORDER BY idx");
    Statement notes(db_.get(), "SELECT size, note FROM log_checkpoints ORDER BY size");
    Stack tree;
    std::uint64_t held = 0;
    while (notes.step()) {
      const std::uint64_t size = notes.number(0);
      while (tree.size() < size && rows.step()) tree.push(0, leaf_of(view(rows.bytes(1))));
      const auto c = read_checkpoint(notes.bytes(1));
      if (!c || c->size != size || c->root != tree.root()) {
        found(held, entry_name(held) + (size > held + 1 ? " or one up to " + std::to_string(size - 1) : std::string()) +
                        ": not what the signed checkpoint over " + std::to_string(size) + " entries says");
        return;
      }
      held = size;
    }
    found(otherwise.index, std::move(otherwise.what));
  }

  // The root at an earlier size, from nodes that were all checked.
  std::optional<Digest> root_at(std::uint64_t size) {
    if (size > tree_.size()) return std::nullopt;
    Statement leaf(db_.get(), "SELECT leaf FROM log_entries WHERE idx = ?1"), node(db_.get(), "SELECT hash FROM log_nodes WHERE level = ?1 AND idx = ?2");
    Stack tree;
    for (std::uint64_t at = 0; at < size;) {
      auto level = static_cast<unsigned>(std::bit_width(size - at)) - 1;
      if (level < kLowestKept) level = 0;
      Statement& s = level == 0 ? leaf : node;
      s.reset();
      if (level == 0) s.bind(1, at);
      else s.bind(1, level), s.bind(2, at >> level);
      Digest d{};
      if (!s.step() || s.bytes(0).size() != d.size()) return std::nullopt;
      std::ranges::copy(view(s.bytes(0)), d.begin());
      tree.push(level, d);
      at += std::uint64_t{1} << level;
    }
    return tree.root();
  }

  void kept_holds() {
    if (!kept_) return;
    if (kept_->size > tree_.size())
      return void(found(tree_.size(), entry_name(tree_.size()) + " is missing: the given checkpoint covers " + std::to_string(kept_->size) + " entries"));
    if (root_at(kept_->size) == kept_->root) return;
    where_it_stops({std::nullopt, "the first " + std::to_string(kept_->size) + " entries are not what the given checkpoint says: the log was rewritten"});
  }

  // Cosignatures: the log's own second one, and those of the witnesses that the log enrolled. Each
  // must be over this tree, and its time fit those of the entries on both sides of it.
  void cosigned() {
    Statement sizes(db_.get(), "SELECT DISTINCT size FROM log_cosignatures ORDER BY size DESC LIMIT 200");
    if (!sizes) return;  // a log from before there were any
    for (int n = 0; n < kMostCosigned && !report_.broken && sizes.step(); ++n) cosigned_at(sizes.number(0), n == 0);
  }

  void cosigned_at(std::uint64_t size, bool newest) {
    Statement note(db_.get(), "SELECT note FROM log_checkpoints WHERE size = ?1"), lines(db_.get(), "SELECT line FROM log_cosignatures WHERE size = ?1");
    note.bind(1, size);
    lines.bind(1, size);
    if (!note.step()) return void(found({}, "the checkpoint over " + std::to_string(size) + " entries is missing, and its cosignatures are there"));
    std::string text(note.bytes(0));
    while (lines.step()) text += lines.bytes(0);
    const auto c = read_checkpoint(text);
    const std::string name = "the checkpoint over " + std::to_string(size) + " entries";
    if (!c || c->size != size || check(*c, chain_->at(size)).is != Signed::yes) return void(found({}, name + " is not a signed one"));
    if (root_at(size) != c->root) return void(where_it_stops({std::nullopt, name + " was cosigned, and is not over this log"}));
    if (second_ && second_->signs(*c)) second_upto_ = std::max(second_upto_, size);
    if (second_ && second_->wrong(*c)) return void(found({}, name + ": the log's second signature is wrong"));
    for (const auto& line : c->lines) {
      if (!line.name.starts_with(kWitness)) continue;
      const auto seconds = by_witness(*c, line.name);
      if (!seconds) return void(found({}, name + ": a cosignature of " + line.name + " is wrong, or of no server that was enrolled"));
      if (!fits(size, *seconds)) return void(found(size, name + ": a witness signed it at a time that the entries around it contradict"));
      ++report_.cosignatures;
    }
    if (newest && size == tree_.size()) report_.checkpoint = text;
  }

  // Whoever has the first key alone can sign a log of their own, and not its second signature.
  void second_covers() {
    if (!second_ || second_upto_ >= tree_.size()) return;
    const auto first = Instant::parse(time_of(second_upto_)), last = Instant::parse(time_of(tree_.size() - 1));
    if (!first || !last || *last - *first > kUnsigned)
      found(second_upto_, entry_name(second_upto_) + " and what comes after it are older than the log's second signature takes, and it does not cover them");
  }

  std::optional<std::uint64_t> by_witness(const Checkpoint& c, const std::string& name) const {
    const auto keys = witnesses_.find(name.substr(kWitness.size()));
    if (keys == witnesses_.end()) return std::nullopt;
    for (const auto& text : keys->second) {
      const auto bytes = from_hex(text);
      if (!bytes || bytes->size() != 32) continue;
      const auto v = check(c, {name, KeyType::ed25519_cosigner, *bytes});
      if (v.is == Signed::yes) return v.seconds;
    }
    return std::nullopt;
  }

  // Entries below the size were there at that time; the one at it was not written long before.
  bool fits(std::uint64_t size, std::uint64_t seconds) {
    if (seconds > 32'503'680'000) return false;  // the year 3000
    const Instant at(static_cast<std::int64_t>(seconds) * 1'000'000);
    const std::string before = size > 0 ? time_of(size - 1) : std::string(), after = time_of(size);
    return (before.empty() || before <= (at + kTolerance).str()) && (after.empty() || after >= (at + -kTolerance).str());
  }

  std::string time_of(std::uint64_t index) {
    Statement s(db_.get(), "SELECT body FROM log_entries WHERE idx = ?1");
    s.bind(1, index);
    if (!s.step()) return {};
    const auto e = scan_entry(s.bytes(0));
    return e ? std::string(e->at) : std::string();
  }

  const std::filesystem::path file_;
  Database db_;
  const std::optional<std::string>& kept_text_;
  std::optional<Checkpoint> kept_;
  std::optional<Chain> chain_, second_;
  std::vector<Said> handovers_, said_;  // by the table, and by the entries
  Bytes order_key_;
  std::uint64_t second_upto_ = 0;  // the largest checkpoint that has the log's second signature
  Stack tree_;
  History history_;
  std::map<std::string, std::vector<std::string>> witnesses_;  // server -> keys it had
  Report report_;
};

}  // namespace

Result<Report> verify_data_dir(const std::filesystem::path& data, const std::optional<std::string>& kept) {
  const auto file = data / kFile;
  CAIP_TRY(db, open_database(file));
  return Check(file, std::move(db), kept).run();
}

}  // namespace caip::verifier
