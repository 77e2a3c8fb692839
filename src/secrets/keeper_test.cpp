#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "crypto/certificates.h"
#include "crypto/ed25519.h"
#include "crypto/mldsa.h"
#include "keeper_wire.h"
#include "secrets/patience.h"
#include "test_folder.h"

using namespace caip;
using namespace caip::secrets;

namespace {

void check_promises(Keeper& keeper) {
  const Bytes message{1, 2, 3};
  std::vector<Bytes> keys;
  for (const auto use : {SigningUse::jwt, SigningUse::checkpoint, SigningUse::order}) {
    auto signature = keeper.sign(use, message);
    REQUIRE(signature);
    CHECK(crypto::ed25519_verify(keeper.public_key(use), message, *signature));
    for (const auto& other : keys) CHECK_FALSE(crypto::ed25519_verify(other, message, *signature));
    keys.push_back(keeper.public_key(use));
  }
  CHECK(keeper.sign(SigningUse::jwt, {})->size() == 64);
  CHECK(crypto::mldsa44_verify(keeper.public_key(SigningUse::cosign), message, keeper.sign(SigningUse::cosign, message).value()));
  CHECK(keeper.pepper_hmac(view("a"))->size() == 48);
  CHECK(keeper.pepper_hmac(view("a")).value() == keeper.pepper_hmac(view("a")).value());
  CHECK(keeper.pepper_hmac(view("a")).value() != keeper.pepper_hmac(view("b")).value());

  const auto server = crypto::random_id<ServerId>();
  auto request = crypto::make_request("web-1");
  const Instant from(1'790'000'000'000'000);
  const Duration day = std::chrono::hours(24);
  auto certificate = keeper.issue_agent_certificate(request->csr_pem, server, from, day);
  REQUIRE(certificate);
  const auto shown = crypto::read_agent_certificate(*certificate).value();
  CHECK(shown.from == from);
  CHECK(shown.until == from + day);
  CHECK(crypto::signed_by(*certificate, keeper.authority(KeyClass::agent_ca).pem));
  CHECK(keeper.issue_agent_certificate(request->csr_pem, server, from, kLongestCertificate + day).error().code == Code::invalid);
  CHECK(crypto::certificate_uri(*certificate).value() == "caip:server:" + server.str());
  CHECK(keeper.issue_agent_certificate("nonsense", server, from, day).error().code == Code::malformed);

  auto tls = keeper.issue_server_certificate(KeyClass::ca, {"localhost", "127.0.0.1"});
  REQUIRE(tls);
  CHECK(tls->cert_chain_pem.ends_with(keeper.authority(KeyClass::ca).pem));
  CHECK(tls->key_pem.starts_with("-----BEGIN PRIVATE KEY-----"));
  CHECK(keeper.issue_server_certificate(KeyClass::ca, {"no such name!"}).error().code == Code::invalid);
  CHECK(keeper.issue_server_certificate(KeyClass::jwt, {"localhost"}).error().code == Code::invalid);
  const auto channel = keeper.issue_server_certificate(KeyClass::agent_ca, {"localhost"}).value();
  CHECK(crypto::signed_by(channel.cert_chain_pem, keeper.authority(KeyClass::agent_ca).pem));
  CHECK_FALSE(crypto::signed_by(channel.cert_chain_pem, keeper.authority(KeyClass::ca).pem));
}

void check_values(Keeper& keeper) {
  const auto org = crypto::random_id<OrgId>();
  CHECK(keeper.seal(org, list(item(SecretKind::env_value, "x"))).error().code == Code::not_found);  // no data key yet
  CHECK(keeper.new_data_key(org).value() == 1);
  auto sealed = keeper.seal(org, list(item(SecretKind::env_value, "a value")));
  REQUIRE(sealed);
  CHECK(sealed_under(bytes_of(sealed->front())).value() == 1);
  auto opened = keeper.open(org, SecretUse::server_env, list(copy(sealed->front())));
  REQUIRE(opened);
  CHECK(opened->front().data == SecretBytes(std::string_view("a value")));
  CHECK(keeper.new_data_key(org).value() == 2);
  auto moved = keeper.reseal(org, list(copy(sealed->front())));
  REQUIRE(moved);
  CHECK(sealed_under(bytes_of(moved->front())).value() == 2);
  CHECK(keeper.destroy_data_keys(org, 2));
  CHECK(keeper.open(org, SecretUse::server_env, list(copy(moved->front()))));
  CHECK_FALSE(keeper.open(org, SecretUse::server_env, list(copy(sealed->front()))));  // its key is gone
  CHECK(keeper.destroy_data_keys(org, {}));
  CHECK_FALSE(keeper.open(org, SecretUse::server_env, list(copy(moved->front()))));
}

void check_ssh(Keeper& keeper) {
  const auto org = crypto::random_id<OrgId>();
  CHECK(keeper.new_data_key(org));
  Item made = item(SecretKind::ssh_key, "");
  auto key = keeper.make_ssh_key(org, copy(made));
  REQUIRE(key);
  made.data = std::move(key->sealed);
  const auto signature = keeper.ssh_sign(org, copy(made), view("a message"));
  REQUIRE(signature);
  CHECK(crypto::ed25519_verify(key->public_key, view("a message"), *signature));
  for (const SecretKind kind : kSecretKinds)
    CHECK(keeper.open(org, use_of(kind), list(copy(made))).error().code == Code::forbidden);  // it never comes out
  CHECK_FALSE(keeper.make_ssh_key(org, item(SecretKind::ssh_key, "not a key")));
  CHECK_FALSE(keeper.make_ssh_key(org, item(SecretKind::cloud_key, "")));
}

void check_rotation(Keeper& keeper) {
  const Instant now = keeper.inventory().keys.front().created;
  const Bytes before = keeper.public_key(SigningUse::jwt);
  REQUIRE(keeper.rotate(KeyClass::jwt));
  CHECK(keeper.public_key(SigningUse::jwt) != before);
  CHECK(keeper.verify_keys(SigningUse::jwt, now) == std::vector<Bytes>{keeper.public_key(SigningUse::jwt), before});
  REQUIRE(keeper.rotate(KeyClass::root));
  CHECK(keeper.inventory().keys.front().generation == 2);
  CHECK(keeper.rotate(KeyClass::pepper).error().code == Code::invalid);  // every password hash hangs on it
}

// Looks at the running child from outside: a filter is on, nothing may be opened.
void check_confined(const std::string& program) {
#ifdef __SANITIZE_ADDRESS__
  return;  // sanitized programs are not confined
#endif
  int found = 0;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    std::ifstream command(entry.path() / "cmdline"), status(entry.path() / "status"), limits(entry.path() / "limits");
    std::string name, line;
    if (!std::getline(command, name, '\0') || name != program) continue;
    bool ours = false, filtered = false, no_new_privileges = false, no_files = false;
    while (std::getline(status, line)) {
      ours = ours || line == "PPid:\t" + std::to_string(getpid());
      filtered = filtered || line == "Seccomp:\t2";
      no_new_privileges = no_new_privileges || line == "NoNewPrivs:\t1";
    }
    while (std::getline(limits, line)) no_files = no_files || (line.starts_with("Max open files") && line.find(" 0 ") != line.npos);
    if (!ours) continue;  // of another test that runs now
    ++found;
    CHECK(filtered);
    CHECK(no_new_privileges);
    CHECK(no_files);
  }
  CHECK(found == 1);
}

}  // namespace

TEST_CASE("a local keeper makes its keys once and keeps them") {
  const Folder folder;
  auto first = open_local_keeper(folder.keys(), clock_of_test());
  REQUIRE(first);
  check_promises(**first);
  for (const auto& file : fs::directory_iterator(folder.keys())) {
    struct stat st {};
    REQUIRE(stat(file.path().c_str(), &st) == 0);
    CHECK((st.st_mode & 0777) == 0600);
  }
  check_values(**first);
  check_ssh(**first);
  CHECK(open_local_keeper(folder.keys(), clock_of_test()).error().code == Code::conflict);  // one at a time
  const Bytes order = (*first)->public_key(SigningUse::order), mac = (*first)->pepper_hmac(view("x")).value();
  const std::string ca = (*first)->authority(KeyClass::ca).pem;
  first->reset();
  auto second = open_local_keeper(folder.keys(), clock_of_test());
  REQUIRE(second);
  CHECK((*second)->public_key(SigningUse::order) == order);
  CHECK((*second)->authority(KeyClass::ca).pem == ca);
  CHECK((*second)->pepper_hmac(view("x")).value() == mac);
  check_rotation(**second);
}

TEST_CASE("a keeper refuses keys that others may read, that are cut, or that are links") {
  const Folder folder;
  REQUIRE(open_local_keeper(folder.keys(), clock_of_test()));
  const std::string key = folder.keys() + "/root.key";
  SECTION("readable") { fs::permissions(key, fs::perms::group_read, fs::perm_options::add); }
  SECTION("folder open") { fs::permissions(folder.keys(), fs::perms::others_exec, fs::perm_options::add); }
  SECTION("cut") { fs::resize_file(key, 31); }
  SECTION("a link") {
    fs::rename(key, key + ".real");
    fs::create_symlink(key + ".real", key);
  }
  SECTION("the keyring readable") { fs::permissions(folder.keys() + "/keyring", fs::perms::group_read, fs::perm_options::add); }
  SECTION("the keyring cut") { fs::resize_file(folder.keys() + "/keyring", 100); }
  SECTION("the key file lost") { fs::remove(key); }
  CHECK_FALSE(open_local_keeper(folder.keys(), clock_of_test()));
}

TEST_CASE("the keeper answers nonsense with an error") {
  const Folder folder;
  auto core = open_core(folder.keys(), clock_of_test(), {});
  REQUIRE(core);
  CHECK(answer(**core, {})[0] != 0);
  for (unsigned verb = 0; verb < 256; ++verb) {
    const auto v = static_cast<Verb>(verb);
    const bool takes_anything = (v >= Verb::sign_jwt && v <= Verb::pepper) || v == Verb::sign_cosign;
    const bool takes_nothing = v == Verb::adopt || v == Verb::inventory;
    if (!takes_anything && !takes_nothing && v != Verb::server_certificate) CHECK(answer(**core, Bytes{static_cast<std::uint8_t>(verb)})[0] != 0);
    if (!takes_anything && !takes_nothing && v != Verb::server_certificate) CHECK(answer(**core, Bytes{static_cast<std::uint8_t>(verb), 'x', '\n'})[0] != 0);
  }
}

namespace {

std::string program_under_test() {
  const char* binary = std::getenv("CAIP_BINARY");
  if (binary == nullptr) FAIL("CAIP_BINARY is not set: run it through ctest");
  return std::string(binary) + "/bin/caip-keeper";
}

pid_t child_of_test(const std::string& program) {
  for (const auto& entry : fs::directory_iterator("/proc")) {
    std::ifstream command(entry.path() / "cmdline"), status(entry.path() / "status");
    std::string name, line;
    if (!std::getline(command, name, '\0') || name != program) continue;
    while (std::getline(status, line))
      if (line == "PPid:\t" + std::to_string(getpid())) return static_cast<pid_t>(std::stol(entry.path().filename().string()));
  }
  return -1;
}

}  // namespace

TEST_CASE("caip-keeper as a process keeps the same promises", "[process]") {
  const std::string program = program_under_test();
  const Folder folder;
  {
    auto keeper = start_keeper(program, folder.keys());
    REQUIRE(keeper);
    check_promises(**keeper);
    check_values(**keeper);
    check_ssh(**keeper);
    check_rotation(**keeper);
    CHECK((*keeper)->sign(SigningUse::jwt, Bytes(kMaxFrame)).error().code == Code::too_large);
    CHECK((*keeper)->sign(SigningUse::jwt, Bytes(kMaxFrame - 1)));
  }
  {
    auto keeper = start_keeper(program, folder.keys());
    REQUIRE(keeper);
    check_confined(program);
  }
  fs::permissions(folder.keys() + "/root.key", fs::perms::others_read, fs::perm_options::add);
  auto refused = start_keeper(program, folder.keys());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().detail.find("root.key may be read by others") != std::string::npos);
  CHECK(start_keeper("/nonexistent", folder.keys()).error().code == Code::unavailable);
}

TEST_CASE("a keeper that is killed under load loses no request", "[process]") {
  const std::string program = program_under_test();
  const Folder folder;
  auto keeper = start_keeper(program, folder.keys());
  REQUIRE(keeper);
  const auto org = crypto::random_id<OrgId>();
  REQUIRE((*keeper)->new_data_key(org));
  const Item sealed = copy((*keeper)->seal(org, list(item(SecretKind::env_value, "a value")))->front());
  std::atomic<bool> stop = false;
  std::atomic<unsigned> asked = 0, failed = 0;
  std::vector<std::jthread> threads;
  for (int n = 0; n < 3; ++n)
    threads.emplace_back([&, n] {
      while (!stop) {
        const bool good = n == 0   ? (*keeper)->sign(SigningUse::order, Bytes{1}).has_value()
                          : n == 1 ? (*keeper)->open(org, SecretUse::server_env, list(copy(sealed))).has_value()
                                   : (*keeper)->seal(org, list(item(SecretKind::cloud_key, "another"))).has_value();
        ++asked;
        if (!good) ++failed;
      }
    });
  for (int n = 0; n < 5; ++n) {
    const unsigned before = asked;
    while (asked < before + 200) std::this_thread::yield();
    const pid_t child = child_of_test(program);
    REQUIRE(child > 0);
    REQUIRE(kill(child, SIGKILL) == 0);
  }
  const unsigned before = asked;
  while (asked < before + 200) std::this_thread::yield();
  stop = true;
  threads.clear();
  CHECK(failed == 0);
}

TEST_CASE("a keeper that stands still is ended and started again, and loses no request", "[process]") {
  const std::string program = program_under_test();
  const Folder folder;
  auto keeper = start_keeper(program, folder.keys(), {}, {.start = std::chrono::seconds(30), .answer = std::chrono::seconds(3)});
  REQUIRE(keeper);
  const auto org = crypto::random_id<OrgId>();
  const pid_t child = child_of_test(program);
  REQUIRE(child > 0);
  REQUIRE(kill(child, SIGSTOP) == 0);
  const auto began = std::chrono::steady_clock::now();
  std::atomic<unsigned> failed = 0;
  {
    std::vector<std::jthread> askers;
    for (int n = 0; n < 3; ++n)
      askers.emplace_back([&] { failed += (*keeper)->sign(SigningUse::order, Bytes{1}) ? 0U : 1U; });
    askers.emplace_back([&] { failed += (*keeper)->sign(SigningUse::order, Bytes(kMaxFrame - 1)) ? 0U : 1U; });  // stands still on its way there, too
  }
  CHECK(failed == 0);
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(20));
  const pid_t next = child_of_test(program);
  CHECK((next > 0 && next != child));
  CHECK(kill(child, 0) != 0);  // it is not left standing with the keys
  REQUIRE(kill(next, SIGSTOP) == 0);
  CHECK((*keeper)->new_data_key(org).value() >= 1);  // also while keys change
}

TEST_CASE("while a keeper stands still whenever it is started, requests end soon and say so; afterwards they go on", "[process]") {
  const std::string program = program_under_test();
  const Folder folder;
  const std::string still = folder.keys() + ".still", wrapper = folder.keys() + ".sh";
  std::ofstream(wrapper) << "#!/bin/sh\n[ -e " << still << " ] && exec sleep 600\nexec " << program << " \"$@\"\n";
  fs::permissions(wrapper, fs::perms::owner_all);
  auto keeper = start_keeper(wrapper, folder.keys(), {}, {.start = std::chrono::seconds(3), .answer = std::chrono::seconds(1)});
  REQUIRE(keeper);
  std::ofstream(still) << "x";
  const pid_t child = child_of_test(program);
  REQUIRE(child > 0);
  REQUIRE(kill(child, SIGSTOP) == 0);
  const auto began = std::chrono::steady_clock::now();
  std::atomic<unsigned> said = 0;
  {
    std::vector<std::jthread> askers;
    for (int n = 0; n < 8; ++n)
      askers.emplace_back([&] {
        const auto answer = (*keeper)->sign(SigningUse::order, Bytes{1});
        if (!answer && answer.error().code == Code::unavailable && answer.error().detail.contains("does not answer")) ++said;
      });
  }
  CHECK(said == 8);
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(12));  // one after the other it would be 4 s each
  fs::remove(still);
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!(*keeper)->sign(SigningUse::order, Bytes{1}) && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
  CHECK((*keeper)->sign(SigningUse::order, Bytes{1}));
  std::ofstream(still) << "x";
  CHECK(start_keeper(wrapper, folder.keys() + "2", {}, {.start = std::chrono::seconds(1), .answer = std::chrono::seconds(1)}).error().code == Code::timeout);
}

TEST_CASE("a keeper that stands still does not keep its owner from ending", "[process]") {
  const std::string program = program_under_test();
  const Folder folder;
  auto keeper = start_keeper(program, folder.keys());
  REQUIRE(keeper);
  const pid_t child = child_of_test(program);
  REQUIRE(child > 0);
  REQUIRE(kill(child, SIGSTOP) == 0);
  keeper->reset();
  CHECK(kill(child, 0) != 0);
}

TEST_CASE("what a keeper says is changed is in the file, whenever it is killed and whoever asks it meanwhile", "[process]") {
  const std::string program = program_under_test();
  const Folder folder;
  auto keeper = start_keeper(program, folder.keys());
  REQUIRE(keeper);
  const auto org = crypto::random_id<OrgId>();
  std::atomic<bool> stop = false;
  std::atomic<unsigned> signatures = 0;
  std::jthread signer([&] {  // and starts it again
    while (!stop)
      if ((*keeper)->sign(SigningUse::order, Bytes{1})) ++signatures;
  });
  std::jthread killer([&] {
    for (unsigned before = 0; !stop; before = signatures) {
      while (!stop && signatures < before + 5) std::this_thread::yield();
      if (const pid_t child = child_of_test(program); child > 0) kill(child, SIGKILL);
    }
  });
  std::uint32_t changed = 0;
  for (int n = 0; n < 60; ++n)
    if (const auto generation = (*keeper)->new_data_key(org)) {
      CHECK(*generation > changed);
      changed = *generation;
    }
  stop = true;
  signer.join();
  killer.join();
  keeper->reset();
  const auto again = start_keeper(program, folder.keys());
  REQUIRE(again);
  std::uint32_t newest = 0;
  for (const auto& k : (*again)->inventory().keys)
    if (k.key == KeyClass::data) newest = std::max(newest, k.generation);
  REQUIRE(changed > 0);
  CHECK(newest >= changed);
}
