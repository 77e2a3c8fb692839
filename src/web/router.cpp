#include "web/router.h"

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "cursors.h"
#include "idempotency.h"
#include "rate.h"
#include "rest_path.h"
#include "secret_member.h"

namespace caip::web {
namespace {

std::vector<std::string_view> segments(std::string_view path) {
  std::vector<std::string_view> out;
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    auto end = path.find('/');
    out.push_back(path.substr(0, end));
    path = end == std::string_view::npos ? std::string_view() : path.substr(end);
  }
  return out;
}

// {name} is one segment; {name...}, at the end, is all that is left.
bool match(const std::string& pattern, const std::vector<std::string_view>& path, Call& call) {
  auto wanted = segments(pattern);
  const bool open_ended = pattern.ends_with(kRest);
  if (open_ended ? path.size() < wanted.size() : path.size() != wanted.size()) return false;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i].starts_with('{')) {
      const bool rest = open_ended && i + 1 == wanted.size();
      const std::string_view value = rest ? std::string_view(path[i].data(), path.back().data() + path.back().size()) : path[i];
      if (value.empty() || value.size() > 128 || has_hidden(value)) return false;
      call.path.insert_or_assign(std::string(wanted[i].substr(1, wanted[i].size() - 1 - (rest ? kRest.size() : 1))), std::string(value));
    } else if (wanted[i] != path[i]) {
      return false;
    }
  }
  return true;
}

int nibble(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') { out += ' '; continue; }
    if (text[i] != '%') { out += text[i]; continue; }
    if (i + 2 >= text.size()) return std::nullopt;
    int high = nibble(text[i + 1]), low = nibble(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  if (has_hidden(out)) return std::nullopt;
  return out;
}

Result<void> read_query(const Route& route, Call& call) {
  std::string_view rest = call.request.query;
  while (!rest.empty()) {
    auto end = rest.find('&');
    std::string_view pair = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    auto eq = pair.find('=');
    auto name = decode(pair.substr(0, eq));
    auto value = decode(eq == std::string_view::npos ? std::string_view() : pair.substr(eq + 1));
    if (!name || !value) return fail(Code::malformed, "the query is not well-formed");
    bool known = false;
    for (const auto& f : route.query) known = known || f.name == *name;
    if (!known) return fail(Code::unknown_member, "unknown query parameter " + shown(*name));
    if (!call.query.emplace(*name, *value).second) return fail(Code::malformed, "query parameter given twice: " + shown(*name));
  }
  return {};
}

Result<void> read_body(Call& call) {
  const auto& r = call.request;
  if (r.body.empty()) return {};
  std::string_view type = r.header("content-type");
  if (type.substr(0, type.find(';')) != "application/json") return fail(Code::unsupported_media, "send application/json");
  CAIP_TRY(body, parse_object(r.body));
  call.body = std::move(body);
  return {};
}

// What a route does not name it does not take, whatever its handler would make of it.
Result<void> check_members(const Route& route, const Call& call) {
  for (const auto& member : call.body)
    if (std::ranges::none_of(route.body, [&](const Field& f) { return f.name == member.key(); }))
      return fail(Code::unknown_member, "unknown member " + shown(cut(std::string_view(member.key()), 64)));
  return {};
}

bool safe_method(const std::string& m) { return m == "GET" || m == "HEAD"; }

constexpr std::string_view kStream = "text/event-stream";

// A page of another origin must not act with our cookies, nor sign a browser in. Browsers say
// where a request comes from; other programs carry no cookies.
Result<void> check_site(const Route& route, const Call& call) {
  const auto& r = call.request;
  const bool safe = safe_method(r.method);
  if (safe && route.content_type != kStream) return {};  // a stream is an open ear: it is for our own pages alone
  std::string_view site = r.header("sec-fetch-site"), origin = r.header("origin");
  if (!site.empty() && site != "same-origin") return fail(Code::csrf, "sent by another site");
  if (!origin.empty() && origin != "https://" + std::string(r.header("host"))) return fail(Code::csrf, "sent by another origin");
  if (!safe && call.by_cookie && site.empty() && origin.empty()) return fail(Code::csrf, "a request with a cookie must say where it comes from");
  return {};
}

// A mistyped token or link now and then, and all servers of a big organisation enrolled by one script.
constexpr Pace kAnonymous{.burst = 60, .per_second = 0.5};
constexpr std::string_view kUnauthenticated = "sign in first";

std::string access_token(Call& call) {
  std::string_view bearer = call.request.header("authorization");
  if (bearer.starts_with("Bearer ")) return std::string(bearer.substr(7));
  auto value = cookie(call.request, kSessionCookie);
  call.by_cookie = value.has_value() || cookie(call.request, kRefreshCookie).has_value();
  return value.value_or("");
}

void secure(http::Response& r) {
  auto set = [&](const char* name, const char* value) {
    for (const auto& h : r.headers)
      if (h.first == name) return;
    r.headers.emplace_back(name, value);
  };
  set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'");
  set("Strict-Transport-Security", "max-age=31536000");
  set("X-Content-Type-Options", "nosniff");
  set("X-Frame-Options", "DENY");
  set("Referrer-Policy", "no-referrer");
  set("Cross-Origin-Opener-Policy", "same-origin");
  set("Cross-Origin-Resource-Policy", "same-origin");
  set("Permissions-Policy", "camera=(), microphone=(), geolocation=()");
  set("Cache-Control", "no-store");
}

}  // namespace

Router::Router(const Clock& clock, Gate gate)
    : gate_(std::move(gate)), cursors_(std::make_unique<Cursors>()), rate_(std::make_unique<Rate>(clock, kAnonymous)), idempotency_(std::make_unique<Idempotency>(clock)) {}
Router::~Router() = default;

void Router::add(Route route) {
  if (route.list) route.query.insert(route.query.end(), {{"limit", "integer", false}, {"cursor", "string", false}});
  routes_.push_back(std::move(route));
}

http::Response Router::handle(const http::Request& request) {
  Reply reply = dispatch(request);
  http::Response response = reply ? *std::move(reply) : http::problem(reply.error(), request.id);
  if (response.status >= 500)
    log::error("request failed", {{"request", request.id}, {"method", request.method}, {"path", Foreign(request.path)},
                                  {"detail", reply ? std::string() : reply.error().detail}});
  secure(response);
  return response;
}

bool Router::slow(const http::Request& request) const {
  return std::ranges::any_of(routes_, [&](const Route& r) { return r.slow && r.method == request.method && r.path == request.path; });
}

Reply Router::dispatch(const http::Request& request) {
  auto path = segments(request.path);
  std::string allow;
  for (const auto& route : routes_) {
    Call call{.request = request, .path = {}, .query = {}, .body = {}, .session = {}, .cursors = cursors_.get()};
    if (!match(route.path, path, call)) continue;
    bool same = route.method == request.method || (route.method == "GET" && request.method == "HEAD");
    if (!same) {
      allow += (allow.empty() ? "" : ", ") + route.method;
      continue;
    }
    Reply reply = run(route, call);
    wipe_texts(call.body);  // a password or a secret was in it, perhaps
    return reply;
  }
  if (!allow.empty()) {
    auto response = http::problem(Error{Code::method_not_allowed, "allowed here: " + allow}, request.id);
    response.headers.emplace_back("Allow", allow);
    return response;
  }
  if (fallback_ && !request.path.starts_with("/api/")) return fallback_(request);
  return fail(Code::not_found, "there is nothing here");
}

namespace {

// Whose keys these are. What a person was answered is not for a token of theirs that sends the same key.
std::string speaker(const Call& call) {
  if (!call.session) return "-";
  const auto& token = call.session->principal().token;
  return call.session->org().str() + call.session->user().str() + (token ? token->str() : std::string());
}

// An API token acts with what tokens may carry alone; of what is a person's own it sees a few pages.
bool may_enter(const Principal& who, const Route& route) {
  if (!holds(who, *route.permission)) return false;
  return who.source != Source::api_token || row_of(*route.permission)->token || route.tokens_too;
}

}  // namespace

namespace {

// A page says which organisation it shows: in another tab its session may have gone to another one since.
Result<void> check_organization(const Call& call) {
  const auto shown = call.request.header("caip-organization");
  if (shown.empty() || shown == call.session->org().str()) return {};
  return fail(Code::precondition_failed, "this page shows another organisation than the one you act in now; load it again");
}

}  // namespace

// Who is it, may they be here at all, is the request well-formed: in this order.
Reply Router::prepare(const Route& route, Call& call) {
  std::string token = access_token(call);
  CAIP_CHECKED(check_site(route, call));
  if (route.limited) CAIP_CHECKED(rate_->take(call.request.address));
  if (route.permission) {
    if (token.empty()) return fail(Code::unauthenticated, std::string(kUnauthenticated));
    CAIP_TRY(session, gate_.verify(token, call.origin()));
    // What an AI may do it does by its tools. Whatever lends it a session some day, it comes in by no route.
    if (session.principal().source == Source::pilot) return fail(Code::forbidden, "an AI calls no route");
    call.session.emplace(std::move(session));
    CAIP_CHECKED(check_organization(call));
    if (safe_method(call.request.method)) CAIP_CHECKED(gate_.require_view(*call.session, *route.permission));
  }
  CAIP_CHECKED(read_query(route, call));
  if (safe_method(call.request.method)) return http::Response{};
  CAIP_CHECKED(read_body(call));
  CAIP_CHECKED(check_members(route, call));
  return http::Response{};
}

// Whose request it is was found out before, and that an API token was used is on the record (and in its row) by then.
Reply Router::handled(const Route& route, Call& call) const {
  const auto held = safe_method(call.request.method) ? gate_.reading() : nullptr;
  return route.handler(call);
}

// The digest of a body is kept in the database for a day, and a body may be a secret that can be
// guessed: so it is one under a key that is not there, and the keeper makes it for nobody unknown.
Result<void> Router::name_command(Call& call, const std::string& key) {
  CAIP_TRY(payload, gate_.fingerprint(crypto::sha256(view(call.request.body))));
  call.command = Command{crypto::sha256(view(call.request.method + ' ' + call.request.path + ' ' + key)), payload};
  if (!call.session) return {};
  CAIP_TRY(session, gate_.verify(access_token(call), call.origin()));  // what it does now bears the command
  call.session.emplace(std::move(session));
  return {};
}

// Of a limited route a good request costs nothing, unless it keeps something.
Reply Router::answer(const Route& route, Call& call) {
  Reply reply = handled(route, call);
  if (route.limited && reply && reply->status < 400 && !route.allocates) rate_->give_back(call.request.address);
  return reply;
}

Reply Router::run(const Route& route, Call& call) {
  // A command is authorized, and its refusal logged, by its handler, which knows the action. Who
  // lacks the route's permission learns nothing else than that, whatever else was wrong.
  auto settle = [&](Reply reply) -> Reply {
    if (!call.session || !route.permission || may_enter(call.session->principal(), route)) return reply;
    if (reply && reply->status < 400) {
      log::error("a handler let a role pass that lacks the permission", {{"operation", route.operation}});
      return fail(Code::forbidden, "your role does not allow this");
    }
    return fail(Code::forbidden, "your role does not allow this");
  };
  if (Reply ready = prepare(route, call); !ready) return call.session ? settle(std::move(ready)) : std::move(ready);
  if (!route.idempotency_key) return settle(answer(route, call));
  auto key = Idempotency::parse(call.request.header("idempotency-key"));
  if (!key) return settle(std::unexpected(key.error()));
  if (auto named = name_command(call, *key); !named) return settle(std::unexpected(named.error()));
  std::string scoped = speaker(call) + ' ' + call.request.method + ' ' + call.request.path + ' ' + *key;
  auto before = idempotency_->begin(scoped, hex(call.command->payload));
  if (!before) return settle(std::unexpected(before.error()));
  if (*before) {
    http::Response again = **before;
    again.headers.emplace_back("Idempotency-Replayed", "true");
    return settle(std::move(again));
  }
  Reply reply = settle(answer(route, call));
  if (reply && reply->status < 500) idempotency_->finish(scoped, *reply);
  else idempotency_->forget(scoped);  // an error changed nothing: the same key may try again
  return reply;
}

}  // namespace caip::web
