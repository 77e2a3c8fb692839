// Rotations that something stands in the way of: a process that dies, a keeper that is away, much data, a damaged row.
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <set>

#include "test_world.h"

namespace caip::vault {
namespace {

std::vector<std::uint32_t> generations(World& w, KeyClass key, const std::optional<OrgId>& org = {}) {
  std::vector<std::uint32_t> out;
  for (const auto& k : w.keeper->inventory().keys)
    if (k.key == key && (!org || k.org == org)) out.push_back(k.generation);
  return out;
}

void change(World& w, storage::Sql sql, const SecretId& id) {
  auto tx = w.db->begin_write();
  REQUIRE(tx.exec(sql, id));
  auto spent = std::move(w.authorizer.authorize_system(FailOperation{OperationId{IdBytes{}}}).value()).spend(w.clock.now());
  REQUIRE(w.ledger->commit(std::move(tx), *std::move(spent)));
}

}  // namespace

TEST_CASE("a rotation that was asked for and got no new key goes on by itself, also in another process, and is one entry") {
  World w;
  REQUIRE(w.create("A", "value"));
  const KeyClass key = GENERATE(KeyClass::data, KeyClass::root, KeyClass::jwt);
  CAPTURE(text(key));
  w.keeper->no_new_keys = w.keeper->no_rotation = true;
  CHECK_FALSE(w.rotate(key));
  for (int n = 0; n < 3; ++n) CHECK_FALSE(w.rotation->tick());
  CHECK(generations(w, key) == std::vector<std::uint32_t>{1});
  w.restart();
  w.finish();
  CHECK(generations(w, key).front() == 2);
  CHECK(w.logged("key.rotate", "completed") == 1);
  CHECK(w.logged("key.rotate_on_schedule", "completed") == 0);
  w.finish();
  CHECK(generations(w, key).front() == 2);
}

namespace {

// From asking for a rotation to its end.
void rotate_to_the_end(World& w, KeyClass key) {
  const auto began = w.rotate(key);  // outside of a check, which would catch the kill
  REQUIRE(began);
  w.finish();
  w.clock.advance(secrets::kJwtOverlap);
  w.finish();
}

// Killed at the n-th moment, and started again. False: it came to its end before.
bool rotation_killed_at(int n, KeyClass key) {
  World w;
  const auto a = w.create("A", "value").value(), b = w.create("B", "other").value();
  w.keeper->moments = 0;
  w.keeper->killed_at = n;
  bool killed = false;
  try {
    rotate_to_the_end(w, key);
  } catch (const RacingKeeperForTest::Killed&) {
    killed = true;
    w.restart();
    w.finish();
    w.clock.advance(secrets::kJwtOverlap);
    w.finish();
  }
  INFO(text(key) << " killed at " << n);
  CHECK(generations(w, key) == std::vector<std::uint32_t>{2});
  CHECK(w.logged("key.rotate", "completed") == 1);
  CHECK(w.logged("key.rotate_on_schedule", "completed") == 0);
  CHECK(w.logged("key.destroy", "completed") >= 1);  // a second time when it died between the entry and the destruction
  CHECK(w.logged("key.destroy", "completed") <= 2);
  CHECK((w.holds(a, "value") && w.holds(b, "other")));
  if (key == KeyClass::data) CHECK(w.under(1) == 0);
  return killed;
}

}  // namespace

TEST_CASE("a rotation that is killed right before or right after any change of keys goes on to its end") {
  for (const auto& [key, changes] : {std::pair{KeyClass::data, 3}, {KeyClass::root, 1}, {KeyClass::jwt, 2}, {KeyClass::ca, 1}, {KeyClass::agent_ca, 1}}) {
    int n = 1;
    while (rotation_killed_at(n, key)) ++n;
    CHECK(n == 2 * changes + 1);
  }
}

TEST_CASE("a root or an authority that was replaced without an answer is said to be destroyed, once, and is told of") {
  for (const KeyClass key : {KeyClass::root, KeyClass::ca, KeyClass::agent_ca}) {
    World w;
    w.keeper->loses_answer = true;
    CHECK_FALSE(w.rotate(key));
    CHECK(generations(w, key) == std::vector<std::uint32_t>{2});
    CHECK(w.logged("key.destroy", "completed") == 0);
    w.restart();
    std::vector<KeyClass> told;
    w.rotation->on_new_key([&](KeyClass k) { told.push_back(k); });
    w.finish();
    w.finish();
    CHECK(told == std::vector{key});
    CHECK(w.logged("key.destroy", "completed") == 1);
    CHECK(generations(w, key) == std::vector<std::uint32_t>{2});
  }
}

TEST_CASE("keys of a backup from before a rotation are not rotated unasked, and can be once more") {
  for (const KeyClass key : {KeyClass::root, KeyClass::ca, KeyClass::agent_ca}) {
    World w;
    const auto file = std::filesystem::path(w.folder.path) / "keys" / "keyring", kept = file.parent_path() / "kept";
    std::filesystem::copy_file(file, kept);
    REQUIRE(w.rotate(key));
    w.finish();
    CHECK(generations(w, key) == std::vector<std::uint32_t>{2});
    std::filesystem::rename(kept, file);
    w.restart();
    w.finish();
    CHECK(generations(w, key) == std::vector<std::uint32_t>{1});
    CHECK(w.logged("key.destroy", "completed") == 1);
    REQUIRE(w.rotate(key));
    w.finish();
    CHECK(generations(w, key) == std::vector<std::uint32_t>{2});
    CHECK(w.logged("key.destroy", "completed") == 2);
  }
}

TEST_CASE("while servers have not followed, the agents' authority is replaced four times and no fifth") {
  World w;
  std::int64_t away = 1;
  w.rotation->wait_for([&](KeyClass key, BytesView) { return key == KeyClass::agent_ca ? away : 0; }, std::chrono::hours(24));
  for (int n = 0; n < 4; ++n) REQUIRE(w.rotate(KeyClass::agent_ca));
  const std::string now = w.keeper->authority(KeyClass::agent_ca).pem;
  CHECK(w.rotate(KeyClass::agent_ca).error().code == Code::in_progress);
  CHECK(w.keeper->authority(KeyClass::agent_ca).pem == now);
  for (int n = 0; n < 5; ++n) REQUIRE(w.rotate(KeyClass::ca));  // the other one waits for nobody
  away = 0;
  REQUIRE(w.rotate(KeyClass::agent_ca));
}

TEST_CASE("a data key that has sealed 2^31 times is renewed by itself, half way to where it would seal no more") {
  World w;
  const auto a = w.create("A", "1").value();
  const auto used = [&](std::int64_t times) {
    auto tx = w.db->begin_write();
    REQUIRE(tx.exec("UPDATE secret_keys SET uses = ?1", times));
    auto spent = std::move(w.authorizer.authorize_system(FailOperation{OperationId{IdBytes{}}}).value()).spend(w.clock.now());
    REQUIRE(w.ledger->commit(std::move(tx), *std::move(spent)));
    w.finish();
  };
  const auto generation = [&] {
    std::uint32_t newest = 0;
    for (const auto& k : w.keeper->inventory().keys)
      if (k.key == KeyClass::data) newest = std::max(newest, k.generation);
    return newest;
  };
  used(std::int64_t{1} << 31);
  CHECK(generation() == 1);
  used((std::int64_t{1} << 31) + 1);
  CHECK(generation() == 2);
  CHECK(w.logged("key.rotate_on_schedule", "completed") == 1);
  CHECK(w.holds(a, "1"));
}

TEST_CASE("more than the keeper takes at once is sealed again in pieces") {
  World w;
  for (int n = 0; n < 140; ++n) REQUIRE(w.create("N" + std::to_string(n), std::string(kMostValue, 'x')));
  REQUIRE(w.rotate(KeyClass::data));
  w.finish();
  CHECK(w.under(2) == 140);
  CHECK(w.data_generations() == std::vector<std::uint32_t>{2});
}

TEST_CASE("a secret that does not open keeps nobody else's rotation up, is named once, and is out of the way when it is replaced") {
  World w;
  const auto a = w.create("A", "one").value(), b = w.create("B", "two").value();
  test::Person other{.org = crypto::random_id<OrgId>()};
  REQUIRE(w.store->create(w.authorize(other.session(), CreateSecret{crypto::random_id<SecretId>(), SecretKind::env_value, SecretName::parse("C").value()}).value(), SecretBytes(std::string_view("three"))));
  change(w, "UPDATE secrets SET sealed = (SELECT zeroblob(60)) WHERE id = ?1", a.id);
  REQUIRE(w.rotate(KeyClass::data));
  REQUIRE(w.rotation->start(w.authorize(other.session(), RotateKey{KeyClass::data}).value()));
  REQUIRE(w.rotate(KeyClass::jwt));
  w.finish();
  CHECK(generations(w, KeyClass::data, other.org) == std::vector<std::uint32_t>{2});
  CHECK(generations(w, KeyClass::data, w.org) == std::vector<std::uint32_t>{2, 1});  // what it sealed may be mended yet
  CHECK(w.holds(b, "two"));
  CHECK(w.under(1) == 1);
  w.clock.advance(std::chrono::hours(1));
  w.finish();
  CHECK(generations(w, KeyClass::jwt) == std::vector<std::uint32_t>{2});  // its overlap is over all the same
  CHECK(w.logged("key.rewrap", "blocked") == 1);
  CHECK(audit::Query(*w.ledger).list({.action = "key.rewrap", .result = "blocked"}, 1, {})->entries.front().body.find(a.id.str()) != std::string::npos);
  REQUIRE(w.replace(a, "four", 1));
  w.finish();
  CHECK(generations(w, KeyClass::data, w.org).size() == 1);
  CHECK(w.holds(a, "four"));
}

}  // namespace caip::vault
