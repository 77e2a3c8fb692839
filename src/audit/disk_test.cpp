// What a bad disk can do: no room, no writes, any one file system call that fails, and the power
// going at any write with whatever the disk then holds. No acknowledged entry is ever lost, what was
// refused changed nothing, and the log holds.
#include <catch2/catch_test_macros.hpp>
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

#include "audit/ledger.h"
#include "audit/migrations.h"
#include "audit/query.h"
#include "base/guarded.h"
#include "crypto/mldsa.h"
#include "crypto/ed25519.h"
#include "shim_vfs.h"
#include "storage/database.h"
#include "test_old.h"
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
    std::string name = "/dev/shm/caip-disk-XXXXXX";  // in memory: what the disk does is the shim's to say, and thousands of real syncs take minutes
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

// `writers` at once; each change is a number of its own with its entry.
struct Log {
  explicit Log(fs::path d, std::shared_ptr<const crypto::SigningKey> k = std::make_shared<const crypto::SigningKey>(crypto::SigningKey::generate()))
      : data(std::move(d)), key(std::move(k)) {}
  fs::path data;
  std::shared_ptr<const crypto::SigningKey> key;
  ManualClock clock{Instant{1'790'000'000'000'000}};
  std::unique_ptr<storage::Database> db;
  std::unique_ptr<Ledger> ledger;
  std::atomic<std::int64_t> next = 0;
  Guarded<std::set<std::int64_t>> acknowledged = {};
  std::atomic<std::uint64_t> refused = 0;

  Result<void> start() {
    auto all = migrations();
    all.push_back({"test/1", "CREATE TABLE thing (n INTEGER NOT NULL) STRICT"});
    CAIP_TRY(opened, storage::Database::open(data / storage::kDatabaseFile, std::move(all)));
    db = std::move(opened);
    CAIP_TRY(made, Ledger::open(*db, clock, [k = key](BytesView m) -> Result<Bytes> { return k->sign(m); }, key->public_key()));
    ledger = std::move(made);
    ledger->know({.still = [](storage::Reader&, const Principal&) -> Result<void> { return {}; }, .organizations = {}});
    return {};
  }
  void stop() {
    ledger.reset();
    db.reset();
  }
  Result<void> add() {
    const std::int64_t n = next++;
    auto done = [&]() -> Result<void> {
      auto permit = authorization::Authorizer::permit_to_fail(FailOperation{OperationId{IdBytes{1}}}, clock.now());
      auto tx = db->begin_write();
      CAIP_TRY(rows, tx.exec("INSERT INTO thing VALUES (?1)", n));
      CAIP_ASSERT(rows == 1);
      CAIP_TRY(spent, std::move(permit).spend(clock.now()));
      CAIP_TRY(receipt, ledger->commit(std::move(tx), std::move(spent), {.detail = {{"much", std::string(3000, 'x')}}}));
      static_cast<void>(receipt);
      return {};
    }();
    if (done) acknowledged.with([&](auto& all) { all.insert(n); });
    else ++refused;
    return done;
  }
  void add_at_once(int writers, int each) {
    std::vector<std::jthread> threads;
    for (int w = 0; w < writers; ++w)
      threads.emplace_back([this, each] {
        for (int i = 0; i < each; ++i) static_cast<void>(add());
      });
  }
  std::set<std::int64_t> things() {
    std::set<std::int64_t> out;
    auto tx = db->begin_read();
    CAIP_ASSERT(tx.query("SELECT n FROM thing", [&](const storage::Row& r) { out.insert(r.integer(0)); }).has_value());
    return out;
  }
  std::set<std::int64_t> answered() const {
    return acknowledged.with([](const auto& all) { return all; });
  }
};

// What is wrong with a data folder that was left behind: nothing, when it opens, has all that was acknowledged and each change with
// its entry, takes another, and the verifier finds it whole before and after.
std::optional<std::string> wrong_with(const fs::path& data, const Log& before, std::uint64_t under_way) {
  const auto answered = before.answered();
  Log log(data, before.key);
  log.next = 1'000'000;
  if (auto started = log.start(); !started) return "it does not open: " + started.error().detail;
  const auto left = verifier::verify_data_dir(data);
  if (!left) return "it cannot be verified: " + left.error().detail;
  if (!left->holds()) return "it does not hold: " + left->broken->what;
  const auto things = log.things();
  if (!std::ranges::includes(things, answered)) return std::string("what was acknowledged is lost");
  if (things.size() > answered.size() + under_way) return std::string("more happened than was under way");
  if (left->entries != things.size()) return std::string("a change without its entry, or an entry without its change");
  if (!log.add()) return std::string("it takes no more changes");
  log.stop();
  const auto after = verifier::verify_data_dir(data);
  if (!after || !after->holds() || after->entries != things.size() + 1) return std::string("it does not hold after the next change");
  return std::nullopt;
}

TEST_CASE("a full disk refuses the change, says so, and takes the next one when there is room") {
  Folder f;
  Shim shim;
  Log log(f.path);
  REQUIRE(log.start().has_value());
  REQUIRE(log.add().has_value());
  for (const auto& [kind, code] : {std::pair{std::size_t{0}, Code::storage_full}, {std::size_t{2}, Code::storage_read_only}}) {
    shim.vfs.kind = kind;
    // The first write of the next commit, whichever call that is.
    bool refused = false;
    for (std::uint64_t n = 1; n < 60 && !refused; ++n) {
      const auto before = log.answered();
      shim.vfs.fail_at = shim.vfs.calls + n;
      const auto done = log.add();
      shim.vfs.fail_at = 0;
      if (!done && shim.vfs.failed == test::ShimVfs::Call::write) {
        refused = true;
        CHECK(done.error().code == code);
        CHECK(log.things() == before);
        CHECK(Query(*log.ledger).size().value() == before.size());
      }
    }
    CHECK(refused);
    REQUIRE(log.add().has_value());
    CHECK(log.things() == log.answered());
  }
  log.stop();
  CHECK(verifier::verify_data_dir(f.path)->holds());
}

struct Faults {
  std::uint64_t lives = 0, refused = 0;
};

// One life of a log with call `n` failing in its way `kind`; then what is left is looked at. How many ways that call has; 0: there
// was no such call.
std::size_t with_fault(std::uint64_t n, std::size_t kind, int writers, Faults& count) {
  Folder f;
  Log log(f.path);
  std::size_t ways = 0;
  {
    Shim shim;
    shim.vfs.kind = kind;
    shim.vfs.fail_at = n;
    for (int run = 0; run < 2; ++run) {
      if (log.start()) log.add_at_once(writers, 2);
      log.stop();
    }
    if (shim.vfs.reached) ways = test::ShimVfs::errors_of(shim.vfs.failed).size();
  }
  INFO("call " << n << ", error " << kind << ", writers " << writers);
  // A change whose COMMIT failed at its very last step may have become durable all the same; it
  // was never acknowledged, and it is whole: with its entry, or not at all.
  CHECK(wrong_with(f.path, log, log.refused).value_or("") == "");
  ++count.lives;
  count.refused += log.refused;
  return ways;
}

TEST_CASE("each file system call of the store fails once, in each of its ways: nothing acknowledged is lost, nothing refused happens by half") {
  Faults count;
  std::uint64_t n = 1;
  for (std::size_t ways = with_fault(n, 0, 1, count); ways > 0; ways = with_fault(++n, 0, 1, count))
    for (std::size_t kind = 1; kind < ways; ++kind) with_fault(n, kind, 1, count);
  CHECK(n > 100);
  CHECK(count.lives > n);
  CHECK(count.refused > 10);
}

TEST_CASE("a file system call fails while several write: whoever is told that it is done has it") {
  Faults count;
  for (std::uint64_t n = 1; with_fault(n, n % 3, 6, count) > 0; n += 2) {
  }
  CHECK(count.lives > 40);
  CHECK(count.refused > 10);
}

// The disk as it may be after each call that changed it, from the first start on.
struct Cuts {
  Folder images = {};
  std::mt19937 dice{20261125};  // NOLINT: the same cuts each time, as far as the threads' turns are
  std::uint64_t count = 0;
  std::vector<std::string> wrong = {};

  void watch(Shim& shim, Log& log, std::uint64_t writers) {
    shim.vfs.after_call = [this, &shim, &log, writers] {
      const auto after = std::move(shim.vfs.after_call);  // the checks below use files too
      const fs::path image = images.path / std::to_string(++count);
      shim.vfs.disk_after_cut(log.data, image, dice);
      if (const auto bad = wrong_with(image, log, writers)) wrong.push_back("cut " + std::to_string(count) + ": " + *bad);
      shim.vfs.forget(image);
      fs::remove_all(image);
      shim.vfs.after_call = after;
    };
  }
};

TEST_CASE("the power goes at any write of several writers, with writes lost, torn and reordered: nothing acknowledged is lost") {
  constexpr int kWriters = 6;
  Folder f;
  Log log(f.path);
  Cuts cuts;
  std::uint64_t groups = 0;
  {
    Shim shim;
    cuts.watch(shim, log, kWriters);
    for (int run = 0; run < 2; ++run) {
      REQUIRE(log.start().has_value());
      log.add_at_once(kWriters, 3);
      groups += log.db->groups();
      log.stop();  // folds the write-ahead log into the file: writes of another kind
    }
  }
  CHECK(cuts.wrong == std::vector<std::string>{});
  CHECK(log.refused == 0);
  CHECK(cuts.count > 100);
  CHECK(groups < log.answered().size());  // several shared one
}

// A log of the version before audit/5, copied for each life.
struct Old {
  Folder image = {};
  Log log{image.path};

  Old() {
    REQUIRE(log.start().has_value());
    for (int i = 0; i < 20; ++i) REQUIRE(log.add().has_value());
    log.stop();
    make_old(image.path / storage::kDatabaseFile, 20);
  }
  void copy_to(const fs::path& to) const { fs::copy(image.path, to, fs::copy_options::recursive | fs::copy_options::overwrite_existing); }
};

// It was carried over.
void check_index(const fs::path& data, const Log& old) {
  Log log(data, old.key);
  REQUIRE(log.start().has_value());
  const auto found = Query(*log.ledger).list({.org = OrgId{IdBytes{1}}, .unowned = true, .result = "completed"}, 200, {});
  CHECK(found->entries.size() >= 20);
  auto tx = log.db->begin_read();
  const auto upto = tx.one<std::int64_t>("SELECT upto FROM log_posted", [](const storage::Row& r) { return r.integer(0); });
  CHECK(upto.value().value_or(0) == 20);
}

TEST_CASE("a file system call fails while a log of an earlier version is brought up to date: the next start does it, and nothing is lost") {
  const Old old;
  std::uint64_t n = 1;
  for (bool reached = true; reached; ++n) {
    Folder f;
    old.copy_to(f.path);
    {
      Shim shim;
      shim.vfs.kind = n % 3;
      shim.vfs.fail_at = n;
      Log log(f.path, old.log.key);
      if (log.start()) log.stop();
      reached = shim.vfs.reached;
    }
    INFO("call " << n);
    CHECK(wrong_with(f.path, old.log, 0).value_or("") == "");
    check_index(f.path, old.log);
  }
  CHECK(n > 30);
}

TEST_CASE("the power goes while a log of an earlier version is brought up to date: the next start does it, and nothing is lost") {
  const Old old;
  Folder f;
  old.copy_to(f.path);
  Log log(f.path, old.log.key);
  log.acknowledged.with([&](auto& all) { all = old.log.answered(); });
  Cuts cuts;
  {
    Shim shim;
    cuts.watch(shim, log, 0);
    REQUIRE(log.start().has_value());
    log.stop();
  }
  CHECK(cuts.wrong == std::vector<std::string>{});
  CHECK(cuts.count > 20);
  check_index(f.path, old.log);
}

}  // namespace
}  // namespace caip::audit
