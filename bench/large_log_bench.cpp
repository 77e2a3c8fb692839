// A log of many entries, as a large installation's would be: proofs, and pages of the list by each filter, from the
// newest on and from deep within. large_log_bench FOLDER [COUNT]. Prints one JSON object; tools/bench renders it.
//
// The entries are written by the real writer, 2,000 to a transaction, and indexed by the real index. Which ones: `mixture`.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "audit/ledger.h"
#include "audit/migrations.h"
#include "audit/query.h"
#include "crypto/ed25519.h"
#include "crypto/mldsa.h"
#include "storage/database.h"
#include "verifier/verifier.h"

// Stands in for the real authorizer, which is not linked: it mints permits of people that there are not.
namespace caip::authorization {
class Authorizer {
 public:
  template <Action A>
  static Authorized<A> permit(A a, Principal p, std::optional<UserId> approver, Instant now) {
    return Authorized<A>(Badge<Authorizer>(), std::move(a), std::move(p), approver, now, true);
  }
};
}  // namespace caip::authorization

namespace {

using namespace caip;
using Steady = std::chrono::steady_clock;

constexpr std::uint64_t kBatch = 2000;
constexpr std::uint64_t kRareEvery = 500'000, kRareUser = 999'999;  // who hardly ever does something, and when

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

template <class I>
I an_id(std::uint64_t n) {
  IdBytes b{};
  for (std::size_t i = 0; i < 8; ++i) b.at(b.size() - 1 - i) = static_cast<std::uint8_t>(n >> (8 * i));
  return I{b};
}

struct Log {
  ManualClock clock{Instant{1'700'000'000'000'000}};  // an entry a second
  crypto::SigningKey key = crypto::SigningKey::generate();
  crypto::CosigningKey second = crypto::CosigningKey::generate();
  std::unique_ptr<storage::Database> db;
  std::unique_ptr<audit::Ledger> ledger;

  explicit Log(const std::string& folder) {
    std::filesystem::create_directories(folder);
    db = need(storage::Database::open(folder + "/caip.db", audit::migrations()));
    ledger = need(audit::Ledger::open(*db, clock, [this](BytesView m) -> Result<Bytes> { return key.sign(m); }, key.public_key(),
                                      audit::LogKey{[this](BytesView m) -> Result<Bytes> { return second.sign(m); }, second.public_key()}));
    ledger->know({.still = [](storage::Reader&, const Principal&) -> Result<void> { return {}; }, .organizations = {}});
  }
  template <Action A>
  Spent<A> spent(A action, Principal who, std::optional<UserId> approver = {}) {
    return need(authorization::Authorizer::permit(std::move(action), std::move(who), approver, clock.now()).spend(clock.now()));
  }
};

Principal person(std::uint64_t org, std::uint64_t user, Source source) {
  Principal p;
  p.source = source;
  p.org = an_id<OrgId>(org);
  p.user = an_id<UserId>(user);
  p.origin = {"192.0.2.17", Foreign("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"), "req_0123456789abcdef"};
  return p;
}

audit::Ending ending(std::uint64_t n) {  // of 80
  using enum audit::Ending;
  return n < 3 ? failed : n < 5 ? blocked : n < 6 ? denied : n < 7 ? expired : completed;
}

// Entry n, in a transaction that is committed with its last one. One organisation has four fifths, fifty others a fifth, and
// a fiftieth of all is nobody's (sign-ins of unknown people). In the large one: 200 people, one of whom hardly ever does
// anything, and 500 servers; restarts, a tenth of them approved, half of those through the pilot; looks at journals, sign-outs,
// reads of the log, the system's own operations. Restarts never end "denied": who filters for both has two long lists and nothing.
class Mixture {
 public:
  explicit Mixture(Log& log) : log_(log) {}

  void put(storage::WriteTx& tx, std::uint64_t n) {
    log_.clock.advance(std::chrono::seconds(1));
    roll_ = dice_();
    const std::uint64_t org = of(5) != 0 ? 1 : 2 + of(50);
    const std::uint64_t user = n % kRareEvery == 4711 ? kRareUser : org * 1000 + of(200);
    const auto server = an_id<ServerId>(org * 1000 + of(500));
    const audit::Outcome outcome{.result = ending(of(80)), .detail = {{"duration_ms", static_cast<std::int64_t>(of(5000))}}};
    const std::uint64_t kind = of(50);
    if (kind == 0) write(tx, SignIn{need(Email::parse("user" + std::to_string(of(1000)) + "@example.com"))}, Principal{}, outcome);
    else if (user == kRareUser) write(tx, ReadLog{}, person(1, user, Source::user), outcome);
    else if (kind < 20) restart(tx, {server, unit_}, org, user, kind, outcome);
    else if (kind < 35) write(tx, ReadJournal{server, unit_name_, 100}, person(org, user, kind < 30 ? Source::user : Source::pilot), outcome);
    else if (kind < 42) write(tx, SignOut{an_id<SessionId>(dice_())}, person(org, user, Source::user), outcome);
    else if (kind < 46) write(tx, ReadLog{}, person(org, user, Source::api_token), outcome);
    else write(tx, FailOperation{an_id<OperationId>(dice_())}, system(org), outcome);
  }

 private:
  std::uint64_t of(std::uint64_t sides) { return std::exchange(roll_, roll_ / sides) % sides; }

  static Principal system(std::uint64_t org) {
    Principal p;
    p.source = Source::system;
    p.org = an_id<OrgId>(org);
    return p;
  }

  void restart(storage::WriteTx& tx, RestartUnit action, std::uint64_t org, std::uint64_t user, std::uint64_t kind, audit::Outcome outcome) {
    if (outcome.result == audit::Ending::denied) outcome.result = audit::Ending::completed;
    if (kind > 2) return write(tx, std::move(action), person(org, user, Source::user), outcome);
    write(tx, std::move(action), person(org, user, kind == 1 ? Source::pilot : Source::user), outcome, an_id<UserId>(org * 1000 + dice_() % 20));
  }

  template <Action A>
  void write(storage::WriteTx& tx, A action, Principal who, audit::Outcome outcome, std::optional<UserId> approver = {}) {
    need(log_.ledger->append(tx, log_.spent(std::move(action), std::move(who), approver), std::move(outcome)));
  }

  Log& log_;
  std::mt19937_64 dice_{20261127};  // the same log each time, but for its keys
  std::uint64_t roll_ = 0;
  const ControlUnit unit_ = need(ControlUnit::parse("nginx.service"));
  const UnitName unit_name_ = need(UnitName::parse("nginx.service"));
};

void fill(Log& log, std::uint64_t count) {
  Mixture mixture(log);
  const auto start = Steady::now();
  double indexing = 0;
  for (std::uint64_t done = 0; done < count;) {
    auto tx = log.db->begin_write();
    const auto upto = std::min(count, done + kBatch) - 1;  // the last one is the transaction's own
    for (; done < upto; ++done) mixture.put(tx, done);
    log.clock.advance(std::chrono::seconds(1));
    Principal nobody;
    nobody.source = Source::system;
    if (!log.ledger->commit(std::move(tx), log.spent(FailOperation{an_id<OperationId>(done)}, nobody))) std::exit(1);
    ++done;
    const auto t = Steady::now();
    while (need(log.ledger->index_some(kBatch))) {}
    indexing += seconds(Steady::now() - t);
    if (done % 1'000'000 == 0) std::fprintf(stderr, "%llu entries after %.0f s\n", static_cast<unsigned long long>(done), seconds(Steady::now() - start));
  }
  need(log.ledger->anchor());
  std::printf("\"entries\":%llu,\"filled_in_s\":%.1f,\"of_that_indexing_s\":%.1f,", static_cast<unsigned long long>(count), seconds(Steady::now() - start), indexing);
}

template <class F>
std::vector<double> timed(int rounds, F&& f) {
  std::vector<double> out;
  for (int i = 0; i < rounds; ++i) {
    const auto t = Steady::now();
    f();
    out.push_back(seconds(Steady::now() - t));
  }
  return out;
}

void print(const char* name, const char* unit, double scale, std::vector<double> times) {
  const double most = *std::max_element(times.begin(), times.end());
  std::printf("\"%s_p50_%s\":%.1f,\"%s_p99_%s\":%.1f,\"%s_max_%s\":%.1f,", name, unit, percentile(times, 0.5) * scale, name, unit, percentile(times, 0.99) * scale,
              name, unit, most * scale);
}

void proofs(const audit::Query& q, std::uint64_t count) {
  std::mt19937_64 dice(1);
  print("inclusion", "us", 1e6, timed(5000, [&] { need(q.inclusion(dice() % count, count)); }));
  print("consistency", "us", 1e6, timed(5000, [&] { need(q.consistency(1 + dice() % (count - 1), count)); }));
  print("consistency_near", "us", 1e6, timed(5000, [&] { need(q.consistency(count - 1 - dice() % 1000, count)); }));  // what a witness asks for
  print("prove", "us", 1e6, timed(2000, [&] { need(q.prove(dice() % count)); }));                                     // with the entry and the checkpoint
}

// Pages of 50 one after the other from the newest on, and then from 100 places deep within, three from each.
void pages(const audit::Query& q, const std::string& name, const audit::Filter& filter, Instant first, std::uint64_t count) {
  std::optional<std::string> cursor;
  std::size_t found = 0;
  const auto next = [&](const audit::Filter& f) {
    auto page = need(q.list(f, 50, cursor));
    found += page.entries.size();
    cursor = page.next_cursor;
  };
  print(("page_" + name + "_first").c_str(), "ms", 1e3, timed(300, [&] { next(filter); }));
  std::printf("\"page_%s_first_found\":%zu,", name.c_str(), found);
  std::mt19937_64 dice(2);
  std::vector<double> deep;
  found = 0;
  for (int place = 0; place < 100; ++place) {
    cursor = std::nullopt;
    audit::Filter at = filter;
    if (!at.until) at.until = first + std::chrono::seconds(static_cast<std::int64_t>(dice() % count));
    const auto some = timed(3, [&] { next(at); });
    deep.insert(deep.end(), some.begin(), some.end());
  }
  print(("page_" + name + "_deep").c_str(), "ms", 1e3, deep);
  std::printf("\"page_%s_deep_found\":%zu,", name.c_str(), found);
}

void lists(const audit::Query& q, Instant first, std::uint64_t count) {
  const audit::Filter own{.org = an_id<OrgId>(1)};
  const auto with = [&](auto change, bool unowned = false) {
    audit::Filter f = own;
    f.unowned = unowned;
    change(f);
    return f;
  };
  using F = audit::Filter;
  const std::vector<std::pair<std::string, F>> all{
      {"plain", own},
      {"plain_operator", with([](F&) {}, true)},
      {"small_organization", {.org = an_id<OrgId>(17)}},
      {"time", with([&](F& f) { f.from = first + std::chrono::seconds(static_cast<std::int64_t>(count / 3)), f.until = first + std::chrono::seconds(static_cast<std::int64_t>(count / 2)); })},
      {"actor", with([](F& f) { f.actor = an_id<UserId>(1042).str(); })},
      {"rare_actor", with([](F& f) { f.actor = an_id<UserId>(kRareUser).str(); })},
      {"approver", with([](F& f) { f.approver = an_id<UserId>(1007).str(); })},
      {"source", with([](F& f) { f.source = "pilot"; })},
      {"action", with([](F& f) { f.action = "unit.restart"; })},
      {"action_operator", with([](F& f) { f.action = "unit.restart"; }, true)},
      {"target", with([](F& f) { f.target = an_id<ServerId>(1123).str(); })},
      {"result", with([](F& f) { f.result = "expired"; })},
      {"two", with([](F& f) { f.action = "unit.restart", f.result = "failed"; })},
      {"four", with([](F& f) { f.action = "unit.restart", f.result = "completed", f.source = "user", f.target = an_id<ServerId>(1123).str(); })},
      {"disjoint", with([](F& f) { f.action = "unit.restart", f.result = "denied"; })},
      {"disjoint_operator", with([](F& f) { f.action = "unit.restart", f.result = "denied"; }, true)},
      {"unknown", with([](F& f) { f.actor = an_id<UserId>(31'337).str(); })},
      {"text", with([](F& f) { f.text = "no entry has these words"; })},
      {"text_and_action", with([](F& f) { f.text = "no entry has these words", f.action = "unit.restart"; })},
  };
  for (const auto& [name, filter] : all) pages(q, name, filter, first, count);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string folder = argc > 1 ? argv[1] : "/tmp/caip-large-log-bench";
  const auto count = static_cast<std::uint64_t>(argc > 2 ? std::atoll(argv[2]) : 10'000'000);
  std::filesystem::remove_all(folder);
  std::printf("{");
  {
    Log log(folder);
    const Instant first = log.clock.now();
    fill(log, count);
    const audit::Query q(*log.ledger);
    proofs(q, count);
    lists(q, first, count);
  }
  std::printf("\"bytes\":%llu,", static_cast<unsigned long long>(std::filesystem::file_size(folder + "/caip.db")));
  const auto verify = timed(1, [&] {
    const auto report = need(verifier::verify_data_dir(folder));
    if (!report.holds() || report.entries != count) std::exit(1);
  });
  std::printf("\"verify_s\":%.2f,\"done\":true}\n", verify.front());
  std::filesystem::remove_all(folder);
  return 0;
}
