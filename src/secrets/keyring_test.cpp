// The root key: its seals, its file, the take-over of older installations, its rotation.
#include <catch2/generators/catch_generators.hpp>

#include "core.h"
#include "crypto/certificates.h"
#include "crypto/ed25519.h"
#include "crypto/succession.h"
#include "secrets/serve.h"
#include "test_folder.h"

using namespace caip;
using namespace caip::secrets;

namespace {

Result<std::unique_ptr<Keeper>> open(const Folder& f, const SealFiles& files = {}) { return open_local_keeper(f.keys(), clock_of_test(), files); }
Bytes order_key(const Folder& f, const SealFiles& files = {}) {
  auto keeper = open(f, files);
  if (!keeper) FAIL(keeper.error().detail);
  return (*keeper)->public_key(SigningUse::order);
}

Keyring open_ring(const Folder& f) {
  Material material;
  material.key_file = SecretBytes(contents(f.keys() + "/root.key"));
  return open_keyring(contents(f.keys() + "/keyring"), material).value();
}

}  // namespace

TEST_CASE("no key stands in the clear in DATA/keys but the key file that opens the root") {
  const Folder folder;
  {
    auto keeper = open(folder);
    REQUIRE(keeper);
    REQUIRE((*keeper)->new_data_key(crypto::random_id<OrgId>()));
  }
  std::set<std::string> names;
  for (const auto& e : fs::directory_iterator(folder.keys())) names.insert(e.path().filename());
  CHECK(names == std::set<std::string>{"keyring", "lock", "root.key"});
  CHECK(contents(folder.keys() + "/keyring").find("PRIVATE KEY") == std::string::npos);
}

TEST_CASE("keys of an older installation are taken over without loss, and their plain files destroyed") {
  const Folder folder;
  fs::create_directory(folder.keys());
  fs::permissions(folder.keys(), fs::perms::owner_all);
  const auto made = crypto::make_authority("CloudAIPilot authority", clock_of_test().now(), 3650).value();
  std::string authority = made.certificate_pem;
  made.key_pem.expose(Use::store_key, [&](BytesView b) { authority += text_of(b); });
  const std::vector<std::pair<std::string, std::string>> plain{{"jwt.key", std::string(32, 'j')}, {"checkpoint.key", std::string(32, 'c')},
                                                               {"order.key", std::string(32, 'o')}, {"pepper.key", std::string(32, 'p')},
                                                               {"authority.pem", authority}};
  for (const auto& [name, content] : plain) folder.make("keys/" + name, content);
  auto check = [&] {
    auto keeper = open(folder);
    REQUIRE(keeper);
    for (const auto& [use, letter] : {std::pair{SigningUse::jwt, 'j'}, {SigningUse::checkpoint, 'c'}, {SigningUse::order, 'o'}})
      CHECK((*keeper)->public_key(use) == crypto::SigningKey::from_seed(SecretBytes(Bytes(32, static_cast<std::uint8_t>(letter))))->public_key());
    CHECK((*keeper)->authority(KeyClass::ca).pem == made.certificate_pem);
    for (const auto& [name, content] : plain) CHECK_FALSE(fs::exists(folder.keys() + "/" + name));
    CHECK(contents(folder.keys() + "/keyring").find(authority.substr(authority.size() - 100, 40)) == std::string::npos);
  };
  check();
  SECTION("as after a crash before the last plain file was gone") {
    folder.make("keys/pepper.key", plain[3].second);
    check();
  }
  SECTION("a plain file that is another key stops the start, and nothing is removed") {
    folder.make("keys/order.key", std::string(32, 'X'));
    CHECK(open(folder).error().code == Code::conflict);
    CHECK(fs::exists(folder.keys() + "/order.key"));
  }
  SECTION("a crash while the keyring was written: the plain files are still there") {
    fs::remove(folder.keys() + "/keyring");
    folder.make("keys/keyring.part", "{half");
    for (const auto& [name, content] : plain) folder.make("keys/" + name, content);
    check();
  }
}

TEST_CASE("several seals, any one opens") {
  const Folder folder;
  const Bytes key = order_key(folder);
  const SealFiles with_file;
  const std::string passphrase = folder.make("passphrase", "correct horse battery staple\nignored\n");
  const std::string credential = folder.make("credential", std::string(32, '\x07'));
  REQUIRE(add_seal(folder.keys(), clock_of_test(), with_file, "passphrase", passphrase));
  REQUIRE(add_seal(folder.keys(), clock_of_test(), with_file, "credential", credential));
  CHECK(list_seals(folder.keys())->size() == 3);
  const std::string nowhere = folder.file("no-key");
  CHECK(order_key(folder) == key);
  CHECK(order_key(folder, {.key_file = nowhere, .passphrase_file = passphrase}) == key);
  CHECK(order_key(folder, {.key_file = nowhere, .credential_file = credential}) == key);
  CHECK(open(folder, {.key_file = nowhere}).error().code == Code::unavailable);
  CHECK_FALSE(open(folder, {.key_file = nowhere, .passphrase_file = folder.make("wrong", "correct horse battery stapler")}));
  CHECK_FALSE(open(folder, {.key_file = nowhere, .credential_file = folder.make("other", std::string(32, '\x08'))}));
  CHECK_FALSE(open(folder, {.key_file = folder.make("foreign", std::string(32, 'f'))}));
}

TEST_CASE("seals that are given at the first start are made, and no key file then") {
  const Folder folder;
  const SealFiles files{.passphrase_file = folder.make("passphrase", "correct horse battery staple")};
  const Bytes key = order_key(folder, files);
  CHECK_FALSE(fs::exists(folder.keys() + "/root.key"));
  CHECK(order_key(folder, files) == key);
  CHECK_FALSE(open(folder));
}

TEST_CASE("a lost seal: another one opens, and the lost one is replaced") {
  const Folder folder;
  const Bytes key = order_key(folder);
  const SealFiles by_passphrase{.passphrase_file = folder.make("passphrase", "correct horse battery staple")};
  REQUIRE(add_seal(folder.keys(), clock_of_test(), {}, "passphrase", by_passphrase.passphrase_file));
  fs::remove(folder.keys() + "/root.key");  // lost
  CHECK_FALSE(open(folder));
  const auto seals = list_seals(folder.keys()).value();
  REQUIRE(seals[0].kind == "key-file");
  REQUIRE(replace_seal(folder.keys(), clock_of_test(), by_passphrase, seals[0].id, folder.keys() + "/root.key"));
  CHECK(order_key(folder) == key);
  CHECK(list_seals(folder.keys())->size() == 2);
}

TEST_CASE("a replaced seal opens nothing any more, also not with a keyring it could open before") {
  const Folder folder;
  const Bytes key = order_key(folder);
  const std::string stolen = folder.make("stolen", contents(folder.keys() + "/root.key"));
  const auto id = list_seals(folder.keys())->front().id;
  REQUIRE(replace_seal(folder.keys(), clock_of_test(), {}, id, folder.file("new.key")));
  CHECK_FALSE(open(folder, {.key_file = stolen}));
  CHECK(order_key(folder, {.key_file = folder.file("new.key")}) == key);
  CHECK(open(folder, {.key_file = folder.file("new.key")}).value()->inventory().keys.front().generation == 2);  // another root key
}

TEST_CASE("the last seal cannot be removed; removing one makes another root key") {
  const Folder folder;
  const Bytes key = order_key(folder);
  const auto id = list_seals(folder.keys())->front().id;
  CHECK(remove_seal(folder.keys(), clock_of_test(), {}, id).error().code == Code::conflict);
  CHECK(remove_seal(folder.keys(), clock_of_test(), {}, "seal-none").error().code == Code::not_found);
  const SealFiles by_passphrase{.passphrase_file = folder.make("passphrase", "correct horse battery staple")};
  REQUIRE(add_seal(folder.keys(), clock_of_test(), {}, "passphrase", by_passphrase.passphrase_file));
  REQUIRE(remove_seal(folder.keys(), clock_of_test(), {}, id));
  CHECK_FALSE(open(folder));
  CHECK(order_key(folder, by_passphrase) == key);
}

TEST_CASE("seal commands refuse weak material, a wrong seal, and a running keeper") {
  const Folder folder;
  order_key(folder);
  CHECK_FALSE(add_seal(folder.keys(), clock_of_test(), {}, "passphrase", folder.make("short", "elevenchars")));
  CHECK_FALSE(add_seal(folder.keys(), clock_of_test(), {}, "key-file", folder.make("tiny", std::string(31, 'k'))));
  CHECK_FALSE(add_seal(folder.keys(), clock_of_test(), {}, "tpm", folder.make("x", std::string(32, 'k'))));
  CHECK_FALSE(add_seal(folder.keys(), clock_of_test(), {.key_file = folder.make("foreign", std::string(32, 'f'))}, "key-file", folder.file("n")));
  auto running = open(folder);
  REQUIRE(running);
  CHECK(add_seal(folder.keys(), clock_of_test(), {}, "key-file", folder.file("n")).error().code == Code::conflict);
}

TEST_CASE("the keyring refuses every change of its file by somebody without a seal") {
  const Folder folder;
  {
    auto keeper = open(folder);
    REQUIRE((*keeper)->rotate(KeyClass::jwt));
    REQUIRE((*keeper)->new_data_key(crypto::random_id<OrgId>()));
  }
  const std::string path = folder.keys() + "/keyring", whole = contents(path);
  const auto refuses = [&](const std::string& text) {
    folder.make("keys/keyring", text);
    return !open(folder).has_value();
  };
  const auto file = parse_json(whole)->as_object();
  auto changed = [&](auto change) {
    auto f = file;
    change(f);
    return refuses(canonical(f) + "\n");
  };
  CHECK_FALSE(refuses(whole));
  CHECK(changed([](auto& f) { f["keys"].as_array().pop_back(); }));
  CHECK(changed([](auto& f) { f["keys"].as_array().pop_back(); f["tag"] = ""; }));
  CHECK(changed([](auto& f) { std::swap(f["keys"].as_array()[0].as_object()["wrapped"], f["keys"].as_array()[1].as_object()["wrapped"]); }));
  CHECK(changed([](auto& f) { f["keys"].as_array()[0].as_object()["ends"] = ""; }));  // an old JWT key made new again
  CHECK(changed([](auto& f) { f["generation"] = 2; }));
  CHECK(changed([](auto& f) { f["seals"].as_array()[0].as_object()["created"] = "2020-01-01T00:00:00.000000Z"; }));
  CHECK(changed([](auto& f) { f["extra"] = 1; }));
  // A second seal of the attacker's, for the day of the next rotation.
  CHECK(changed([](auto& f) {
    auto seal = make_seal(SealKind::key_file, SecretBytes(Bytes(32, 1)), Instant(0)).value();
    REQUIRE(seal_root(seal, crypto::AeadKey::generate(), 1));
    f["seals"].as_array().push_back(seal_json(seal));
  }));
}

TEST_CASE("S27: each changed byte of the keyring, each cut and each byte more is refused") {
  const Folder folder;
  {
    auto keeper = open(folder);
    REQUIRE((*keeper)->new_data_key(crypto::random_id<OrgId>()));
  }
  const std::string whole = contents(folder.keys() + "/keyring");
  const auto refuses = [&](const std::string& text) {
    folder.make("keys/keyring", text);
    return !open(folder).has_value();
  };
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string text = whole;
    text[at] = static_cast<char>(text[at] ^ (1 << at % 8));
    if (!refuses(text)) FAIL("a changed byte " << at << " goes unnoticed");
    if (at + 1 < whole.size() && !refuses(whole.substr(0, at))) FAIL("cut after " << at << " bytes it opens");
    if (!refuses(whole.substr(0, at) + " " + whole.substr(at))) FAIL("a byte more at " << at << " goes unnoticed");
  }
  CHECK_FALSE(refuses(whole));
}

TEST_CASE("a root rotation leaves nothing under the old key, keeps every key, and is whole at any moment") {
  const Folder folder;
  const auto org = crypto::random_id<OrgId>();
  Item sealed = item(SecretKind::env_value, "a value");
  const std::string path = folder.keys() + "/keyring";
  Bytes key;
  {
    auto keeper = open(folder);
    REQUIRE((*keeper)->new_data_key(org));
    sealed = copy((*keeper)->seal(org, list(std::move(sealed)))->front());
    key = (*keeper)->public_key(SigningUse::order);
  }
  const std::string before = contents(path);
  {
    auto keeper = open(folder);
    REQUIRE((*keeper)->rotate(KeyClass::root));
    CHECK((*keeper)->open(org, SecretUse::server_env, list(copy(sealed))));
  }
  const std::string after = contents(path);
  // Nothing of the old file's wrapped keys is left, and the new file opens by itself.
  const auto old_keys = parse_json(before)->as_object();
  for (const auto& k : old_keys.at("keys").as_array())
    CHECK(after.find(std::string_view(k.as_object().at("wrapped").as_string())) == std::string::npos);
  for (const std::string& text : {before, after}) {  // killed before or after the rename: one of the two is there
    folder.make("keys/keyring", text);
    auto keeper = open(folder);
    REQUIRE(keeper);
    CHECK((*keeper)->public_key(SigningUse::order) == key);
    CHECK((*keeper)->open(org, SecretUse::server_env, list(copy(sealed))));
  }
}

TEST_CASE("an authority in another's place: the key before is gone from memory and file, and who trusts it follows the link") {
  for (const KeyClass key : {KeyClass::ca, KeyClass::agent_ca}) {
    const Folder folder;
    auto keeper = open(folder).value();
    const auto first = keeper->authority(key);
    CHECK(first.links.empty());
    CHECK(first.earlier.empty());
    std::vector<std::string> all{first.pem};
    for (int n = 0; n < 6; ++n) {
      REQUIRE(keeper->rotate(key));
      all.push_back(keeper->authority(key).pem);
    }
    const auto check = [&](Keeper& k) {
      const auto now = k.authority(key);
      CHECK(now.pem == all.back());
      CHECK(now.earlier == all[5] + all[4] + all[3] + all[2]);  // the last four
      for (std::size_t n = 2; n < all.size(); ++n) CHECK(crypto::follow_links(all[n], now.pem + now.links).value() == now.pem);
      CHECK(crypto::follow_links(all[1], now.pem + now.links).error().code == Code::forbidden);
      const auto leaf = k.issue_server_certificate(key, {"localhost"}).value().cert_chain_pem;
      CHECK(crypto::signed_by(leaf, now.pem));
      for (std::size_t n = 0; n + 1 < all.size(); ++n) CHECK_FALSE(crypto::signed_by(leaf, all[n]));
      CHECK(leaf.find(now.links) != std::string::npos);
      const auto other = key == KeyClass::ca ? KeyClass::agent_ca : KeyClass::ca;
      CHECK(k.authority(other).links.empty());
    };
    check(*keeper);
    const auto kept = keeper->inventory();
    CHECK(std::ranges::count(kept.keys, key, &KeyInfo::key) == 1);
    CHECK(std::ranges::find(kept.keys, key, &KeyInfo::key)->generation == 7);
    keeper.reset();
    check(*open(folder).value());
  }
}

TEST_CASE("a rotation says which key it replaces: asked for a second time, as after a lost answer, it is refused") {
  const Folder folder;
  open(folder).value();
  for (const KeyClass key : {KeyClass::root, KeyClass::jwt, KeyClass::ca, KeyClass::agent_ca}) {
    const auto core = KeyCore::make(open_ring(folder), clock_of_test()).value();
    const KeyChange once{.what = KeyChange::What::rotate, .key = key, .org = {}, .generation = 1};
    REQUIRE(core->prepare(once));
    REQUIRE(core->adopt());
    CHECK(core->prepare(once).error().code == Code::conflict);
    CHECK(core->prepare({.what = KeyChange::What::rotate, .key = key, .org = {}, .generation = 2}));
  }
}

TEST_CASE("a keyring from before the agents' channel had an authority gets one that agents follow to; a new one needs no link") {
  const Folder folder;
  {
    auto keeper = open(folder).value();
    CHECK(keeper->authority(KeyClass::agent_ca).links.empty());
  }
  std::string ca;
  {
    auto ring = open_ring(folder);
    std::erase_if(ring.keys, [](const Key& k) { return k.key == KeyClass::agent_ca; });
    CHECK_FALSE(KeyCore::make(ring.copy(), clock_of_test()));
    folder.make("keys/keyring", write_keyring(ring));
  }
  std::string made;
  for (int n = 0; n < 2; ++n) {  // at the next start, once
    auto keeper = open(folder).value();
    const auto agents = keeper->authority(KeyClass::agent_ca);
    ca = keeper->authority(KeyClass::ca).pem;
    CHECK(agents.earlier == ca);
    CHECK(crypto::follow_links(ca, agents.pem + agents.links).value() == agents.pem);
    CHECK((made.empty() || made == agents.pem));
    made = agents.pem;
  }
}

TEST_CASE("the previous JWT key is accepted for its overlap and then destroyed") {
  const Folder folder;
  auto keeper = open(folder);
  const Bytes old = (*keeper)->public_key(SigningUse::jwt);
  REQUIRE((*keeper)->rotate(KeyClass::jwt));
  const Instant now = clock_of_test().now();
  CHECK((*keeper)->verify_keys(SigningUse::jwt, now + (kJwtOverlap - Duration(1))).size() == 2);
  CHECK((*keeper)->verify_keys(SigningUse::jwt, now + kJwtOverlap).size() == 1);
  REQUIRE((*keeper)->destroy_previous(KeyClass::jwt));  // too early: it stays
  CHECK((*keeper)->verify_keys(SigningUse::jwt, now).size() == 2);
  clock_of_test().advance(kJwtOverlap);
  REQUIRE((*keeper)->destroy_previous(KeyClass::jwt));
  CHECK((*keeper)->verify_keys(SigningUse::jwt, now).size() == 1);
  CHECK((*keeper)->verify_keys(SigningUse::jwt, now).front() != old);
}

TEST_CASE("a signing key hands over: both sign until the old one is destroyed, in memory and in the file") {
  const Folder folder;
  const auto [key, use] = GENERATE(std::pair{KeyClass::checkpoint, SigningUse::checkpoint}, std::pair{KeyClass::cosign, SigningUse::cosign},
                                   std::pair{KeyClass::order, SigningUse::order});
  auto keeper = open(folder);
  const Bytes old = (*keeper)->public_key(use);
  CHECK((*keeper)->succession(key, 7).error().code == Code::conflict);           // to whom?
  CHECK((*keeper)->destroy_signing_key(key, 1).error().code == Code::conflict);  // the only one
  REQUIRE((*keeper)->new_signing_key(key));
  CHECK((*keeper)->new_signing_key(key).error().code == Code::conflict);
  keeper->reset();
  keeper = open(folder);
  const Bytes fresh = (*keeper)->public_key(use);
  CHECK(fresh != old);
  const auto s = crypto::open_succession((*keeper)->succession(key, 7).value()).value();
  CHECK((s.old_key == old && s.new_key == fresh && s.generation == 2 && s.size == 7));
  CHECK((*keeper)->sign_with(use, old, view("m")));
  CHECK((*keeper)->sign_with(use, fresh, view("m")));
  REQUIRE((*keeper)->destroy_signing_key(key, 1));
  CHECK((*keeper)->sign_with(use, old, view("m")).error().code == Code::not_found);
  keeper->reset();
  keeper = open(folder);
  CHECK((*keeper)->verify_keys(use, clock_of_test().now()) == std::vector<Bytes>{fresh});
}

TEST_CASE("whoever has taken caipd over cannot have a succession to a key of their own signed") {
  const Folder folder;
  auto keeper = open(folder);
  const auto thief = crypto::SigningKey::generate();
  const crypto::Succession s{crypto::SuccessionKey::order, 2, (*keeper)->public_key(SigningUse::order), thief.public_key(), 7, clock_of_test().now()};
  for (const SigningUse use : {SigningUse::jwt, SigningUse::checkpoint, SigningUse::order, SigningUse::cosign}) {
    CHECK((*keeper)->sign(use, crypto::succession_message(s)).error().code == Code::forbidden);
    CHECK((*keeper)->sign_with(use, (*keeper)->public_key(use), crypto::succession_message(s)).error().code == Code::forbidden);
  }
  for (const KeyClass key : {KeyClass::jwt, KeyClass::ca, KeyClass::pepper, KeyClass::root, KeyClass::data}) {
    CHECK((*keeper)->new_signing_key(key).error().code == Code::invalid);
    CHECK((*keeper)->destroy_signing_key(key, 1).error().code == Code::invalid);
    CHECK_FALSE((*keeper)->succession(key, 7));
  }
}
