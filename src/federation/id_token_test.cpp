// wire.md part 6: every token that must be refused, and the few that are good. Keys are made here.
#include "federation/id_token.h"

#include <catch2/catch_test_macros.hpp>
#include <functional>

#include "crypto/hash.h"
#include "crypto/sha512.h"
#include "test_keys.h"

using namespace caip;
using namespace caip::federation;

namespace {

constexpr std::int64_t kNow = 1'790'000'000;
const std::string kIssuer = "https://accounts.example.com";
const std::string kClient = "client-1";

const TestKey& rsa() { static const TestKey k = TestKey::rsa(); return k; }
const TestKey& p256() { static const TestKey k = TestKey::p256(); return k; }
const TestKey& ed25519() { static const TestKey k = TestKey::ed25519(); return k; }

KeySet all_keys() { return KeySet::parse(key_set_text({rsa().jwk("r"), p256().jwk("e"), ed25519().jwk("o")})).value(); }

std::string left_half(BytesView digest) { return base64url(digest.first(digest.size() / 2)); }

struct Case {  // what is signed, and what is expected of it
  json::object header{{"alg", "RS256"}, {"kid", "r"}, {"typ", "JWT"}};
  json::object claims{{"iss", kIssuer}, {"aud", kClient}, {"sub", "10769150350006150715113082367"}, {"iat", kNow - 5}, {"exp", kNow + 3600},
                      {"nonce", "n-0S6_WzA2Mj"}, {"email", "mara@example.org"}, {"email_verified", true}};
  Expected expected{.issuer = kIssuer, .client_id = kClient, .nonce = "n-0S6_WzA2Mj", .access_token = "ya29.token", .hosted_domain = "",
                    .now = Instant{kNow * 1'000'000}};
  Result<Claimed> check(const TestKey& key = rsa()) const { return verify_id_token(key.token(header, claims), all_keys(), expected); }
};

using Change = std::function<void(Case&)>;
template <class V>
auto claim(std::string name, const V& v) {
  return [name, value = json::value_from(v)](Case& c) { c.claims[name] = value; };
}
template <class V>
auto header(std::string name, const V& v) {
  return [name, value = json::value_from(v)](Case& c) { c.header[name] = value; };
}
auto without(std::string name) {
  return [=](Case& c) { c.claims.erase(name); };
}

}  // namespace

TEST_CASE("the old name of Google's issuer is accepted of Google, and of nobody else") {
  const auto check = [](const std::string& configured, const std::string& said) {
    Case c;
    c.expected.issuer = configured, c.claims["iss"] = said;
    return c.check().has_value();
  };
  CHECK(check("https://accounts.google.com", "https://accounts.google.com"));
  CHECK(check("https://accounts.google.com", "accounts.google.com"));
  CHECK_FALSE(check("https://accounts.google.com", "accounts.google.com.evil.example"));
  CHECK_FALSE(check(kIssuer, "accounts.google.com"));
  CHECK_FALSE(check(kIssuer, kIssuer.substr(8)));  // without its https://
}

TEST_CASE("a good token of each algorithm says who it is") {
  for (const auto& [key, kid] : {std::pair{&rsa(), "r"}, {&p256(), "e"}, {&ed25519(), "o"}}) {
    Case c;
    c.header["alg"] = key->algorithm(), c.header["kid"] = kid;
    CAPTURE(key->algorithm());
    const auto who = c.check(*key);
    REQUIRE(who);
    CHECK(who->subject == "10769150350006150715113082367");
    CHECK(who->email == "mara@example.org");
  }
}

TEST_CASE("what a provider may say differently and still be right") {
  const std::pair<const char*, Change> good[] = {
      {"our client among two, named in azp", [](Case& c) { c.claims["aud"] = json::array{"other", kClient}, c.claims["azp"] = kClient; }},
      {"one audience in a list", claim("aud", json::array{kClient})},
      {"expired for less than the skew", claim("exp", kNow - 59)},
      {"from the near future", claim("iat", kNow + 59)},
      {"a fraction of a second", claim("iat", static_cast<double>(kNow) - 0.5)},
      {"no type", [](Case& c) { c.header.erase("typ"); }},
      {"no key name, one key of its kind", [](Case& c) { c.header.erase("kid"); }},
      {"a key of its own, which nobody looks at", [](Case& c) { c.header["jwk"] = rsa().jwk("r"), c.header["jku"] = "https://evil.example/keys"; }},
      {"the right hash of the access token", [](Case& c) { c.claims["at_hash"] = left_half(crypto::sha256(view(c.expected.access_token))); }},
      {"claims that nobody here knows", claim("https://example.com/groups", json::array{"a"})},
      {"the domain that is asked for", [](Case& c) { c.expected.hosted_domain = "example.org", c.claims["hd"] = "example.org"; }}};
  for (const auto& [name, change] : good) {
    Case c;
    change(c);
    CAPTURE(name);
    CHECK(c.check());
  }
  Case c;
  c.header["alg"] = "EdDSA", c.header["kid"] = "o";
  c.claims["at_hash"] = left_half(crypto::sha512(view(c.expected.access_token)));
  CHECK(c.check(ed25519()));
}

TEST_CASE("every token of the list is refused") {
  const std::pair<const char*, Change> bad[] = {
      {"no algorithm", [](Case& c) { c.header.erase("alg"); }},
      {"alg none", header("alg", "none")},
      {"alg None", header("alg", "None")},
      {"HS256, as if the public key were a secret", header("alg", "HS256")},
      {"RS512", header("alg", "RS512")},
      {"an algorithm that is not the key's", header("alg", "ES256")},
      {"a key of another kind", header("kid", "e")},
      {"an unknown key", header("kid", "z")},
      {"a key name that is a number", header("kid", 7)},
      {"a critical header", [](Case& c) { c.header["crit"] = json::array{"b64"}, c.header["b64"] = false; }},
      {"an access token in its place", header("typ", "at+jwt")},
      {"another issuer", claim("iss", "https://evil.example")},
      {"the issuer with a slash", claim("iss", kIssuer + "/")},
      {"no issuer", without("iss")},
      {"another audience", claim("aud", "client-2")},
      {"an audience that only begins like ours", claim("aud", kClient + "0")},
      {"no audience", without("aud")},
      {"an empty list of audiences", claim("aud", json::array{})},
      {"a number among the audiences", claim("aud", json::array{kClient, 1})},
      {"several audiences and no azp", claim("aud", json::array{"other", kClient})},
      {"several audiences and another azp", [](Case& c) { c.claims["aud"] = json::array{"other", kClient}, c.claims["azp"] = "other"; }},
      {"one audience and another azp", claim("azp", "other")},
      {"expired", claim("exp", kNow - 60)},
      {"no expiry", without("exp")},
      {"an expiry that is text", claim("exp", "4000000000")},
      {"an expiry that is negative", claim("exp", -1)},
      {"an expiry without end", claim("exp", 1e300)},
      {"from the future", claim("iat", kNow + 61)},
      {"of a day ago", claim("iat", kNow - 86'400)},
      {"without a time of issue", without("iat")},
      {"not valid yet", claim("nbf", kNow + 61)},
      {"a beginning that is text", claim("nbf", "now")},
      {"another nonce", claim("nonce", "n-0S6_WzA2Mk")},
      {"no nonce", without("nonce")},
      {"no nonce was sent", [](Case& c) { c.expected.nonce.clear(), c.claims["nonce"] = ""; }},
      {"the hash of another access token", claim("at_hash", left_half(crypto::sha256(view("other"))))},
      {"a hash and no access token", [](Case& c) { c.claims["at_hash"] = left_half(crypto::sha256(view(""))), c.expected.access_token.clear(); }},
      {"a hash that is a number", claim("at_hash", 1)},
      {"no subject", without("sub")},
      {"an empty subject", claim("sub", "")},
      {"a subject that is a number", claim("sub", 1)},
      {"a subject of 256 characters", claim("sub", std::string(256, '1'))},
      {"a subject with a line in it", claim("sub", "1\n2")},
      {"a subject beyond ASCII", claim("sub", "\xc3\xa9")},
      {"another Workspace domain", [](Case& c) { c.expected.hosted_domain = "example.org", c.claims["hd"] = "evil.example"; }},
      {"no Workspace domain", [](Case& c) { c.expected.hosted_domain = "example.org"; }}};
  for (const auto& [name, change] : bad) {
    Case c;
    change(c);
    CAPTURE(name);
    CHECK_FALSE(c.check());
  }
}

TEST_CASE("an address counts only when the provider verified it") {
  for (const json::value& verified : {json::value(false), json::value("true"), json::value(1), json::value(nullptr)}) {
    Case c;
    c.claims["email_verified"] = verified;
    const auto who = c.check();
    REQUIRE(who);
    CHECK_FALSE(who->email);
  }
  Case c;
  c.claims.erase("email_verified");
  CHECK_FALSE(c.check()->email);
}

TEST_CASE("every changed, missing or added byte of a token is refused") {
  const Case c;
  const KeySet keys = all_keys();
  const std::string token = rsa().token(c.header, c.claims);
  const auto good = [&](const std::string& t) { return verify_id_token(t, keys, c.expected).has_value(); };
  REQUIRE(good(token));
  for (std::size_t i = 0; i < token.size(); i += 3) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    CAPTURE(i);
    CHECK_FALSE(good(changed));
    CHECK_FALSE(good(token.substr(0, i)));
  }
  const std::string unsigned_part = token.substr(0, token.rfind('.'));
  for (const std::string& t : {unsigned_part, unsigned_part + ".", token + ".", token + "=", " " + token, token + "\n", std::string(), std::string("..")})
    CHECK_FALSE(good(t));
  // alg none has been tried with a signature; here is one without.
  json::object none = c.header;
  none["alg"] = "none";
  CHECK_FALSE(good(base64url(view(json::serialize(none))) + "." + base64url(view(json::serialize(c.claims))) + "."));
  // Not everything that is signed is a set of claims.
  for (const char* claims : {"", "[]", "null", "{", "{\"sub\":\"1\",\"sub\":\"2\"}"}) CHECK_FALSE(good(rsa().token(json::serialize(c.header), claims)));
  Case big;
  big.claims["filler"] = std::string(kMostIdToken, 'x');
  CHECK_FALSE(big.check());
}

TEST_CASE("a key that another set holds does not sign for this one") {
  Case c;
  const KeySet others = KeySet::parse(key_set_text({TestKey::rsa().jwk("r")})).value();
  CHECK_FALSE(verify_id_token(rsa().token(c.header, c.claims), others, c.expected));
  // And a name that two keys of a kind bear names neither.
  const KeySet twice = KeySet::parse(key_set_text({rsa().jwk("r"), TestKey::rsa().jwk("r")})).value();
  const auto said = verify_id_token(rsa().token(c.header, c.claims), twice, c.expected);
  REQUIRE_FALSE(said);
  CHECK(said.error().code == Code::not_found);
}

TEST_CASE("a key set keeps what can check a signature and leaves the rest out") {
  const auto with = [](json::object key, const std::string& name, const auto& value) {
    key[name] = json::value_from(value);
    return key;
  };
  const auto usable = [](const json::object& key) { return KeySet::parse(key_set_text({key})).has_value(); };
  CHECK(usable(rsa().jwk("r")));
  CHECK(usable(with(rsa().jwk("r"), "key_ops", json::array{"verify"})));
  CHECK_FALSE(usable(with(rsa().jwk("r"), "use", "enc")));
  CHECK_FALSE(usable(with(rsa().jwk("r"), "key_ops", json::array{"encrypt"})));
  CHECK_FALSE(usable(with(rsa().jwk("r"), "alg", "RS512")));
  CHECK_FALSE(usable(with(rsa().jwk("r"), "alg", "HS256")));
  CHECK_FALSE(usable(with(rsa().jwk("r"), "kty", "oct")));
  CHECK_FALSE(usable(TestKey::rsa(1024).jwk("weak")));
  CHECK_FALSE(usable(with(rsa().jwk("r"), "e", base64url(Bytes{1}))));
  CHECK_FALSE(usable(with(rsa().jwk("r"), "e", base64url(Bytes{4}))));
  CHECK_FALSE(usable(with(rsa().jwk("r"), "n", "not base64!")));
  CHECK_FALSE(usable(with(p256().jwk("e"), "y", base64url(Bytes(32, 1)))));  // no point of the curve
  CHECK_FALSE(usable(with(p256().jwk("e"), "crv", "P-384")));
  CHECK_FALSE(usable(with(ed25519().jwk("o"), "x", base64url(Bytes(31)))));
  for (const char* text : {"", "{}", "[]", R"({"keys":{}})", R"({"keys":[]})", R"({"keys":[1,null]})"}) CHECK_FALSE(KeySet::parse(text));
  CHECK(KeySet::parse(key_set_text({with(rsa().jwk("r"), "use", "enc"), p256().jwk("e")}))->size() == 1);
}

TEST_CASE("a step-up takes a provider's word for it that somebody signed in there since it was asked, and no older word") {
  const auto check = [](std::optional<json::value> said, bool asked = true) {
    Case c;
    if (asked) c.expected.proven_since = Instant{(kNow - 20) * 1'000'000};
    if (said) c.claims["auth_time"] = *said;
    return c.check();
  };
  CHECK(check(kNow - 5)->anew);
  CHECK_FALSE(check(std::nullopt)->anew);         // it does not say: who asked decides what that is worth
  CHECK_FALSE(check(kNow - 3600, false)->anew);   // a sign-in does not ask
  CHECK_FALSE(check(kNow - 3600));
  CHECK_FALSE(check(kNow + 3600));
  CHECK_FALSE(check("yesterday"));
  CHECK_FALSE(check(nullptr));
}
