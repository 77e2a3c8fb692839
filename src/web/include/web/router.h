// web/router.h: every route of the product is one Route, registered as data: the router, the
// OpenAPI description and the tests that walk route × role all read the same table.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/page.h"
#include "base/time.h"
#include "http/message.h"
#include "model/actor.h"
#include "model/permission.h"
#include "proofs/session.h"

namespace caip::web {

class Cursors;
class Idempotency;
class Rate;

// One request on its way through a handler. Lives as long as the request.
struct Call {
  const http::Request& request;
  std::map<std::string, std::string, std::less<>> path;   // {id} -> text
  std::map<std::string, std::string, std::less<>> query;  // decoded
  json::object body;
  std::optional<Session> session;  // set where the route asks for one

  Origin origin() const;
  std::string_view path_text(std::string_view name) const;
  // The path's {id}. What is no id of that kind names nothing: not_found, like one that nobody has.
  template <class Id>
  Result<Id> id() const {
    auto parsed = Id::parse(path_text("id"));
    if (!parsed) return fail(Code::not_found, "there is nothing with this id");
    return parsed;
  }
  std::optional<std::string> query_text(std::string_view name) const;
  Result<std::int64_t> query_integer(std::string_view name, std::int64_t fallback, std::int64_t min, std::int64_t max) const;
  // Of a list: what is asked for (limit 1 to 200, default 50; cursor), and the cursor behind an item.
  Result<PageAsk> page() const;
  std::string cursor_after(const Place&) const;
  // If-Match: "3". Compulsory where it is asked for.
  Result<std::int64_t> if_match() const;
  bool by_cookie = false;
  std::optional<Command> command = {};  // where the route takes an Idempotency-Key
  const Cursors* cursors = nullptr;
};

using Reply = Result<http::Response>;
using RouteHandler = std::function<Reply(Call&)>;

struct Field {
  std::string name;
  std::string type;  // "string", "integer", "boolean"
  bool required = true;
};

struct Route {
  std::string method;
  std::string path;       // "/api/v1/servers/{id}"
  std::string operation;  // operationId
  std::string summary;
  std::optional<Permission> permission;  // none: open to anyone
  RouteHandler handler;
  std::vector<Field> body = {};
  std::vector<Field> query = {};
  bool idempotency_key = false;  // required
  int success = 200;
  std::string content_type = "application/json";
  std::vector<std::string> other_types = {};  // that a parameter asks for
  bool list = false;  // takes limit and cursor, answers {"data":[…],"next_cursor":…}
  std::string answer = {};  // the shape (schemas.json) of a JSON answer; of a list, of its items
  std::string accepted = {};  // the shape of a 202, where one more step may be owed
  bool limited = false;  // for those without a session, and what it refuses goes into the log: so often a minute
  bool allocates = false;  // with `limited`: what it begins is kept, so a good request counts too
  bool slow = false;  // hashes a password: has workers of its own
  bool if_match = false;  // takes If-Match, required
  bool tokens_too = false;  // of those with own_session: an API token may read it
};

struct Gate {  // what the router asks of others
  std::function<Result<Session>(std::string_view token, Origin)> verify;
  std::function<Result<void>(const Session&, Permission)> require_view;
  std::function<std::shared_ptr<void>()> reading;  // while it lives, this thread changes nothing but the log
  std::function<Result<Digest>(const Digest& body)> fingerprint;  // keyed: says nothing about the body to who has no key
};

inline constexpr std::string_view kSessionCookie = "__Host-caip_session";
inline constexpr std::string_view kRefreshCookie = "__Host-caip_refresh";
inline constexpr std::string_view kDeviceCookie = "__Host-caip_device";  // of a device that has signed in before; opens nothing

class Router {  // add() first, then handle() from any thread
 public:
  Router(const Clock&, Gate);
  ~Router();
  void add(Route);
  const std::vector<Route>& routes() const { return routes_; }
  // What no route matches (the user interface).
  void set_fallback(http::Handler fallback) { fallback_ = std::move(fallback); }
  http::Response handle(const http::Request&);
  bool slow(const http::Request&) const;

 private:
  Reply dispatch(const http::Request&);
  Reply run(const Route&, Call&);
  Reply answer(const Route&, Call&);
  Reply prepare(const Route&, Call&);
  Reply handled(const Route&, Call&) const;
  Result<void> name_command(Call&, const std::string& key);
  Gate gate_;
  std::vector<Route> routes_;
  http::Handler fallback_;
  std::unique_ptr<Cursors> cursors_;
  std::unique_ptr<Rate> rate_;
  std::unique_ptr<Idempotency> idempotency_;
};

http::Response json_reply(int status, const json::value&);
// {"data":[…],"next_cursor":…}; `place` and `show` take an item.
template <class T, class PlaceOf, class Show>
http::Response list_reply(const Call& call, const Page<T>& page, const PlaceOf& place, const Show& show) {
  json::array data;
  for (const T& item : page.items) data.push_back(show(item));
  json::object body{{"data", std::move(data)}, {"next_cursor", nullptr}};
  if (page.more) body["next_cursor"] = call.cursor_after(place(page.items.back()));
  return json_reply(200, body);
}
http::Response empty_reply();  // 204
http::Response text_reply(std::string content_type, std::string body);
std::optional<std::string> cookie(const http::Request&, std::string_view name);

// OpenAPI 3.1 of exactly these routes.
json::object openapi(const std::vector<Route>&);

}  // namespace caip::web
