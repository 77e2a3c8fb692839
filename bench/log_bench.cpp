// The log's numbers: durable appends beside the raw fsync rate of the same disk and plain SQLite
// inserts; then, on a log of COUNT entries, proofs, pages of the list and offline verification.
// log_bench FOLDER [COUNT [WRITERS]]; with a COUNT of 0 the appends alone. Prints one JSON object; tools/bench renders it.
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <thread>
#include <vector>

#include "audit/ledger.h"
#include "audit/migrations.h"
#include "audit/query.h"
#include "authorization/authorizer.h"
#include "crypto/ed25519.h"
#include "crypto/mldsa.h"
#include "crypto/random.h"
#include "storage/database.h"
#include "verifier/verifier.h"

namespace {

using namespace caip;
using Steady = std::chrono::steady_clock;

double seconds(Steady::duration d) { return std::chrono::duration<double>(d).count(); }

template <class T>
T need(Result<T> r) {
  if (!r) {
    std::fprintf(stderr, "%s\n", r.error().detail.c_str());
    std::exit(1);
  }
  return *std::move(r);
}

double percentile(std::vector<double>& v, double p) {
  std::sort(v.begin(), v.end());
  return v.empty() ? 0 : v[static_cast<std::size_t>(p * static_cast<double>(v.size() - 1))];
}

void raw_fsync(const std::string& folder) {
  const int fd = ::open((folder + "/raw").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  const std::vector<char> page(4096, 'x');
  const auto start = Steady::now();
  int count = 0;
  for (; seconds(Steady::now() - start) < 3; ++count)
    if (::pwrite(fd, page.data(), page.size(), count % 1000 * 4096) != 4096 || ::fdatasync(fd) != 0) std::exit(1);
  ::close(fd);
  std::printf("\"fsync_per_s\":%.0f,", count / 3.0);
}

// One thread, one transaction an insert, WAL and synchronous=FULL: what a program does that has
// SQLite and nothing else.
void plain_sqlite(const std::string& folder) {
  sqlite3* db = nullptr;
  sqlite3_open((folder + "/plain.db").c_str(), &db);
  sqlite3_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t (i INTEGER PRIMARY KEY, body TEXT NOT NULL)", nullptr, nullptr, nullptr);
  sqlite3_stmt* s = nullptr;
  sqlite3_prepare_v2(db, "INSERT INTO t (body) VALUES (?1)", -1, &s, nullptr);
  const std::string body(450, 'x');
  const auto start = Steady::now();
  int count = 0;
  for (; seconds(Steady::now() - start) < 3; ++count) {
    sqlite3_bind_text(s, 1, body.data(), static_cast<int>(body.size()), SQLITE_STATIC);
    if (sqlite3_step(s) != SQLITE_DONE) std::exit(1);
    sqlite3_reset(s);
  }
  sqlite3_finalize(s);
  sqlite3_close(db);
  std::printf("\"plain_inserts_per_s\":%.0f,", count / 3.0);
}

struct Log {
  SystemClock clock;
  crypto::SigningKey key = crypto::SigningKey::generate();
  crypto::CosigningKey second = crypto::CosigningKey::generate();
  std::unique_ptr<storage::Database> db;
  std::unique_ptr<audit::Ledger> ledger;
  authorization::Authorizer authorizer{clock};
  OrgId org = crypto::random_id<OrgId>();

  explicit Log(const std::string& folder) {
    std::filesystem::create_directories(folder);
    db = need(storage::Database::open(folder + "/caip.db", audit::migrations()));
    ledger = need(audit::Ledger::open(*db, clock, [this](BytesView m) -> Result<Bytes> { return key.sign(m); }, key.public_key(),
                                      audit::LogKey{[this](BytesView m) -> Result<Bytes> { return second.sign(m); }, second.public_key()}));
  }
  Spent<FailOperation> spent() {
    auto permit = authorizer.authorize_system(FailOperation{crypto::random_id<OperationId>()}, org);
    if (!permit) std::exit(1);
    return need(std::move(*permit).spend(clock.now()));
  }
};

// What the process used: of a shared machine the clock alone says little.
struct Used {
  double cpu = 0;
  long switches = 0;
  std::uint64_t written = 0;  // handed to write(2), in bytes
  static Used now() {
    rusage r{};
    ::getrusage(RUSAGE_SELF, &r);
    const auto of = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; };
    Used out{.cpu = of(r.ru_utime) + of(r.ru_stime), .switches = r.ru_nvcsw + r.ru_nivcsw};
    std::ifstream io("/proc/self/io");
    for (std::string name; io >> name;) {
      std::uint64_t value = 0;
      io >> value;
      if (name == "wchar:") out.written = value;
    }
    return out;
  }
};

void appends(const std::string& folder, int writers) {
  Log log(folder);
  std::vector<std::vector<double>> times(static_cast<std::size_t>(writers));
  std::atomic<bool> stop = false;
  const auto groups = log.db->groups();
  const Used before = Used::now();
  const auto start = Steady::now();
  std::vector<std::jthread> threads;
  for (int w = 0; w < writers; ++w)
    threads.emplace_back([&, w] {
      auto& mine = times[static_cast<std::size_t>(w)];
      while (!stop) {
        const auto t = Steady::now();
        auto spent = log.spent();
        if (!log.ledger->commit(log.db->begin_write(), std::move(spent))) std::exit(1);
        mine.push_back(seconds(Steady::now() - t));
      }
    });
  std::jthread follower([&](std::stop_token s) {  // as in caipd: the index and the second signature
    while (!s.stop_requested()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      for (int n = 0; n < 4; ++n)
        if (auto more = log.ledger->index_some(); !more || !*more) break;
      static_cast<void>(log.ledger->anchor());
    }
  });
  std::this_thread::sleep_for(std::chrono::seconds(5));
  stop = true;
  threads.clear();
  const double total = seconds(Steady::now() - start);
  follower = {};
  const Used after = Used::now();
  std::vector<double> all;
  for (auto& t : times) all.insert(all.end(), t.begin(), t.end());
  std::printf("\"appends_%d_per_s\":%.0f,\"append_%d_p99_ms\":%.2f,\"fsyncs_%d_per_s\":%.0f,", writers, static_cast<double>(all.size()) / total, writers,
              percentile(all, 0.99) * 1e3, writers, static_cast<double>(log.db->groups() - groups) / total);
  const auto each = [&](double n) { return n / static_cast<double>(all.size()); };
  std::printf("\"append_%d_cpu_us\":%.1f,\"append_%d_switches\":%.2f,\"append_%d_bytes\":%.0f,", writers, each(after.cpu - before.cpu) * 1e6, writers,
              each(static_cast<double>(after.switches - before.switches)), writers, each(static_cast<double>(after.written - before.written)));
}

void fill(Log& log, std::uint64_t count) {
  for (std::uint64_t done = need(audit::Query(*log.ledger).size()); done < count;) {
    auto tx = log.db->begin_write();
    const auto batch = std::min<std::uint64_t>(2000, count - done);
    for (std::uint64_t i = 1; i < batch; ++i) need(log.ledger->append(tx, log.spent()));
    if (!log.ledger->commit(std::move(tx), log.spent())) std::exit(1);
    done += batch;
  }
  for (;;) {
    const auto more = need(log.ledger->index_some(5000));
    if (!more) break;
  }
  need(log.ledger->anchor());
}

std::vector<double> timed(int rounds, const std::function<void()>& f) {
  std::vector<double> out;
  for (int i = 0; i < rounds; ++i) {
    const auto t = Steady::now();
    f();
    out.push_back(seconds(Steady::now() - t));
  }
  return out;
}

void large(const std::string& folder, std::uint64_t count) {
  {
    Log log(folder);
    const auto start = Steady::now();
    fill(log, count);
    std::printf("\"entries\":%llu,\"filled_in_s\":%.1f,", static_cast<unsigned long long>(count), seconds(Steady::now() - start));
    const audit::Query q(*log.ledger);
    std::mt19937_64 dice(1);
    auto inclusion = timed(2000, [&] { need(q.inclusion(dice() % count, count)); });
    auto consistency = timed(2000, [&] { need(q.consistency(1 + dice() % (count - 1), count)); });
    std::printf("\"inclusion_p50_us\":%.0f,\"inclusion_p99_us\":%.0f,\"consistency_p50_us\":%.0f,\"consistency_p99_us\":%.0f,", percentile(inclusion, 0.5) * 1e6,
                percentile(inclusion, 0.99) * 1e6, percentile(consistency, 0.5) * 1e6, percentile(consistency, 0.99) * 1e6);
    // As the organisation that runs the installation reads: its own entries and those of none.
    audit::Filter plain{.org = log.org, .unowned = true}, two{plain}, none{plain}, text{plain};
    two.action = "operation.fail";
    two.result = "completed";
    none.action = "operation.fail";
    none.result = "blocked";
    text.text = "no entry has these words";
    for (const auto& [name, filter] : {std::pair{"plain", &plain}, {"two", &two}, {"none", &none}, {"text", &text}}) {
      std::optional<std::string> cursor;
      auto pages = timed(200, [&] {
        auto page = need(q.list(*filter, 50, cursor));
        cursor = page.next_cursor;
      });
      std::printf("\"page_%s_p99_ms\":%.1f,", name, percentile(pages, 0.99) * 1e3);
    }
  }
  auto verify = timed(3, [&] {
    const auto report = need(verifier::verify_data_dir(folder));
    if (!report.holds() || report.entries != count) std::exit(1);
  });
  std::printf("\"verify_s\":%.2f,", *std::min_element(verify.begin(), verify.end()));
}

}  // namespace

int main(int argc, char** argv) {
  const std::string base = argc > 1 ? argv[1] : "/tmp/caip-log-bench";
  const auto count = static_cast<std::uint64_t>(argc > 2 ? std::atoll(argv[2]) : 1'000'000);
  std::filesystem::remove_all(base);
  std::filesystem::create_directories(base);
  std::printf("{");
  raw_fsync(base);
  plain_sqlite(base);
  std::vector<int> writers{1, 32, 256};
  if (argc > 3) writers.assign(1, std::atoi(argv[3]));
  for (const int n : writers) appends(base + "/" + std::to_string(n), n);
  if (count > 1) large(base + "/large", count);
  std::printf("\"done\":true}\n");
  std::filesystem::remove_all(base);
  return 0;
}
