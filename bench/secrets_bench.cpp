// Opens of secrets with their log entries, and a rotation of many secrets while reads go on, both
// through caip-keeper as a process. Prints one JSON object; tools/bench renders it.
//   secrets_bench FOLDER KEEPER [SECRETS]
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "audit/ledger.h"
#include "audit/migrations.h"
#include "authorization/authorizer.h"
#include "crypto/random.h"
#include "secrets/keeper.h"
#include "storage/database.h"
#include "outbox/outbox.h"
#include "vault/migrations.h"
#include "vault/rotation.h"
#include "vault/secret_store.h"

// The benchmark mints its own session; the real minter is not linked.
namespace caip::auth {
class SessionStore {
 public:
  static Session make(Principal p) { return Session(Badge<SessionStore>{}, std::move(p)); }
};
class StepUpVerifier {
 public:
  static StepUp make(const Session& session, Instant now) { return StepUp(Badge<StepUpVerifier>{}, session.id(), now); }
};
}  // namespace caip::auth

namespace {

using namespace caip;
using Steady = std::chrono::steady_clock;
constexpr std::size_t kBatch = 256;
constexpr int kCallers = 16;  // most of them wait for the disk

double since(Steady::time_point t) { return std::chrono::duration<double>(Steady::now() - t).count(); }

template <class T>
T need(Result<T> r) {
  if (!r) {
    std::fprintf(stderr, "%s\n", r.error().detail.c_str());
    std::exit(1);
  }
  return *std::move(r);
}
template <class T>
T need(std::expected<T, Denied> r) {
  if (!r) {
    std::fprintf(stderr, "%s\n", r.error().reason.c_str());
    std::exit(1);
  }
  return *std::move(r);
}
void need(Result<void> r) {
  if (r) return;
  std::fprintf(stderr, "%s\n", r.error().detail.c_str());
  std::exit(1);
}

struct World {
  World(const std::string& folder, const std::string& program)
      : keeper(need(secrets::start_keeper(program, folder + "/keys"))), db(need(storage::Database::open(folder + "/caip.db", tables()))),
        ledger(need(audit::Ledger::open(*db, clock, [this](BytesView m) { return keeper->sign(secrets::SigningUse::checkpoint, m); },
                                        keeper->public_key(secrets::SigningUse::checkpoint)))) {
    ledger->know({.still = [](storage::Reader&, const Principal&) -> Result<void> { return {}; }, .organizations = {}});
  }
  static storage::Migrations tables() {
    auto all = audit::migrations();
    for (auto& m : outbox::migrations()) all.push_back(m);  // a rotation tells people
    for (auto& m : vault::migrations()) all.push_back(m);
    return all;
  }
  Session session() const {
    Principal who;
    who.source = Source::user;
    who.org = org;
    who.user = user;
    who.session = crypto::random_id<SessionId>();
    who.role = Role::owner;
    return auth::SessionStore::make(std::move(who));
  }
  SystemClock clock;
  std::unique_ptr<secrets::Keeper> keeper;
  std::unique_ptr<storage::Database> db;
  std::unique_ptr<audit::Ledger> ledger;
  authorization::Authorizer authorizer{clock};
  vault::SecretStore store{*db, *ledger, *keeper, clock};
  vault::Rotation rotation{*db, *ledger, *keeper, authorizer, clock};
  OrgId org = crypto::random_id<OrgId>();
  UserId user = crypto::random_id<UserId>();
};

// As create() would leave them, without a million log entries: sealed by the keeper, one row each.
std::vector<SecretId> fill(World& w, std::size_t count) {
  need(w.keeper->new_data_key(w.org));
  std::vector<SecretId> ids;
  while (ids.size() < count) {
    secrets::Items items;
    for (std::size_t n = 0; n < std::min<std::size_t>(2000, count - ids.size()); ++n)
      items.push_back({.id = crypto::random_id<SecretId>(), .kind = SecretKind::env_value, .version = 1, .field = "value",
                       .data = SecretBytes(std::string_view("postgres://app:a-password-of-usual-length@db/app"))});
    auto sealed = need(w.keeper->seal(w.org, std::move(items)));
    auto tx = w.db->begin_write();
    for (const auto& item : sealed) {
      Bytes bytes;
      item.data.expose(Use::store_key, [&](BytesView b) { bytes.assign(b.begin(), b.end()); });
      need(tx.exec("INSERT INTO secrets (id, org, kind, name, version, generation, sealed, created) VALUES (?1, ?2, 'env_value', ?3, 1, 1, ?4, 0)", item.id, w.org,
                   "N" + std::to_string(ids.size()), bytes));
      ids.push_back(item.id);
    }
    auto permit = need(w.authorizer.authorize_system(FailOperation{crypto::random_id<OperationId>()}, w.org));
    const auto receipt = need(w.ledger->commit(std::move(tx), need(std::move(permit).spend(w.clock.now()))));
    static_cast<void>(receipt);
  }
  return ids;
}

std::vector<SecretId> some(const std::vector<SecretId>& ids, std::size_t count) {
  std::vector<SecretId> out;
  const auto random = crypto::random_bytes(8 * count);
  for (std::size_t n = 0; n < count; ++n) {
    std::size_t at = 0;
    for (std::size_t i = 0; i < 7; ++i) at = at * 256 + random[n * 8 + i];
    out.push_back(ids[at % ids.size()]);
  }
  return out;
}

bool use(World& w, std::vector<SecretId> ids) {
  auto permit = w.authorizer.authorize(w.session(), UseSecrets{SecretUse::server_env, std::move(ids), "unit.restart", "srv_x"});
  return permit && w.store.open(*std::move(permit)).has_value();
}

void opens(World& w, const std::vector<SecretId>& ids) {
  std::atomic<bool> stop = false;
  std::atomic<std::uint64_t> opened = 0, failed = 0;
  const auto start = Steady::now();
  {
    std::vector<std::jthread> threads;
    for (int n = 0; n < kCallers; ++n)
      threads.emplace_back([&] {
        while (!stop) {
          if (use(w, some(ids, kBatch))) opened += kBatch;
          else ++failed;
        }
      });
    std::this_thread::sleep_for(std::chrono::seconds(5));
    stop = true;
  }
  std::printf("\"opens_per_s\":%.0f,\"opens_per_entry\":%zu,\"opens_failed\":%llu,", static_cast<double>(opened) / since(start), kBatch,
              static_cast<unsigned long long>(failed));
}

void single_opens(World& w, const std::vector<SecretId>& ids) {
  const auto start = Steady::now();
  std::uint64_t count = 0;
  std::atomic<bool> stop = false;
  std::atomic<std::uint64_t> opened = 0;
  {
    std::vector<std::jthread> threads;
    for (int n = 0; n < 32; ++n)
      threads.emplace_back([&] {
        while (!stop) opened += use(w, some(ids, 1));
      });
    std::this_thread::sleep_for(std::chrono::seconds(3));
    stop = true;
  }
  count = opened;
  std::printf("\"single_opens_per_s\":%.0f,", static_cast<double>(count) / since(start));
}

void rotation(World& w, const std::vector<SecretId>& ids) {
  std::atomic<bool> stop = false;
  std::atomic<std::uint64_t> reads = 0, failed = 0;
  std::jthread reader([&] {
    while (!stop) {
      if (use(w, some(ids, 16))) reads += 16;
      else ++failed;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  });
  const auto start = Steady::now();
  const Session session = w.session();
  auto permit = need(w.authorizer.authorize(session, RotateKey{KeyClass::data}, auth::StepUpVerifier::make(session, w.clock.now())));
  need(w.rotation.start(std::move(permit)));
  while (need(w.rotation.tick())) {
  }
  const double took = since(start);
  stop = true;
  reader.join();
  const auto found = need(w.rotation.inventory(w.org));
  std::int64_t under_new = 0, data_keys = 0;
  for (const auto& k : found.keys)
    if (k.key == KeyClass::data) {
      ++data_keys;
      under_new = *k.sealed;
    }
  std::printf("\"rewrapped\":%lld,\"rewrap_s\":%.1f,\"data_keys_left\":%lld,\"reads_meanwhile\":%llu,\"reads_failed\":%llu,", static_cast<long long>(under_new), took,
              static_cast<long long>(data_keys), static_cast<unsigned long long>(reads), static_cast<unsigned long long>(failed));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const std::string folder = argv[1];
  const std::size_t count = argc > 3 ? std::stoul(argv[3]) : 1'000'000;
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  World w(folder, argv[2]);
  const auto start = Steady::now();
  const auto ids = fill(w, count);
  std::printf("{\"fill_s\":%.1f,", since(start));
  opens(w, ids);
  single_opens(w, ids);
  rotation(w, ids);
  std::printf("\"done\":true}\n");
  return 0;
}
