// A server goes by another key only when the one it holds says so, and still does after a crash.
#include <catch2/catch_test_macros.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "agent/helper.h"
#include "agent/keys.h"
#include "crypto/succession.h"
#include "failing_calls.h"
#include "order_fixture.h"
#include "wire.pb.h"

namespace caip::agent {
namespace {

namespace fs = std::filesystem;
using crypto::SuccessionKey;

struct Folder {
  std::string path;
  Folder() {
    std::string name = (fs::temp_directory_path() / "caip-keys-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
};

template <class K>
std::string hand_over(SuccessionKey key, const K& from, const K& to, std::uint32_t generation, Instant now) {
  const crypto::Succession s{key, generation, from.public_key(), to.public_key(), 9, now};
  const Bytes m = crypto::succession_message(s);
  return crypto::succession_text(s, from.sign(m), to.sign(m));
}

// The control plane's keys move on, and this server hears of it or not.
struct Rig {
  Folder dir;
  channel::OrderFixture f;
  channel::OrderTrust pinned = f.trust();
  Keys keys = *Keys::open(dir.path, pinned);
  std::uint32_t order_generation = 1;

  std::string next_order_key() {
    auto next = crypto::SigningKey::generate();
    auto said = hand_over(SuccessionKey::order, f.order_key, next, ++order_generation, f.clock.now());
    f.order_key = std::move(next);
    return said;
  }
  std::string next_log_key() {
    auto next = crypto::SigningKey::generate();
    auto said = hand_over(SuccessionKey::checkpoint, f.log_key, next, 2, f.clock.now());
    f.log_key = std::move(next);
    return said;
  }
  std::string next_cosign_key() {
    auto next = crypto::CosigningKey::generate();
    auto said = hand_over(SuccessionKey::cosign, f.cosign_key, next, 2, f.clock.now());
    f.cosign_key = std::move(next);
    return said;
  }
  Result<Keys> reopened() const { return Keys::open(dir.path, pinned); }
  bool takes_orders(const Keys& by) { return channel::OrderVerifier(by.trust(), f.clock).verify(f.make()).has_value(); }
};

struct NoUnits final : UnitManager {
  Result<void> list(wire::UnitList&) override { return {}; }
  Result<void> status(const UnitName&, wire::Unit&) override { return {}; }
  Result<std::vector<std::string>> reached(UnitVerb, const UnitName& u) override { return std::vector{u.str()}; }
  Result<void> run(UnitVerb, const UnitName&) override { return {}; }
  Result<void> reboot() override { return {}; }
  Result<std::vector<std::string>> journal(const UnitName&, std::int64_t) override { return std::vector<std::string>{}; }
};

TEST_CASE("each key is followed to its successor, on the disk before it counts") {
  Rig r;
  CHECK(r.takes_orders(r.keys));
  REQUIRE(r.keys.follow({r.next_log_key(), r.next_cosign_key(), r.next_order_key()}));
  CHECK(channel::held_keys(r.keys.trust()) == channel::held_keys(r.f.trust()));
  CHECK(r.takes_orders(r.keys));
  CHECK(channel::held_keys(r.reopened()->trust()) == channel::held_keys(r.f.trust()));
}

TEST_CASE("an order signed by the key before is refused once the server goes by the new one") {
  Rig r;
  auto old = *crypto::SigningKey::from_seed(r.f.order_key.seed());
  REQUIRE(r.keys.follow({r.next_order_key()}));
  r.f.order_key = std::move(old);  // stolen, or never destroyed
  CHECK_FALSE(r.takes_orders(r.keys));
}

TEST_CASE("a server that was away for several rotations walks the whole chain at once, and hears it again without harm") {
  Rig r;
  const channel::Successions chain{r.next_order_key(), r.next_order_key(), r.next_order_key()};
  REQUIRE(r.keys.follow(chain));
  CHECK(r.takes_orders(r.keys));
  REQUIRE(r.keys.follow(chain));  // after a reconnect
  REQUIRE(r.keys.follow({chain[1]}));
  CHECK(r.takes_orders(r.keys));
  CHECK(r.reopened().has_value());
}

TEST_CASE("a succession that the held key did not sign is refused, with all that came beside it") {
  Rig r;
  const auto stranger = crypto::SigningKey::generate(), other = crypto::SigningKey::generate();
  const std::string good = r.next_order_key();
  const auto refused = [&](const channel::Successions& s) {
    const auto before = channel::held_keys(r.keys.trust());
    const bool no = !r.keys.follow(s);
    return no && channel::held_keys(r.keys.trust()) == before && !fs::exists(r.dir.path + kKeysFile);
  };
  CHECK(refused({hand_over(SuccessionKey::order, stranger, other, 2, r.f.clock.now())}));
  CHECK(refused({good, hand_over(SuccessionKey::order, stranger, other, 3, r.f.clock.now())}));
  CHECK(refused({r.next_order_key()}));  // the one before it is missing
  CHECK(refused({"not one"}));
  CHECK(refused({good + " "}));
}

TEST_CASE("a succession that was good for a server that came earlier is none for one that was enrolled with the later key") {
  Rig r;
  const std::string first = r.next_order_key();
  const Keys later = *Keys::open(r.dir.path, r.f.trust());
  Keys copy = later;
  CHECK(copy.follow({first}).error().code == Code::forbidden);
}

TEST_CASE("kill -9 between write and rename leaves the keys of before; a file that does not lead on from the pinned keys opens nothing") {
  Rig r;
  REQUIRE(r.keys.follow({r.next_order_key()}));
  const auto held = channel::held_keys(r.keys.trust());
  const std::string second = r.next_order_key();
  for (const std::size_t cut : {std::size_t{0}, second.size() / 2, second.size()}) {
    std::ofstream(r.dir.path + kKeysFile + ".new", std::ios::trunc) << second.substr(0, cut);
    auto again = r.reopened();
    REQUIRE(again.has_value());
    CHECK(channel::held_keys(again->trust()) == held);
  }
  auto again = r.reopened();
  REQUIRE(again->follow({second}));  // told again
  CHECK(r.takes_orders(*again));
  fs::resize_file(r.dir.path + kKeysFile, fs::file_size(r.dir.path + kKeysFile) - 5);
  CHECK_FALSE(r.reopened().has_value());
  std::ofstream(r.dir.path + kKeysFile, std::ios::trunc) << second << "\n";  // the first step is missing
  CHECK_FALSE(r.reopened().has_value());
}

TEST_CASE("the log goes on under its new keys: what was seen before stays seen, and the old ones sign nothing more") {
  Rig r;
  const auto open = [&](const Keys& keys) { return Witness::open(r.dir.path, keys.trust(), std::nullopt, r.f.clock); };
  Witness witness = *open(r.keys);
  auto first = r.f.prove();
  REQUIRE(witness.see(first.checkpoint, first.old, first.consistency));
  auto old_log = *crypto::SigningKey::from_seed(r.f.log_key.seed());
  REQUIRE(r.keys.follow({r.next_log_key(), r.next_cosign_key()}));
  auto reopened = open(r.keys);  // the note on its disk is one of the keys before
  REQUIRE(reopened.has_value());
  CHECK(reopened->size() == first.size);
  witness.go_by(r.keys.trust());
  r.f.entries.push_back("second");
  auto second = r.f.prove();
  CHECK(witness.see(second.checkpoint, second.old, second.consistency));
  r.f.log_key = std::move(old_log);
  r.f.entries.push_back("third");
  auto third = r.f.prove();
  CHECK(witness.see(third.checkpoint, third.old, third.consistency).error().code == Code::forbidden);
}

TEST_CASE("each system call by which a new key is written down fails once: the server goes by the key that it says, and is never without one") {
  const std::size_t hit = test::each_fault([](std::size_t n, int error) {
    Rig r;
    const auto old = r.keys.trust().order_key;
    const auto said = r.next_order_key();
    bool done = false, reached = false;
    {
      const test::FailingCalls look(n, error);
      done = r.keys.follow({said}).has_value();
      reached = look.reached();
    }
    INFO("call " << n << ", error " << error);
    CHECK(r.keys.trust().order_key == (done ? r.f.order_key.public_key() : old));
    const auto again = r.reopened();
    REQUIRE(again);
    if (done) CHECK(again->trust().order_key == r.f.order_key.public_key());
    else CHECK(r.keys.follow({said}));  // the same word is taken when there is room
    CHECK(r.takes_orders(*r.reopened()));
    return reached;
  });
  CHECK(hit == 4 * 6);  // open, mode, write, sync the file, rename, sync the folder
}

TEST_CASE("the helper says what it goes by, and that it refused") {
  Rig r;
  NoUnits units;
  Folder book;
  Helper helper(r.keys, *Witness::open(r.dir.path, r.keys.trust(), std::nullopt, r.f.clock), *OrderBook::open(book.path, r.f.clock.now()), units, EnvFiles(book.path), r.f.clock);
  wire::Successions good, bad;
  channel::to_wire({r.next_order_key()}, good);
  const auto stranger = crypto::SigningKey::generate(), other = crypto::SigningKey::generate();
  channel::to_wire({hand_over(SuccessionKey::order, stranger, other, 3, r.f.clock.now())}, bad);
  const auto said = helper.follow(good);
  CHECK(said.refused().empty());
  CHECK(*channel::from_wire(said) == channel::held_keys(r.f.trust()));
  const auto refused = helper.follow(bad);
  CHECK(refused.refused() == "forbidden");
  CHECK(*channel::from_wire(refused) == channel::held_keys(r.f.trust()));
  wire::Order order;
  channel::to_wire(r.f.make(), order);
  CHECK(helper.handle(order).succeeded());
}

}  // namespace
}  // namespace caip::agent
