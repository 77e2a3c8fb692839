// The verifier's own reading of successions, against those that the writer's code makes.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "chain.h"
#include "crypto/ed25519.h"
#include "crypto/mldsa.h"
#include "crypto/succession.h"

namespace caip::verifier {
namespace {

const Instant kNow(1'790'000'000'000'000);

template <class K>
std::string said(crypto::SuccessionKey kind, const K& from, const K& to, std::uint32_t generation, std::uint64_t size, const K& first, const K& second) {
  const crypto::Succession s{kind, generation, from.public_key(), to.public_key(), size, kNow};
  const Bytes m = crypto::succession_message(s);
  return crypto::succession_text(s, first.sign(m), second.sign(m));
}

struct Keys {
  std::vector<crypto::SigningKey> all;
  Keys() {
    for (int n = 0; n < 4; ++n) all.push_back(crypto::SigningKey::generate());
  }
  std::string statement(std::size_t from, std::size_t to, std::uint32_t generation, std::uint64_t size) const {
    return said(crypto::SuccessionKey::checkpoint, all[from], all[to], generation, size, all[from], all[to]);
  }
  Handover handover(std::size_t from, std::size_t to, std::uint32_t generation, std::uint64_t size) const { return *read_handover(statement(from, to, generation, size)); }
  Chain chain() const { return Chain({std::string(kOrigin), KeyType::ed25519, all[0].public_key()}); }
};

TEST_CASE("what the writer says of a new key is read, of each kind") {
  const Keys k;
  const auto h = read_handover(k.statement(0, 1, 2, 17));
  REQUIRE(h);
  CHECK((h->kind == "checkpoint" && h->generation == 2 && h->size == 17 && h->old_key == k.all[0].public_key() && h->new_key == k.all[1].public_key()));
  const auto a = crypto::CosigningKey::generate(), b = crypto::CosigningKey::generate();
  CHECK(read_handover(said(crypto::SuccessionKey::cosign, a, b, 3, 1, a, b))->kind == "cosign");
  CHECK(read_handover(said(crypto::SuccessionKey::order, k.all[0], k.all[1], 3, 1, k.all[0], k.all[1]))->kind == "order");
}

TEST_CASE("any byte changed, dropped or added, and it is not read") {
  const Keys k;
  const std::string good = k.statement(0, 1, 2, 17);
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    CHECK_FALSE(read_handover(bad));
    CHECK_FALSE(read_handover(good.substr(0, i)));
    CHECK_FALSE(read_handover(good.substr(0, i) + " " + good.substr(i)));
  }
}

TEST_CASE("both keys must have signed") {
  const Keys k;
  const auto by = [&](std::size_t first, std::size_t second) {
    return read_handover(said(crypto::SuccessionKey::checkpoint, k.all[0], k.all[1], 2, 17, k.all[first], k.all[second])).has_value();
  };
  CHECK(by(0, 1));
  CHECK_FALSE(by(2, 1));
  CHECK_FALSE(by(0, 2));
}

TEST_CASE("a chain goes on only from its newest key, to the next generation, at a larger size") {
  const Keys k;
  Chain chain = k.chain();
  REQUIRE(chain.follow(k.handover(0, 1, 2, 10)));
  CHECK_FALSE(chain.follow(k.handover(0, 2, 3, 20)));  // a key that has handed over
  CHECK_FALSE(chain.follow(k.handover(3, 2, 3, 20)));  // a stranger's
  CHECK_FALSE(chain.follow(k.handover(1, 2, 4, 20)));  // one is missing
  CHECK_FALSE(chain.follow(k.handover(1, 2, 2, 20)));  // back
  CHECK_FALSE(chain.follow(k.handover(1, 2, 3, 10)));  // two at one place
  REQUIRE(chain.follow(k.handover(1, 2, 3, 20)));
  for (const auto& [size, key] : {std::pair{0U, 0U}, {9U, 0U}, {10U, 1U}, {19U, 1U}, {20U, 2U}, {1000U, 2U}}) CHECK(chain.at(size).bytes == k.all[key].public_key());
  CHECK(chain.has(text_of(k.all[0].public_key())));
  CHECK_FALSE(chain.has(text_of(k.all[3].public_key())));
}

}  // namespace
}  // namespace caip::verifier
