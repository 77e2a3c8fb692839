#include "audit/verify.h"

#include <sqlite3.h>

#include <bit>
#include <memory>

#include "base/json.h"
#include "crypto/merkle.h"
#include "crypto/note.h"
#include "storage/database.h"

// This reads a file that someone may have tampered with, without the product's own Database:
// no lock, no migrations, nothing written, no trust in a type or a constraint of the schema.
namespace caip::audit {
namespace {

struct CloseDb { void operator()(sqlite3* d) const { sqlite3_close(d); } };
struct CloseStmt { void operator()(sqlite3_stmt* s) const { sqlite3_finalize(s); } };
using Db = std::unique_ptr<sqlite3, CloseDb>;
using Stmt = std::unique_ptr<sqlite3_stmt, CloseStmt>;

// A path as a URI: whatever is not plain is escaped.
std::string uri(const std::filesystem::path& file, bool immutable) {
  std::string out = "file:";
  for (char c : std::filesystem::absolute(file).string()) {
    if (c == '?' || c == '#' || c == '%') out += "%" + hex(view({&c, 1}));
    else out += c;
  }
  return out + (immutable ? "?immutable=1" : "?mode=ro");
}

Result<Db> open_file(const std::filesystem::path& file) {
  std::error_code ec;
  if (!std::filesystem::is_regular_file(file, ec)) return fail(Code::not_found, "there is no " + file.string());
  // Without a write-ahead log nothing but the file counts; immutable then also works on a
  // read-only medium. With one, SQLite needs its shared-memory file to read it.
  const auto wal = std::filesystem::file_size(file.string() + "-wal", ec);
  const bool immutable = ec || wal == 0;
  sqlite3* raw = nullptr;
  const int rc = sqlite3_open_v2(uri(file, immutable).c_str(), &raw, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, nullptr);
  Db db(raw);
  if (rc != SQLITE_OK) return fail(Code::storage_failed, "cannot open " + file.string() + ": " + sqlite3_errstr(rc));
  sqlite3_busy_timeout(raw, 5000);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  if (sqlite3_exec(raw, "PRAGMA cell_size_check=ON; BEGIN", nullptr, nullptr, nullptr) != SQLITE_OK)  // one snapshot
    return fail(Code::storage_failed, file.string() + ": " + sqlite3_errmsg(raw));
  return db;
}

std::string_view bytes_at(sqlite3_stmt* s, int column) {
  const auto* p = static_cast<const char*>(sqlite3_column_blob(s, column));
  const auto n = static_cast<std::size_t>(sqlite3_column_bytes(s, column));
  return p == nullptr ? std::string_view{} : std::string_view(p, n);
}

std::string entry_name(std::uint64_t index) { return "entry " + std::to_string(index); }

class Check {
 public:
  Check(Db db, const std::optional<std::string>& old) : db_(std::move(db)), old_(old) {}

  Result<Report> run() {
    CAIP_CHECKED(read_key());
    if (old_) {
      auto opened = crypto::open_checkpoint(*old_, key_);
      if (!opened) return found({}, "the given checkpoint: " + opened.error().detail);
      older_ = *opened;
    }
    entries();
    if (!report_.broken) nodes_left();
    if (!report_.broken) checkpoint();
    if (!report_.broken) old_checkpoint();
    return std::move(report_);
  }

 private:
  Result<Stmt> prepare(storage::Sql sql) {
    sqlite3_stmt* s = nullptr;
    const auto text = sql.text();
    if (sqlite3_prepare_v2(db_.get(), text.data(), static_cast<int>(text.size()), &s, nullptr) != SQLITE_OK)
      return fail(Code::storage_failed, std::string("not a database of this product: ") + sqlite3_errmsg(db_.get()));
    return Stmt(s);
  }

  Report found(std::optional<std::uint64_t> index, std::string what) {
    if (!report_.broken) report_.broken = Finding{index, std::move(what)};
    return report_;
  }

  Result<void> read_key() {
    CAIP_TRY(s, prepare("SELECT public_key FROM log_key WHERE id = 1 AND origin = 'cloudaipilot.local/log'"));
    if (sqlite3_step(s.get()) == SQLITE_ROW) {
      const auto k = view(bytes_at(s.get(), 0));
      key_.assign(k.begin(), k.end());
    }
    if (key_.size() != 32) found({}, "the log's public key is missing");
    return {};
  }

  // Every entry in order: its place, its bytes, and each node of the tree that it completes.
  void entries() {
    auto rows = prepare("SELECT idx, body, leaf FROM log_entries ORDER BY idx");
    if (!rows) return void(found({}, rows.error().detail));
    sqlite3_stmt* s = rows->get();
    int rc = SQLITE_OK;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
      const std::uint64_t index = tree_.size();
      if (sqlite3_column_int64(s, 0) != static_cast<std::int64_t>(index))
        return void(found(index, entry_name(index) + " is missing"));
      const Digest leaf = merkle::leaf_hash(view(bytes_at(s, 1)));
      if (sqlite3_column_type(s, 1) != SQLITE_TEXT || !same(bytes_at(s, 2), leaf))
        return void(found(index, entry_name(index) + ": its bytes are not what was logged"));
      for (const auto& made : tree_.append(leaf))
        if (!node_holds(made)) return node_broken(index, made.id);
      if (older_ && older_->size == tree_.size()) root_then_ = tree_.root();
      ++report_.entries;
    }
    if (rc != SQLITE_DONE)
      found(tree_.size(), entry_name(tree_.size()) + " cannot be read: " + sqlite3_errmsg(db_.get()));
    report_.root = tree_.root();
  }

  static bool same(std::string_view bytes, const Digest& d) { return bytes == text_of(d); }

  // Nodes of a level are made in the order of their index, so one cursor a level reads each once.
  bool node_holds(const merkle::Frontier::Made& made) {
    while (levels_.size() < made.id.level) {
      auto s = prepare("SELECT idx, hash FROM log_nodes WHERE level = ?1 ORDER BY idx");
      if (!s) return false;
      levels_.push_back(*std::move(s));
      sqlite3_bind_int64(levels_.back().get(), 1, static_cast<sqlite3_int64>(levels_.size()));
    }
    sqlite3_stmt* s = levels_[made.id.level - 1].get();
    return sqlite3_step(s) == SQLITE_ROW && sqlite3_column_int64(s, 0) == static_cast<sqlite3_int64>(made.id.index) &&
           same(bytes_at(s, 1), made.hash);
  }

  // An entry was changed together with its leaf hash, or the node was. The signed checkpoints
  // say where the history stops to hold.
  void node_broken(std::uint64_t index, merkle::NodeId id) {
    const std::uint64_t first = id.index << id.level;
    if (const auto where = first_unsigned()) return;
    found(first, "entries " + std::to_string(first) + " to " + std::to_string(index) + ": the tree above them is not what was built");
  }

  // Walks the tree again beside every stored checkpoint; reports the first that does not fit.
  std::optional<std::uint64_t> first_unsigned() {
    auto rows = prepare("SELECT idx, body FROM log_entries ORDER BY idx");
    auto notes = prepare("SELECT size, note FROM log_checkpoints ORDER BY size");
    if (!rows || !notes) return std::nullopt;
    merkle::Frontier tree;
    std::uint64_t held = 0;
    while (sqlite3_step(notes->get()) == SQLITE_ROW) {
      const auto size = static_cast<std::uint64_t>(sqlite3_column_int64(notes->get(), 0));
      while (tree.size() < size && sqlite3_step(rows->get()) == SQLITE_ROW)
        static_cast<void>(tree.append(merkle::leaf_hash(view(bytes_at(rows->get(), 1)))));
      const auto note = crypto::parse_note(bytes_at(notes->get(), 1));
      const auto checkpoint = note ? crypto::parse_checkpoint_text(note->text) : Result<crypto::Checkpoint>(fail(Code::malformed));
      if (!checkpoint || checkpoint->size != size || checkpoint->root != tree.root()) {
        found(held, entry_name(held) + (size > held + 1 ? " or one up to " + std::to_string(size - 1) : std::string()) +
                        ": not what the signed checkpoint over " + std::to_string(size) + " entries says");
        return held;
      }
      held = size;
    }
    return std::nullopt;
  }

  void nodes_left() {  // none beyond the tree
    auto s = prepare("SELECT count(*) FROM log_nodes");
    const std::uint64_t wanted = tree_.size() - static_cast<std::uint64_t>(std::popcount(tree_.size()));
    if (!s || sqlite3_step(s->get()) != SQLITE_ROW || static_cast<std::uint64_t>(sqlite3_column_int64(s->get(), 0)) != wanted)
      found(tree_.size(), entry_name(tree_.size()) + " is missing: the tree was larger");
  }

  void checkpoint() {
    auto s = prepare("SELECT note FROM log_checkpoints ORDER BY size DESC LIMIT 1");
    if (!s) return void(found({}, s.error().detail));
    if (sqlite3_step(s->get()) != SQLITE_ROW) {
      if (tree_.size() != 0) found({}, "there is no signed checkpoint");
      return;
    }
    report_.checkpoint = std::string(bytes_at(s->get(), 0));
    const auto newest = crypto::open_checkpoint(report_.checkpoint, key_);
    if (!newest) return void(found({}, "the newest checkpoint: " + newest.error().detail));
    if (newest->size > tree_.size()) return void(found(tree_.size(), entry_name(tree_.size()) + " is missing: the log was cut"));
    if (newest->size < tree_.size()) return void(found(newest->size, entry_name(newest->size) + ": no signed checkpoint covers it"));
    if (newest->root == tree_.root()) return;
    if (!first_unsigned()) found({}, "the tree is not what the newest signed checkpoint says");
  }

  void old_checkpoint() {
    if (!older_) return;
    if (older_->size == 0) root_then_ = merkle::empty_root();
    if (older_->size > tree_.size())
      return void(found(tree_.size(), entry_name(tree_.size()) + " is missing: the given checkpoint covers " + std::to_string(older_->size) + " entries"));
    if (root_then_ == older_->root) return;
    if (!first_unsigned()) found({}, "the first " + std::to_string(older_->size) + " entries are not what the given checkpoint says: the log was rewritten");
  }

  Db db_;
  const std::optional<std::string>& old_;
  std::optional<crypto::Checkpoint> older_;
  std::optional<Digest> root_then_;
  Bytes key_;
  merkle::Frontier tree_;
  std::vector<Stmt> levels_;  // after db_: closed before it
  Report report_;
};

}  // namespace

Result<Report> verify_data_dir(const std::filesystem::path& data, const std::optional<std::string>& old_checkpoint) {
  CAIP_TRY(db, open_file(data / storage::kDatabaseFile));
  return Check(std::move(db), old_checkpoint).run();
}

}  // namespace caip::audit
