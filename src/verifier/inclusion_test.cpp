// One entry's place in the tree, as the verifier finds it, held against the proofs that the writer's tree gives.
#include <catch2/catch_test_macros.hpp>

#include <map>

#include "crypto/cosignature.h"
#include "crypto/ed25519.h"
#include "crypto/merkle.h"
#include "crypto/mldsa.h"
#include "crypto/note.h"
#include "note.h"
#include "verifier/verifier.h"

namespace caip::verifier {
namespace {

std::string entry_text(std::uint64_t n) {
  return R"({"action":"log.read","actor":{"id":null,"kind":"system"},"address":"","approver":null,"at":"2026-11-26T10:00:00.000000Z","detail":{},"org":null,"params":{},"request":"","result":"completed","seq":)" +
         std::to_string(n) + R"(,"source":"system","target":null,"user_agent":"","v":2})";
}

struct Tree {
  std::map<std::pair<unsigned, std::uint64_t>, Digest> nodes = {};
  std::uint64_t size;
  explicit Tree(std::uint64_t n) : size(n) {
    for (std::uint64_t i = 0; i < n; ++i) nodes[{0, i}] = merkle::leaf_hash(view(entry_text(i)));
    for (unsigned level = 1; n >> level > 0; ++level)
      for (std::uint64_t i = 0; i < n >> level; ++i) nodes[{level, i}] = merkle::node_hash(nodes[{level - 1, 2 * i}], nodes[{level - 1, 2 * i + 1}]);
  }
  merkle::NodeReader reader() const {
    return [this](merkle::NodeId at) -> Result<Digest> { return nodes.at({at.level, at.index}); };
  }
  Place place(std::uint64_t index) const { return {index, merkle::inclusion_proof(index, size, reader()).value()}; }
  std::string checkpoint() const {
    const auto key = crypto::SigningKey::generate();
    const crypto::Checkpoint head{.size = size, .root = merkle::root(size, reader()).value()};
    return crypto::checkpoint_note(head, key.public_key(), key.sign(view(crypto::checkpoint_text(head))));
  }
};

TEST_CASE("each entry of each small log is found at its place, and at no other") {
  for (std::uint64_t size = 1; size <= 17; ++size) {
    const Tree tree(size);
    const std::string head = tree.checkpoint();
    for (std::uint64_t i = 0; i < size; ++i) {
      const Place at = tree.place(i);
      INFO("entry " << i << " of " << size);
      CHECK(verify_entry(entry_text(i), at, head)->holds());
      for (std::uint64_t other = 0; other < size; ++other)
        if (other != i) CHECK(verify_entry(entry_text(i), {other, at.path}, head)->broken->index == other);
    }
    CHECK(verify_entry(entry_text(size), {size, {}}, head).error().code == Code::invalid);  // it is not in that log yet
  }
}

TEST_CASE("S27: an entry with any byte changed to any other, a changed, shortened or longer proof, and another checkpoint do not hold") {
  const Tree tree(13);
  const std::string head = tree.checkpoint(), entry = entry_text(6);
  const Place at = tree.place(6);
  REQUIRE(verify_entry(entry, at, head)->holds());
  for (std::size_t i = 0; i < entry.size(); ++i)
    for (int other = 1; other < 256; ++other) {
      std::string changed = entry;
      changed[i] = static_cast<char>(changed[i] ^ other);
      if (verify_entry(changed, at, head)->holds()) FAIL("byte " << i << " ^ " << other << " holds");
    }
  for (std::size_t i = 0; i < at.path.size(); ++i)
    for (std::size_t byte = 0; byte < at.path[i].size(); ++byte) {
      Place wrong = at;
      wrong.path[i][byte] ^= 1;
      CHECK_FALSE(verify_entry(entry, wrong, head)->holds());
    }
  Place shorter = at, longer = at;
  shorter.path.pop_back();
  longer.path.push_back(at.path.front());
  CHECK_FALSE(verify_entry(entry, shorter, head)->holds());
  CHECK_FALSE(verify_entry(entry, longer, head)->holds());
  CHECK_FALSE(verify_entry(entry, at, Tree(14).checkpoint())->holds());
  CHECK(verify_entry(entry, at, "no checkpoint").error().code == Code::malformed);
}

// Of the line that is signed and of its Ed25519 signature, each byte in each other value; of the second signature, which is thirty times
// as long, each byte in two.
TEST_CASE("S27: a checkpoint with any byte changed is signed by neither key of the log") {
  const auto key = crypto::SigningKey::generate();
  const auto second = crypto::CosigningKey::generate();
  const crypto::Checkpoint head{.size = 4711, .root = merkle::leaf_hash(view("x"))};
  const std::string text = crypto::checkpoint_text(head);
  const crypto::Cosigner log{std::string(crypto::kLogOrigin), crypto::CosignatureType::mldsa44, second.public_key()};
  const std::string first = crypto::checkpoint_note(head, key.public_key(), key.sign(view(text)));
  auto both = crypto::parse_note(first).value();
  both.signatures.push_back(crypto::cosignature(log, 1, second.sign(*crypto::cosigned_message(log, 1, text))));
  const std::string whole = crypto::format_note(both);
  const Key ed25519{std::string(kOrigin), KeyType::ed25519, key.public_key()}, mldsa{std::string(kOrigin), KeyType::mldsa44_cosigner, second.public_key()};
  const auto signed_by = [](const std::string& note, const Key& k) {
    const auto c = read_checkpoint(note);
    return c && check(*c, k).is == Signed::yes;
  };
  REQUIRE(signed_by(whole, ed25519));
  REQUIRE(signed_by(whole, mldsa));
  REQUIRE(whole.starts_with(first));
  for (std::size_t i = 0; i < first.size(); ++i)
    for (int other = 1; other < 256; ++other) {
      std::string changed = first;
      changed[i] = static_cast<char>(changed[i] ^ other);
      if (signed_by(changed, ed25519)) FAIL("byte " << i << " ^ " << other << " is signed");
    }
  for (std::size_t i = first.size(); i < whole.size(); ++i)
    for (const int other : {1, 4}) {
      std::string changed = whole;
      changed[i] = static_cast<char>(changed[i] ^ other);
      if (signed_by(changed, mldsa)) FAIL("byte " << i << " ^ " << other << " is signed by the second key");
    }
}

TEST_CASE("what is in the tree and yet no entry does not hold") {
  const std::string odd = "not an entry";
  const auto key = crypto::SigningKey::generate();
  const crypto::Checkpoint head{.size = 1, .root = merkle::leaf_hash(view(odd))};
  const auto report = verify_entry(odd, {0, {}}, crypto::checkpoint_note(head, key.public_key(), key.sign(view(crypto::checkpoint_text(head)))));
  CHECK(report->broken->what.contains("not what the log writes"));
}

}  // namespace
}  // namespace caip::verifier
