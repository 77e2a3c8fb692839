#include <catch2/catch_test_macros.hpp>

#include "cursors.h"
#include "idempotency.h"
#include "rate.h"
#include "web/api.h"
#include "web/static_files.h"

namespace {

using namespace caip;
using namespace caip::web;

struct Fixture {
  ManualClock clock{Instant(1'700'000'000'000'000)};
  int calls = 0, fingerprints = 0, reading = 0, seen = 0;
  Router router{clock, {.verify = [](std::string_view, Origin) -> Result<Session> { return fail(Code::unauthenticated); },
                        .require_view = [](const Session&, Permission) -> Result<void> { return {}; },
                        .reading = [this] { ++reading; return std::shared_ptr<void>(nullptr, [this](std::nullptr_t) { --reading; }); },
                        .fingerprint = [this](const Digest& body) -> Result<Digest> { return ++fingerprints, body; }}};
  Fixture() {
    router.add({.method = "GET", .path = "/api/v1/open/{id}", .operation = "getOpen", .summary = "x", .permission = {},
                .handler = [](Call& c) -> Reply {
                  return json_reply(200, json::object{{"id", c.path_text("id")}, {"q", c.query_text("q").value_or("none")}});
                }, .query = {{"q", "string", false}}});
    router.add({.method = "POST", .path = "/api/v1/act", .operation = "act", .summary = "x", .permission = {},
                .handler = [this](Call& c) -> Reply {
                  Members m(c.body);
                  CAIP_TRY(name, m.string("name", 8));
                  CAIP_CHECKED(m.finish());
                  if (name == "broken") return fail(Code::internal, "as planned");
                  return json_reply(201, json::object{{"n", ++calls}});
                }, .body = {{"name", "string"}}, .idempotency_key = true, .success = 201});
    for (const char* method : {"GET", "POST"})
      router.add({.method = method, .path = "/api/v1/look", .operation = "look", .summary = "x", .permission = {},
                  .handler = [this](Call&) -> Reply { return seen = reading, empty_reply(); }});
    router.add({.method = "GET", .path = "/api/v1/stream", .operation = "stream", .summary = "x", .permission = {},
                .handler = [](Call&) -> Reply { return empty_reply(); }, .content_type = "text/event-stream"});
    router.add({.method = "GET", .path = "/api/v1/closed", .operation = "getClosed", .summary = "x", .permission = Permission::server_view,
                .handler = [](Call&) -> Reply { return empty_reply(); }});
    router.add({.method = "POST", .path = "/api/v1/guarded", .operation = "guard", .summary = "x", .permission = Permission::server_view,
                .handler = [](Call&) -> Reply { return empty_reply(); }, .idempotency_key = true, .success = 201});
    const auto made = [](Call&) -> Reply { return json_reply(201, json::object{}); };
    router.add({.method = "POST", .path = "/api/v1/limited", .operation = "limited", .summary = "x", .permission = {}, .handler = made, .success = 201, .limited = true});
    router.add({.method = "POST", .path = "/api/v1/begun", .operation = "begun", .summary = "x", .permission = {}, .handler = made, .success = 201, .limited = true, .allocates = true});
    router.set_fallback(&serve_static);
  }
  http::Response send(std::string method, std::string path, std::string body = {}, std::vector<http::Header> headers = {}) {
    auto mark = path.find('?');
    http::Request r{std::move(method), path.substr(0, mark), mark == std::string::npos ? "" : path.substr(mark + 1), std::move(headers), std::move(body), "127.0.0.1", "req_x"};
    if (!r.body.empty()) r.headers.emplace_back("content-type", "application/json");
    return router.handle(r);
  }
  http::Response act(std::string body, std::string key, std::vector<http::Header> more = {}) {
    more.emplace_back("idempotency-key", std::move(key));
    return send("POST", "/api/v1/act", std::move(body), std::move(more));
  }
};

std::string code(const http::Response& r) {
  REQUIRE(r.content_type == "application/problem+json");
  return std::string(parse_object(r.body)->at("code").as_string());
}

bool has(const http::Response& r, std::string_view name) {
  for (const auto& h : r.headers)
    if (h.first == name) return true;
  return false;
}

}  // namespace

TEST_CASE("a path that takes all that is left takes its slashes, and at least something") {
  Fixture w;
  w.router.add({.method = "GET", .path = "/api/v1/tree/{level}/{tile...}", .operation = "tree", .summary = "x", .permission = {},
                .handler = [](Call& c) -> Reply { return json_reply(200, json::object{{"level", c.path_text("level")}, {"tile", c.path_text("tile")}}); }});
  const auto said = [&](std::string path) {
    const auto answer = w.send("GET", "/api/v1/tree/" + std::move(path));
    return answer.status == 200 ? std::string(parse_json(answer.body)->at("tile").as_string()) : std::to_string(answer.status);
  };
  CHECK(said("0/000") == "000");
  CHECK(said("0/x001/x234/067.p/17") == "x001/x234/067.p/17");
  CHECK(said("0/x001/") == "x001/");
  CHECK(said("0") == "404");
  CHECK(said("0/") == "404");
  CHECK(said("0/" + std::string(128, 'a')) == std::string(128, 'a'));
  CHECK(said("0/" + std::string(64, 'a') + "/" + std::string(64, 'a')) == "404");
  CHECK(said("0/a/\xe2\x80\xae") == "404");
}

TEST_CASE("paths, queries and methods are matched strictly") {
  Fixture f;
  CHECK(f.send("GET", "/api/v1/open/a?q=%41+b").body == R"({"id":"a","q":"A b"})");
  CHECK(code(f.send("GET", "/api/v1/open/a?z=1")) == "unknown_member");
  CHECK(code(f.send("GET", "/api/v1/open/a?q=1&q=2")) == "malformed");
  for (const char* bad : {"?q=%4", "?q=%zz", "?q=%00", "?q=%e2%80%ae", "?%ff=1"}) CHECK(code(f.send("GET", std::string("/api/v1/open/a") + bad)) == "malformed");
  CHECK(code(f.send("GET", "/api/v1/open/")) == "not_found");
  CHECK(code(f.send("GET", "/api/v1/open/a/b")) == "not_found");
  for (const char* bad : {"\xff", "a\xe2\x80\xae", "\x01"}) CHECK(code(f.send("GET", std::string("/api/v1/open/") + bad)) == "not_found");
  auto wrong = f.send("DELETE", "/api/v1/act");
  CHECK(code(wrong) == "method_not_allowed");
  CHECK(has(wrong, "Allow"));
  CHECK(code(f.send("GET", "/api/v1/closed")) == "unauthenticated");
  CHECK(code(f.send("GET", "/api/v1/closed", "", {{"authorization", "Bearer x"}})) == "unauthenticated");
}

TEST_CASE("a command with a key is done once") {
  Fixture f;
  CHECK(code(f.send("POST", "/api/v1/act", R"({"name":"a"})")) == "missing_idempotency_key");
  for (const char* bad : {"a", "\"\"", "\"a b\"", "\"a", "\"\x01\""}) CHECK(code(f.act(R"({"name":"a"})", bad)) == "malformed");
  CHECK(f.act(R"({"name":"a"})", "\"k\"").body == R"({"n":1})");
  auto again = f.act(R"({"name":"a"})", "\"k\"");
  CHECK(again.body == R"({"n":1})");
  CHECK(has(again, "Idempotency-Replayed"));
  CHECK(code(f.act(R"({"name":"b"})", "\"k\"")) == "key_reused");
  f.clock.advance(std::chrono::hours(25));
  CHECK(f.act(R"({"name":"b"})", "\"k\"").body == R"({"n":2})");
  CHECK(code(f.act(R"({"name":"broken"})", "\"z\"")) == "internal");
  CHECK(f.act(R"({"name":"ok"})", "\"z\"").status == 201);  // an error changed nothing
}

TEST_CASE("the keeper makes no fingerprint for someone unknown") {
  Fixture f;
  for (const char* token : {"", "Bearer x"})
    CHECK(code(f.send("POST", "/api/v1/guarded", "{}", {{"idempotency-key", "\"k\""}, {"authorization", token}})) == "unauthenticated");
  CHECK(f.fingerprints == 0);
}

TEST_CASE("a key whose first request is still running") {
  ManualClock clock{Instant(1)};
  Idempotency table(clock);
  REQUIRE(table.begin("k", "p"));
  auto second = table.begin("k", "p");
  REQUIRE_FALSE(second);
  CHECK(second.error().code == Code::in_progress);
}

TEST_CASE("bodies are strict JSON") {
  Fixture f;
  CHECK(code(f.act("[]", "\"1\"")) == "malformed");
  CHECK(code(f.act(R"({"name":"a","name":"b"})", "\"2\"")) == "malformed");
  CHECK(code(f.act(R"({"name":"a","x":1})", "\"3\"")) == "unknown_member");
  http::Request r{"POST", "/api/v1/act", "", {{"content-type", "text/plain"}, {"idempotency-key", "\"4\""}}, "{}", "127.0.0.1", "req_x"};
  CHECK(code(f.router.handle(r)) == "unsupported_media");
}

TEST_CASE("another site cannot act") {
  Fixture f;
  std::string body = R"({"name":"a"})";
  CHECK(code(f.act(body, "\"1\"", {{"sec-fetch-site", "cross-site"}})) == "csrf");
  CHECK(code(f.act(body, "\"2\"", {{"sec-fetch-site", "same-site"}})) == "csrf");
  CHECK(code(f.act(body, "\"3\"", {{"host", "a:1"}, {"origin", "https://b:1"}})) == "csrf");
  CHECK(code(f.act(body, "\"4\"", {{"host", "a:1"}, {"origin", "null"}})) == "csrf");
  CHECK(code(f.act(body, "\"5\"", {{"cookie", "x=y; __Host-caip_session=t"}})) == "csrf");
  CHECK(f.act(body, "\"6\"", {{"host", "a:1"}, {"origin", "https://a:1"}, {"sec-fetch-site", "same-origin"}}).status == 201);
}

TEST_CASE("every reply carries the strict headers; the page allows nothing inline") {
  Fixture f;
  for (const char* path : {"/", "/servers/x", "/api/v1/nothing", "/nothing.js"}) {
    auto r = f.send("GET", path);
    for (const char* name : {"Content-Security-Policy", "Strict-Transport-Security", "X-Content-Type-Options", "Referrer-Policy"}) CHECK(has(r, name));
    for (const auto& [name, value] : r.headers) CHECK(value.find("unsafe") == std::string::npos);
  }
  CHECK(f.send("GET", "/").status == 200);
  CHECK(f.send("GET", "/servers/x").content_type == "text/html; charset=utf-8");
  CHECK(f.send("GET", "/nothing.js").status == 404);
  CHECK(f.send("POST", "/").status == 405);
}

TEST_CASE("the description has every route and only those") {
  Fixture f;
  json::object doc = openapi(f.router.routes());
  std::size_t count = 0;
  for (const auto& [path, methods] : doc["paths"].as_object()) count += methods.as_object().size();
  CHECK(count == f.router.routes().size());
  for (const auto& r : f.router.routes()) {
    std::string method = r.method == "GET" ? "get" : "post";
    CHECK(doc["paths"].as_object()[r.path].as_object()[method].as_object()["operationId"].as_string() == std::string_view(r.operation));
  }
}

TEST_CASE("the install command names both authorities and keeps the token out of arguments") {
  std::string c = install_command("https://h:8443", {.ca_pem = {}, .ca_sha256 = std::string(64, 'a'), .agent_ca_pem = {}, .agent_ca_sha256 = std::string(64, 'b')}, "TOKEN");
  CHECK(c.find(" -k") == std::string::npos);
  CHECK(c.find("--cacert ca.pem") != std::string::npos);
  CHECK(c.find(std::string(64, 'a')) != std::string::npos);
  CHECK(c.find("openssl s_client -connect h:8443") != std::string::npos);
  CHECK(c.find("printf '%s' 'TOKEN' | sh install.sh https://h:8443 ca.pem " + std::string(64, 'b')) != std::string::npos);
}

TEST_CASE("a cursor is for one list and one person, and nothing to build oneself") {
  const Cursors cursors, later;
  const Place place{-7, "apr_1"};
  const std::string sealed = cursors.seal(place, "/list usr_1");
  CHECK(cursors.open(sealed, "/list usr_1").value() == place);
  CHECK_FALSE(cursors.open(sealed, "/list usr_2"));
  CHECK_FALSE(cursors.open(sealed, "/other usr_1"));
  CHECK_FALSE(later.open(sealed, "/list usr_1"));
  CHECK_FALSE(cursors.open("", "/list usr_1"));
  CHECK_FALSE(cursors.open(std::string(4000, 'A'), "/list usr_1"));
  Bytes bytes = from_base64url(sealed).value();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] ^= 1;
    CHECK_FALSE(cursors.open(base64url(bytes), "/list usr_1"));
    bytes[i] ^= 1;
  }
}

TEST_CASE("pages of a list meet each item once, in its order, whatever comes and goes between them") {
  std::vector<std::int64_t> all{5, 1, 4, 2, 3};
  const auto place = [](std::int64_t n) { return Place{n, {}}; };
  PageAsk ask{.limit = 2, .after = std::nullopt};
  auto first = page_of(all, ask, place);
  CHECK(first.items == std::vector<std::int64_t>{1, 2});
  REQUIRE(first.more);
  all.push_back(0);  // before the place: not on a later page
  ask.after = place(2);
  auto second = page_of(all, ask, place);
  CHECK(second.items == std::vector<std::int64_t>{3, 4});
  ask.after = place(4);
  auto last = page_of(all, ask, place);
  CHECK(last.items == std::vector<std::int64_t>{5});
  CHECK_FALSE(last.more);
}

TEST_CASE("what nobody has to sign in for is limited by network; good requests cost nothing") {
  ManualClock clock{Instant(1'700'000'000'000'000)};
  Rate rate(clock, {.burst = 3, .per_second = 1});
  for (int i = 0; i < 3; ++i) CHECK(rate.take("2001:db8::1"));
  CHECK(rate.take("2001:db8::2").error().code == Code::too_many);  // the same /64
  for (int i = 0; i < 3; ++i) CHECK(rate.take("192.0.2.1"));
  CHECK_FALSE(rate.take("192.0.2.1"));
  rate.give_back("192.0.2.1");
  CHECK(rate.take("192.0.2.1"));
  clock.advance(std::chrono::seconds(2));
  for (int i = 0; i < 2; ++i) CHECK(rate.take("2001:db8::1"));
  CHECK_FALSE(rate.take("2001:db8::1"));
}

TEST_CASE("what nobody has to sign in for and is kept counts when it is good, too") {
  Fixture f;
  const auto times = [&](const char* path) {
    int good = 0;
    while (good < 100 && f.send("POST", path, "{}").status == 201) ++good;
    return good;
  };
  CHECK(times("/api/v1/limited") == 100);
  CHECK(times("/api/v1/begun") == 60);
}

TEST_CASE("a crowd of networks keeps nobody out, and takes no more memory than it may") {
  ManualClock clock{Instant(1'700'000'000'000'000)};
  Rate rate(clock, {.burst = 1, .per_second = 1}, 2);
  CHECK(rate.take("192.0.2.1"));
  CHECK(rate.take("192.0.2.2"));
  for (int i = 0; i < 5; ++i) CHECK(rate.take("192.0.2.3"));  // no place to count it
  CHECK_FALSE(rate.take("192.0.2.1"));
  clock.advance(std::chrono::seconds(1));
  CHECK(rate.take("192.0.2.3"));  // those who were quiet made place
  CHECK_FALSE(rate.take("192.0.2.3"));
}

TEST_CASE("an inner failure says nothing about itself to whoever asked") {
  const auto r = http::problem(Error{Code::storage_failed, "SQLITE_IOERR at /var/lib/caip/caip.db"}, "req_1");
  CHECK(r.status == 500);
  CHECK(r.body.find("SQLITE") == std::string::npos);
  CHECK(r.body.find("req_1") != std::string::npos);
}

TEST_CASE("S17: what handles a GET or HEAD runs where only reading is allowed, and nothing else does") {
  Fixture f;
  for (const auto& [method, held] : {std::pair{"GET", 1}, {"HEAD", 1}, {"POST", 0}}) {
    CAPTURE(method);
    f.seen = -1;
    CHECK(f.send(method, "/api/v1/look").status == 204);
    CHECK(f.seen == held);
    CHECK(f.reading == 0);
  }
}

TEST_CASE("S18: a stream is opened by our own pages and by programs, and not by a page of another origin") {
  Fixture f;
  CHECK(f.send("GET", "/api/v1/stream").status == 204);
  CHECK(f.send("GET", "/api/v1/stream", "", {{"sec-fetch-site", "same-origin"}, {"host", "panel.example"}}).status == 204);
  CHECK(code(f.send("GET", "/api/v1/stream", "", {{"sec-fetch-site", "cross-site"}})) == "csrf");
  CHECK(code(f.send("GET", "/api/v1/stream", "", {{"sec-fetch-site", "same-site"}})) == "csrf");
  CHECK(code(f.send("GET", "/api/v1/stream", "", {{"origin", "https://evil.example"}, {"host", "panel.example"}})) == "csrf");
  CHECK(f.send("GET", "/api/v1/open/1", "", {{"sec-fetch-site", "cross-site"}}).status == 200);  // an answer that no other page can read
}

TEST_CASE("S09: a member that a route does not name is a 400, though its handler would not look") {
  Fixture f;
  CHECK(code(f.send("POST", "/api/v1/look", R"({"role":"owner"})")) == "unknown_member");
  CHECK(f.send("POST", "/api/v1/look", "{}").status == 204);
}
