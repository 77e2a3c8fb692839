#include <atomic>
#include <fstream>
#include <map>
#include <set>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <thread>

#include "test_world.h"
#include "vault/check_sealing.h"

namespace caip::vault {
namespace {

std::string file_bytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> told(World& w) {
  std::vector<std::string> out;
  auto tx = w.db->begin_read();
  REQUIRE(tx.query("SELECT kind || ' ' || subject FROM notices ORDER BY seq", [&](const storage::Row& r) { out.push_back(r.text(0)); }));
  return out;
}

}  // namespace

TEST_CASE("a secret is made, used, replaced and deleted, and each step is in the log without the value") {
  World w;
  for (const SecretKind kind : kSecretKinds) {
    if (kind == SecretKind::ssh_key) continue;
    auto made = w.create("THE_NAME", "canary-value", kind);
    REQUIRE(made);
    CHECK(w.holds(*made, "canary-value"));
    CHECK(w.create("THE_NAME", "x", kind).error().code == Code::conflict);
    auto replaced = w.replace(*made, "second-canary", 1);
    REQUIRE(replaced);
    CHECK(replaced->version == 2);
    CHECK(replaced->replaced);
    CHECK(w.holds(*replaced, "second-canary"));
    CHECK(w.replace(*made, "x", 1).error().code == Code::precondition_failed);
    CHECK(w.remove(*made, 1).error().code == Code::precondition_failed);
    REQUIRE(w.remove(*made, 2));
    CHECK(w.store->get(w.org, made->id).error().code == Code::not_found);
    CHECK(w.use(use_of(kind), {made->id}).error().code == Code::not_found);
  }
  for (const char* action : {"secret.create", "secret.replace", "secret.delete"}) {
    CHECK(w.logged(action, "completed") == 4);
    CHECK(w.logged(action, "blocked") == 4);  // the name that was taken, the versions that were not the newest
  }
  CHECK(w.logged("secret.use", "completed") == 8);
  auto page = audit::Query(*w.ledger).list({}, 200, {}).value();
  for (const auto& e : page.entries) CHECK(e.body.find("canary") == std::string::npos);
}

TEST_CASE("a value that is none is refused on the record, and the entry does not have it") {
  World w;
  const auto a = w.create("A", "fine").value();
  CHECK(w.create("B", std::string(kMostValue + 1, 'x')).error().code == Code::too_large);
  CHECK(w.create("B", "").error().code == Code::invalid);
  CHECK_FALSE(w.create("B", "canary-no-key", SecretKind::ssh_key));
  CHECK(w.logged("secret.create", "blocked") == 3);
  CHECK(w.replace(a, "", 1).error().code == Code::invalid);
  CHECK(w.logged("secret.replace", "blocked") == 1);
  const auto logged = audit::Query(*w.ledger).list({}, 200, {}).value();
  for (const auto& e : logged.entries) CHECK(e.body.find("canary") == std::string::npos);
}

TEST_CASE("S10: stored bytes are ciphertext, in the database and in its write-ahead log") {
  World w;
  REQUIRE(w.create("A", "canary-0123456789-canary"));
  auto ssh = w.create("KEY", "", SecretKind::ssh_key);
  REQUIRE(ssh);
  for (const auto& file : std::filesystem::recursive_directory_iterator(w.folder.path))
    if (file.is_regular_file()) CHECK(file_bytes(file.path()).find("canary-0123456789") == std::string::npos);
}

TEST_CASE("S10: a start finds out that values are not sealed: by the keeper now, or by a row from before") {
  World w;
  CHECK(check_sealing(*w.db, *w.keeper));  // nobody has a key yet
  const auto a = w.create("A", "a value").value();
  CHECK(check_sealing(*w.db, *w.keeper));
  w.keeper->seals_nothing = true;
  CHECK(check_sealing(*w.db, *w.keeper).error().code == Code::storage_failed);
  w.keeper->seals_nothing = false;
  auto tx = w.db->begin_write();
  REQUIRE(tx.exec("UPDATE secrets SET sealed = ?1", Bytes(60, 'x')));
  auto spent = std::move(w.authorizer.authorize_system(FailOperation{OperationId{IdBytes{}}}).value()).spend(w.clock.now());
  REQUIRE(w.ledger->commit(std::move(tx), *std::move(spent)));
  CHECK(check_sealing(*w.db, *w.keeper).error().detail.contains(a.id.str()));
}

TEST_CASE("an SSH key shows its public half, signs after an entry, and never opens") {
  World w;
  auto made = w.create("deploy", "", SecretKind::ssh_key);
  REQUIRE(made);
  REQUIRE(made->public_key);
  CHECK(made->public_key->starts_with("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5"));
  CHECK(made->public_key->ends_with(" deploy"));
  CHECK_FALSE(w.use(SecretUse::ssh_sign, {made->id}));
  for (const SecretKind kind : kSecretKinds)
    if (kind != SecretKind::ssh_key) CHECK(w.use(use_of(kind), {made->id}).error().code == Code::forbidden);
  auto permit = w.authorize(w.owner.session(), UseSecrets{SecretUse::ssh_sign, {made->id}, "unit.restart", ""});
  auto signature = w.store->ssh_sign(std::move(permit).value(), view("message"));
  REQUIRE(signature);
  const auto blob = from_base64(made->public_key->substr(12, made->public_key->find(' ', 12) - 12)).value();
  CHECK(crypto::ed25519_verify(BytesView(blob).last(32), view("message"), *signature));
  CHECK(w.create("bad", "not a key", SecretKind::ssh_key).error().code == Code::invalid);
}

TEST_CASE("a use is logged before anything opens, names every secret, and needs them all to be of its kind and organisation") {
  World w;
  auto a = w.create("A", "1"), b = w.create("B", "2"), cloud = w.create("C", "3", SecretKind::cloud_key);
  auto opened = w.use(SecretUse::server_env, {b->id, a->id});
  REQUIRE(opened);
  CHECK(opened->at(0) == SecretBytes(std::string_view("2")));
  CHECK(opened->at(1) == SecretBytes(std::string_view("1")));
  const auto page = audit::Query(*w.ledger).list({.action = "secret.use"}, 1, {}).value();
  CHECK(page.entries.front().body.find(a->id.str()) != std::string::npos);
  CHECK(page.entries.front().body.find(b->id.str()) != std::string::npos);
  CHECK(page.entries.front().body.find("unit.restart") != std::string::npos);
  CHECK(w.use(SecretUse::server_env, {a->id, cloud->id}).error().code == Code::forbidden);
  CHECK(w.use(SecretUse::server_env, {}).error().code == Code::invalid);
  CHECK(w.use(SecretUse::server_env, std::vector<SecretId>(257, a->id)).error().code == Code::invalid);
  test::Person stranger{.org = crypto::random_id<OrgId>()};
  auto theirs = w.authorize(stranger.session(), UseSecrets{SecretUse::server_env, {a->id}, "unit.restart", ""});
  CHECK(w.store->open(std::move(theirs).value()).error().code == Code::not_found);
  CHECK(w.logged("secret.use", "blocked") == 2);  // another kind's, another organisation's
  CHECK(w.store->get(stranger.org, a->id).error().code == Code::not_found);
}

TEST_CASE("what an order places opens in the versions that it names, with an entry each time, and no other version does") {
  World w;
  const auto a = w.create("A", "1").value(), b = w.create("B", "2").value(), cloud = w.create("C", "3", SecretKind::cloud_key).value();
  const auto open = [&](const std::vector<SecretId>& ids, const std::map<SecretId, std::int64_t>& versions) {
    auto permit = w.authorizer.authorize_system(SendEnv{OperationId{IdBytes{7}}, ServerId{IdBytes{9}}, ids}, w.org);
    return w.store->open_to_place(std::move(permit).value(), versions);
  };
  const auto opened = open({a.id, b.id}, {{a.id, 1}, {b.id, 1}});
  REQUIRE(opened);
  CHECK(opened->at(1).name.str() == "B");
  CHECK(opened->at(1).value == SecretBytes(std::string_view("2")));
  CHECK(w.logged("env.send", "completed") == 1);
  REQUIRE(w.replace(a, "new", 1));
  CHECK(open({a.id}, {{a.id, 1}}).error().code == Code::conflict);
  CHECK(open({a.id, b.id}, {{a.id, 2}}).error().code == Code::conflict);
  CHECK(open({cloud.id}, {{cloud.id, 1}}).error().code == Code::forbidden);
  CHECK(w.logged("env.send", "blocked") == 3);
  CHECK(open({a.id}, {{a.id, 2}})->front().value == SecretBytes(std::string_view("new")));
  const auto page = audit::Query(*w.ledger).list({.action = "env.send"}, 1, {}).value();
  CHECK(page.entries.front().body.contains(OperationId{IdBytes{7}}.str()));
  CHECK(page.entries.front().body.contains(a.id.str()));
}

TEST_CASE("more than one use can carry is refused before anything opens") {
  World w;
  std::vector<SecretId> ids;
  for (int n = 0; n < 65; ++n) ids.push_back(w.create("N" + std::to_string(n), std::string(kMostValue, 'x'))->id);
  CHECK(w.use(SecretUse::server_env, ids).error().code == Code::too_large);
  CHECK(w.logged("secret.use", "completed") == 0);
  ids.erase(ids.begin() + 40, ids.end());
  CHECK(w.use(SecretUse::server_env, ids)->size() == 40);
}

TEST_CASE("rows swapped by somebody with the database file do not open") {
  World w;
  auto a = w.create("A", "1"), b = w.create("B", "2");
  {
    auto tx = w.db->begin_write();
    REQUIRE(tx.exec("UPDATE secrets SET sealed = (SELECT sealed FROM secrets WHERE id = ?2) WHERE id = ?1", a->id, b->id));
    auto spent = std::move(w.authorizer.authorize_system(FailOperation{OperationId{IdBytes{}}}).value()).spend(w.clock.now());
    REQUIRE(w.ledger->commit(std::move(tx), *std::move(spent)));
  }
  CHECK(w.use(SecretUse::server_env, {a->id}).error().code == Code::storage_failed);
  CHECK(w.holds(*b, "2"));
}

TEST_CASE("lists come in pages, by kind, and only of one's own organisation") {
  World w;
  for (int n = 0; n < 7; ++n) REQUIRE(w.create("N" + std::to_string(n), "v", n % 2 ? SecretKind::env_value : SecretKind::cloud_key));
  std::set<std::string> names;
  PageAsk ask{.limit = 3, .after = {}};
  for (bool more = true; more;) {
    auto page = w.store->list(w.org, {}, ask).value();
    CHECK(page.items.size() <= 3);
    for (const auto& s : page.items) CHECK(names.insert(s.name.str()).second);
    more = page.more;
    ask.after = Place{0, page.items.back().id.str()};
  }
  CHECK(names.size() == 7);
  CHECK(w.store->list(w.org, SecretKind::cloud_key, {.limit = 200, .after = {}})->items.size() == 4);
  CHECK(w.store->list(crypto::random_id<OrgId>(), {}, {})->items.empty());
  CHECK(w.store->counts(w.org)->at(0).count == 3);
}

TEST_CASE("a data key rotation ends with nothing under the old key, and that key destroyed") {
  World w;
  std::vector<SecretInfo> all;
  for (int n = 0; n < 20; ++n) all.push_back(w.create("N" + std::to_string(n), "value " + std::to_string(n)).value());
  REQUIRE(w.rotate(KeyClass::data));
  CHECK(w.rotate(KeyClass::data).error().code == Code::in_progress);
  CHECK(w.data_generations() == std::vector<std::uint32_t>{2, 1});
  for (const auto& s : all) CHECK(w.use(SecretUse::server_env, {s.id}));  // reads go on
  w.finish();
  CHECK(w.data_generations() == std::vector<std::uint32_t>{2});
  CHECK(w.under(1) == 0);
  CHECK(w.under(2) == 20);
  for (std::size_t n = 0; n < all.size(); ++n) CHECK(w.holds(all[n], "value " + std::to_string(n)));
  CHECK(w.logged("key.rotate", "completed") == 1);
  CHECK(w.logged("key.rewrap", "completed") == 1);
  CHECK(w.logged("key.destroy", "completed") == 1);
}

TEST_CASE("a rotation goes on after a crash between any two of its steps") {
  World w;
  const auto secret = w.create("A", "value").value();
  REQUIRE(w.create("B", "other"));
  SECTION("before the first row") {
    REQUIRE(w.rotate(KeyClass::data));
    w.restart();
  }
  SECTION("after the rows, before the count") {
    REQUIRE(w.rotate(KeyClass::data));
    REQUIRE(w.rotation->tick());
    CHECK(w.data_generations().size() == 2);
    w.restart();
  }
  SECTION("the new key made, the process killed before it knew") {
    REQUIRE(w.keeper->new_data_key(w.org));
    w.restart();
  }
  w.finish();
  CHECK(w.data_generations() == std::vector<std::uint32_t>{2});
  CHECK(w.under(2) == 2);
  CHECK(w.holds(secret, "value"));
}

TEST_CASE("a deleted or replaced secret's key is destroyed: a copy of the database from before does not open any more") {
  World w;
  const auto gone = w.create("A", "value").value(), stays = w.create("B", "other").value();
  Bytes copy;
  {
    auto tx = w.db->begin_read();
    copy = tx.one<Bytes>("SELECT sealed FROM secrets WHERE id = ?1", gone.id, [](const storage::Row& r) { return r.blob(0); }).value().value();
  }
  auto open_copy = [&] {
    secrets::Items one;
    one.push_back({.id = gone.id, .kind = gone.kind, .version = 1, .field = "value", .data = SecretBytes(Bytes(copy))});
    return w.keeper->open(w.org, SecretUse::server_env, std::move(one)).has_value();
  };
  if (GENERATE(true, false)) REQUIRE(w.remove(gone));
  else REQUIRE(w.replace(gone, "new", 1));
  CHECK(open_copy());
  if (GENERATE(false, true)) {  // the keeper is away at first, and then this process dies
    w.keeper->no_new_keys = true;
    for (int n = 0; n < 5; ++n) CHECK_FALSE(w.rotation->tick());
    w.restart();
  }
  w.finish();
  CHECK_FALSE(open_copy());
  CHECK(w.holds(stays, "other"));
  CHECK(w.logged("key.rotate_on_schedule", "completed") == 1);
  w.finish();
  CHECK(w.logged("key.rotate_on_schedule", "completed") == 1);  // once
  CHECK(told(w).empty());
}

TEST_CASE("an organisation that ended has no secret and no data key, also after a crash before the keys went") {
  World w;
  const auto s = w.create("A", "a value").value();
  REQUIRE_FALSE(w.data_generations().empty());
  {
    auto tx = w.db->begin_write();
    REQUIRE(SecretStore::end_of(tx, w.org));
    auto permit = w.authorizer.authorize_system(ShredOrganization{w.org}, w.org).value();  // what it happens with
    REQUIRE(w.ledger->commit(std::move(tx), std::move(permit).spend(w.clock.now()).value(), {}));
  }
  CHECK(w.under(1) == 0);
  REQUIRE_FALSE(w.data_generations().empty());
  w.restart();
  w.finish();
  CHECK(w.data_generations().empty());
  CHECK_FALSE(w.holds(s, "a value"));
  // A key that somebody had made at that moment, too.
  REQUIRE(w.keeper->new_data_key(w.org));
  w.finish();
  CHECK(w.data_generations().empty());
}

TEST_CASE("a whole rotation between sealing and storing, and between reading and opening, loses nothing") {
  World w;
  const auto first = w.create("A", "value").value();
  auto rotate_now = [&] {
    REQUIRE(w.rotate(KeyClass::data));
    w.finish();
  };
  SECTION("a new secret sealed under the key that is gone is sealed again") {
    w.keeper->after_seal = rotate_now;
    const auto late = w.create("B", "late");
    REQUIRE(late);
    CHECK(w.holds(*late, "late"));
  }
  SECTION("so is a replaced one") {
    w.keeper->after_seal = rotate_now;
    const auto replaced = w.replace(first, "late", 1);
    REQUIRE(replaced);
    CHECK(w.holds(*replaced, "late"));
  }
  SECTION("a row that was read under the key that is gone is read again, and the use logged once") {
    w.keeper->before_open = rotate_now;
    CHECK(w.holds(first, "value"));
    CHECK(w.logged("secret.use", "completed") == 1);
  }
  CHECK(w.data_generations() == std::vector<std::uint32_t>{2});
  CHECK(w.under(1) == 0);
}

TEST_CASE("a secret replaced or deleted while its row is sealed again stays replaced or deleted") {
  World w;
  const auto secret = w.create("A", "old").value();
  SECTION("replaced") {
    w.keeper->after_reseal = [&] { REQUIRE(w.replace(secret, "new", 1)); };
    REQUIRE(w.rotate(KeyClass::data));
    w.finish();
    CHECK(w.holds(w.store->get(w.org, secret.id).value(), "new"));
  }
  SECTION("deleted") {
    w.keeper->after_reseal = [&] { REQUIRE(w.remove(secret)); };
    REQUIRE(w.rotate(KeyClass::data));
    w.finish();
    CHECK_FALSE(w.store->get(w.org, secret.id));
  }
}

TEST_CASE("secrets that are made, replaced and used during a rotation are neither lost nor left behind") {
  World w;
  std::vector<SecretInfo> all;
  for (int n = 0; n < 50; ++n) all.push_back(w.create("N" + std::to_string(n), "v").value());
  std::atomic<bool> stop = false;
  std::atomic<int> made = 0, failed = 0;
  std::jthread writer([&] {
    while (!stop && made < 2000) {
      if (!w.create("M" + std::to_string(made), "w")) ++failed;
      ++made;
    }
  });
  std::jthread reader([&] {
    while (!stop)
      if (!w.use(SecretUse::server_env, {all[0].id, all[49].id})) ++failed;
  });
  for (int n = 0; n < 10; ++n) {
    REQUIRE(w.rotate(KeyClass::data));
    w.finish();
  }
  stop = true;
  writer.join();
  reader.join();
  w.finish();
  CHECK(failed == 0);
  const auto newest = w.data_generations();
  REQUIRE(newest.size() == 1);
  CHECK(w.under(newest[0]) == 50 + made);
  auto tx = w.db->begin_read();
  std::vector<SecretId> ids;
  REQUIRE(tx.query("SELECT id FROM secrets", [&](const storage::Row& r) { ids.push_back(r.id<SecretId>(0).value()); }));
  for (std::size_t from = 0; from < ids.size(); from += 200)
    CHECK(w.use(SecretUse::server_env, {ids.begin() + static_cast<std::ptrdiff_t>(from), ids.begin() + static_cast<std::ptrdiff_t>(std::min(ids.size(), from + 200))}));
}

TEST_CASE("the installation's keys are rotated by the organisation that runs it and by no other; its data key is each one's own") {
  World w;
  REQUIRE(w.create("A", "v"));
  const auto generation = w.keeper->inventory().keys.front().generation;
  const test::Person elsewhere{crypto::random_id<OrgId>()};
  for (const KeyClass key : {KeyClass::root, KeyClass::jwt})
    CHECK(w.rotation->start(w.authorize(elsewhere.session(), RotateKey{key}).value()).error().code == Code::forbidden);
  CHECK(w.rotation->start(w.authorize(elsewhere.session(), RotateKey{KeyClass::data}).value()).error().code == Code::not_found);  // none yet
  CHECK(w.logged("key.rotate", "blocked") == 3);
  CHECK(w.keeper->inventory().keys.front().generation == generation);
  w.rotation->run_by({});
  CHECK(w.rotate(KeyClass::root).error().code == Code::forbidden);  // nobody said who runs it
}

TEST_CASE("the schedule: each key is renewed when its time has come, and the previous JWT key ends after its overlap") {
  World w;
  REQUIRE(w.create("A", "v"));
  w.finish();
  CHECK(w.logged("key.rotate_on_schedule", "completed") == 0);
  w.clock.advance(std::chrono::hours(24 * 30));
  w.finish();
  CHECK(w.logged("key.rotate_on_schedule", "completed") == 1);  // jwt
  CHECK(told(w) == std::vector<std::string>{"key.rotated jwt"});
  CHECK(w.keeper->verify_keys(secrets::SigningUse::jwt, w.clock.now()).size() == 2);
  w.clock.advance(secrets::kJwtOverlap);
  w.finish();
  CHECK(w.keeper->inventory().keys.size() == 9);  // one of each again
  CHECK(w.logged("key.destroy", "completed") == 1);
  w.clock.advance(std::chrono::hours(24 * 90));
  w.finish();
  CHECK(w.data_generations() == std::vector<std::uint32_t>{2});
}

TEST_CASE("the inventory has every key and seal, its algorithm, age and next rotation, and only one's own data keys") {
  World w;
  REQUIRE(w.create("A", "v"));
  REQUIRE(w.keeper->new_data_key(crypto::random_id<OrgId>()));  // another organisation's
  const auto found = w.rotation->inventory(w.org).value();
  std::map<KeyClass, int> count;
  for (const auto& k : found.keys) {
    ++count[k.key];
    CHECK(k.current);
    CHECK(k.next_rotation.has_value() == rotation_period(k.key).has_value());
    CHECK_FALSE(algorithm_of(k.key).empty());
    if (k.key == KeyClass::data) CHECK(k.sealed == 1);
  }
  CHECK(count.size() == 9);
  for (const auto& [key, n] : count) CHECK(n == 1);
  CHECK(found.seals.size() == 1);
}

TEST_CASE("keys that do not rotate are refused, and a refusal changes nothing") {
  World w;
  CHECK(w.rotate(KeyClass::pepper).error().code == Code::invalid);
  CHECK(w.rotate(KeyClass::data).error().code == Code::not_found);  // no secret yet, no key
  CHECK(w.logged("key.rotate", "completed") == 0);
}

}  // namespace caip::vault
