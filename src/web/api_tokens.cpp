// API tokens: for programs, with less than their maker may do.
#include "auth/api_tokens.h"
#include "authorization/authorizer.h"
#include "crypto/random.h"
#include "permits.h"
#include "text_list.h"
#include "web/api.h"

namespace caip::web {
namespace {

json::object token_json(const auth::ApiToken& t) {
  json::array scopes, networks;
  for (const auto& row : permission_table())
    if (t.scopes.has(row.permission)) scopes.emplace_back(row.name);
  for (const auto& n : t.networks) networks.emplace_back(n);
  json::object out{{"id", t.id.str()}, {"name", t.name.str()}, {"user", json::object{{"id", t.user.str()}, {"email", t.email.str()}}}, {"scopes", scopes},
                   {"networks", networks}, {"created_at", t.created.str()}, {"expires_at", t.expires.str()}, {"last_used_at", nullptr}};
  if (t.used) out["last_used_at"] = t.used->str();
  return out;
}

Result<PermissionSet> scopes_in(const std::vector<std::string>& names) {
  PermissionSet scopes;
  for (const auto& name : names) {
    CAIP_TRY(permission, parse_permission(name));
    scopes.add(permission);
  }
  return scopes;
}

Reply create(const Rooms& rooms, Call& call) {
  CAIP_TRY(scope_names, take_texts(call.body, "scopes", 64));
  CAIP_TRY(networks, take_texts(call.body, "networks", auth::kMostNetworks));
  Members m(call.body);
  CAIP_TRY(name_text, m.string("name", 64));
  CAIP_TRY(days, m.integer("days", 1, 365));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(name, TokenName::parse(name_text));
  CAIP_TRY(scopes, scopes_in(scope_names));
  const Instant expires = rooms.clock.now() + std::chrono::hours(24 * days);
  CAIP_TRY(permit, permit_for(rooms, *call.session, CreateToken{crypto::random_id<TokenId>(), name, scopes, expires}));
  CAIP_TRY(made, rooms.tokens.create(std::move(permit), networks));
  json::object body = token_json(made.token);
  body["token"] = made.text;
  return json_reply(201, body);
}

// One's own, or everybody's for who may see them.
Reply list(const Rooms& rooms, Call& call) {
  CAIP_TRY(ask, call.page());
  std::optional<UserId> of = call.session->user();
  if (call.query_text("all") == "true") {
    CAIP_CHECKED(rooms.authorizer.require_view(*call.session, Permission::token_view_all));
    of.reset();
  }
  CAIP_TRY(page, rooms.tokens.list(call.session->org(), of, ask));
  return list_reply(call, page, [](const auth::ApiToken& t) { return Place{t.created.micros(), t.id.str()}; }, token_json);
}

// One's own with the one permission, another's with the other; whose it is, is found out by trying.
Reply revoke(const Rooms& rooms, Call& call) {
  CAIP_TRY(id, call.id<TokenId>());
  CAIP_TRY(own, permit_for(rooms, *call.session, RevokeToken{id}));
  auto done = rooms.tokens.revoke(std::move(own));
  if (done) return empty_reply();
  const bool others_too = holds(call.session->principal(), Permission::token_revoke_any);
  if (!others_too || done.error().code != Code::not_found) {
    CAIP_CHECKED(on_record(rooms, *call.session, RevokeToken{id}, std::move(done)));
    return empty_reply();
  }
  CAIP_TRY(any, permit_for(rooms, *call.session, RevokeAnyToken{id}));
  CAIP_TRY(receipt, on_record(rooms, *call.session, RevokeAnyToken{id}, rooms.tokens.revoke(std::move(any))));
  return empty_reply();
}

}  // namespace

void add_token_routes(Router& router, const Rooms& rooms) {
  router.add({.method = "GET", .path = "/api/v1/tokens", .operation = "listTokens", .summary = "One's own API tokens, never their values; all=true: everybody's",
              .permission = Permission::token_own, .handler = [&rooms](Call& c) { return list(rooms, c); }, .query = {{"all", "boolean", false}}, .list = true, .answer = "ApiToken"});
  router.add({.method = "POST", .path = "/api/v1/tokens", .operation = "createToken", .summary = "Make an API token; it is in this answer alone",
              .permission = Permission::token_own, .handler = [&rooms](Call& c) { return create(rooms, c); },
              .body = {{"name", "string"}, {"scopes", "array"}, {"networks", "array", false}, {"days", "integer"}}, .idempotency_key = true, .success = 201, .answer = "NewApiToken"});
  router.add({.method = "DELETE", .path = "/api/v1/tokens/{id}", .operation = "revokeToken", .summary = "Revoke an API token",
              .permission = Permission::token_own, .handler = [&rooms](Call& c) { return revoke(rooms, c); }, .success = 204});
}

}  // namespace caip::web
