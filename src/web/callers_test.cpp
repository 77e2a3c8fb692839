// Callers that the router itself turns away, before any handler.
#include <catch2/catch_test_macros.hpp>

#include <cstddef>

#include "web/api.h"

namespace caip::auth {
class SessionStore {  // the only minter, which this test stands in for
 public:
  static Session mint(Principal who) { return Session(Badge<SessionStore>{}, std::move(who)); }
};
}  // namespace caip::auth

namespace {

using namespace caip;
using namespace caip::web;

struct Fixture {
  ManualClock clock{Instant(1'700'000'000'000'000)};
  Principal who;
  int calls = 0;
  Router router{clock, {.verify = [this](std::string_view, Origin) -> Result<Session> { return auth::SessionStore::mint(who); },
                        .require_view = [](const Session&, Permission) -> Result<void> { return {}; },
                        .reading = [] { return std::shared_ptr<void>(); },
                        .fingerprint = [](const Digest& body) -> Result<Digest> { return body; }}};
  Fixture() {
    who.source = Source::user;
    who.org = OrgId{IdBytes{1}};
    who.user = UserId{IdBytes{2}};
    who.session = SessionId{IdBytes{3}};
    who.role = Role::owner;
    for (const auto& row : permission_table())
      for (const char* method : {"GET", "POST"})
        router.add({.method = method, .path = "/api/v1/" + std::string(row.name), .operation = std::string(method) + std::string(row.name), .summary = "x",
                    .permission = row.permission, .handler = [this](Call&) -> Reply { return ++calls, empty_reply(); }});
  }
  int status(const std::string& method, std::string_view permission, std::vector<http::Header> headers = {}) {
    headers.emplace_back("authorization", "Bearer x");
    http::Request r{method, "/api/v1/" + std::string(permission), "", std::move(headers), "", "127.0.0.1", "req_x"};
    return router.handle(r).status;
  }
};

// A room that nobody enters: a route is asked for here, and none is carried out.
struct Nowhere {
  template <class T>
  operator T&() const {  // NOLINT(google-explicit-constructor)
    alignas(std::max_align_t) static std::byte place[1];
    return reinterpret_cast<T&>(place);
  }
};

// Every route of the product as it is, but for its handler.
struct Product : Fixture {
  Router whole{clock, {}};
  Rooms rooms{.clock = clock, .accounts = Nowhere(), .identities = Nowhere(), .factors = Nowhere(), .passkeys = Nowhere(), .providers = Nowhere(), .sessions = Nowhere(),
              .step_up = Nowhere(), .team = Nowhere(), .endings = Nowhere(), .invitations = Nowhere(), .tokens = Nowhere(), .links = Nowhere(), .authorizer = Nowhere(), .log = Nowhere(),
              .log_access = Nowhere(), .witnesses = Nowhere(), .events = Nowhere(), .servers = Nowhere(), .orders = Nowhere(), .sites = Nowhere(), .gate = Nowhere(), .ai = Nowhere(), .approval_runner = Nowhere(),
              .secrets = Nowhere(), .rotation = Nowhere(), .channels = Nowhere(), .deliveries = Nowhere(), .inbox = Nowhere(), .refuse = {}, .owner_created = {},
              .send_provider_key = {}, .send_key = {}, .authorities = {}, .install_folders = {}, .public_url = {}, .browser_url = {}, .mail = false};
  Router counted{clock, {.verify = [this](std::string_view, Origin) -> Result<Session> { return auth::SessionStore::mint(who); },
                         .require_view = [](const Session&, Permission) -> Result<void> { return {}; },
                         .reading = [] { return std::shared_ptr<void>(); },
                         .fingerprint = [](const Digest& body) -> Result<Digest> { return body; }}};
  Product() {
    add_routes(whole, rooms, Nowhere());
    for (Route route : whole.routes()) {
      route.handler = [this](Call&) -> Reply { return ++calls, empty_reply(); };
      route.body.clear();  // what is in it is not asked about here
      counted.add(std::move(route));
    }
  }
  int knock(const Route& route) {
    std::string path = route.path;
    for (auto open = path.find('{'); open != path.npos; open = path.find('{')) path.replace(open, path.find('}') - open + 1, "x");
    const bool sends = route.method != "GET" && route.method != "DELETE";
    http::Request r{route.method, path, "", {{"authorization", "Bearer x"}, {"content-type", "application/json"}, {"idempotency-key", "\"" + route.operation + std::to_string(calls) + "\""},
                    {"if-match", "\"1\""}}, sends ? "{}" : "", "127.0.0.1", "req_x"};
    return counted.handle(r).status;
  }
};

}  // namespace

TEST_CASE("an AI-tagged caller gets into no route of the product that asks who somebody is, and its human into each") {
  Product p;
  REQUIRE(p.whole.routes().size() > 100);
  for (const auto& route : p.whole.routes()) {
    CAPTURE(route.method, route.path);
    p.who.source = Source::user;
    const int before = p.calls;
    CHECK(p.knock(route) == 204);
    CHECK(p.calls == before + 1);
    if (!route.permission) continue;  // for anybody; nobody's session is looked at
    p.who.source = Source::pilot;
    CHECK(p.knock(route) == 403);
    CHECK(p.calls == before + 1);
  }
}

TEST_CASE("an AI-tagged caller gets into no route, whatever its human may") {
  Fixture f;
  for (const auto& row : permission_table())
    for (const char* method : {"GET", "POST"}) {
      CAPTURE(row.name, method);
      f.who.source = Source::user;
      CHECK(f.status(method, row.name) == 204);
      f.who.source = Source::pilot;
      const int before = f.calls;
      CHECK(f.status(method, row.name) == 403);
      CHECK(f.calls == before);
    }
}

TEST_CASE("a page that shows another organisation than the session acts in does nothing") {
  Fixture f;
  CHECK(f.status("POST", "server.view", {{"caip-organization", f.who.org->str()}}) == 204);
  for (const auto& other : {OrgId{IdBytes{9}}.str(), std::string("x")})
    for (const char* method : {"GET", "POST"}) CHECK(f.status(method, "server.view", {{"caip-organization", other}}) == 412);
  CHECK(f.calls == 1);
}
