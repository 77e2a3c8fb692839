// An organisation with a store, a keeper that can be made to fail, and rotations. Private.
#pragma once
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "domain_world.h"
#include "racing_keeper.h"
#include "secrets/keeper.h"
#include "vault/migrations.h"
#include "vault/rotation.h"
#include "vault/secret_store.h"

namespace caip::vault {

struct World : test::Base {
  World() : Base(vault::migrations()) { start(); }
  void start() {
    rotation.reset();
    store.reset();
    keeper.reset();
    keeper = std::make_unique<RacingKeeperForTest>(secrets::open_local_keeper(folder.path + "/keys", clock).value());
    store = std::make_unique<SecretStore>(*db, *ledger, *keeper, clock);
    rotation = std::make_unique<Rotation>(*db, *ledger, *keeper, authorizer, clock);
    rotation->run_by([this]() -> Result<std::optional<OrgId>> { return org; });
  }
  void restart() {  // as after kill -9: everything is read again from the files
    rotation.reset();
    store.reset();
    open();
    start();
  }
  test::Person owner{.org = org};

  Result<SecretInfo> create(std::string_view name, std::string_view value, SecretKind kind = SecretKind::env_value) {
    auto permit = authorize(owner.session(), CreateSecret{crypto::random_id<SecretId>(), kind, SecretName::parse(name).value()});
    return store->create(std::move(permit).value(), SecretBytes(value));
  }
  Result<SecretInfo> replace(const SecretInfo& s, std::string_view value, std::int64_t expected) {
    auto permit = authorize(owner.session(), ReplaceSecret{s.id, s.kind, s.name});
    return store->replace(std::move(permit).value(), SecretBytes(value), expected);
  }
  Result<void> remove(const SecretInfo& s, std::int64_t expected = 1) {
    auto permit = authorize(owner.session(), DeleteSecret{s.id, s.kind, s.name});
    return store->remove(std::move(permit).value(), expected);
  }
  Result<std::vector<SecretBytes>> use(SecretUse what, std::vector<SecretId> ids) {
    auto permit = authorize(owner.session(), UseSecrets{what, std::move(ids), "unit.restart", "srv_x"});
    REQUIRE(permit);
    return store->open(std::move(permit).value());
  }
  bool holds(const SecretInfo& s, std::string_view value) {
    auto opened = use(use_of(s.kind), {s.id});
    return opened && opened->front() == SecretBytes(value);
  }
  Result<void> rotate(KeyClass which) { return rotation->start(authorize(owner.session(), RotateKey{which}).value()); }
  void finish() {
    for (int n = 0; n < 100; ++n)
      if (!rotation->tick().value()) return;
    FAIL("the rotation does not end");
  }
  std::int64_t under(std::uint32_t generation) {
    auto tx = db->begin_read();
    return tx.one<std::int64_t>("SELECT count(*) FROM secrets WHERE generation = ?1", generation, [](const storage::Row& r) { return r.integer(0); })
        .value()
        .value();
  }
  std::vector<std::uint32_t> data_generations() {
    std::vector<std::uint32_t> out;
    for (const auto& k : keeper->inventory().keys)
      if (k.key == KeyClass::data) out.push_back(k.generation);
    return out;
  }

  std::unique_ptr<RacingKeeperForTest> keeper;
  std::unique_ptr<SecretStore> store;
  std::unique_ptr<Rotation> rotation;
};

}  // namespace caip::vault
