// Callers that the router itself turns away, before any handler.
#include <catch2/catch_test_macros.hpp>

#include "web/router.h"

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

}  // namespace

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
