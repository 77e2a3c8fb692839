#include "crypto/aead.h"

#include <catch2/catch_test_macros.hpp>
#include <set>

#include "crypto/kdf.h"
#include "crypto/kem.h"

using namespace caip;
using namespace caip::crypto;

namespace {

AeadKey key_of(std::uint8_t byte) { return AeadKey::from(SecretBytes(Bytes(32, byte))).value(); }
bool opens_to(const Result<SecretBytes>& opened, std::string_view text) { return opened && *opened == SecretBytes(text); }

}  // namespace

TEST_CASE("XAES-256-GCM gives the published C2SP vectors") {
  const auto nonce = view("ABCDEFGHIJKLMNOPQRSTUVWX");
  CHECK(hex(key_of(1).seal_with_nonce_for_test(view("XAES-256-GCM"), {}, nonce)) == "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271");
  CHECK(hex(key_of(3).seal_with_nonce_for_test(view("XAES-256-GCM"), view("c2sp.org/XAES-256-GCM"), nonce)) ==
        "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d");
}

TEST_CASE("what is sealed opens with the same key and context and no other") {
  const AeadKey key = AeadKey::generate();
  for (const std::string& text : {std::string(), std::string("x"), std::string(1000, 'y')}) {
    const Bytes sealed = key.seal(view(text), view("context"));
    CHECK(sealed.size() == text.size() + kAeadOverhead);
    CHECK(opens_to(key.open(sealed, view("context")), text));
    CHECK(opens_to(key.clone().open(sealed, view("context")), text));
    CHECK_FALSE(key.open(sealed, view("Context")));
    CHECK_FALSE(key.open(sealed, {}));
    CHECK_FALSE(AeadKey::generate().open(sealed, view("context")));
  }
  CHECK_FALSE(key.open({}, {}));
  CHECK_FALSE(AeadKey::from(SecretBytes(Bytes(31))));
}

TEST_CASE("S27: each changed bit and each cut of sealed bytes is refused") {
  const AeadKey key = AeadKey::generate();
  const Bytes sealed = key.seal(view("a value"), view("context"));
  for (std::size_t i = 0; i < sealed.size() * 8; ++i) {
    Bytes changed = sealed;
    changed[i / 8] ^= static_cast<std::uint8_t>(1U << (i % 8));
    CHECK_FALSE(key.open(changed, view("context")));
  }
  for (std::size_t n = 0; n < sealed.size(); ++n) CHECK_FALSE(key.open(BytesView(sealed).first(n), view("context")));
}

TEST_CASE("no nonce comes twice") {
  const AeadKey key = AeadKey::generate();
  std::set<Bytes> seen;
  for (int i = 0; i < 20'000; ++i) {
    const Bytes sealed = key.seal({}, {});
    CHECK(seen.emplace(sealed.begin(), sealed.begin() + kAeadNonceBytes).second);
  }
}

TEST_CASE("the hybrid encapsulation is shared by the holder of the private key alone") {
  auto pair = kem_generate();
  REQUIRE(pair);
  CHECK(pair->public_key.size() == 1216);
  auto made = kem_encapsulate(pair->public_key);
  REQUIRE(made);
  CHECK(made->ciphertext.size() == 1120);
  CHECK(made->shared.size() == 64);
  CHECK(kem_decapsulate(pair->private_key, made->ciphertext).value() == made->shared);
  auto other = kem_generate();
  CHECK_FALSE(kem_decapsulate(other->private_key, made->ciphertext).value() == made->shared);
  made->ciphertext[0] ^= 1;
  CHECK_FALSE(kem_decapsulate(pair->private_key, made->ciphertext).value() == made->shared);
  CHECK_FALSE(kem_decapsulate(pair->private_key, Bytes(7)));
  CHECK_FALSE(kem_encapsulate(Bytes(1216 - 1)));
}

TEST_CASE("HKDF gives RFC 5869's first vector, cut to 32 bytes") {
  const auto key = hkdf_sha256(SecretBytes(Bytes(22, 0x0b)), *from_hex("000102030405060708090a0b0c"), *from_hex("f0f1f2f3f4f5f6f7f8f9"));
  CHECK(key == SecretBytes(*from_hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf")));
}

TEST_CASE("Argon2id depends on passphrase, salt and cost, and refuses costs out of bounds") {
  const Argon2Cost cheap{.memory_kib = 8 * 1024, .passes = 1, .lanes = 1};
  const Bytes salt(16, 7);
  const SecretBytes word(std::string_view("correct horse"));
  const auto key = argon2id(word, salt, cheap);
  REQUIRE(key);
  CHECK(argon2id(word, salt, cheap).value() == *key);
  CHECK_FALSE(argon2id(SecretBytes(std::string_view("correct horsf")), salt, cheap).value() == *key);
  CHECK_FALSE(argon2id(word, Bytes(16, 8), cheap).value() == *key);
  CHECK_FALSE(argon2id(word, salt, {.memory_kib = 8 * 1024, .passes = 2, .lanes = 1}).value() == *key);
  CHECK_FALSE(argon2id(word, Bytes(15), cheap));
  CHECK_FALSE(argon2id(word, salt, {.memory_kib = 1024, .passes = 1, .lanes = 1}));
  CHECK_FALSE(argon2id(word, salt, {.memory_kib = 8 * 1024, .passes = 0, .lanes = 1}));
  CHECK_FALSE(argon2id(word, salt, {.memory_kib = 4U * 1024 * 1024, .passes = 1, .lanes = 1}));
}
