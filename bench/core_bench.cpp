// The inner numbers: authorization decisions, durable log appends (one fsync for a group), and
// orders of magnitude of what they rest on. Prints one JSON object; tools/bench renders it.
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <vector>

#include "audit/ledger.h"
#include "audit/migrations.h"
#include "authorization/authorizer.h"
#include "crypto/random.h"
#include "secrets/keeper.h"
#include "storage/database.h"

// The benchmark mints its own session; the real minter is not linked.
namespace caip::auth {
class SessionStore {
 public:
  static Session make(Principal p) { return Session(Badge<SessionStore>{}, std::move(p)); }
};
}  // namespace caip::auth

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
  return v[static_cast<std::size_t>(p * static_cast<double>(v.size() - 1))];
}

Session somebody(Role role) {
  Principal who;
  who.source = Source::user;
  who.org = crypto::random_id<OrgId>();
  who.user = crypto::random_id<UserId>();
  who.session = crypto::random_id<SessionId>();
  who.role = role;
  return auth::SessionStore::make(std::move(who));
}

// One decision each for people picked out of `users`, in an order that no cache guesses.
void decisions(const Clock& clock, std::size_t users) {
  const authorization::Authorizer authorizer(clock);
  constexpr std::array kRoles{Role::owner, Role::admin, Role::member, Role::viewer};
  std::vector<Session> sessions;
  sessions.reserve(users);
  for (std::size_t i = 0; i < users; ++i) sessions.push_back(somebody(kRoles.at(i % kRoles.size())));
  const RestartUnit action{crypto::random_id<ServerId>(), need(ControlUnit::parse("nginx.service"))};
  constexpr std::size_t kRounds = 200'000;
  constexpr std::size_t kStride = 7'919;  // a prime: every one of them comes up
  std::vector<double> each;
  each.reserve(kRounds);
  std::size_t yes = 0;
  const auto start = Steady::now();
  for (std::size_t i = 0; i < kRounds; ++i) {
    const Session& session = sessions[i * kStride % users];
    const auto t = Steady::now();
    auto decision = authorizer.authorize_without_step_up(session, action);
    each.push_back(seconds(Steady::now() - t));
    yes += decision.has_value();
  }
  const double total = seconds(Steady::now() - start);
  const std::string of = users == 1 ? "" : "_of_" + std::to_string(users);
  std::printf("\"decisions%s_per_s\":%.0f,\"decision%s_p99_us\":%.3f,\"decisions%s_allowed\":%zu,", of.c_str(), static_cast<double>(kRounds) / total, of.c_str(),
              percentile(each, 0.99) * 1e6, of.c_str(), yes);
}

void appends(const Clock& clock, const std::string& folder, int writers) {
  auto keeper = need(secrets::open_local_keeper(folder + "/keys", clock));
  auto database = need(storage::Database::open(folder + "/caip.db", audit::migrations()));
  auto ledger = need(audit::Ledger::open(*database, clock,
                                         [&](BytesView m) { return keeper->sign(secrets::SigningUse::checkpoint, m); },
                                         keeper->public_key(secrets::SigningUse::checkpoint)));
  ledger->know({.still = [](storage::Reader&, const Principal&) -> Result<void> { return {}; }, .organizations = {}});
  const authorization::Authorizer authorizer(clock);
  const auto org = crypto::random_id<OrgId>();
  std::vector<std::vector<double>> times(static_cast<std::size_t>(writers));
  std::atomic<bool> stop = false;
  const auto start = Steady::now();
  std::vector<std::jthread> threads;
  for (int w = 0; w < writers; ++w) {
    threads.emplace_back([&, w] {
      auto& mine = times[static_cast<std::size_t>(w)];
      while (!stop) {
        const auto t = Steady::now();
        auto permit = authorizer.authorize_system(FailOperation{crypto::random_id<OperationId>()}, org);
        if (!permit) std::exit(1);
        auto spent = std::move(*permit).spend(clock.now());
        if (!spent) std::exit(1);
        auto receipt = ledger->commit(database->begin_write(), *std::move(spent));
        if (!receipt) std::exit(1);
        mine.push_back(seconds(Steady::now() - t));
      }
    });
  }
  std::this_thread::sleep_for(std::chrono::seconds(5));
  stop = true;
  threads.clear();
  const double total = seconds(Steady::now() - start);
  std::vector<double> all;
  for (auto& t : times) all.insert(all.end(), t.begin(), t.end());
  std::printf("\"appends_%d_per_s\":%.0f,\"append_%d_p99_ms\":%.2f,", writers, static_cast<double>(all.size()) / total,
              writers, percentile(all, 0.99) * 1e3);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string base = argc > 1 ? argv[1] : "/tmp/caip-bench";
  const SystemClock clock;
  std::printf("{");
  decisions(clock, 1);
  decisions(clock, 100'000);
  for (const int writers : {1, 32}) {
    const std::string folder = base + "/" + std::to_string(writers);
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
    appends(clock, folder, writers);
  }
  std::printf("\"done\":true}\n");
  return 0;
}
