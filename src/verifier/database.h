// verifier/database.h (private): a database file that someone may have tampered with, read without
// the product's own storage: no lock, no migrations, nothing written, no trust in its schema.
#pragma once
#include <sqlite3.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace caip::verifier {

class Statement {
 public:
  // Borrowed SQL: a literal.
  Statement(sqlite3* db, const char* sql) {
    sqlite3_stmt* s = nullptr;
    if (sqlite3_prepare_v2(db, sql, -1, &s, nullptr) == SQLITE_OK) stmt_.reset(s);
  }
  explicit operator bool() const { return stmt_ != nullptr; }
  void bind(int place, std::uint64_t v) { sqlite3_bind_int64(stmt_.get(), place, static_cast<sqlite3_int64>(v)); }
  bool step() { return stmt_ && (code_ = sqlite3_step(stmt_.get())) == SQLITE_ROW; }
  bool ended() const { return code_ == SQLITE_DONE; }  // not with an error
  void reset() { sqlite3_reset(stmt_.get()); }
  std::uint64_t number(int column) const { return static_cast<std::uint64_t>(sqlite3_column_int64(stmt_.get(), column)); }
  bool is_text(int column) const { return sqlite3_column_type(stmt_.get(), column) == SQLITE_TEXT; }
  std::string_view bytes(int column) const {
    const auto* p = static_cast<const char*>(sqlite3_column_blob(stmt_.get(), column));
    const auto n = static_cast<std::size_t>(sqlite3_column_bytes(stmt_.get(), column));
    return p == nullptr ? std::string_view{} : std::string_view(p, n);
  }

 private:
  struct Close {
    void operator()(sqlite3_stmt* s) const { sqlite3_finalize(s); }
  };
  std::unique_ptr<sqlite3_stmt, Close> stmt_;
  int code_ = SQLITE_OK;
};

struct CloseDatabase {
  void operator()(sqlite3* d) const { sqlite3_close(d); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;

Result<Database> open_database(const std::filesystem::path& file);  // in one snapshot

}  // namespace caip::verifier
