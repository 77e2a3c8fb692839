// Checkpoint, cosign and order keys hand over, over the log as it is in the product; the verifier,
// which shares nothing with the writer, reads it.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <sqlite3.h>

#include <algorithm>
#include <fstream>
#include <map>

#include "audit/query.h"
#include "crypto/note.h"
#include "crypto/succession.h"
#include "domain_world.h"
#include "racing_keeper.h"
#include "vault/log_keys.h"
#include "vault/migrations.h"
#include "vault/rotation.h"
#include "verifier/verifier.h"

namespace caip::vault {
namespace {

namespace fs = std::filesystem;
using secrets::SigningUse;

storage::Migrations schema() {
  storage::Migrations all = audit::migrations();
  for (const auto& room : {outbox::migrations(), vault::migrations()}) all.insert(all.end(), room.begin(), room.end());
  return all;
}

SigningUse use_of(KeyClass key) {
  return key == KeyClass::checkpoint ? SigningUse::checkpoint : key == KeyClass::cosign ? SigningUse::cosign : SigningUse::order;
}

struct World {
  World() { start(); }
  void start() {
    keeper = std::make_unique<RacingKeeperForTest>(secrets::open_local_keeper(folder.path + "/keys", clock).value());
    db = storage::Database::open(folder.path + "/caip.db", schema()).value();
    ledger = open_log(*db, *keeper, clock).value();
    ledger->know({.still = [this](storage::Reader&, const Principal&) -> Result<void> {
      if (dismissed) return fail(Code::forbidden, "not any more");
      return {};
    }, .organizations = {}});
    rotation = std::make_unique<Rotation>(*db, *ledger, *keeper, authorizer, clock);
    rotation->run_by([this]() -> Result<std::optional<OrgId>> { return org; });
    rotation->wait_for([this](KeyClass, BytesView) { return waiting; }, std::chrono::hours(24));
    write_log_keys();
  }
  void restart() {  // as after kill -9
    rotation.reset();
    ledger.reset();
    db.reset();
    keeper.reset();
    start();
  }
  void write_log_keys() {
    const auto keys = audit::Ledger::keys_of(*db).value();
    std::ofstream(folder.path + "/log.keys") << "ed25519 " << hex(keys.first) << "\nml-dsa-44 " << hex(keys.second) << "\n";
  }
  Result<void> rotate(KeyClass key) {
    const Session session = owner.session();
    return rotation->start(authorizer.authorize(session, RotateKey{key}, auth::StepUpVerifier::mint(session, clock.now())).value());
  }
  void add() {  // one entry
    auto spent = std::move(authorizer.authorize_system(FailOperation{OperationId{IdBytes{}}}).value()).spend(clock.now());
    REQUIRE(ledger->commit(db->begin_write(), *std::move(spent)));
    REQUIRE(ledger->anchor());
  }
  void finish() { REQUIRE(rotation->tick()); }
  std::vector<std::uint32_t> generations(KeyClass key) {
    std::vector<std::uint32_t> out;
    for (const auto& k : keeper->inventory().keys)
      if (k.key == key) out.push_back(k.generation);
    return out;
  }
  std::size_t logged(const std::string& action, const std::string& result = "completed") {
    return audit::Query(*ledger).list({.action = action, .result = result}, 200, {}).value().entries.size();
  }
  std::string checkpoint() { return audit::Query(*ledger).checkpoint().value(); }
  verifier::Report verify(const std::optional<std::string>& kept = {}) {
    auto report = verifier::verify_data_dir(folder.path, kept).value();
    if (report.broken) UNSCOPED_INFO(report.broken->what);
    return report;
  }

  test::Folder folder;
  ManualClock clock{Instant(1'790'000'000'000'000)};
  authorization::Authorizer authorizer{clock};
  OrgId org = crypto::random_id<OrgId>();
  test::Person owner{.org = org};
  std::int64_t waiting = 0;
  bool dismissed = false;
  std::unique_ptr<RacingKeeperForTest> keeper;
  std::unique_ptr<storage::Database> db;
  std::unique_ptr<audit::Ledger> ledger;
  std::unique_ptr<Rotation> rotation;
};

auto each() { return GENERATE(KeyClass::checkpoint, KeyClass::cosign, KeyClass::order); }

bool signed_by(const std::string& note, const Bytes& key) { return crypto::open_checkpoint(note, key).has_value(); }

}  // namespace

TEST_CASE("a key hands over in the log: the new one in use, the old one destroyed when nobody waits for it") {
  World w;
  const KeyClass key = each();
  w.add();
  const Bytes old = w.keeper->public_key(use_of(key));
  w.waiting = 2;
  REQUIRE(w.rotate(key));
  const Bytes fresh = w.keeper->public_key(use_of(key));
  CHECK(fresh != old);
  const auto said = audit::Query(*w.ledger).successions().value();
  REQUIRE(said.size() == 1);
  CHECK((said[0].old_key == old && said[0].new_key == fresh));
  CHECK(said[0].size == audit::Query(*w.ledger).size().value());  // its own entry was the last one
  CHECK(w.rotate(key).error().code == Code::in_progress);
  w.finish();
  w.add();
  CHECK(w.generations(key) == std::vector<std::uint32_t>{2, 1});  // two servers have not said that they know
  const auto inventory = w.rotation->inventory(w.org).value();
  CHECK(std::ranges::any_of(inventory.keys, [&](const KeyStatus& k) { return k.key == key && !k.current && k.waiting == 2; }));
  w.waiting = 0;
  w.finish();
  CHECK(w.generations(key) == std::vector<std::uint32_t>{2});
  CHECK(w.keeper->sign_with(use_of(key), old, view("m")).error().code == Code::not_found);
  CHECK(w.logged("key.rotate") == 1);
  CHECK(w.logged("key.destroy") == 1);
  w.add();
  CHECK(w.verify().holds());
}

TEST_CASE("a checkpoint is the new key's exactly if it covers the entry that names it, and both sign while both are there") {
  World w;
  w.add();
  const std::string before = w.checkpoint();
  const Bytes old = w.keeper->public_key(SigningUse::checkpoint);
  w.waiting = 1;
  REQUIRE(w.rotate(KeyClass::checkpoint));
  const Bytes fresh = w.keeper->public_key(SigningUse::checkpoint);
  CHECK_FALSE(signed_by(before, fresh));
  CHECK(signed_by(w.checkpoint(), fresh));
  CHECK(signed_by(w.checkpoint(), old));
  w.restart();
  w.add();
  CHECK(signed_by(w.checkpoint(), fresh));
  CHECK(signed_by(w.checkpoint(), old));
  w.waiting = 0;
  w.finish();
  w.add();
  CHECK_FALSE(signed_by(w.checkpoint(), old));
  CHECK(w.verify().holds());
  CHECK(w.verify(before).holds());  // kept by somebody, before all this
}

TEST_CASE("rotated again and again, the log verifies from any checkpoint that was kept, and every key is followed from the first") {
  World w;
  std::vector<std::string> kept;
  std::map<KeyClass, crypto::HeldKey> held;
  for (const KeyClass key : {KeyClass::checkpoint, KeyClass::cosign, KeyClass::order}) held[key] = {w.keeper->public_key(use_of(key)), 0};
  for (int n = 0; n < 3; ++n)
    for (const KeyClass key : {KeyClass::checkpoint, KeyClass::cosign, KeyClass::order}) {
      w.add();
      kept.push_back(w.checkpoint());
      REQUIRE(w.rotate(key));
      w.finish();
      kept.push_back(w.checkpoint());
    }
  w.write_log_keys();
  for (const auto& note : kept) CHECK(w.verify(note).holds());
  const auto all = audit::Query(*w.ledger).successions().value();
  for (const auto& h : all) {
    auto& mine = held.at(parse_key_class(crypto::text(h.key)).value());
    mine = crypto::follow(mine, h.key, h.statement).value();
  }
  for (const auto& [key, mine] : held) CHECK((mine.generation == 4 && mine.key == w.keeper->public_key(use_of(key))));
  w.restart();
  w.add();
  CHECK(w.verify().holds());
}

TEST_CASE("an export carries the chain: it verifies against checkpoints that keys of before signed") {
  World w;
  w.add();
  const std::string before = w.checkpoint();
  REQUIRE(w.rotate(KeyClass::checkpoint));
  w.finish();
  REQUIRE(w.rotate(KeyClass::cosign));
  w.finish();
  w.add();
  const std::string after = w.checkpoint();
  audit::Query query(*w.ledger);
  const auto filter = audit::Filter{.org = w.org, .unowned = true, .action = "key.rotate"};
  const std::uint64_t size = query.size().value();
  const std::string bundle = query.bundle_head(filter, size, 0).value() + query.bundle_piece(filter, 0, size).value().first;
  CHECK(verifier::verify_bundle(bundle)->holds());
  CHECK(verifier::verify_bundle(bundle, after)->holds());
  // What stands before the rotation is hidden behind nodes here, so only whose key it is can be said.
  const auto from_before = verifier::verify_bundle(bundle, before).value();
  CHECK((from_before.holds() || from_before.broken->what.find("export without filters") != std::string::npos));
  std::string cut = bundle;  // without the chain nobody knows these keys
  while (cut.find("{\"s\":") != cut.npos) cut.erase(cut.find("{\"s\":"), cut.find('\n', cut.find("{\"s\":")) + 1 - cut.find("{\"s\":"));
  const auto unknown = verifier::verify_bundle(cut, before).value();
  REQUIRE(unknown.broken);
  CHECK(unknown.broken->what.find("not signed by the key of this bundle's log") != std::string::npos);
  std::string forged = bundle;
  forged[forged.find("\\\"generation\\\":2") + 16] = '3';
  CHECK_FALSE(verifier::verify_bundle(forged)->holds());
}

TEST_CASE("after kill -9 at each step of a handing over, it goes on or has never begun, and the log verifies") {
  World w;
  const KeyClass key = each();
  w.add();
  SECTION("the new key made, no entry names it: it stays and signs nothing, and the next handing over is to it") {
    REQUIRE(w.keeper->new_signing_key(key));
    const Bytes unsaid = w.keeper->public_key(use_of(key));
    w.restart();
    w.add();  // signed by the key in use, whatever else is there
    w.finish();
    CHECK(w.generations(key) == std::vector<std::uint32_t>{2, 1});
    REQUIRE(w.rotate(key));
    CHECK(w.keeper->public_key(use_of(key)) == unsaid);
  }
  SECTION("the new key made, and the next command comes before anything else") {
    REQUIRE(w.keeper->new_signing_key(key));
    w.restart();
    REQUIRE(w.rotate(key));
  }
  SECTION("the entry written, servers not told") {
    w.waiting = 1;
    REQUIRE(w.rotate(key));
    w.restart();
    w.finish();
    CHECK(w.generations(key) == std::vector<std::uint32_t>{2, 1});
    w.waiting = 0;
  }
  SECTION("the destruction written, the key still there") {
    REQUIRE(w.rotate(key));
    w.keeper->destroys_none = true;
    CHECK_FALSE(w.rotation->tick());
    w.restart();
    CHECK(w.generations(key) == std::vector<std::uint32_t>{2, 1});
  }
  SECTION("everything done, nothing answered") {
    REQUIRE(w.rotate(key));
    w.finish();
    w.restart();
  }
  w.finish();
  CHECK(w.generations(key) == std::vector<std::uint32_t>{2});
  CHECK(audit::Query(*w.ledger).successions()->size() == 1);
  w.add();
  CHECK(w.verify().holds());
}

TEST_CASE("a handing over that fails, or of somebody who may not any more, leaves the old key alone in use") {
  World w;
  const KeyClass key = each();
  w.add();
  if (GENERATE(true, false)) w.keeper->signs_no_succession = true;
  else w.dismissed = true;
  CHECK_FALSE(w.rotate(key));
  w.keeper->signs_no_succession = w.dismissed = false;
  CHECK(audit::Query(*w.ledger).successions()->empty());
  w.add();
  w.finish();
  CHECK(w.generations(key) == std::vector<std::uint32_t>{2, 1});  // unused: never destroyed because no entry names it
  REQUIRE(w.rotate(key));
  w.finish();
  CHECK(w.generations(key) == std::vector<std::uint32_t>{2});
  w.add();
  CHECK(w.verify().holds());
}

TEST_CASE("servers that stay away are waited for as long as the operator said, and the entry counts them") {
  World w;
  const KeyClass key = each();
  w.waiting = 3;
  REQUIRE(w.rotate(key));
  w.clock.advance(std::chrono::hours(24) - Duration(1));
  w.finish();
  CHECK(w.generations(key).size() == 2);
  w.clock.advance(Duration(1));
  w.finish();
  CHECK(w.generations(key) == std::vector<std::uint32_t>{2});
  const auto destroyed = audit::Query(*w.ledger).list({.action = "key.destroy"}, 1, {}).value();
  CHECK(destroyed.entries.front().body.find("\"left\":3") != std::string::npos);
}

TEST_CASE("each of them is renewed once a year by itself, as the root key is, and never while the last time is not over") {
  World w;
  w.waiting = 1;
  w.rotation->wait_for([&](KeyClass key, BytesView) { return w.generations(key).size() > 1 ? w.waiting : 0; }, std::chrono::hours(24 * 1000));
  for (const Duration more : {Duration(std::chrono::hours(24 * 365)), Duration(std::chrono::hours(24 * 365))}) {
    w.clock.advance(more);
    w.finish();
    for (const KeyClass key : {KeyClass::checkpoint, KeyClass::cosign, KeyClass::order}) CHECK(w.generations(key) == std::vector<std::uint32_t>{2, 1});
  }
  CHECK(w.generations(KeyClass::root) == std::vector<std::uint32_t>{3});
  w.waiting = 0;
  w.finish();  // over, and due again
  w.finish();
  for (const KeyClass key : {KeyClass::checkpoint, KeyClass::cosign, KeyClass::order}) CHECK(w.generations(key) == std::vector<std::uint32_t>{3});
  CHECK(w.logged("key.rotate_on_schedule") == 14);  // and root, jwt and the authorities, twice each
  REQUIRE(w.ledger->anchor());  // as each second
  CHECK(w.verify().holds());
}

TEST_CASE("by itself no key hands over while a server has not said that it goes by today's, for as long as an old key is kept") {
  World w;
  w.waiting = 1;
  const auto all = [&](const std::vector<std::uint32_t>& generations) {
    w.finish();
    for (const KeyClass key : {KeyClass::checkpoint, KeyClass::cosign, KeyClass::order}) CHECK(w.generations(key) == generations);
  };
  w.clock.advance(std::chrono::hours(24 * 400));  // off for so long, and due since weeks
  w.restart();
  all({1});
  w.clock.advance(std::chrono::hours(23));
  all({1});
  SECTION("it says so") {
    w.waiting = 0;
    all({2, 1});
  }
  SECTION("it is gone for good") {
    w.clock.advance(std::chrono::hours(1));
    all({2, 1});
  }
}

TEST_CASE("the log takes no succession for another place, or from a key that has handed over") {
  World w;
  const KeyClass key = each();
  w.waiting = 1;
  REQUIRE(w.rotate(key));
  const auto hand_over = [&](std::int64_t off) {
    auto tx = w.db->begin_write();
    return w.ledger->hand_over(tx, [&](std::uint64_t size) { return w.keeper->succession(key, size + static_cast<std::uint64_t>(off)); });
  };
  CHECK_FALSE(hand_over(0));  // from the first key to the second once more
  w.waiting = 0;
  w.finish();
  REQUIRE(w.keeper->new_signing_key(key));
  CHECK_FALSE(hand_over(1));
  CHECK(hand_over(0));
}

// --- somebody who stole the old keys before they were destroyed ---------------------------------

namespace {

struct Thief {  // with a copy of the data directory from before the rotation, keys and all
  explicit Thief(World& w) {
    fs::remove_all(folder.path);
    fs::copy(w.folder.path, folder.path, fs::copy_options::recursive);
    fs::permissions(folder.path + "/keys", fs::perms::owner_all);
    keeper = secrets::open_local_keeper(folder.path + "/keys", w.clock).value();
  }
  test::Folder folder;
  std::unique_ptr<secrets::Keeper> keeper;
  std::string sign(const crypto::Checkpoint& c) const {
    const Bytes key = keeper->public_key(SigningUse::checkpoint);
    return crypto::checkpoint_note(c, key, keeper->sign(SigningUse::checkpoint, view(crypto::checkpoint_text(c))).value());
  }
};

void raw(const std::string& folder, const std::string& sql) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open((folder + "/caip.db").c_str(), &db) == SQLITE_OK);
  char* why = nullptr;
  const int rc = sqlite3_exec(db, sql.c_str(), nullptr, nullptr, &why);
  INFO((why != nullptr ? why : ""));
  REQUIRE(rc == SQLITE_OK);
  sqlite3_close(db);
}

}  // namespace

TEST_CASE("with the old key nobody signs a later checkpoint that anyone accepts") {
  World w;
  w.add();
  const Thief thief(w);
  REQUIRE(w.rotate(KeyClass::checkpoint));
  w.finish();
  w.write_log_keys();
  w.add();
  const std::string kept = w.checkpoint();
  const auto truth = crypto::parse_checkpoint_text(crypto::parse_note(kept)->text).value();
  w.rotation.reset();
  w.ledger.reset();
  w.db.reset();
  SECTION("on the true log") {
    raw(w.folder.path, "DROP TRIGGER log_checkpoints_u; UPDATE log_checkpoints SET note = '" + thief.sign(truth) + "' WHERE size = " + std::to_string(truth.size));
    CHECK(w.verify().broken->what.find("not signed by the key of this log") != std::string::npos);
  }
  SECTION("with the table of successions emptied as well: the entry says that the key changed") {
    fs::remove(w.folder.path + "/log.keys");
    raw(w.folder.path, "DROP TRIGGER log_checkpoints_u; DROP TRIGGER log_successions_d; DELETE FROM log_successions;"
                       "UPDATE log_checkpoints SET note = '" + thief.sign(truth) + "' WHERE size = " + std::to_string(truth.size));
    CHECK(w.verify().broken->what.find("what it says of a new key") != std::string::npos);
  }
  SECTION("in a log that forks before the keys changed: it is not the one that log.keys, or a kept checkpoint, knows") {
    auto db = storage::Database::open(thief.folder.path + "/caip.db", schema()).value();
    auto ledger = open_log(*db, *thief.keeper, w.clock).value();
    for (int n = 0; n < 4; ++n) {
      auto spent = std::move(w.authorizer.authorize_system(FailOperation{OperationId{IdBytes{}}}).value()).spend(w.clock.now());
      REQUIRE(ledger->commit(db->begin_write(), *std::move(spent)));
    }
    ledger.reset();
    db.reset();
    CHECK(verifier::verify_data_dir(thief.folder.path)->holds());  // by itself it is a log like any other
    CHECK(verifier::verify_data_dir(thief.folder.path, kept)->broken->what.find("not signed by the key of this log") != std::string::npos);
    fs::copy(w.folder.path + "/log.keys", thief.folder.path + "/log.keys", fs::copy_options::overwrite_existing);
    CHECK(verifier::verify_data_dir(thief.folder.path)->broken->what.find("signed anew") != std::string::npos);
  }
}

TEST_CASE("a succession that somebody put into the database is found") {
  World w;
  w.add();
  REQUIRE(w.rotate(KeyClass::checkpoint));
  w.finish();
  w.add();
  w.rotation.reset();
  w.ledger.reset();
  w.db.reset();
  const std::string open = "DROP TRIGGER log_successions_u; DROP TRIGGER log_successions_d;";
  SECTION("with a byte changed") { raw(w.folder.path, open + "UPDATE log_successions SET statement = replace(statement, '\"generation\":2', '\"generation\":3')"); }
  SECTION("at another place") { raw(w.folder.path, open + "UPDATE log_successions SET idx = idx + 1"); }
  SECTION("with another key in the column beside it") { raw(w.folder.path, open + "UPDATE log_successions SET public_key = randomblob(32)"); }
  SECTION("of another kind by the column beside it") { raw(w.folder.path, open + "UPDATE log_successions SET key = 'order'"); }
  SECTION("gone") { raw(w.folder.path, open + "DELETE FROM log_successions"); }
  CHECK_FALSE(w.verify().holds());
}

TEST_CASE("a succession that says another place than its own is found, whoever signed it") {
  World w;
  w.add();
  REQUIRE(w.keeper->new_signing_key(KeyClass::checkpoint));
  const std::string elsewhere = w.keeper->succession(KeyClass::checkpoint, 99).value();  // caipd was taken over
  auto spent = std::move(w.authorizer.authorize_system(RotateKeyOnSchedule{KeyClass::checkpoint}).value()).spend(w.clock.now());
  const std::uint64_t index =
      w.ledger->commit(w.db->begin_write(), *std::move(spent), {.detail = {{"succession", parse_object(elsewhere).value()}}})->index();
  w.rotation.reset();
  w.ledger.reset();
  w.db.reset();
  raw(w.folder.path, "INSERT INTO log_successions SELECT " + std::to_string(index) + ", 'checkpoint', 2, x'00', x'01', '" + elsewhere + "'");
  CHECK(w.verify().broken->what.find("not for this place") != std::string::npos);
}

TEST_CASE("an export whose checkpoint somebody signed with a key that the chain does not lead to is found") {
  World w;
  w.add();
  REQUIRE(w.rotate(KeyClass::checkpoint));
  w.finish();
  w.add();
  const std::string kept = w.checkpoint();
  audit::Query query(*w.ledger);
  const audit::Filter filter{.org = w.org, .action = "key.rotate"};
  const std::uint64_t size = query.size().value();
  const std::string head = query.bundle_head(filter, size, 0).value(), rest = query.bundle_piece(filter, 0, size).value().first;
  const auto thief = crypto::SigningKey::generate();
  auto forged = parse_object(head.substr(0, head.find('\n'))).value();
  const auto c = crypto::parse_checkpoint_text(crypto::parse_note(kept)->text).value();
  forged["checkpoint"] = crypto::checkpoint_note(c, thief.public_key(), thief.sign(view(crypto::checkpoint_text(c))));
  forged["log_key"] = crypto::note_vkey(crypto::kLogOrigin, thief.public_key());
  forged["cosign_key"] = "";
  CHECK(verifier::verify_bundle(head + rest, kept)->holds());
  const auto report = verifier::verify_bundle(canonical(forged) + head.substr(head.find('\n')) + rest, kept).value();
  REQUIRE(report.broken);
  CHECK(report.broken->what.find("do not come from one another") != std::string::npos);
}

}  // namespace caip::vault
