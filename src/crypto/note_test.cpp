#include <catch2/catch_test_macros.hpp>

#include "crypto/ed25519.h"
#include "crypto/merkle.h"
#include "crypto/note.h"

namespace caip::crypto {
namespace {

TEST_CASE("the example of the signed-note format parses, verifies and is written the same") {
  const std::string text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
  const std::string note = text + "\n\xe2\x80\x94 PeterNeumann "
      "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
  const auto raw = *from_base64("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
  const Bytes key(raw.begin() + 1, raw.end());
  CHECK(note_vkey("PeterNeumann", key) == "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
  const auto parsed = parse_note(note);
  REQUIRE(parsed.has_value());
  CHECK(parsed->text == text);
  REQUIRE(parsed->signatures.size() == 1);
  CHECK(parsed->signatures[0].key_id == note_key_id("PeterNeumann", key));
  CHECK(ed25519_verify(key, view(parsed->text), parsed->signatures[0].signature));
  CHECK(format_note(*parsed) == note);
}

TEST_CASE("a checkpoint opens with its key only, unchanged only, beside unknown signatures") {
  const auto key = SigningKey::generate();
  const Checkpoint c{.size = 12345, .root = merkle::leaf_hash(view("x"))};
  const std::string text = checkpoint_text(c);
  CHECK(parse_checkpoint_text(text).value() == c);
  std::string note = checkpoint_note(c, key.public_key(), key.sign(view(text)));
  CHECK(open_checkpoint(note, key.public_key()).value() == c);
  CHECK(!open_checkpoint(note, SigningKey::generate().public_key()).has_value());
  CHECK(!open_checkpoint(note, key.public_key(), "other.example/log").has_value());
  std::string changed = note;
  changed[changed.find("12345")] = '9';
  CHECK(!open_checkpoint(changed, key.public_key()).has_value());
  auto with_witness = *parse_note(note);
  with_witness.signatures.insert(with_witness.signatures.begin(), {"witness.example", 7, Bytes(72, 1)});
  CHECK(open_checkpoint(format_note(with_witness), key.public_key()).value() == c);
}

TEST_CASE("what is not a note or a checkpoint is refused") {
  for (const char* bad : {"", "\n", "\n\n", "a\n\n", "a\n\nno dash\n", "a\n\n\xe2\x80\x94 name\n", "a\n\n\xe2\x80\x94 name AA==\n",
                          "a\n\n\xe2\x80\x94 na+me AAAAAAAA\n", "a\r\n\n\xe2\x80\x94 name AAAAAAAA\n", "a\n\n\xe2\x80\x94 name AAAAAAAA"})
    CHECK(!parse_note(bad).has_value());
  const std::string root = base64(merkle::empty_root());
  CHECK(parse_checkpoint_text("o\n0\n" + root + "\n").has_value());
  CHECK(parse_checkpoint_text("o\n0\n" + root + "\nextension\n").has_value());
  for (const std::string& bad : std::vector<std::string>{"o\n00\n" + root + "\n", "o\n-1\n" + root + "\n", "o\n1\nAAAA\n", "o\n1\n" + root, "\n1\n" + root + "\n",
                                 "o\n99999999999999999999\n" + root + "\n"})
    CHECK(!parse_checkpoint_text(bad).has_value());
}

}  // namespace
}  // namespace caip::crypto
