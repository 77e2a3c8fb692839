// A disk that fails while keys change: each system call by which the keyring is replaced fails once, in each way a disk fails.
#include "core.h"
#include "failing_calls_here.h"
#include "test_folder.h"

using namespace caip;
using namespace caip::secrets;
using caip::test::FailingCalls;

namespace {

struct Change {
  const char* name;
  Result<void> (*make)(Keeper&, const OrgId&);
};
constexpr std::array kChanges{
    Change{"root", [](Keeper& k, const OrgId&) { return k.rotate(KeyClass::root); }},
    Change{"jwt", [](Keeper& k, const OrgId&) { return k.rotate(KeyClass::jwt); }},
    Change{"a data key", [](Keeper& k, const OrgId& org) -> Result<void> {
             CAIP_TRY(generation, k.new_data_key(org));
             static_cast<void>(generation);
             return {};
           }},
    Change{"an order key", [](Keeper& k, const OrgId&) { return k.new_signing_key(KeyClass::order); }},
    Change{"no old data key", [](Keeper& k, const OrgId& org) { return k.destroy_data_keys(org, 2); }}};

std::size_t count_of(Keeper& keeper) { return keeper.inventory().keys.size(); }

// False: there was no n-th call.
bool survives(const Change& change, std::size_t n, int error) {
  const Folder folder;
  const OrgId org = crypto::random_id<OrgId>();
  auto keeper = open_local_keeper(folder.keys(), clock_of_test()).value();
  REQUIRE(keeper->new_data_key(org));
  REQUIRE(keeper->new_data_key(org));
  const Item sealed = copy(keeper->seal(org, list(item(SecretKind::env_value, "a value")))->front());
  const Bytes order = keeper->public_key(SigningUse::order);
  const std::size_t before = count_of(*keeper);
  const auto works = [&](Keeper& k) {
    return k.open(org, SecretUse::server_env, list(copy(sealed))).has_value() && k.sign_with(SigningUse::order, order, Bytes{1}).has_value() &&
           k.seal(org, list(item(SecretKind::env_value, "another"))).has_value();
  };
  bool done = false, reached = false;
  {
    const FailingCalls look(n, error);
    done = change.make(*keeper, org).has_value();
    reached = look.reached();
  }
  INFO(change.name << ", call " << n << ", error " << error);
  CHECK(works(*keeper));
  if (!done) CHECK(count_of(*keeper) == before);  // it goes by what it had
  const Item meanwhile = copy(keeper->seal(org, list(item(SecretKind::env_value, "meanwhile")))->front());
  const std::size_t after = count_of(*keeper);
  keeper.reset();
  auto again = open_local_keeper(folder.keys(), clock_of_test());
  REQUIRE(again);
  CHECK(works(**again));
  CHECK((*again)->open(org, SecretUse::server_env, list(copy(meanwhile))));
  if (done) CHECK(count_of(**again) == after);
  CHECK((*again)->new_data_key(org));
  return reached;
}

}  // namespace

TEST_CASE("each system call by which a key is changed fails once: no key is lost that something is sealed under, or others know by heart") {
  std::size_t hit = 0;
  for (const Change& change : kChanges)
    for (const int error : caip::test::kDiskErrors)
      for (std::size_t n = 1; survives(change, n, error); ++n) ++hit;
  CHECK(hit >= kChanges.size() * 4 * 5);
}

TEST_CASE("a new keyring is on the disk before it has its name, and has its name before anybody goes by it") {
  const Folder folder;
  auto keeper = open_local_keeper(folder.keys(), clock_of_test()).value();
  const FailingCalls look;
  REQUIRE(keeper->rotate(KeyClass::root));
  CHECK(look.seen() == std::vector<std::string>{"unlink", "open", "write", "sync the file", "rename", "sync the folder"});
}
