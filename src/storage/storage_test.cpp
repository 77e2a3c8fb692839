#include <catch2/catch_test_macros.hpp>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "connection.h"
#include "storage/database.h"
#include "storage/reads_only.h"

// Stands in for the real ledger, which this room cannot see: it may mint the badge.
namespace caip::audit {
class Ledger {
 public:
  static Result<void> entry(storage::WriteTx& tx, std::string_view body) {
    return tx.log(Badge<Ledger>()).insert("INSERT INTO log_entries (body) VALUES (?1)", body);
  }
  static Result<void> commit(storage::WriteTx&& tx) { return std::move(tx).commit(Badge<Ledger>()); }
  static void seal(storage::Database& db, storage::Database::Seal s) { db.set_seal(Badge<Ledger>(), std::move(s)); }
};
}  // namespace caip::audit

namespace caip::storage {
namespace {

using audit::Ledger;

struct Folder {
  std::filesystem::path path;
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "caip-storage-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
};

constexpr Sql kSchema =
    "CREATE TABLE log_entries (idx INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;"
    "CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, note TEXT, data BLOB) STRICT;";

std::unique_ptr<Database> make(const Folder& f) {
  auto db = Database::open(f.path / kDatabaseFile, {{"test/1", kSchema}});
  REQUIRE(db.has_value());
  return std::move(*db);
}

std::int64_t count(Database& db) {
  auto tx = db.begin_read();
  return *tx.one<std::int64_t>("SELECT count(*) FROM thing", [](const Row& r) { return r.integer(0); }).value();
}

Result<void> add(Database& db, std::string_view name, bool log = true) {
  auto tx = db.begin_write();
  CAIP_TRY(n, tx.exec("INSERT INTO thing (name) VALUES (?1)", name));
  CAIP_ASSERT(n == 1);
  if (log) CAIP_CHECKED(Ledger::entry(tx, name));
  return Ledger::commit(std::move(tx));
}

TEST_CASE("a committed transaction stays, a dropped one does not") {
  Folder f;
  {
    auto db = make(f);
    CHECK(add(*db, "one").has_value());
    {
      auto tx = db->begin_write();
      CHECK(tx.exec("INSERT INTO thing (name) VALUES ('two')").has_value());
    }
    CHECK(count(*db) == 1);
    CHECK(add(*db, "three").has_value());
  }
  CHECK(count(*make(f)) == 2);
}

TEST_CASE("a commit without a log entry rolls back") {
  Folder f;
  auto db = make(f);
  auto r = add(*db, "unlogged", false);
  REQUIRE(!r.has_value());
  CHECK(r.error().code == Code::internal);
  CHECK(count(*db) == 0);
  CHECK(add(*db, "logged").has_value());  // the lane is free and works on
  CHECK(count(*db) == 1);
}

TEST_CASE("no statement changes the log, the schema or the settings") {
  Folder f;
  auto db = make(f);
  REQUIRE(add(*db, "one").has_value());
  auto tx = db->begin_write();
  const auto refused = [](const auto& r) { return !r.has_value() && r.error().code == Code::forbidden; };
  CHECK(refused(tx.exec("UPDATE log_entries SET body = 'x'")));
  CHECK(refused(tx.exec("DELETE FROM log_entries")));
  CHECK(refused(tx.exec("INSERT INTO log_entries (body) VALUES ('forged')")));
  CHECK(refused(tx.exec("INSERT OR REPLACE INTO log_entries VALUES (1, 'forged')")));
  CHECK(refused(tx.exec("DROP TABLE log_entries")));
  CHECK(refused(tx.exec("ALTER TABLE log_entries RENAME TO gone")));
  CHECK(refused(tx.exec("CREATE TABLE other (a INTEGER) STRICT")));
  CHECK(refused(tx.exec("PRAGMA synchronous=OFF")));
  CHECK(refused(tx.exec("ATTACH 'x' AS y")));
  CHECK(!tx.exec("INSERT INTO thing (id, name) VALUES ('text', 'strict')").has_value());
  CHECK(!tx.exec("UPDATE sqlite_master SET sql = ''").has_value());
}

TEST_CASE("values come back as they went in") {
  Folder f;
  auto db = make(f);
  auto tx = db->begin_write();
  const Bytes data{0, 1, 255};
  const std::string name("a\0b", 3);
  REQUIRE(tx.exec("INSERT INTO thing VALUES (?1, ?2, ?3, ?4)", 7, name, std::optional<std::string>{}, data).has_value());
  int rows = 0;
  REQUIRE(tx.query("SELECT id, name, note, data FROM thing WHERE id = ?1", 7, [&](const Row& r) {
              ++rows;
              CHECK(r.integer(0) == 7);
              CHECK(r.text(1) == name);
              CHECK(r.null(2));
              CHECK(!r.optional_text(2));
              CHECK(r.blob(3) == data);
            }).has_value());
  CHECK(rows == 1);
  const auto again = tx.exec("INSERT INTO thing (name) VALUES (?1)", name);
  REQUIRE(!again.has_value());
  CHECK(again.error().code == Code::conflict);
  CHECK(!tx.one<int>("SELECT 1 FROM thing WHERE id = 8", [](const Row&) { return 1; }).value().has_value());
}

TEST_CASE("readers see a snapshot of what is durable") {
  Folder f;
  auto db = make(f);
  REQUIRE(add(*db, "one").has_value());
  auto read = db->begin_read();
  const auto seen = [&] {
    return *read.one<std::int64_t>("SELECT count(*) FROM thing", [](const Row& r) { return r.integer(0); }).value();
  };
  CHECK(seen() == 1);
  REQUIRE(add(*db, "two").has_value());
  CHECK(seen() == 1);
  CHECK(count(*db) == 2);
}

TEST_CASE("many writers share commits and none is lost") {
  Folder f;
  auto db = make(f);
  constexpr int kThreads = 8, kEach = 50;
  std::atomic<int> good = 0, bad = 0;
  {
    std::vector<std::jthread> all;
    for (int t = 0; t < kThreads; ++t)
      all.emplace_back([&, t] {
        for (int i = 0; i < kEach; ++i) {
          const bool log = i % 10 != 9;  // each tenth forgets its entry
          (add(*db, std::to_string(t) + "/" + std::to_string(i), log) ? good : bad)++;
        }
      });
  }
  CHECK(good == kThreads * kEach * 9 / 10);
  CHECK(bad == kThreads * kEach / 10);
  CHECK(count(*db) == good);
  CHECK(db->groups() < static_cast<std::uint64_t>(good));
}

TEST_CASE("when the seal fails the whole group is undone") {
  Folder f;
  auto db = make(f);
  bool fails = true;
  Ledger::seal(*db, [&](Reader&, LogWriter& w) -> Result<void> {
    if (fails) return fail(Code::unavailable, "no signer");
    return w.insert("INSERT INTO log_entries (body) VALUES ('seal')");
  });
  auto r = add(*db, "one");
  REQUIRE(!r.has_value());
  CHECK(r.error().code == Code::unavailable);
  CHECK(count(*db) == 0);
  fails = false;
  CHECK(add(*db, "one").has_value());
  CHECK(count(*db) == 1);
}

TEST_CASE("migrations run once, an edited or a missing one is refused, a second process stays out") {
  Folder f;
  const auto file = f.path / kDatabaseFile;
  {
    auto db = make(f);
    CHECK(!Database::open(file, {{"test/1", kSchema}}).has_value());  // locked
    struct stat st {};
    REQUIRE(::stat(file.c_str(), &st) == 0);
    CHECK((st.st_mode & 0777) == 0600);
  }
  CHECK(!Database::open(file, {{"test/1", "CREATE TABLE log_entries (idx INTEGER) STRICT"}}).has_value());
  CHECK(!Database::open(file, {}).has_value());
  CHECK(!Database::open(file, {{"test/1", kSchema}, {"test/2", "CREATE nonsense"}}).has_value());
  const auto more = Database::open(file, {{"test/1", kSchema}, {"test/2", "CREATE TABLE b (a INTEGER) STRICT"}});
  CHECK(more.has_value());
}

// A child writes and reports each acknowledged row through a pipe until it is killed; every row
// it reported must be there afterwards, each with its entry.
TEST_CASE("what was acknowledged survives kill -9") {
  Folder f;
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    auto db = Database::open(f.path / kDatabaseFile, {{"test/1", kSchema}});
    if (!db) ::_exit(2);
    for (int i = 0;; ++i) {
      const std::string name = std::to_string(i);
      if (!add(**db, name)) ::_exit(3);
      if (::write(ends[1], "x", 1) != 1) ::_exit(4);
    }
  }
  ::close(ends[1]);
  std::int64_t acknowledged = 0;
  char byte = 0;
  while (acknowledged < 40 && ::read(ends[0], &byte, 1) == 1) ++acknowledged;
  ::kill(child, SIGKILL);
  while (::read(ends[0], &byte, 1) == 1) ++acknowledged;
  ::close(ends[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  auto db = make(f);
  CHECK(acknowledged >= 40);
  CHECK(count(*db) >= acknowledged);
  auto tx = db->begin_read();
  CHECK(*tx.one<std::int64_t>("SELECT count(*) FROM log_entries", [](const Row& r) { return r.integer(0); }).value() == count(*db));
}

// The disk is full (a limit on file size in a child process stands in for it): commits fail with
// an error, nothing half-done stays, and when there is room again work goes on.
TEST_CASE("a full disk loses nothing that was acknowledged") {
  Folder f;
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    auto db = Database::open(f.path / kDatabaseFile, {{"test/1", kSchema}});
    const rlimit small{256 * 1024, RLIM_INFINITY};
    if (!db || ::setrlimit(RLIMIT_FSIZE, &small) != 0) ::_exit(2);
    const std::string filler(8000, 'x');
    int good = 0, bad = 0;
    for (int i = 0; bad < 5 && i < 500; ++i) (add(**db, std::to_string(i) + filler) ? good : bad)++;
    const rlimit large{RLIM_INFINITY, RLIM_INFINITY};
    if (bad < 5 || ::setrlimit(RLIMIT_FSIZE, &large) != 0) ::_exit(3);
    if (count(**db) != good) ::_exit(4);
    if (!add(**db, "after")) ::_exit(5);
    ::_exit(count(**db) == good + 1 ? 0 : 6);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WEXITSTATUS(status) == 0);
}

}  // namespace
TEST_CASE("S17: where only reading is allowed, a thread changes nothing but the log, and others go on") {
  const Folder f;
  const auto db = make(f);
  {
    const ReadsOnly reading;
    CHECK_FALSE(add(*db, "by a GET"));
    std::thread([&] { CHECK(add(*db, "by another thread")); }).join();
    {
      const ReadsOnly again;
      CHECK_FALSE(add(*db, "by a GET within a GET"));
    }
    CHECK_FALSE(add(*db, "by a GET, still"));
    auto tx = db->begin_write();  // that somebody looked is an entry too
    CHECK(Ledger::entry(tx, "looked"));
    CHECK(Ledger::commit(std::move(tx)));
  }
  CHECK(add(*db, "by a POST"));
  CHECK(count(*db) == 2);
}

}  // namespace caip::storage

namespace caip::storage {

TEST_CASE("every connection is as durable and as distrustful as SQLite can be") {
  const Folder f;
  const auto write = Connection::open(f.path / "x.db", Connection::Mode::write).value();
  const auto read = Connection::open(f.path / "x.db", Connection::Mode::read).value();
  const auto pragma = [](Connection& c, std::string_view sql) {
    std::string out;
    REQUIRE(c.run(Rights::schema, sql, {}, [&](const Row& r) { out = r.text(0); }).has_value());
    return out;
  };
  CHECK(pragma(*write, "SELECT journal_mode FROM pragma_journal_mode") == "wal");
  CHECK(pragma(*write, "SELECT cast(synchronous AS TEXT) FROM pragma_synchronous") == "2");  // FULL
  CHECK(pragma(*write, "SELECT cast(foreign_keys AS TEXT) FROM pragma_foreign_keys") == "1");
  for (Connection* c : {write.get(), read.get()}) {
    int on = 0;
    CHECK((sqlite3_db_config(c->handle(), SQLITE_DBCONFIG_DEFENSIVE, -1, &on) == SQLITE_OK && on == 1));
    CHECK((sqlite3_db_config(c->handle(), SQLITE_DBCONFIG_TRUSTED_SCHEMA, -1, &on) == SQLITE_OK && on == 0));
  }
}

}  // namespace caip::storage
