// storage/connection.h (private): one SQLite connection, its prepared statements and what it
// may do. Used by one thread at a time.
#pragma once
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>

#include "storage/row.h"
#include "storage/tx.h"

struct sqlite3;

namespace caip::storage {

// What the authorizer lets a statement do, decided when it is prepared.
enum class Rights : std::uint8_t {
  schema,  // migrations and pragmas, before the database is handed out
  data,    // rows of every table but the log's; the log may be read
  log,     // INSERT into the log's tables
};

class Connection final {
 public:
  enum class Mode : std::uint8_t { read, write };
  static Result<std::unique_ptr<Connection>> open(const std::filesystem::path&, Mode);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Steps the statement to its end, calling the row function (may be empty) for each row.
  Result<void> run(Rights, std::string_view sql, std::span<const Param>, const RowFn& = {});
  Result<void> script(std::string_view sql);  // several statements, with the rights of schema
  // After this no statement may change the schema, set a pragma or attach a file.
  void seal_schema() { sealed_ = true; }
  std::int64_t changes() const;        // by the last statement
  std::int64_t total_changes() const;  // ever, triggers and undone ones included
  sqlite3* handle() { return db_; }

 private:
  explicit Connection(sqlite3* db) : db_(db) {}
  struct Finalize { void operator()(sqlite3_stmt*) const; };
  using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;
  Result<sqlite3_stmt*> prepared(Rights, std::string_view sql);
  Error error(std::string_view doing) const;
  static int authorize(void* self, int action, const char* a, const char* b, const char* db, const char* trigger);

  sqlite3* db_;
  Rights rights_ = Rights::schema;
  bool sealed_ = false;
  // Keyed by the literal's address: an Sql is a literal, so the same place is the same text.
  std::unordered_map<const char*, Statement> statements_[3];
};

}  // namespace caip::storage
