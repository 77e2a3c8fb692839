#include "storage/database.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <set>

#include "lane.h"

namespace caip::storage {
namespace {

class FileLock final {  // one process per database
 public:
  static Result<FileLock> take(const std::filesystem::path& file) {
    const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return fail(Code::storage_failed, "cannot open " + file.string());
    FileLock lock(fd);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0)
      return fail(Code::conflict, "another process uses this data directory (" + file.string() + ")");
    return lock;
  }
  FileLock(FileLock&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock() {
    if (fd_ >= 0) ::close(fd_);
  }

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

// What is in a file that has lost its name is lost, too, and SQLite syncs the names of its journals alone.
Result<void> sync_folder_of(const std::filesystem::path& file) {
  const auto folder = std::filesystem::absolute(file).parent_path();
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = fd >= 0 && ::fsync(fd) == 0;
  if (fd >= 0) ::close(fd);
  if (!synced) return fail(Code::storage_failed, "cannot sync " + folder.string());
  return {};
}

// FNV-1a, 64 bits: notices an edited migration. It guards against slips, not attackers, who
// could as well change the record; so no cryptography in this room.
std::string checksum(std::string_view text) {
  std::uint64_t h = 0xcbf29ce484222325;
  for (char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  Bytes b;
  for (int shift = 56; shift >= 0; shift -= 8) b.push_back(static_cast<std::uint8_t>(h >> shift));
  return hex(b);
}

constexpr Sql kRecord =
    "CREATE TABLE IF NOT EXISTS schema_migrations ("
    " name TEXT PRIMARY KEY, checksum TEXT NOT NULL, position INTEGER NOT NULL UNIQUE) STRICT";

// What stands there from an older run must be a prefix of what the program has.
Result<std::size_t> check_recorded(Connection& c, const Migrations& wanted) {
  std::vector<std::pair<std::string, std::string>> have;
  CAIP_CHECKED(c.run(Rights::schema, Sql("SELECT name, checksum FROM schema_migrations ORDER BY position").text(), {},
                     [&](const Row& r) { have.emplace_back(r.text(0), r.text(1)); }));
  std::set<std::string> done;
  for (const auto& [name, sum] : have) {
    bool known = false;
    for (const auto& m : wanted) {
      if (m.name != name) continue;
      if (checksum(m.sql.text()) != sum) return fail(Code::storage_failed, "migration " + name + " was edited after it ran");
      known = true;
    }
    if (!known) return fail(Code::storage_failed, "the database was made by a newer version: it has " + name);
    done.insert(name);
  }
  return done.size();
}

Result<void> migrate(Connection& c, const Migrations& wanted) {
  CAIP_CHECKED(c.script(kRecord.text()));
  CAIP_TRY(position, check_recorded(c, wanted));
  std::set<std::string> names;
  for (const auto& m : wanted) {
    CAIP_ASSERT(names.insert(m.name).second);
    bool ran = false;
    const Param name[] = {m.name};
    CAIP_CHECKED(c.run(Rights::schema, Sql("SELECT 1 FROM schema_migrations WHERE name = ?1").text(), name,
                       [&](const Row&) { ran = true; }));
    if (ran) continue;
    const std::string sum = checksum(m.sql.text());
    const Param record[] = {m.name, sum, ++position};
    CAIP_CHECKED(c.script("BEGIN IMMEDIATE"));
    auto done = c.script(m.sql.text());
    if (done) done = c.run(Rights::schema, Sql("INSERT INTO schema_migrations VALUES (?1, ?2, ?3)").text(), record);
    if (done) done = c.script("COMMIT");
    if (!done) {
      static_cast<void>(c.script("ROLLBACK"));
      return fail(Code::storage_failed, "migration " + m.name + ": " + done.error().detail);
    }
  }
  return {};
}

}  // namespace

struct Database::Parts {
  Parts(FileLock l, std::unique_ptr<Connection> c, const std::filesystem::path& file)
      : lock(std::move(l)), lane(std::move(c)), readers(file) {}
  FileLock lock;
  Lane lane;
  ReadPool readers;
};

Database::Database(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Database::~Database() = default;

Result<std::unique_ptr<Database>> Database::open(const std::filesystem::path& file, Migrations migrations) {
  CAIP_TRY(lock, FileLock::take(file.string() + ".lock"));
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);  // before SQLite: its mode is ours
  if (fd < 0) return fail(Code::storage_failed, "cannot open " + file.string());
  ::close(fd);
  CAIP_CHECKED(sync_folder_of(file));
  CAIP_TRY(connection, Connection::open(file, Connection::Mode::write));
  CAIP_CHECKED(migrate(*connection, migrations));
  connection->seal_schema();
  return std::unique_ptr<Database>(new Database(std::make_unique<Parts>(std::move(lock), std::move(connection), file)));
}

WriteTx Database::begin_write() { return parts_->lane.begin(); }
ReadTx Database::begin_read() { return ReadTx(parts_->readers, parts_->readers.take()); }
void Database::set_seal(Badge<audit::Ledger>, Seal seal) { parts_->lane.set_seal(std::move(seal)); }
std::uint64_t Database::groups() const { return parts_->lane.groups(); }

}  // namespace caip::storage
