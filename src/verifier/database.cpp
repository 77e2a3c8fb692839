#include "database.h"

namespace caip::verifier {
namespace {

// A path as a URI: whatever is not plain is escaped.
std::string uri(const std::filesystem::path& file, bool immutable) {
  std::string out = "file:";
  for (char c : std::filesystem::absolute(file).string()) {
    if (c == '?' || c == '#' || c == '%') out += "%" + hex(view({&c, 1}));
    else out += c;
  }
  return out + (immutable ? "?immutable=1" : "?mode=ro");
}

}  // namespace

Result<Database> open_database(const std::filesystem::path& file) {
  std::error_code ec;
  if (!std::filesystem::is_regular_file(file, ec)) return fail(Code::not_found, "there is no " + file.string());
  // Without a write-ahead log nothing but the file counts; immutable then also works on a
  // read-only medium. With one, SQLite needs its shared-memory file to read it.
  const auto wal = std::filesystem::file_size(file.string() + "-wal", ec);
  const bool immutable = ec || wal == 0;
  sqlite3* raw = nullptr;
  const int rc = sqlite3_open_v2(uri(file, immutable).c_str(), &raw, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, nullptr);
  Database db(raw);
  if (rc != SQLITE_OK) return fail(Code::storage_failed, "cannot open " + file.string() + ": " + sqlite3_errstr(rc));
  sqlite3_busy_timeout(raw, 5000);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  // One snapshot: it begins with the first read.
  if (sqlite3_exec(raw, "PRAGMA cell_size_check=ON; PRAGMA mmap_size=4294967296; BEGIN; SELECT count(*) FROM sqlite_schema", nullptr, nullptr, nullptr) != SQLITE_OK)
    return fail(Code::storage_failed, file.string() + ": " + sqlite3_errmsg(raw));
  return db;
}

}  // namespace caip::verifier
