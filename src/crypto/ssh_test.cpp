#include "crypto/ssh.h"

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "crypto/ed25519.h"

using namespace caip;
using namespace caip::crypto;

namespace {

std::string sample(const std::string& name) {
  std::ifstream file(std::string(std::getenv("CAIP_SOURCE")) + "/test/fuzz/corpus/ssh_fuzz/" + name);
  return {std::istreambuf_iterator<char>(file), {}};
}
SecretBytes seed() {
  Bytes b(32);
  for (std::size_t i = 0; i < 32; ++i) b[i] = static_cast<std::uint8_t>(i);
  return SecretBytes(std::move(b));
}
Result<SecretBytes> read(const std::string& text) { return ssh_private_key(SecretBytes(std::string_view(text))); }

}  // namespace

TEST_CASE("an Ed25519 key is imported from OpenSSH's own form and from PKCS#8, and its public half is shown as authorized_keys has it") {
  for (const char* name : {"openssh", "pkcs8"}) {
    auto key = read(sample(name));
    REQUIRE(key);
    CHECK(*key == seed());
    CHECK(ssh_authorized_key(SigningKey::from_seed(*key)->public_key(), "deploy") ==
          "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4 deploy");
  }
}

TEST_CASE("encrypted, foreign, cut and changed keys are refused, and the error does not repeat them") {
  CHECK_FALSE(read(sample("encrypted")));
  CHECK_FALSE(read(""));
  CHECK_FALSE(read("hunter2"));
  CHECK(read("hunter2").error().detail.find("hunter2") == std::string::npos);
  CHECK_FALSE(read(std::string(20'000, 'A')));
  const std::string whole = sample("openssh");
  const auto from = whole.find('\n') + 1, to = whole.find("-----END");
  for (std::size_t n = from; n < to; n += 3) CHECK_FALSE(read(whole.substr(0, n)));
  std::size_t accepted = 0;
  for (std::size_t i = from; i < to; ++i) {
    if (whole[i] == '\n') continue;
    std::string changed = whole;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    if (const auto key = read(changed)) {
      ++accepted;  // spare bits of base64's last digit before padding, and nothing that counts
      CHECK(*key == seed());
    }
  }
  CHECK(accepted <= 8);  // the two check numbers cannot change alone; the comment is empty
}
