#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "base/json.h"
#include "crypto/ed25519.h"
#include "crypto/mldsa.h"
#include "crypto/succession.h"

namespace caip::crypto {
namespace {

const Instant kNow(1'790'000'000'000'000);

struct Pair {  // two keys of one kind, and what the first says about the second
  SuccessionKey kind;
  SigningKey old_ed = SigningKey::generate(), new_ed = SigningKey::generate();
  CosigningKey old_ml = CosigningKey::generate(), new_ml = CosigningKey::generate();
  bool lattice() const { return kind == SuccessionKey::cosign; }
  Bytes old_key() const { return lattice() ? old_ml.public_key() : old_ed.public_key(); }
  Bytes new_key() const { return lattice() ? new_ml.public_key() : new_ed.public_key(); }
  Bytes by_old(BytesView m) const { return lattice() ? old_ml.sign(m) : old_ed.sign(m); }
  Bytes by_new(BytesView m) const { return lattice() ? new_ml.sign(m) : new_ed.sign(m); }
  Succession statement(std::uint32_t generation = 2) const { return {kind, generation, old_key(), new_key(), 17, kNow}; }
  std::string text(const Succession& s) const { return succession_text(s, by_old(succession_message(s)), by_new(succession_message(s))); }
  std::string text() const { return text(statement()); }
};

Code code(const auto& r) {
  REQUIRE_FALSE(r.has_value());
  return r.error().code;
}

TEST_CASE("a succession is read back, and followed from the key that is held") {
  const Pair p{GENERATE(SuccessionKey::checkpoint, SuccessionKey::cosign, SuccessionKey::order)};
  CHECK(open_succession(p.text()).value() == p.statement());
  CHECK(p.text().size() < kMostSuccession);
  CHECK(follow({p.old_key(), 0}, p.kind, p.text()).value() == HeldKey{p.new_key(), 2});
  CHECK(follow({p.old_key(), 1}, p.kind, p.text()).value() == HeldKey{p.new_key(), 2});
}

TEST_CASE("a succession with any byte changed, dropped or added is refused") {
  const Pair p{SuccessionKey::order};
  const std::string good = p.text();
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (const int flip : {1, 4, 32}) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ flip);
      CHECK_FALSE(open_succession(bad).has_value());
    }
    CHECK_FALSE(open_succession(good.substr(0, i)).has_value());
    CHECK_FALSE(open_succession(good.substr(0, i) + " " + good.substr(i)).has_value());
  }
  CHECK(code(open_succession(std::string(kMostSuccession + 1, 'x'))) == Code::malformed);
}

TEST_CASE("both keys must have signed, the old and the new") {
  const Pair p{GENERATE(SuccessionKey::checkpoint, SuccessionKey::cosign, SuccessionKey::order)}, thief{p.kind};
  const Succession s = p.statement();
  const Bytes m = succession_message(s);
  CHECK(code(open_succession(succession_text(s, thief.by_old(m), p.by_new(m)))) == Code::forbidden);
  CHECK(code(open_succession(succession_text(s, p.by_old(m), thief.by_new(m)))) == Code::forbidden);
  CHECK(code(open_succession(succession_text(s, p.by_new(m), p.by_new(m)))) == Code::forbidden);
}

TEST_CASE("only the key that is held hands over: no stranger's, no replay of an old one, no generation back or skipped") {
  const Pair p{SuccessionKey::checkpoint}, stranger{SuccessionKey::checkpoint};
  CHECK(code(follow({stranger.old_key(), 1}, p.kind, p.text())) == Code::forbidden);
  CHECK(code(follow({p.new_key(), 2}, p.kind, p.text())) == Code::forbidden);  // the same again
  CHECK(code(follow({p.old_key(), 2}, p.kind, p.text())) == Code::forbidden);  // back
  CHECK(code(follow({p.old_key(), 3}, p.kind, p.text())) == Code::forbidden);
  CHECK(code(follow({p.old_key(), 1}, p.kind, p.text(p.statement(3)))) == Code::forbidden);  // one is missing
  CHECK(code(follow({p.old_key(), 1}, SuccessionKey::order, p.text())) == Code::forbidden);  // of another use
}

TEST_CASE("a succession names two different keys of its kind and a size that a log has") {
  const Pair p{SuccessionKey::order};
  Succession s = p.statement();
  SECTION("the same key") {
    s.new_key = s.old_key;
    CHECK(code(open_succession(succession_text(s, p.by_old(succession_message(s)), p.by_old(succession_message(s))))) == Code::malformed);
  }
  SECTION("a key that is too short") { s.new_key.pop_back(); }
  SECTION("an empty log") { s.size = 0; }
  SECTION("the first generation") { s.generation = 1; }
  CHECK_FALSE(open_succession(p.text(s)).has_value());
}

}  // namespace
}  // namespace caip::crypto
