#include <openssl/pem.h>
#include <time.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "crypto/bcrypt.h"
#include "crypto/certificates.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "crypto/mac.h"
#include "crypto/random.h"
#include "openssl.h"

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

namespace {

// What a TLS client does that trusts `roots` alone and was sent `chain`.
bool verifies(const std::string& roots, const std::string& chain, Instant now) {
  const auto all = [](const std::string& text) {
    std::vector<Certificate> out;
    const Bio bio = reading(text);
    while (Certificate c{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) out.push_back(std::move(c));
    return out;
  };
  const std::unique_ptr<X509_STORE, Freed<X509_STORE_free>> store(X509_STORE_new());
  const auto trusted = all(roots), sent = all(chain);
  for (const auto& c : trusted) X509_STORE_add_cert(store.get(), c.get());
  const std::unique_ptr<STACK_OF(X509), decltype([](STACK_OF(X509)* s) { sk_X509_free(s); })> others(sk_X509_new_null());
  for (const auto& c : sent) sk_X509_push(others.get(), c.get());
  const std::unique_ptr<X509_STORE_CTX, Freed<X509_STORE_CTX_free>> ctx(X509_STORE_CTX_new());
  X509_STORE_CTX_init(ctx.get(), store.get(), sent.front().get(), others.get());
  X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(ctx.get()), now.micros() / 1'000'000);
  X509_STORE_CTX_set_purpose(ctx.get(), X509_PURPOSE_SSL_SERVER);
  return X509_verify_cert(ctx.get()) == 1;
}

}  // namespace

TEST_CASE("who trusts an authority follows links to those in its place: a TLS client by itself, an agent by its own hand") {
  const Instant now(1'790'000'000'000'000);
  const auto kind = GENERATE(Signature::ecdsa_p256, Signature::mldsa65);
  const auto first = *make_authority("test", now, 3650), second = *make_authority("test", now, 3650, kind), third = *make_authority("test", now, 3650, kind);
  const std::string one = link_authority(first, second.certificate_pem).value(), two = link_authority(second, third.certificate_pem).value();
  const std::string leaf = issue_server_certificate(third, {"localhost"}, now, 30)->certificate_pem;
  CHECK(verifies(third.certificate_pem, leaf + two + one, now));
  CHECK(verifies(second.certificate_pem, leaf + two + one, now));
  CHECK(verifies(first.certificate_pem, leaf + two + one, now));  // its own limit on the path counts no link
  CHECK_FALSE(verifies(first.certificate_pem, leaf + two, now));
  CHECK_FALSE(verifies(first.certificate_pem, leaf, now));

  CHECK(follow_links(first.certificate_pem, third.certificate_pem + one + two).value() == third.certificate_pem);
  CHECK(follow_links(second.certificate_pem, third.certificate_pem + two + one).value() == third.certificate_pem);
  CHECK(follow_links(third.certificate_pem, third.certificate_pem).value() == third.certificate_pem);
  CHECK(follow_links(first.certificate_pem, third.certificate_pem + two).error().code == Code::forbidden);
  CHECK(follow_links(third.certificate_pem, first.certificate_pem + one + two).error().code == Code::forbidden);  // not the way back
  CHECK(follow_links(first.certificate_pem, leaf).error().code == Code::forbidden);
  CHECK(follow_links(third.certificate_pem, leaf).error().code == Code::forbidden);  // what it issued is no authority
  CHECK(follow_links(second.certificate_pem, two + third.certificate_pem).error().code == Code::forbidden);  // a link is nobody's own certificate
  // Whoever has taken caipd over has the key of what it shows: what that signs is no authority.
  const auto shown = *issue_server_certificate(third, {"localhost"}, now, 30), evil = *make_authority("localhost", now, 3650, kind);
  const std::string by_it = link_authority(shown, evil.certificate_pem).value();
  CHECK(follow_links(third.certificate_pem, evil.certificate_pem + by_it + shown.certificate_pem).error().code == Code::forbidden);
  CHECK(follow_links(first.certificate_pem, "nonsense").error().code == Code::malformed);
  CHECK(follow_links(first.certificate_pem + second.certificate_pem, third.certificate_pem + two).error().code == Code::malformed);
  const auto weak = *make_authority("test", now, 3650);
  const std::string down = link_authority(third, weak.certificate_pem).value();
  CHECK(follow_links(third.certificate_pem, weak.certificate_pem + down).has_value() == (kind == Signature::ecdsa_p256));  // never from ML-DSA-65 back
  std::string many;
  for (int n = 0; n < 17; ++n) many += third.certificate_pem;
  CHECK(follow_links(third.certificate_pem, many).error().code == Code::too_large);
  CHECK(link_authority(first, make_authority("another", now, 3650)->certificate_pem).error().code == Code::invalid);
  const auto early = *make_authority("test", now + std::chrono::hours(24 * 400), 3650, kind, third.certificate_pem);  // a clock that was ahead
  const std::string three = link_authority(third, early.certificate_pem).value();
  CHECK(verifies(third.certificate_pem, issue_server_certificate(early, {"localhost"}, now + std::chrono::hours(24 * 400), 30)->certificate_pem + three, now));
  CHECK(authority_id(first.certificate_pem).value() != authority_id(second.certificate_pem).value());
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
