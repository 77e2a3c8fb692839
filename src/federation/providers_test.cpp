// The way through a provider, against a provider that is a function: what must not get through it.
#include "federation/providers.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <map>

#include "crypto/random.h"
#include "federation/discovery.h"
#include "federation/github.h"
#include "test_keys.h"

using namespace caip;
using namespace caip::federation;

namespace {

const std::string kIssuer = "https://id.example.com";

// What stands between "name=" and the next '&' of an address.
std::string query_of(const std::string& url, const std::string& name) {
  const auto at = url.find(name + "=");
  return at == url.npos ? "" : url.substr(at + name.size() + 1, url.find('&', at) - at - name.size() - 1);
}

struct World {
  ManualClock clock{Instant(1'790'000'000'000'000)};
  TestKey key = TestKey::p256();
  std::string kid = "k1";
  json::object description{{"issuer", kIssuer}, {"authorization_endpoint", kIssuer + "/authorize"}, {"token_endpoint", kIssuer + "/token"},
                           {"jwks_uri", kIssuer + "/keys"}, {"token_endpoint_auth_methods_supported", json::array{"client_secret_post"}}};
  struct Answer {
    int status;
    std::string type, body;
  };
  std::map<std::string, Answer> answers;  // instead of what the provider would say
  std::map<std::string, int> asked;
  std::string cache_control;
  std::function<void(const outbound::Request&)> meanwhile;
  int depth = 0;
  std::string last_body;
  outbound::Pairs last_headers;
  std::string nonce;
  json::object more;  // claims that are different
  Providers providers{configs(), "https://caip.example:8443", [this](const outbound::Request& q) { return respond(q); }, clock};
  Started started;

  static std::vector<ProviderConfig> configs() {
    std::vector<ProviderConfig> all;
    ProviderConfig c{.id = "google", .label = "Google", .issuer = kIssuer, .client_id = "client-1", .client_secret = std::make_shared<const SecretBytes>(std::string_view("s3cret&more"))};
    all.push_back(std::move(c));
    ProviderConfig g{.id = "github", .label = "GitHub", .kind = Kind::github, .client_id = "Iv1.1", .client_secret = std::make_shared<const SecretBytes>(std::string_view("gh-secret"))};
    all.push_back(std::move(g));
    return all;
  }

  Result<outbound::Response> respond(const outbound::Request& q) {
    ++asked[q.url];
    if (meanwhile) meanwhile(q);
    last_body = q.body, last_headers = q.headers;
    CAIP_TRY(a, answer(q));
    return outbound::Response{.status = a.status, .body = a.body, .headers = {{"content-type", a.type}, {"cache-control", cache_control}}, .retry_after = {}};
  }
  Result<Answer> answer(const outbound::Request& q) const {
    if (const auto it = answers.find(q.url); it != answers.end()) return it->second;
    const auto ok = [](const json::value& v) { return Answer{200, "application/json; charset=utf-8", json::serialize(v)}; };
    if (q.url == kIssuer + "/.well-known/openid-configuration") return ok(description);
    if (q.url == kIssuer + "/keys") return Answer{200, "application/jwk-set+json", key_set_text({key.jwk(kid)})};
    if (q.url == kIssuer + "/token") return ok(json::object{{"access_token", "at"}, {"token_type", "Bearer"}, {"id_token", id_token()}});
    if (q.url == "https://github.com/login/oauth/access_token")
      return ok(json::object{{"access_token", "gho_1"}, {"scope", "read:user,user:email"}, {"token_type", "bearer"}});
    if (q.url == "https://api.github.com/user") return ok(json::object{{"id", 583231}, {"login", "octocat"}, {"email", nullptr}});
    if (q.url == "https://api.github.com/user/emails")
      return ok(json::array{json::object{{"email", "old@example.org"}, {"primary", false}, {"verified", true}},
                            json::object{{"email", "octo@example.org"}, {"primary", true}, {"verified", true}}});
    return fail(Code::unavailable, "no such host");
  }
  std::string id_token() const {
    const std::int64_t now = clock.now().micros() / 1'000'000;
    json::object claims{{"iss", kIssuer}, {"aud", "client-1"}, {"sub", "42"}, {"iat", now}, {"exp", now + 600}, {"nonce", nonce},
                        {"email", "mara@example.org"}, {"email_verified", true}};
    for (const auto& m : more) claims[m.key()] = m.value();
    return key.token({{"alg", "ES256"}, {"kid", kid}}, claims);
  }

  Returned begin(const std::string& provider = "google") {
    started = providers.begin({.provider = provider, .next = "/audit", .address = "192.0.2.1"}).value();
    nonce = query_of(started.location, "nonce");
    return {.provider = provider, .browser = started.browser, .state = query_of(started.location, "state"), .code = "code-1"};
  }
  Code code(const Returned& back) {
    const auto done = providers.finish(back);
    return done ? Code{255} : done.error().code;
  }
};

constexpr Code kFine{255};

}  // namespace

TEST_CASE("PKCE as RFC 7636 appendix B has it") {
  CHECK(pkce_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

TEST_CASE("S28: a sign-in with OpenID Connect sends what it must and ends with who it is") {
  World w;
  const auto back = w.begin();
  CHECK(w.started.location.starts_with(kIssuer + "/authorize?response_type=code&client_id=client-1&"));
  CHECK(query_of(w.started.location, "redirect_uri") == "https%3A%2F%2Fcaip.example%3A8443%2Fsign-in%2Fcallback%2Fgoogle");
  CHECK(query_of(w.started.location, "code_challenge_method") == "S256");
  CHECK(query_of(w.started.location, "state").size() == 43);
  CHECK(w.nonce.size() == 43);
  CHECK(w.started.location.find(w.started.browser) == std::string::npos);  // what binds the browser does not go through the provider
  const auto done = w.providers.finish(back);
  REQUIRE(done);
  CHECK(done->identity.issuer() == kIssuer);
  CHECK(done->identity.subject() == "42");
  CHECK(done->identity.email()->str() == "mara@example.org");
  CHECK(done->next == "/audit");
}

TEST_CASE("the code is exchanged with the verifier of its challenge and the secret, by form or by header") {
  World w;
  std::string challenge;
  std::string sent;
  for (const bool basic : {false, true}) {
    World one;
    if (basic) one.description["token_endpoint_auth_methods_supported"] = json::array{"client_secret_basic"};
    one.answers[kIssuer + "/token"] = {400, "application/json", R"({"error":"invalid_grant"})"};
    const auto back = one.begin();
    challenge = query_of(one.started.location, "code_challenge");
    CHECK(one.code(back) == Code::bad_credentials);
    sent = one.last_body;
    CHECK(pkce_challenge(query_of(sent, "code_verifier")) == challenge);
    CHECK(query_of(sent, "grant_type") == "authorization_code");
    CHECK((query_of(sent, "client_secret") == "s3cret%26more") == !basic);
    const auto header = std::ranges::find(one.last_headers, std::string("Authorization"), [](const auto& h) { return h.first; });
    CHECK((header != one.last_headers.end()) == basic);
    if (basic) CHECK(header->second == "Basic " + base64(view("client-1:s3cret%26more")));
  }
}

TEST_CASE("S28: callbacks that must be refused, each with a good one beside it") {
  const std::pair<const char*, void (*)(World&, Returned&)> bad[] = {
      {"no state", [](World&, Returned& r) { r.state.clear(); }},
      {"a wrong state", [](World&, Returned& r) { r.state[0] = r.state[0] == 'A' ? 'B' : 'A'; }},
      {"another browser", [](World&, Returned& r) { r.browser[0] = r.browser[0] == 'A' ? 'B' : 'A'; }},
      {"no cookie", [](World&, Returned& r) { r.browser.clear(); }},
      {"no code", [](World&, Returned& r) { r.code.clear(); }},
      {"the provider's error beside a code", [](World&, Returned& r) { r.error = "server_error"; }},
      {"cancelled", [](World&, Returned& r) { r.error = "access_denied", r.code.clear(); }},
      {"another provider", [](World&, Returned& r) { r.provider = "github"; }},
      {"as a linking", [](World&, Returned& r) { r.purpose = Purpose::link, r.session = crypto::random_id<SessionId>(); }},
      {"another issuer in the address", [](World&, Returned& r) { r.issuer = "https://evil.example"; }},
      {"another nonce in the token", [](World& w, Returned&) { w.nonce = "another"; }},
      {"the token endpoint says no", [](World& w, Returned&) { w.answers[kIssuer + "/token"] = {401, "application/json", R"({"error":"invalid_client"})"}; }},
      {"no ID token", [](World& w, Returned&) { w.answers[kIssuer + "/token"] = {200, "application/json", R"({"access_token":"a"})"}; }}};
  for (const auto& [name, change] : bad) {
    World w;
    auto back = w.begin();
    const auto good = back;
    change(w, back);
    CAPTURE(name);
    CHECK(w.code(back) == Code::bad_credentials);
    w.answers.clear();
    CHECK(w.code(w.begin()) == kFine);
  }
}

TEST_CASE("S28: a token endpoint that is down, slow, huge or speaks HTML is an error that says so") {
  for (const auto& answer : {World::Answer{500, "application/json", "{}"}, World::Answer{200, "text/html", "<html>{}</html>"}, World::Answer{302, "text/html", ""}}) {
    World w;
    const auto back = w.begin();
    w.answers[kIssuer + "/token"] = answer;
    CHECK(w.code(back) == Code::unavailable);
  }
  World w;
  const auto back = w.begin();
  w.answers[kIssuer + "/token"] = {200, "application/json", "not JSON"};
  CHECK(w.code(back) != kFine);
}

TEST_CASE("an address that is not in the ID token is asked for, and must be about the same person") {
  World w;
  w.description["userinfo_endpoint"] = kIssuer + "/me";
  w.more["email_verified"] = false;
  w.answers[kIssuer + "/me"] = {200, "application/json", R"({"sub":"42","email":"me@example.org","email_verified":true})"};
  CHECK(w.providers.finish(w.begin())->identity.email()->str() == "me@example.org");
  w.answers[kIssuer + "/me"].body = R"({"sub":"43","email":"me@example.org","email_verified":true})";
  CHECK(w.code(w.begin()) == Code::bad_credentials);
  w.answers[kIssuer + "/me"].body = R"({"sub":"42","email":"me@example.org","email_verified":false})";
  CHECK_FALSE(w.providers.finish(w.begin())->identity.email());
}

TEST_CASE("S28: an attempt works once, in its browser, for ten minutes") {
  World w;
  auto back = w.begin();
  CHECK(w.code(back) == kFine);
  CHECK(w.code(back) == Code::bad_credentials);  // replayed

  back = w.begin();
  auto stolen = back;
  stolen.browser = w.begin().browser;
  CHECK(w.code(stolen) == Code::bad_credentials);
  w.nonce = query_of(w.started.location, "nonce");

  back = w.begin();
  w.clock.advance(kAttemptLifetime);
  CHECK(w.code(back) == Code::expired);
  CHECK(w.code(back) == Code::bad_credentials);  // and that used it up
}

TEST_CASE("somebody else's browser does not use an attempt up") {
  World w;
  const auto back = w.begin();
  auto stolen = back;
  stolen.browser = std::string(43, 'A');
  CHECK(w.code(stolen) == Code::bad_credentials);
  CHECK(w.code(back) == kFine);
}

TEST_CASE("a linking belongs to the session that began it") {
  World w;
  const auto session = crypto::random_id<SessionId>();
  const auto begin = [&] {
    w.started = w.providers.begin({.provider = "google", .purpose = Purpose::link, .session = session, .next = "/account", .address = "192.0.2.1"}).value();
    w.nonce = query_of(w.started.location, "nonce");
    return Returned{.provider = "google", .purpose = Purpose::link, .session = session, .browser = w.started.browser,
                    .state = query_of(w.started.location, "state"), .code = "c"};
  };
  CHECK(w.code(begin()) == kFine);
  auto other = begin();
  other.session = crypto::random_id<SessionId>();
  CHECK(w.code(other) == Code::bad_credentials);
  auto as_sign_in = begin();
  as_sign_in.purpose = Purpose::sign_in, as_sign_in.session.reset();
  CHECK(w.code(as_sign_in) == Code::bad_credentials);
}

TEST_CASE("S28: an acceptance keeps the invitation's link from the provider, and is neither a sign-in nor made of one") {
  World w;
  const std::string link(43, 'i');
  const auto begin = [&] {
    w.started = w.providers.begin({.provider = "google", .purpose = Purpose::invitation, .invitation = link, .address = "192.0.2.1"}).value();
    w.nonce = query_of(w.started.location, "nonce");
    return Returned{.provider = "google", .purpose = Purpose::invitation, .browser = w.started.browser, .state = query_of(w.started.location, "state"), .code = "code-1"};
  };
  auto back = begin();
  CHECK(w.started.location.find(link) == std::string::npos);
  CHECK(query_of(w.started.location, "prompt").empty());
  back.purpose = Purpose::sign_in;
  CHECK(w.code(back) == Code::bad_credentials);
  back = w.begin();
  back.purpose = Purpose::invitation;
  CHECK(w.code(back) == Code::bad_credentials);
  const auto done = w.providers.finish(begin());
  REQUIRE(done);
  CHECK(done->invitation == link);
  w.more["email_verified"] = false;
  CHECK_FALSE(w.providers.finish(begin())->identity.email());
}

TEST_CASE("S28: a step-up asks the provider to ask anew, belongs to its session, and needs the provider's word where it can give one") {
  World w;
  w.description["claims_supported"] = json::array{"sub", "auth_time"};
  const auto session = crypto::random_id<SessionId>();
  const auto begin = [&] {
    w.started = w.providers.begin({.provider = "google", .purpose = Purpose::step_up, .session = session, .next = "/secrets", .address = "192.0.2.1"}).value();
    w.nonce = query_of(w.started.location, "nonce");
    return Returned{.provider = "google", .purpose = Purpose::step_up, .session = session, .browser = w.started.browser,
                    .state = query_of(w.started.location, "state"), .code = "c"};
  };
  const std::int64_t now = w.clock.now().micros() / 1'000'000;
  w.more = {{"auth_time", now}};
  const auto back = begin();
  CHECK(query_of(w.started.location, "prompt") == "login");
  CHECK(query_of(w.started.location, "max_age") == "0");
  const auto done = w.providers.finish(back);
  REQUIRE(done);
  CHECK(done->anew);
  auto other = begin();
  other.session = crypto::random_id<SessionId>();
  CHECK(w.code(other) == Code::bad_credentials);
  auto as_linking = begin();
  as_linking.purpose = Purpose::link;
  CHECK(w.code(as_linking) == Code::bad_credentials);
  w.more = {{"auth_time", now - 3600}};
  CHECK(w.code(begin()) == Code::bad_credentials);
  w.more.clear();
  CHECK(w.code(begin()) == Code::bad_credentials);  // max_age was taken out of the address
  w.description.erase("claims_supported");
  w.clock.advance(std::chrono::hours(2));  // what is known of the provider is fetched again
  const auto silent = w.providers.finish(begin());
  REQUIRE(silent);
  CHECK_FALSE(silent->anew);
}

TEST_CASE("GitHub never says that somebody signed in anew, and is asked for a choice of account at least") {
  World w;
  const auto session = crypto::random_id<SessionId>();
  w.started = w.providers.begin({.provider = "github", .purpose = Purpose::step_up, .session = session, .next = "/", .address = "192.0.2.1"}).value();
  CHECK(query_of(w.started.location, "prompt") == "select_account");
  const auto done = w.providers.finish({.provider = "github", .purpose = Purpose::step_up, .session = session, .browser = w.started.browser,
                                        .state = query_of(w.started.location, "state"), .code = "c"});
  REQUIRE(done);
  CHECK_FALSE(done->anew);
}

TEST_CASE("attempts are bounded, and one network takes only its own room") {
  const ManualClock clock{Instant(1'000'000)};
  Attempts attempts(clock);
  const auto first = attempts.begin({.provider = "google", .next = "/"}, "198.51.100.7");
  for (int i = 0; i < 3000; ++i) (void)attempts.begin({.provider = "google", .next = "/"}, "192.0.2.1");
  CHECK(attempts.size() == Attempts::kMostOfOne + 1);
  CHECK(attempts.take(first.state, first.browser, {.provider = "google"}));
  for (std::size_t i = 0; i < 2 * Attempts::kMost; ++i)
    (void)attempts.begin({.provider = "google", .next = "/"}, "10." + std::to_string(i / 65536) + "." + std::to_string(i / 256 % 256) + "." + std::to_string(i % 256));
  CHECK(attempts.size() == Attempts::kMost);
  const auto last = attempts.begin({.provider = "google", .next = "/"}, "198.51.100.7");  // a crowd keeps nobody out
  CHECK(attempts.take(last.state, last.browser, {.provider = "google"}));
}

TEST_CASE("all questions of one sign-in together have fifteen seconds") {
  World w;
  w.description["userinfo_endpoint"] = kIssuer + "/me";
  w.more["email_verified"] = false;
  const auto back = w.begin();
  w.meanwhile = [&](const outbound::Request& q) {
    if (q.url == kIssuer + "/keys") CHECK(q.limits.time == std::chrono::seconds(6));
    w.clock.advance(std::chrono::seconds(9));
  };
  w.more["exp"] = w.clock.now().micros() / 1'000'000 + 600;
  const auto done = w.providers.finish(back);
  REQUIRE(done);  // without the address, for which there was no time
  CHECK(w.asked[kIssuer + "/keys"] == 1);
  CHECK(w.asked[kIssuer + "/me"] == 0);
}

TEST_CASE("a slow provider takes its own places only") {
  World w;
  const auto first = w.begin(), second = w.begin();
  std::vector<bool> let_in;
  w.meanwhile = [&](const outbound::Request& q) {
    if (q.url != kIssuer + "/token") return;
    if (std::exchange(w.depth, w.depth + 1) == 0) (void)w.providers.finish(second);
    else for (const char* name : {"google", "github"}) let_in.push_back(w.providers.begin({.provider = name, .address = "192.0.2.1"}).has_value());
  };
  (void)w.providers.finish(first);
  CHECK(let_in == std::vector<bool>{false, true});
}

TEST_CASE("nobody is kept out because nobody tells their address") {
  World w;
  w.description["userinfo_endpoint"] = kIssuer + "/me";
  w.more["email_verified"] = false;
  w.answers[kIssuer + "/me"] = {500, "application/json", "{}"};
  const auto done = w.providers.finish(w.begin());
  REQUIRE(done);
  CHECK_FALSE(done->identity.email());
  w.answers["https://api.github.com/user/emails"] = {503, "application/json", "{}"};
  CHECK(w.providers.finish(w.begin("github")));
}

TEST_CASE("S28: where a sign-in leads is a path of ours") {
  for (const char* good : {"/", "/servers", "/audit?text=a"}) CHECK(local_path(good));
  for (const char* bad : {"", "servers", "//evil.example", "/\\evil.example", "https://evil.example", "/a\\b", "/\n/evil.example", "\\/evil.example", "javascript:alert(1)"})
    CHECK_FALSE(local_path(bad));
  World w;
  CHECK_FALSE(w.providers.begin({.provider = "google", .next = "//evil.example", .address = "192.0.2.1"}));
}

TEST_CASE("what a provider says of itself is kept as long as it says, for a minute at least and a day at most, its keys for an hour at most") {
  struct Kept { const char* said; std::chrono::seconds description, keys; };
  for (const auto& [said, description, keys] : {Kept{"public, max-age=600, must-revalidate", std::chrono::minutes(10), std::chrono::minutes(10)},
                                                Kept{"max-age=0", std::chrono::minutes(1), std::chrono::minutes(1)}, Kept{"no-store", std::chrono::minutes(1), std::chrono::minutes(1)},
                                                Kept{"max-age=99999999999", std::chrono::hours(24), std::chrono::hours(1)}, Kept{"max-age=x", std::chrono::hours(1), std::chrono::hours(1)},
                                                Kept{"", std::chrono::hours(1), std::chrono::hours(1)}}) {
    CAPTURE(said);
    World w;
    w.cache_control = said;
    const auto asked = [&](const char* what) {
      REQUIRE(w.code(w.begin()) == kFine);
      return w.asked[kIssuer + what];
    };
    const auto kept_for = [&](const char* what, Duration time) {
      const int before = asked(what);
      w.clock.advance(time - std::chrono::seconds(1));
      const int then = asked(what);
      w.clock.advance(std::chrono::seconds(1));
      return then == before && asked(what) == before + 1;
    };
    CHECK(kept_for("/.well-known/openid-configuration", description));
    w.clock.advance(std::chrono::hours(48));
    CHECK(kept_for("/keys", keys));
  }
}

TEST_CASE("a rotated key is fetched, at most once a minute") {
  World w;
  CHECK(w.code(w.begin()) == kFine);
  CHECK(w.code(w.begin()) == kFine);
  CHECK(w.asked[kIssuer + "/keys"] == 1);
  w.kid = "k2", w.key = TestKey::p256();
  CHECK(w.code(w.begin()) == kFine);
  CHECK(w.asked[kIssuer + "/keys"] == 2);
  w.kid = "k3", w.key = TestKey::p256();
  w.clock.advance(std::chrono::seconds(59));
  CHECK(w.code(w.begin()) == Code::bad_credentials);  // too soon after the last look
  CHECK(w.asked[kIssuer + "/keys"] == 2);
  w.clock.advance(std::chrono::seconds(2));
  CHECK(w.code(w.begin()) == kFine);
  CHECK(w.asked[kIssuer + "/keys"] == 3);
}

TEST_CASE("S28: a description that fails or is another provider's is not kept") {
  World w;
  w.description["issuer"] = "https://evil.example";
  CHECK_FALSE(w.providers.begin({.provider = "google", .address = "192.0.2.1"}));
  CHECK_FALSE(w.providers.begin({.provider = "google", .address = "192.0.2.1"}));
  CHECK(w.asked.begin()->second == 1);  // and not asked for again at once
  w.description["issuer"] = kIssuer;
  w.clock.advance(std::chrono::seconds(11));
  CHECK(w.providers.begin({.provider = "google", .address = "192.0.2.1"}));
}

TEST_CASE("a description names https addresses and nothing else") {
  json::object good{{"issuer", kIssuer}, {"authorization_endpoint", kIssuer + "/a"}, {"token_endpoint", kIssuer + "/t"}, {"jwks_uri", kIssuer + "/k"}};
  CHECK(parse_discovery(json::serialize(good), kIssuer));
  CHECK(parse_discovery(json::serialize(good), kIssuer)->basic);
  for (const char* url : {"http://id.example.com/k", "file:///etc/passwd", "https://user:pw@id.example.com/k", "//id.example.com/k", "https:///k", "", "https://id.example.com/k#x"}) {
    json::object bad = good;
    bad["jwks_uri"] = url;
    CAPTURE(url);
    CHECK_FALSE(parse_discovery(json::serialize(bad), kIssuer));
  }
  CHECK(good_endpoint("http://127.0.0.1:9000/k"));
  CHECK_FALSE(good_endpoint("http://127.0.0.1.evil.example/k"));
  CHECK_FALSE(parse_discovery(json::serialize(good), kIssuer + "/"));
  CHECK_FALSE(parse_discovery(std::string(70'000, ' '), kIssuer));
  World w;
  w.description["authorization_response_iss_parameter_supported"] = true;
  auto back = w.begin();
  CHECK(w.code(back) == Code::bad_credentials);  // RFC 9207: it should have been there
  back = w.begin();
  back.issuer = kIssuer;
  CHECK(w.code(back) == kFine);
}

TEST_CASE("GitHub: the account is its number, the address its primary and verified one") {
  World w;
  const auto done = w.providers.finish(w.begin("github"));
  REQUIRE(done);
  CHECK(done->identity.issuer() == "https://github.com");
  CHECK(done->identity.subject() == "583231");
  CHECK(done->identity.email()->str() == "octo@example.org");
  CHECK(w.started.location.starts_with("https://github.com/login/oauth/authorize?client_id=Iv1.1&"));
  CHECK(w.started.location.find("scope=read%3Auser+user%3Aemail") != std::string::npos);
  const auto named = [&](const std::string& name) { return std::ranges::any_of(w.last_headers, [&](const auto& h) { return h.first == name; }); };
  CHECK(named("User-Agent"));
  CHECK(named("X-GitHub-Api-Version"));
  w.answers["https://api.github.com/user/emails"] = {200, "application/json", R"([{"email":"octo@example.org","primary":true,"verified":false}])"};
  CHECK_FALSE(w.providers.finish(w.begin("github"))->identity.email());
}

TEST_CASE("S28: GitHub answers failures with 200, and they are failures") {
  for (const char* error : {"bad_verification_code", "incorrect_client_credentials", "redirect_uri_mismatch", "unverified_user_email", "new_one"}) {
    World w;
    w.answers["https://github.com/login/oauth/access_token"] = {
        200, "application/json; charset=utf-8", R"({"access_token":"gho_1","token_type":"bearer","scope":"user:email","error":")" + std::string(error) + R"(","error_description":"<b>x</b>"})"};
    CHECK(w.code(w.begin("github")) == Code::bad_credentials);
  }
  CHECK_FALSE(parse_github_token(R"({"access_token":"gho_1","scope":"read:user","token_type":"bearer"})"));  // cut by its owner
  CHECK_FALSE(parse_github_token(R"({"access_token":"","scope":"user:email","token_type":"bearer"})"));
  CHECK_FALSE(parse_github_token(R"({"access_token":"x","scope":"user:email","token_type":"mac"})"));
  CHECK_FALSE(parse_github_token("access_token=gho_1&scope=user"));
  for (const char* user : {R"({"id":"583231"})", R"({"id":0})", R"({"id":-1})", R"({"id":1.5})", R"({"login":"octocat"})", "[]"}) CHECK_FALSE(parse_github_user(user));
  CHECK_FALSE(parse_github_emails(R"({"message":"Not Found"})"));
}

TEST_CASE("no error names a secret, a code or what a provider wrote") {
  World w;
  auto back = w.begin();
  back.code = "code-very-secret";
  w.answers[kIssuer + "/token"] = {400, "application/json", R"({"error":"invalid_grant","error_description":"<script>alert(1)</script>"})"};
  const auto done = w.providers.finish(back);
  REQUIRE_FALSE(done);
  for (const char* secret : {"code-very-secret", "s3cret", "script", "invalid_grant"}) CHECK(done.error().detail.find(secret) == std::string::npos);
}
