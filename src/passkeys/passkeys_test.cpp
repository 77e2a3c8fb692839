// An authenticator made here: every answer that must be refused, each with the good one beside it.
#include "passkeys/webauthn.h"

#include <cbor.h>

#include <catch2/catch_test_macros.hpp>
#include <functional>

#include "authenticator.h"

using namespace caip;
using namespace caip::passkeys;

namespace {

const Site kSite{"panel.example", "https://panel.example:8443"};

const std::string kChallenge = "dGhlIGNoYWxsZW5nZQ";

struct Device : Authenticator {
  Device() : Authenticator(kSite) {}
  Result<Credential> make() const { return verify_registration(kSite, kChallenge, client_data("webauthn.create"), attestation()); }
};

const std::pair<const char*, std::function<void(Device&)>> kBad[] = {
    {"another challenge", [](Device& a) { a.challenge = "YW5vdGhlcg"; }},
    {"another origin", [](Device& a) { a.origin = "https://panel.example"; }},
    {"a look-alike origin", [](Device& a) { a.origin = "https://panel.example:8443.evil.example"; }},
    {"another site", [](Device& a) { a.site = "evil.example"; }},
    {"inside another page", [](Device& a) { a.cross_origin = true; }},
    {"the other ceremony", [](Device& a) { a.type = "payment.get"; }},
    {"nobody present", [](Device& a) { a.flags = 0x04; }},
    {"no user verification", [](Device& a) { a.flags = 0x01; }}};

}  // namespace

TEST_CASE("a passkey is made and used") {
  Device a;
  const auto made = a.make();
  REQUIRE(made);
  CHECK(made->id == a.id);
  CHECK(made->algorithm == -7);
  a.count = 2;
  const auto used = verify_assertion(kSite, kChallenge, *made, a.use());
  REQUIRE(used);
  CHECK(*used == 2);
}

TEST_CASE("a passkey that must not be registered is not") {
  for (const auto& [name, change] : kBad) {
    Device a;
    REQUIRE(a.make());
    change(a);
    CAPTURE(name);
    CHECK_FALSE(a.make());
  }
  Device a;
  CHECK_FALSE(verify_registration(kSite, "", a.client_data("webauthn.create"), a.attestation()));
  CHECK_FALSE(verify_registration(kSite, a.challenge, "{}", a.attestation()));
  Bytes cut = a.attestation();
  for (std::size_t n = 0; n < cut.size(); n += 7) CHECK_FALSE(verify_registration(kSite, a.challenge, a.client_data("webauthn.create"), BytesView(cut).first(n)));
}

TEST_CASE("a container that claims more members than a message can hold gets no memory for them") {
  Device a;
  CHECK_FALSE(verify_registration(kSite, a.challenge, a.client_data("webauthn.create"), Bytes{0xba, 0x2f, 0, 0, 0}));  // a map of 788 million pairs
  REQUIRE(a.make());
  CHECK(cbor_new_definite_map(0x2f000000) == nullptr);  // as libcbor would make it
  CHECK(cbor_new_definite_array(0x2f000000) == nullptr);
}

TEST_CASE("a use of a passkey that must be refused is") {
  for (const auto& [name, change] : kBad) {
    Device a;
    const auto made = a.make().value();
    a.count = 2;
    REQUIRE(verify_assertion(kSite, kChallenge, made, a.use()));
    change(a);
    CAPTURE(name);
    CHECK_FALSE(verify_assertion(kSite, kChallenge, made, a.use()));
  }
  Device a;
  const auto made = a.make().value();
  CHECK_FALSE(verify_assertion(kSite, a.challenge, made, a.use()));  // the counter stands still
  a.count = 0;
  CHECK_FALSE(verify_assertion(kSite, a.challenge, made, a.use()));
  a.count = 2;
  const Device other;
  CHECK_FALSE(verify_assertion(kSite, a.challenge, other.make().value(), a.use()));
  auto changed = a.use();
  changed.authenticator_data.back() ^= 1;
  CHECK_FALSE(verify_assertion(kSite, a.challenge, made, changed));
  changed = a.use();
  changed.signature.clear();
  CHECK_FALSE(verify_assertion(kSite, a.challenge, made, changed));
}

TEST_CASE("an authenticator that does not count is fine as long as it never did") {
  Device a;
  a.count = 0;
  const auto made = a.make().value();
  CHECK(verify_assertion(kSite, a.challenge, made, a.use()));
}
