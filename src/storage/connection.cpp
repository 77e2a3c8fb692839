#include "connection.h"

#include <sqlite3.h>

#include <cerrno>
#include <cstring>

#include "base/log.h"

namespace caip::storage {
namespace {

constexpr int kBusyMs = 5000;

bool log_table(const char* name) { return name != nullptr && std::strncmp(name, "log_", 4) == 0; }

int bind_one(sqlite3_stmt* s, int i, const Param& p) {
  struct Bind {
    sqlite3_stmt* s;
    int i;
    int operator()(std::monostate) const { return sqlite3_bind_null(s, i); }
    int operator()(std::int64_t v) const { return sqlite3_bind_int64(s, i, v); }
    int operator()(double v) const { return sqlite3_bind_double(s, i, v); }
    int operator()(std::string_view v) const {  // a null pointer would bind NULL
      return sqlite3_bind_text64(s, i, v.data() ? v.data() : "", v.size(), SQLITE_STATIC, SQLITE_UTF8);
    }
    int operator()(const std::string& v) const { return (*this)(std::string_view(v)); }
    int operator()(BytesView v) const {
      if (v.empty()) return sqlite3_bind_zeroblob(s, i, 0);
      return sqlite3_bind_blob64(s, i, v.data(), v.size(), SQLITE_STATIC);
    }
  };
  return std::visit(Bind{s, i}, p.value());
}

}  // namespace

void Connection::Finalize::operator()(sqlite3_stmt* s) const { sqlite3_finalize(s); }

Connection::~Connection() {
  for (auto& m : statements_) m.clear();
  sqlite3_close(db_);
}

Error Connection::error(std::string_view doing) const {
  const int code = sqlite3_extended_errcode(db_);
  if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY)
    return {Code::conflict, "it exists already"};
  log::error("database error", {{"doing", doing}, {"sqlite", std::string_view(sqlite3_errmsg(db_))}});
  // What the people who run this have to do something about gets a code of its own.
  if ((code & 0xff) == SQLITE_FULL) return {Code::storage_full, "no room is left on the disk of the database; nothing was changed"};
  const int system = sqlite3_system_errno(db_);
  if ((code & 0xff) == SQLITE_READONLY || ((code & 0xff) == SQLITE_IOERR && system == EROFS))
    return {Code::storage_read_only, "the file system of the database takes no writes; nothing was changed"};
  return {Code::storage_failed, std::string(doing) + ": " + sqlite3_errmsg(db_)};
}

// The run-time backstop of the log: whatever SQL is written elsewhere, no statement of this
// program changes or removes a log row, and only the ledger's add one.
int Connection::authorize(void* self, int action, const char* a, const char*, const char*, const char*) {
  const auto& c = *static_cast<const Connection*>(self);
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_FUNCTION:
    case SQLITE_RECURSIVE:
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT: return SQLITE_OK;
    case SQLITE_UPDATE:
    case SQLITE_DELETE:
      if (!c.sealed_) return SQLITE_OK;  // a migration: an index of the log may be built anew, DROP TABLE asks this too
      return log_table(a) || c.rights_ == Rights::log ? SQLITE_DENY : SQLITE_OK;
    case SQLITE_INSERT: return log_table(a) == (c.rights_ == Rights::log) || !c.sealed_ ? SQLITE_OK : SQLITE_DENY;
    default: return c.sealed_ ? SQLITE_DENY : SQLITE_OK;
  }
}

Result<std::unique_ptr<Connection>> Connection::open(const std::filesystem::path& file, Mode mode) {
  sqlite3* db = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                    (mode == Mode::write ? SQLITE_OPEN_CREATE : 0);
  const int rc = sqlite3_open_v2(file.c_str(), &db, flags, nullptr);
  std::unique_ptr<Connection> c(new Connection(db));
  if (rc != SQLITE_OK) return fail(Code::storage_failed, "cannot open " + file.string() + ": " + sqlite3_errstr(rc));
  sqlite3_busy_timeout(db, kBusyMs);
  sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
  sqlite3_set_authorizer(db, &Connection::authorize, c.get());
  CAIP_CHECKED(c->script("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
                         "PRAGMA recursive_triggers=ON; PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY;"
                         "PRAGMA secure_delete=ON;"));  // what was let go is not in a free page
  CAIP_CHECKED(c->script(mode == Mode::read ? "PRAGMA query_only=ON;" : "PRAGMA wal_autocheckpoint=2000;"));
  if (mode == Mode::read) c->seal_schema();
  return c;
}

Result<sqlite3_stmt*> Connection::prepared(Rights rights, std::string_view sql) {
  auto& slot = statements_[static_cast<std::size_t>(rights)][sql.data()];
  if (!slot) {
    rights_ = rights;
    sqlite3_stmt* s = nullptr;
    const int rc = sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &s, nullptr);
    slot.reset(s);
    if (rc != SQLITE_OK || s == nullptr) {
      Error e = error("prepare");
      statements_[static_cast<std::size_t>(rights)].erase(sql.data());
      if (rc == SQLITE_AUTH) e.code = Code::forbidden;
      return std::unexpected(std::move(e));
    }
  }
  return slot.get();
}

Result<void> Connection::run(Rights rights, std::string_view sql, std::span<const Param> params, const RowFn& row) {
  CAIP_TRY(s, prepared(rights, sql));
  struct Reset {  // also lets go of what was bound: it belongs to the caller
    sqlite3_stmt* s;
    ~Reset() { sqlite3_reset(s); sqlite3_clear_bindings(s); }
  } reset{s};
  CAIP_ASSERT(sqlite3_bind_parameter_count(s) == static_cast<int>(params.size()));
  for (std::size_t i = 0; i < params.size(); ++i)
    if (bind_one(s, static_cast<int>(i) + 1, params[i]) != SQLITE_OK) return std::unexpected(error("bind"));
  for (;;) {
    const int rc = sqlite3_step(s);
    if (rc == SQLITE_DONE) return {};
    if (rc != SQLITE_ROW) return std::unexpected(error("step"));
    if (row) row(Row(s));
  }
}

Result<void> Connection::script(std::string_view sql) {
  rights_ = Rights::schema;
  if (sqlite3_exec(db_, std::string(sql).c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
    return std::unexpected(error("script"));
  return {};
}

std::int64_t Connection::changes() const { return sqlite3_changes64(db_); }
std::int64_t Connection::total_changes() const { return sqlite3_total_changes64(db_); }

}  // namespace caip::storage
