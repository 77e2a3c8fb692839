#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "crypto/cosignature.h"
#include "crypto/ed25519.h"
#include "crypto/merkle.h"
#include "crypto/mldsa.h"

namespace caip::crypto {
namespace {

std::string published(const char* name) {
  const char* source = std::getenv("CAIP_SOURCE");
  std::ifstream file(std::string(source != nullptr ? source : ".") + "/test/data/c2sp/" + name);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), {}};
}

const std::string kText = checkpoint_text({.origin = "example.com/log", .size = 7, .root = merkle::leaf_hash(view("x"))});

// litewitness of the C2SP authors publishes an ML-DSA-44 log key and a checkpoint signed with it.
TEST_CASE("the published ML-DSA-44 checkpoint verifies, and nothing changed of it does") {
  const std::string key = published("mldsa44.vkey");
  const auto cosigner = parse_vkey(std::string_view(key).substr(0, key.size() - 1));
  REQUIRE(cosigner.has_value());
  CHECK(cosigner->type == CosignatureType::mldsa44);
  const auto note = parse_note(published("mldsa44.note"));
  REQUIRE(note.has_value());
  CHECK(cosigned_at(*note, *cosigner) == 0);
  auto larger = *note;
  larger.text.replace(larger.text.find("\n1\n"), 3, "\n2\n");
  CHECK_FALSE(cosigned_at(larger, *cosigner));
  auto later = *note;
  later.signatures[0].signature[7] = 1;  // the time
  CHECK_FALSE(cosigned_at(later, *cosigner));
  auto other = *cosigner;
  other.name = "example.com/other";
  CHECK_FALSE(cosigned_at(*note, other));
}

TEST_CASE("the Ed25519 cosignature signs the lines of the format") {
  const Cosigner c{"w.example", CosignatureType::ed25519, Bytes(32, 1)};
  CHECK(text_of(*cosigned_message(c, 1679315147, kText)) == "cosignature/v1\ntime 1679315147\n" + kText);
  // The key id of the format's own recipe.
  CHECK(vkey(c).starts_with("w.example+"));
  CHECK(*parse_vkey(vkey(c)) == c);
}

TEST_CASE("the ML-DSA-44 message is the structure of the format, byte for byte") {
  const Cosigner c{"w.example", CosignatureType::mldsa44, Bytes(kMldsaPublic, 1)};
  const Bytes m = *cosigned_message(c, 0x0102030405060708, kText);
  std::string want("subtree/v1\n\0", 12);
  want += std::string("\x09w.example\1\2\3\4\5\6\7\x08\x0f", 1 + 9 + 8 + 1) + "example.com/log" + std::string(8, '\0') + std::string(7, '\0') + '\7';
  want += text_of(merkle::leaf_hash(view("x")));
  CHECK(text_of(m) == want);
  CHECK_FALSE(cosigned_message(c, 1, kText + "extension\n").has_value());
  CHECK_FALSE(cosigned_message(c, std::uint64_t{1} << 63, kText).has_value());
}

TEST_CASE("a cosignature of either type holds for its note, time, name and key alone") {
  const auto ed = SigningKey::generate();
  const auto pq = CosigningKey::generate();
  for (const Cosigner& c : {Cosigner{"w.example", CosignatureType::ed25519, ed.public_key()},
                            Cosigner{"w.example", CosignatureType::mldsa44, pq.public_key()}}) {
    const Bytes message = *cosigned_message(c, 1700000000, kText);
    const Bytes signature = c.type == CosignatureType::ed25519 ? ed.sign(message) : pq.sign(message);
    Note note{kText, {{"else.example", 3, Bytes(70, 1)}, cosignature(c, 1700000000, signature)}};
    CHECK(cosigned_at(note, c) == 1700000000);
    const auto back = parse_signature_line(signature_line(note.signatures[1]));
    REQUIRE(back.has_value());
    CHECK(back->signature == note.signatures[1].signature);
    Note changed = note;
    changed.text[changed.text.find("\n7\n") + 1] = '8';
    CHECK_FALSE(cosigned_at(changed, c));
    for (std::size_t i = 0; i < note.signatures[1].signature.size(); i += 97) {
      Note damaged = note;
      damaged.signatures[1].signature[i] ^= 1;
      CHECK_FALSE(cosigned_at(damaged, c));
    }
    Note unsigned_note{kText, {note.signatures[0]}};
    CHECK_FALSE(cosigned_at(unsigned_note, c));
  }
}

TEST_CASE("ML-DSA-44 keys come back from their seed; other sizes are refused") {
  const Bytes seed(32, 7);
  const auto a = CosigningKey::from_seed(SecretBytes(Bytes(seed))).value();
  const auto b = CosigningKey::from_seed(SecretBytes(Bytes(seed))).value();
  CHECK(a.public_key() == b.public_key());
  CHECK(mldsa44_verify(a.public_key(), view("m"), b.sign(view("m"))));
  CHECK_FALSE(mldsa44_verify(a.public_key(), view("n"), b.sign(view("m"))));
  CHECK_FALSE(CosigningKey::from_seed(SecretBytes(Bytes(31, 7))).has_value());
}

TEST_CASE("what is no cosigner's key or line is refused") {
  const Cosigner c{"w.example", CosignatureType::ed25519, Bytes(32, 1)};
  const std::string good = vkey(c);
  for (const std::string& bad : std::vector<std::string>{"", "+", "a+b", good + "=", good.substr(1), "w.example+00000000+" + good.substr(good.rfind('+') + 1),
                                 note_vkey("w.example", Bytes(32, 1))})
    CHECK_FALSE(parse_vkey(bad).has_value());
  for (const char* bad : {"", "\n", "x\n", "\xe2\x80\x94 a AAAAAAAA", "\xe2\x80\x94 a AAAAAAAA\n\xe2\x80\x94 a AAAAAAAA\n"})
    CHECK_FALSE(parse_signature_line(bad).has_value());
}

}  // namespace
}  // namespace caip::crypto
