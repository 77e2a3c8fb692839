// A log in a folder of its own, with what a test needs to write to it and to break it.
#pragma once
#include <catch2/catch_test_macros.hpp>
#include <sqlite3.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "audit/ledger.h"
#include "audit/migrations.h"
#include "audit/query.h"
#include "base/bytes.h"
#include "crypto/ed25519.h"
#include "crypto/mldsa.h"
#include "storage/database.h"
#include "verifier/verifier.h"

// Stands in for the real authorizer, which this room cannot see: it may mint permits.
namespace caip::authorization {
class Authorizer {
 public:
  template <Action A>
  static Authorized<A> permit(A a, Principal p, Instant now) {
    return Authorized<A>(Badge<Authorizer>(), std::move(a), std::move(p), std::nullopt, now);
  }
};
}  // namespace caip::authorization

namespace caip::audit {

template <class I>
I an_id(std::uint8_t n) {
  IdBytes b{};
  b[15] = n;
  return I{b};
}

struct Folder {
  std::filesystem::path path;
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "caip-audit-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
};

inline storage::Migrations schema() {
  auto m = migrations();
  m.push_back({"test/1", "CREATE TABLE thing (name TEXT NOT NULL) STRICT"});
  return m;
}

struct Log {
  Folder folder;
  ManualClock clock{Instant{1'700'000'000'000'000}};
  crypto::SigningKey key = crypto::SigningKey::generate();
  std::shared_ptr<const crypto::CosigningKey> second = std::make_shared<const crypto::CosigningKey>(crypto::CosigningKey::generate());
  bool signer_down = false;
  std::unique_ptr<storage::Database> db;
  std::unique_ptr<Ledger> ledger;

  Log() { start(); }
  void start() {
    auto opened = storage::Database::open(folder.path / storage::kDatabaseFile, schema());
    REQUIRE(opened.has_value());
    db = std::move(*opened);
    auto made = Ledger::open(*db, clock, [this](BytesView m) -> Result<Bytes> {
      if (signer_down) return fail(Code::unavailable, "the keeper is away");
      return key.sign(m);
    }, key.public_key(), LogKey{[k = second](BytesView m) -> Result<Bytes> { return k->sign(m); }, second->public_key()});
    REQUIRE(made.has_value());
    ledger = std::move(*made);
    ledger->know({.still = [](storage::Reader&, const Principal&) -> Result<void> { return {}; }, .organizations = {}});
  }
  void stop() {
    ledger.reset();
    db.reset();
  }
  static Principal someone() {
    Principal p;
    p.source = Source::user;
    p.org = an_id<OrgId>(1);
    p.user = an_id<UserId>(2);
    p.origin = {"127.0.0.1", Foreign("agent \xff \"x\""), "req_1"};
    return p;
  }
  Result<std::uint64_t> add(std::uint8_t n, Ending ending = Ending::completed) {
    auto permit = authorization::Authorizer::permit(SignOut{an_id<SessionId>(n)}, someone(), clock.now());
    auto tx = db->begin_write();
    CAIP_TRY(rows, tx.exec("INSERT INTO thing VALUES (?1)", an_id<SessionId>(n)));
    CAIP_ASSERT(rows == 1);
    CAIP_TRY(spent, std::move(permit).spend(clock.now()));
    CAIP_TRY(receipt, ledger->commit(std::move(tx), std::move(spent), {.result = ending, .detail = {{"n", n}}}));
    return receipt.index();
  }
  void fill(std::uint8_t count) {
    for (std::uint8_t i = 0; i < count; ++i) REQUIRE(add(i).value() == i);
  }
  // Changes the database file behind the product's back.
  void tamper(const char* sql) {
    stop();
    sqlite3* raw = nullptr;
    REQUIRE(sqlite3_open(file().c_str(), &raw) == SQLITE_OK);
    const std::string all = std::string("DROP TRIGGER log_entries_u; DROP TRIGGER log_entries_d; DROP TRIGGER log_nodes_u;"
        "DROP TRIGGER log_nodes_d; DROP TRIGGER log_checkpoints_u; DROP TRIGGER log_checkpoints_d;") + sql;
    char* why = nullptr;
    const int rc = sqlite3_exec(raw, all.c_str(), nullptr, nullptr, &why);
    INFO((why ? why : ""));
    REQUIRE(rc == SQLITE_OK);
    sqlite3_close(raw);
  }
  std::int64_t count(const char* sql) const {  // while it is stopped
    sqlite3* raw = nullptr;
    sqlite3_stmt* s = nullptr;
    REQUIRE(sqlite3_open(file().c_str(), &raw) == SQLITE_OK);
    REQUIRE(sqlite3_prepare_v2(raw, sql, -1, &s, nullptr) == SQLITE_OK);
    REQUIRE(sqlite3_step(s) == SQLITE_ROW);
    const std::int64_t n = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(raw);
    return n;
  }
  std::filesystem::path file() const { return folder.path / storage::kDatabaseFile; }
  verifier::Report verify(const std::optional<std::string>& old = {}) const {
    auto r = verifier::verify_data_dir(folder.path, old);
    REQUIRE(r.has_value());
    if (r->broken) UNSCOPED_INFO(r->broken->what);
    return *r;
  }
};

}  // namespace caip::audit
