#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "crypto/certificates.h"
#include "crypto/ed25519.h"
#include "crypto/mldsa.h"
#include "crypto/random.h"
#include "keeper_wire.h"
#include "secrets/keeper.h"

using namespace caip;
using namespace caip::secrets;
namespace fs = std::filesystem;

namespace {

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/caip-keys-XXXXXX";
    path_ = mkdtemp(name);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { fs::remove_all(path_); }
  std::string keys() const { return path_ + "/keys"; }

 private:
  std::string path_;
};

const ManualClock& clock_of_test() {
  static const ManualClock clock{Instant(1'790'000'000'000'000)};
  return clock;
}

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
  auto certificate = keeper.issue_agent_certificate(request->csr_pem, server);
  REQUIRE(certificate);
  CHECK(crypto::certificate_uri(*certificate).value() == "caip:server:" + server.str());
  CHECK(keeper.issue_agent_certificate("nonsense", server).error().code == Code::malformed);

  auto tls = keeper.issue_server_certificate({"localhost", "127.0.0.1"});
  REQUIRE(tls);
  CHECK(tls->cert_chain_pem.ends_with(keeper.ca_certificate_pem()));
  CHECK(tls->key_pem.starts_with("-----BEGIN PRIVATE KEY-----"));
  CHECK(keeper.issue_server_certificate({"no such name!"}).error().code == Code::invalid);
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
  auto second = open_local_keeper(folder.keys(), clock_of_test());
  REQUIRE(second);
  CHECK((*second)->public_key(SigningUse::order) == (*first)->public_key(SigningUse::order));
  CHECK((*second)->ca_certificate_pem() == (*first)->ca_certificate_pem());
  CHECK((*second)->pepper_hmac(view("x")).value() == (*first)->pepper_hmac(view("x")).value());
}

TEST_CASE("a keeper refuses keys that others may read, that are cut, or that are links") {
  const Folder folder;
  REQUIRE(open_local_keeper(folder.keys(), clock_of_test()));
  const std::string key = folder.keys() + "/jwt.key";
  SECTION("readable") { fs::permissions(key, fs::perms::group_read, fs::perm_options::add); }
  SECTION("folder open") { fs::permissions(folder.keys(), fs::perms::others_exec, fs::perm_options::add); }
  SECTION("cut") { fs::resize_file(key, 31); }
  SECTION("a link") {
    fs::rename(key, key + ".real");
    fs::create_symlink(key + ".real", key);
  }
  SECTION("authority cut") { fs::resize_file(folder.keys() + "/authority.pem", 100); }
  CHECK_FALSE(open_local_keeper(folder.keys(), clock_of_test()));
}

TEST_CASE("the keeper answers nonsense with an error") {
  const Folder folder;
  auto keeper = open_local_keeper(folder.keys(), clock_of_test());
  REQUIRE(keeper);
  CHECK(answer(**keeper, {})[0] != 0);
  CHECK(answer(**keeper, Bytes{0})[0] != 0);
  CHECK(answer(**keeper, Bytes{200, 1})[0] != 0);
  CHECK(answer(**keeper, Bytes{5, 'x'})[0] != 0);
  CHECK(answer(**keeper, Bytes{5, 'x', '\n'})[0] != 0);
  CHECK(answer(**keeper, Bytes{6})[0] != 0);
  CHECK(answer(**keeper, Bytes{6, 'x'})[0] != 0);
}

TEST_CASE("caip-keeper as a process keeps the same promises") {
  const char* binary = std::getenv("CAIP_BINARY");
  if (binary == nullptr) FAIL("CAIP_BINARY is not set: run it through ctest");
  const std::string program = std::string(binary) + "/bin/caip-keeper";
  const Folder folder;
  {
    auto keeper = start_keeper(program, folder.keys());
    REQUIRE(keeper);
    check_promises(**keeper);
    CHECK((*keeper)->sign(SigningUse::jwt, Bytes(kMaxFrame)).error().code == Code::too_large);
    CHECK((*keeper)->sign(SigningUse::jwt, Bytes(kMaxFrame - 1)));
  }
  {
    auto keeper = start_keeper(program, folder.keys());
    REQUIRE(keeper);
    check_confined(program);
  }
  fs::permissions(folder.keys() + "/order.key", fs::perms::others_read, fs::perm_options::add);
  auto refused = start_keeper(program, folder.keys());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().detail.find("order.key may be read by others") != std::string::npos);
  CHECK(start_keeper("/nonexistent", folder.keys()).error().code == Code::unavailable);
}
