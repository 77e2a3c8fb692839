// S27 of the lessons: values are authenticated, and bound to where they belong.
#include "core.h"
#include "test_folder.h"

using namespace caip;
using namespace caip::secrets;

namespace {

struct World {
  World() {
    for (const auto& org : {ours, theirs}) REQUIRE(keeper->new_data_key(org));
  }
  Item sealed(std::string_view text, SecretKind kind = SecretKind::env_value, std::uint32_t version = 1) {
    return copy(keeper->seal(ours, list(item(kind, text, version)))->front());
  }
  bool opens(const OrgId& org, const Item& i) { return keeper->open(org, use_of(i.kind), list(copy(i))).has_value(); }

  Folder folder;
  std::unique_ptr<Keeper> keeper = open_local_keeper(folder.keys(), clock_of_test()).value();
  OrgId ours = crypto::random_id<OrgId>(), theirs = crypto::random_id<OrgId>();
};

}  // namespace

TEST_CASE("S27: each changed byte of a sealed value, at each place and to each other value, is refused") {
  World w;
  const Item whole = w.sealed("postgres://u:p@db/x");
  REQUIRE(w.opens(w.ours, whole));
  const Bytes bytes = bytes_of(whole);
  for (std::size_t at = 0; at < bytes.size(); ++at)
    for (unsigned other = 1; other < 256; ++other) {
      Item changed = copy(whole);
      Bytes b = bytes;
      b[at] ^= static_cast<std::uint8_t>(other);
      changed.data = SecretBytes(std::move(b));
      if (w.opens(w.ours, changed)) FAIL("byte " << at << " ^ " << other << " opens");
    }
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    Item cut = copy(whole);
    cut.data = SecretBytes(Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n)));
    CHECK_FALSE(w.opens(w.ours, cut));
  }
}

TEST_CASE("S27: a value moved to another organisation, kind, id, field or version does not open there") {
  World w;
  const Item a = w.sealed("first"), b = w.sealed("second");
  auto moved = [&](auto change) {
    Item i = copy(a);
    change(i);
    return w.opens(w.ours, i);
  };
  CHECK(moved([](Item&) {}));
  CHECK_FALSE(w.opens(w.theirs, a));
  CHECK_FALSE(moved([&](Item& i) { i.id = b.id; }));
  CHECK_FALSE(moved([&](Item& i) { i.data = copy(b).data; }));  // the rows' values swapped
  for (const SecretKind kind : kSecretKinds)
    if (kind != a.kind) CHECK_FALSE(moved([&](Item& i) { i.kind = kind; }));
  CHECK_FALSE(moved([](Item& i) { i.field = "other"; }));
  CHECK_FALSE(moved([](Item& i) { i.field = "value2"; }));
  CHECK_FALSE(moved([](Item& i) { i.version = 2; }));  // an older value of the same secret put back
  // The same data under the newest key, and again under the one before: each says which it is.
  REQUIRE(w.keeper->new_data_key(w.ours));
  const Item newer = copy(w.keeper->reseal(w.ours, list(copy(a)))->front());
  CHECK(w.opens(w.ours, newer));
  Item older = copy(newer);
  Bytes bytes = bytes_of(newer);
  bytes[4] = 1;  // claims the first generation
  older.data = SecretBytes(std::move(bytes));
  CHECK_FALSE(w.opens(w.ours, older));
}

namespace {

// A core in whose keyring the data keys of both organisations, and of two generations of ours, are the same bytes.
struct SameKeys {
  Folder folder;
  OrgId ours = crypto::random_id<OrgId>(), theirs = crypto::random_id<OrgId>();
  Core core = make();
  Core make() {
    REQUIRE(open_local_keeper(folder.keys(), clock_of_test()));
    Material material;
    material.key_file = SecretBytes(contents(folder.keys() + "/root.key"));
    Keyring ring = open_keyring(contents(folder.keys() + "/keyring"), material).value();
    for (const auto& [org, generation] : {std::pair{ours, 1U}, {ours, 2U}, {theirs, 2U}})
      ring.keys.push_back({.key = KeyClass::data, .scope = org.str(), .generation = generation, .created = clock_of_test().now(), .ends = {}, .value = SecretBytes(Bytes(32, 7))});
    return KeyCore::make(std::move(ring), clock_of_test()).value();
  }
};

}  // namespace

TEST_CASE("S27: under one and the same key a value is bound to its organisation and to the generation of its key") {
  SameKeys w;
  const Item sealed = copy(w.core->seal(w.ours, list(item(SecretKind::env_value, "v")))->front());
  const auto opens = [&](const OrgId& org, const Item& i) { return w.core->open(org, SecretUse::server_env, list(copy(i))).has_value(); };
  CHECK(opens(w.ours, sealed));
  CHECK_FALSE(opens(w.theirs, sealed));
  Item older = copy(sealed);
  Bytes bytes = bytes_of(sealed);
  REQUIRE(bytes[4] == 2);
  bytes[4] = 1;
  older.data = SecretBytes(std::move(bytes));
  CHECK_FALSE(opens(w.ours, older));
}

TEST_CASE("a data key seals fewer than 2^32 times, and then nothing more until there is another") {
  SameKeys w;
  w.core->sealed_already_for_test(w.ours, kMostSeals - 2);
  CHECK(w.core->seal(w.ours, list(item(SecretKind::env_value, "last"))));
  CHECK(w.core->seal(w.ours, list(item(SecretKind::env_value, "v"))).error().code == Code::conflict);
  CHECK(w.core->seal(w.theirs, list(item(SecretKind::env_value, "v"))));
  static_assert(kMostSeals <= std::uint64_t{1} << 32U);
}

TEST_CASE("a secret opens for the one use of its kind and for no other") {
  World w;
  for (const SecretKind kind : kSecretKinds) {
    const Item sealed = w.sealed("v", kind);
    for (const SecretKind other : kSecretKinds) {
      const auto opened = w.keeper->open(w.ours, use_of(other), list(copy(sealed)));
      CHECK(opened.has_value() == (kind == other && kind != SecretKind::ssh_key));
    }
  }
  // One of another kind among many: none comes out.
  Items mixed = list(w.sealed("x"));
  mixed.push_back(w.sealed("y", SecretKind::cloud_key));
  CHECK(w.keeper->open(w.ours, SecretUse::server_env, std::move(mixed)).error().code == Code::forbidden);
}

TEST_CASE("the same value sealed twice has nothing in common") {
  World w;
  const Bytes a = bytes_of(w.sealed("the same")), b = bytes_of(w.sealed("the same"));
  CHECK(a.size() == b.size());
  CHECK_FALSE(std::equal(a.begin() + 5, a.begin() + 29, b.begin() + 5));
  CHECK_FALSE(std::equal(a.begin() + 29, a.end(), b.begin() + 29));
}

TEST_CASE("S11: two fresh installations share no key") {
  World a, b;
  for (const auto use : {SigningUse::jwt, SigningUse::checkpoint, SigningUse::order})
    CHECK(a.keeper->public_key(use) != b.keeper->public_key(use));
  CHECK(a.keeper->authority(KeyClass::ca).pem != b.keeper->authority(KeyClass::ca).pem);
  CHECK(a.keeper->pepper_hmac(view("x")).value() != b.keeper->pepper_hmac(view("x")).value());
  CHECK(contents(a.folder.keys() + "/root.key") != contents(b.folder.keys() + "/root.key"));
}
