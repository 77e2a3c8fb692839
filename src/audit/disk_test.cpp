// What a bad disk can do: no room, no writes, any one file system call that fails, and the power
// going at any write with whatever the disk then holds. No acknowledged entry is ever lost, what was
// refused changed nothing, and the log holds.
#include <catch2/catch_test_macros.hpp>
#include <stdlib.h>

#include <fstream>

#include "audit/ledger.h"
#include "audit/migrations.h"
#include "audit/query.h"
#include "crypto/mldsa.h"
#include "crypto/ed25519.h"
#include "shim_vfs.h"
#include "storage/database.h"
#include "verifier/verifier.h"

namespace caip::authorization {
class Authorizer {
 public:
  static Authorized<FailOperation> permit_to_fail(FailOperation a, Instant now) {
    return Authorized<FailOperation>(Badge<Authorizer>(), std::move(a), Principal{}, std::nullopt, now);
  }
};
}  // namespace caip::authorization

namespace caip::audit {
namespace {

namespace fs = std::filesystem;

struct Folder {
  fs::path path;
  Folder() {
    std::string name = (fs::temp_directory_path() / "caip-disk-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Folder() { fs::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
};

// SQLite reads only through the shim while one of these lives.
struct Shim {
  test::ShimVfs& vfs = test::ShimVfs::instance();
  Shim() { vfs.install(); }
  ~Shim() { vfs.uninstall(); }
  Shim(const Shim&) = delete;
  Shim& operator=(const Shim&) = delete;
};

struct Log {
  explicit Log(fs::path d) : data(std::move(d)) {}
  fs::path data;
  ManualClock clock{Instant{1'790'000'000'000'000}};
  crypto::SigningKey key = crypto::SigningKey::generate();
  std::unique_ptr<storage::Database> db;
  std::unique_ptr<Ledger> ledger;
  std::uint64_t acknowledged = 0;

  Result<void> start() {
    auto all = migrations();
    all.push_back({"test/1", "CREATE TABLE thing (n INTEGER NOT NULL) STRICT"});
    CAIP_TRY(opened, storage::Database::open(data / storage::kDatabaseFile, std::move(all)));
    db = std::move(opened);
    CAIP_TRY(made, Ledger::open(*db, clock, [this](BytesView m) -> Result<Bytes> { return key.sign(m); }, key.public_key()));
    ledger = std::move(made);
    ledger->know({.still = [](storage::Reader&, const Principal&) -> Result<void> { return {}; }, .organizations = {}});
    return {};
  }
  void stop() {
    ledger.reset();
    db.reset();
  }
  // A change with its entry.
  Result<void> add() {
    auto permit = authorization::Authorizer::permit_to_fail(FailOperation{OperationId{IdBytes{1}}}, clock.now());
    auto tx = db->begin_write();
    CAIP_TRY(rows, tx.exec("INSERT INTO thing VALUES (?1)", acknowledged));
    CAIP_ASSERT(rows == 1);
    CAIP_TRY(spent, std::move(permit).spend(clock.now()));
    CAIP_TRY(receipt, ledger->commit(std::move(tx), std::move(spent), {.detail = {{"much", std::string(3000, 'x')}}}));
    static_cast<void>(receipt);
    ++acknowledged;
    return {};
  }
  std::uint64_t things() {
    auto tx = db->begin_read();
    return static_cast<std::uint64_t>(tx.one<std::int64_t>("SELECT count(*) FROM thing", [](const storage::Row& r) { return r.integer(0); }).value().value());
  }
};

TEST_CASE("a full disk refuses the change, says so, and takes the next one when there is room") {
  Folder f;
  Shim shim;
  Log log(f.path);
  REQUIRE(log.start().has_value());
  REQUIRE(log.add().has_value());
  for (const auto& [error, code] : {std::pair{SQLITE_FULL, Code::storage_full}, {SQLITE_READONLY, Code::storage_read_only}}) {
    shim.vfs.error = error;
    // The first write of the next commit, whichever call that is.
    bool refused = false;
    for (std::uint64_t n = 1; n < 60 && !refused; ++n) {
      shim.vfs.fail_at = shim.vfs.calls + n;
      const auto before = log.acknowledged;
      const auto done = log.add();
      if (!done && shim.vfs.failed == test::ShimVfs::Call::write) {
        refused = true;
        CHECK(done.error().code == code);
        CHECK(log.acknowledged == before);
        CHECK(log.things() == before);
        CHECK(Query(*log.ledger).size().value() == before);
      }
      shim.vfs.fail_at = 0;
    }
    CHECK(refused);
    REQUIRE(log.add().has_value());
    CHECK(log.things() == log.acknowledged);
  }
  log.stop();
  CHECK(verifier::verify_data_dir(f.path)->holds());
}

// Start, changes, stop, start again, changes: with call n failing. Whatever failed, everything that
// was acknowledged is there afterwards, nothing that was refused is, and the log holds.
TEST_CASE("each file system call of the store fails once: nothing acknowledged is lost, nothing refused happens") {
  std::uint64_t failures = 0, refusals = 0;
  for (std::uint64_t n = 1;; n += 1 + n / 40) {
    Folder f;
    Log log(f.path);
    std::uint64_t calls = 0;
    {
      Shim shim;
      shim.vfs.error = n % 2 == 0 ? SQLITE_FULL : SQLITE_IOERR_FSYNC;
      shim.vfs.fail_at = n;
      for (int run = 0; run < 2; ++run) {
        if (log.start())
          for (int i = 0; i < 4; ++i)
            if (!log.add()) ++refusals;
        log.stop();
      }
      calls = shim.vfs.calls;
      failures += calls >= n ? 1 : 0;
    }
    REQUIRE(log.start().has_value());  // on a disk that works again
    INFO("call " << n);
    // A change whose COMMIT failed at its very last step may have become durable all the same; it
    // was never acknowledged, and it is whole: with its entry, or not at all.
    CHECK(log.things() >= log.acknowledged);
    CHECK(Query(*log.ledger).size().value() == log.things());
    REQUIRE(log.add().has_value());
    log.stop();
    CHECK(verifier::verify_data_dir(f.path)->holds());
    if (calls < n) break;
  }
  CHECK(failures > 40);
  CHECK(refusals > 10);
}

TEST_CASE("the power goes at any write, with writes lost, torn and reordered: nothing acknowledged is lost") {
  Folder f, images;
  std::mt19937 dice(20261125);  // NOLINT: the same cuts each time
  std::uint64_t cuts = 0, worst = 0;
  Log log(f.path);
  {
    Shim shim;
    REQUIRE(log.start().has_value());
    REQUIRE(log.add().has_value());
    shim.vfs.after_call = [&] {
      const auto after = std::move(shim.vfs.after_call);  // the checks below use files too
      const fs::path image = images.path / std::to_string(++cuts);
      shim.vfs.disk_after_cut(f.path, image, dice);
      const auto report = verifier::verify_data_dir(image);
      INFO("cut " << cuts << ", acknowledged " << log.acknowledged);
      REQUIRE(report.has_value());
      INFO((report->broken ? report->broken->what : ""));
      CHECK(report->holds());
      CHECK(report->entries >= log.acknowledged);
      worst = std::max(worst, report->entries - log.acknowledged);
      fs::remove_all(image);
      shim.vfs.after_call = after;
    };
    for (int run = 0; run < 2; ++run) {
      for (int i = 0; i < 8; ++i) REQUIRE(log.add().has_value());
      log.stop();  // folds the write-ahead log into the file: writes of another kind
      REQUIRE(log.start().has_value());
    }
    log.stop();
  }
  CHECK(cuts > 100);
  CHECK(worst <= 1);  // the one that was under way
}

}  // namespace
}  // namespace caip::audit
