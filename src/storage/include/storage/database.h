// storage/database.h: the SQLite database: WAL, synchronous=FULL, STRICT tables, defensive mode.
// One writer lane with group commit: a committed transaction waits for the writers queued behind
// it, one of them makes all of them durable with one fsync, and nobody is answered before that.
// Thread-safe; every begun transaction must end before the Database does.
#pragma once
#include <filesystem>
#include <functional>
#include <memory>

#include "storage/migration.h"
#include "storage/tx.h"

namespace caip::storage {

inline constexpr std::string_view kDatabaseFile = "caip.db";  // below the data directory

class Database final {
 public:
  // Creates the file (mode 0600) when it is missing, takes a lock that keeps a second process
  // out, runs the migrations that have not run. Give all rooms' migrations in dependency order.
  static Result<std::unique_ptr<Database>> open(const std::filesystem::path& file, Migrations);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  WriteTx begin_write();  // waits its turn
  ReadTx begin_read();

  // Called once per group right before it becomes durable, inside its transaction: the ledger
  // signs the new checkpoint there. An error undoes the whole group.
  using Seal = std::function<Result<void>(Reader&, LogWriter&)>;
  void set_seal(Badge<audit::Ledger>, Seal);

  std::uint64_t groups() const;  // fsyncs paid so far, for /metrics and the benchmark

 private:
  struct Parts;
  explicit Database(std::unique_ptr<Parts>);
  std::unique_ptr<Parts> parts_;
};

}  // namespace caip::storage
