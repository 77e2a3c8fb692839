// What a client can put into path, query, headers and body, through the whole router.
#include <cstdint>

#include "web/router.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace caip;
  using namespace caip::web;
  static ManualClock clock{Instant(1)};
  static Router* router = [] {
    auto* r = new Router(clock, {.verify = [](std::string_view, Origin) -> Result<Session> { return fail(Code::unauthenticated); },
                                 .require_view = [](const Session&, Permission) -> Result<void> { return {}; },
                        .reading = [] { return std::shared_ptr<void>(); },
                        .fingerprint = [](const Digest& body) -> Result<Digest> { return body; }});
    auto echo = [](Call& c) -> Reply {
      CAIP_CHECKED(c.query_integer("n", 1, 0, 9));
      json::object out{{"id", c.path_text("id")}, {"rest", c.path_text("rest")}, {"body", c.body}};
      return json_reply(200, out);
    };
    r->add({.method = "POST", .path = "/a/{id}", .operation = "a", .summary = "a", .permission = {}, .handler = echo,
            .query = {{"n", "integer", false}, {"q", "string", false}}});
    r->add({.method = "GET", .path = "/t/{rest...}", .operation = "t", .summary = "t", .permission = {}, .handler = echo});
    r->add({.method = "GET", .path = "/s", .operation = "s", .summary = "s", .permission = Permission::server_view, .handler = echo});
    return r;
  }();
  // Lines: method, path, query, one header value for each of four names; the rest is the body.
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  auto line = [&] {
    auto end = rest.find('\n');
    std::string out(rest.substr(0, end));
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    return out;
  };
  http::Request r;
  r.method = line();
  r.path = "/" + line();
  r.query = line();
  for (const char* name : {"cookie", "origin", "content-type", "idempotency-key"}) r.headers.emplace_back(name, line());
  r.body = std::string(rest);
  auto answer = router->handle(r);
  CAIP_ASSERT(answer.status >= 200 && answer.status < 600);
  CAIP_ASSERT(parse_json(answer.body).has_value());
  return 0;
}
