#include "passwords.h"

#include <catch2/catch_test_macros.hpp>
#include <thread>
#include <vector>

#include "test_world.h"

using namespace caip;
using namespace caip::auth;

namespace {

struct Kept {
  Folder folder;
  ManualClock clock{Instant(1)};
  std::unique_ptr<secrets::Keeper> keeper = secrets::open_local_keeper(folder.path + "/keys", clock).value();
};

}  // namespace

TEST_CASE("long passwords and passwords with a NUL count to their last byte") {
  const Kept kept;
  Passwords passwords(*kept.keeper, 4, 1, 4);
  const std::string longest(1024, 'a');
  for (const std::string& password : {std::string("short enough"), std::string(73, 'x'), longest, std::string("before\0after", 12)}) {
    auto hash = passwords.hash(SecretBytes(password));
    REQUIRE(hash);
    CHECK(passwords.matches(SecretBytes(password), *hash).value());
    std::string other = password;
    other.back() = '!';
    CHECK_FALSE(passwords.matches(SecretBytes(other), *hash).value());
    CHECK_FALSE(passwords.matches(SecretBytes(password.substr(0, password.size() - 1)), *hash).value());
    CHECK_FALSE(passwords.matches(SecretBytes(password.substr(0, 6)), *hash).value());
  }
  CHECK_FALSE(passwords.matches(SecretBytes(std::string(5000, 'a')), *passwords.hash(SecretBytes(longest))).value());
}

TEST_CASE("no hash matches no password; another pepper does not match either") {
  const Kept kept, other;
  Passwords passwords(*kept.keeper, 4, 1, 4), elsewhere(*other.keeper, 4, 1, 4);
  CHECK_FALSE(passwords.matches(SecretBytes("anything"), "").value());
  auto hash = passwords.hash(SecretBytes("password-1"));
  CHECK_FALSE(elsewhere.matches(SecretBytes("password-1"), *hash).value());
}

TEST_CASE("a storm of sign-ins is turned away, not queued without end") {
  const Kept kept;
  Passwords passwords(*kept.keeper, 10, 1, 1);
  std::atomic<int> done = 0, refused = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 12; ++i)
      threads.emplace_back([&] {
        auto r = passwords.hash(SecretBytes("password-1"));
        if (r) ++done;
        else if (r.error().code == Code::too_many) ++refused;
      });
  }
  CHECK(done + refused == 12);
  CHECK(done >= 2);
  CHECK(refused >= 1);
  CHECK(passwords.hash(SecretBytes("password-1")));  // every slot came back
}
