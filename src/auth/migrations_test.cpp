// What a data directory of an earlier version becomes.
#include <catch2/catch_test_macros.hpp>
#include <functional>

#include "test_world.h"

namespace caip::auth {
namespace {

// As it was before that migration of this room, filled, and opened by what there is now.
struct Before : World {
  Folder old;
  std::unique_ptr<storage::Database> now;

  void opened(std::string_view migration, const std::function<void(storage::WriteTx&)>& fill) {
    auto all = migrations();
    const auto first = std::ranges::find_if(all, [&](const storage::Migration& m) { return m.name.starts_with(migration); });
    REQUIRE(first != all.end());
    all.erase(first, all.end());
    {
      const auto db = open_database(old.path, all);
      auto log = audit::Ledger::open(*db, clock, [this](BytesView b) { return keeper->sign(secrets::SigningUse::checkpoint, b); }, keeper->public_key(secrets::SigningUse::checkpoint)).value();
      auto tx = db->begin_write();
      fill(tx);
      auto spent = std::move(permit(SendMail{crypto::random_id<DeliveryId>(), MailKind::verify_email}, anonymous())).spend(clock.now());
      REQUIRE(log->commit(std::move(tx), *std::move(spent)));
    }
    now = open_database(old.path, migrations());
  }
  std::string said(storage::Sql sql) const {
    auto tx = now->begin_read();
    return tx.one<std::string>(sql, [](const storage::Row& r) { return r.text(0); }).value().value();
  }
};

void user(storage::WriteTx& tx, const UserId& id, std::string_view email) {
  REQUIRE(tx.exec("INSERT INTO users (id, email, password, epoch, created) VALUES (?1, ?2, 'x', 1, 1)", id, email));
}

}  // namespace

TEST_CASE("accounts of before letters are not confirmed, and keep everything else") {
  Before w;
  w.opened("auth/8", [](storage::WriteTx& tx) { user(tx, crypto::random_id<UserId>(), "old@example.com"); });
  CHECK(w.said("SELECT email || ' ' || password || (verified IS NULL AND wanted_email IS NULL) FROM users") == "old@example.com x1");
}

TEST_CASE("an account that somebody else made is its person's where the mailbox has shown itself, and the maker's to empty where not") {
  Before w;
  w.opened("auth/32", [](storage::WriteTx& tx) {
    for (const auto* email : {"shown@example.com", "never@example.com"}) user(tx, crypto::random_id<UserId>(), email);
    REQUIRE(tx.exec("UPDATE users SET made_by = 'somebody'"));
    REQUIRE(tx.exec("UPDATE users SET verified = 7 WHERE email = 'shown@example.com'"));
  });
  CHECK(w.said("SELECT group_concat(email || coalesce(made_by, '-') || coalesce(verified, '-'), ' ' ORDER BY email DESC) FROM users") == "shown@example.com-7 never@example.comsomebody-");
}

TEST_CASE("an organisation whose end was asked for before that was counted keeps its date, and nothing counts against it") {
  Before w;
  w.opened("auth/33", [](storage::WriteTx& tx) {
    REQUIRE(tx.exec("INSERT INTO orgs (id, name, created, ends) VALUES (?1, 'Example', 1, 99)", crypto::random_id<OrgId>()));
  });
  CHECK(w.said("SELECT name || ends || coalesce(ended, '-') || coalesce(ends_asked, '-') FROM orgs") == "Example99--");
}

TEST_CASE("a data directory from before devices could be forgotten knows those of its sessions, but for disowned ones") {
  Before w;
  w.opened("auth/34", [](storage::WriteTx& tx) {
    const auto org = crypto::random_id<OrgId>();
    const auto who = crypto::random_id<UserId>();
    REQUIRE(tx.exec("INSERT INTO orgs (id, name, created) VALUES (?1, 'Example', 1)", org));
    user(tx, who, "old@example.com");
    const auto session = [&](std::string_view device, std::int64_t at, std::optional<Instant> disowned = {}) {
      REQUIRE(tx.exec("INSERT INTO sessions (id, user, org, created, expires, used, address, began_from, device, device_id, disowned) VALUES (?1, ?2, ?3, ?4, ?4 + 9, ?4 + 5, 'other', '192.0.2.' || ?4, 'caip', ?5, ?6)",
                      crypto::random_id<SessionId>(), who, org, at, device, disowned));
    };
    session("known", 100);
    session("known", 200);
    session("thief", 300);
    session("thief", 400, Instant{401});
    session("", 500);
  });
  CHECK(w.said("SELECT group_concat(id || ' ' || since || ' ' || last || ' ' || address) FROM known_devices") == "known 100 200 192.0.2.200");
}

}  // namespace caip::auth
