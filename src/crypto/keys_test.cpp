#include <time.h>

#include <catch2/catch_test_macros.hpp>

#include "crypto/bcrypt.h"
#include "crypto/certificates.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "crypto/mac.h"
#include "crypto/random.h"

using namespace caip;
using namespace caip::crypto;

namespace {

// Nanoseconds of work of this thread.
std::int64_t thread_clock() {
  timespec spent{};
  REQUIRE(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent) == 0);
  return spent.tv_sec * std::int64_t{1'000'000'000} + spent.tv_nsec;
}

}  // namespace

TEST_CASE("Ed25519: RFC 8032 section 7.1 test 2, and every changed byte is refused") {
  auto key = SigningKey::from_seed(SecretBytes(*from_hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")));
  REQUIRE(key);
  CHECK(hex(key->public_key()) == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
  const Bytes message{0x72};
  Bytes signature = key->sign(message);
  CHECK(hex(signature) ==
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
  CHECK(ed25519_verify(key->public_key(), message, signature));
  for (auto& byte : signature) {
    byte ^= 1;
    CHECK_FALSE(ed25519_verify(key->public_key(), message, signature));
    byte ^= 1;
  }
  CHECK_FALSE(ed25519_verify(Bytes(31), message, signature));
  CHECK_FALSE(ed25519_verify(key->public_key(), message, Bytes(63)));
  CHECK_FALSE(SigningKey::from_seed(SecretBytes(Bytes(31))));
}

TEST_CASE("HMAC-SHA-384: RFC 4231 test case 2") {
  CHECK(hex(hmac_sha256(SecretBytes("Jefe"), view("what do ya want for nothing?"))) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(hex(hmac_sha384(SecretBytes("Jefe"), view("what do ya want for nothing?"))) ==
        "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649");
}

TEST_CASE("bcrypt's decoy is compared as a hash is, and is nobody's") {
  auto decoy = bcrypt_decoy(10);
  auto hash = bcrypt_hash("secret", 10);
  REQUIRE(decoy);
  CHECK(decoy->size() == hash->size());
  CHECK(decoy->substr(0, 7) == hash->substr(0, 7));
  CHECK(*decoy != *bcrypt_decoy(10));
  // It is hashed against, not waved through: otherwise an unknown name would be answered sooner. Work is
  // counted in this thread's own processor time, which other load does not stretch.
  const auto work = [](const std::string& against) {
    const std::int64_t from = thread_clock();
    CHECK_FALSE(bcrypt_matches("wrong", against));
    return thread_clock() - from;
  };
  CHECK(work(*decoy) > work(*hash) / 4);
}

TEST_CASE("bcrypt refuses what it would cut") {
  auto hash = bcrypt_hash("secret", 4);
  REQUIRE(hash);
  CHECK(hash->starts_with("$2b$04$"));
  CHECK(bcrypt_matches("secret", *hash));
  CHECK_FALSE(bcrypt_matches("Secret", *hash));
  CHECK_FALSE(bcrypt_matches("secret", "*0"));
  CHECK_FALSE(bcrypt_matches("secret", ""));
  CHECK_FALSE(bcrypt_hash(std::string(73, 'a'), 4));
  CHECK_FALSE(bcrypt_hash(std::string("a\0b", 3), 4));
  CHECK_FALSE(bcrypt_hash("secret", 99));
  auto other = bcrypt_hash("secret", 4);
  CHECK(*other != *hash);  // salted
}

TEST_CASE("secrets compare by content, move, and end empty") {
  SecretBytes a("one"), b("one"), c("two");
  CHECK(a == b);
  CHECK_FALSE(a == c);
  SecretBytes d = std::move(a);
  CHECK(d == b);
  CHECK(a.empty());  // NOLINT(bugprone-use-after-move)
  CHECK(random_bytes(32) != random_bytes(32));
}

TEST_CASE("the authority answers requests, and takes only the key from them") {
  const Instant now(1'790'000'000'000'000);
  auto ca = make_authority("test", now, 3650);
  REQUIRE(ca);
  auto request = make_request("anything; CN=admin");
  REQUIRE(request);
  const std::string uri = "caip:server:srv_00000000000000000000000000";
  auto certificate = issue_client_certificate(*ca, request->csr_pem, uri, now, std::chrono::hours(24));
  REQUIRE(certificate);
  CHECK(certificate_uri(*certificate).value() == uri);
  CHECK(certificate_fingerprint(*certificate)->size() == 64);
  CHECK_FALSE(certificate_uri(ca->certificate_pem));

  CHECK(issue_client_certificate(*ca, "nonsense", uri, now, std::chrono::hours(24)).error().code == Code::malformed);
  std::string broken = request->csr_pem;
  const auto at = broken.find("\n-----END") - 12;  // in the signature
  broken[at] = broken[at] == 'A' ? 'B' : 'A';
  CHECK_FALSE(issue_client_certificate(*ca, broken, uri, now, std::chrono::hours(24)));

  CHECK(issue_server_certificate(*ca, {"localhost", "127.0.0.1", "::1"}, now, 90));
  CHECK(issue_server_certificate(*ca, {"a,URI:caip:server:x"}, now, 90).error().code == Code::invalid);
  CHECK(issue_server_certificate(*ca, {}, now, 90).error().code == Code::invalid);
}

TEST_CASE("what a key signs is its own, of that message alone") {
  auto mine = make_request("x");
  auto other = make_request("x");
  const Bytes message{1, 2, 3}, another{1, 2, 4};
  const auto signature = sign_with_key(mine->key_pem, message).value();
  CHECK(verify_with_key(signature, message));
  CHECK_FALSE(verify_with_key(signature, another));
  CHECK_FALSE(verify_with_key({sign_with_key(other->key_pem, message)->public_key, signature.signature}, message));
  CHECK_FALSE(verify_with_key({Bytes(10, 1), signature.signature}, message));
  CHECK(sha256(signature.public_key) == read_request(mine->csr_pem)->key);
  CHECK(read_request(mine->csr_pem)->key == public_half(mine->key_pem).value());
}
