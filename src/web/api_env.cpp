// Env values on servers: which version of which secret is in which user's file, and orders that change it. No values.
#include "api_env.h"

#include "channel/env.h"
#include "permits.h"
#include "servers/order_service.h"
#include "text_list.h"
#include "vault/secret_store.h"

namespace caip::web {
namespace {

http::Response accepted(const servers::Operation& operation) {
  http::Response r = json_reply(202, servers::view(operation));
  r.headers.emplace_back("Location", "/api/v1/operations/" + operation.id.str());
  return r;
}

// One order's part of a user's file.
struct File {
  const servers::Placement* first = nullptr;
  json::array variables = {};
};

json::object file_json(const File& f) {
  return {{"user", f.first->user.str()}, {"operation_id", f.first->operation.str()}, {"state", f.first->state}, {"at", f.first->at.str()}, {"variables", f.variables}};
}

Result<json::object> variable_json(const Rooms& rooms, const OrgId& org, const servers::Placement& p) {
  auto secret = rooms.secrets.get(org, p.secret);
  if (!secret && secret.error().code != Code::not_found) return std::unexpected(std::move(secret).error());
  json::object out{{"secret_id", p.secret.str()}, {"version", p.version}, {"name", nullptr}, {"current_version", nullptr}};
  if (secret) out["name"] = secret->name.str();
  if (secret) out["current_version"] = secret->version;
  return out;
}

Reply list(const Rooms& rooms, Call& call) {
  CAIP_TRY(server, call.id<ServerId>());
  CAIP_TRY(ask, call.page());
  CAIP_TRY(all, rooms.orders.placements(*call.session, server));
  std::vector<File> files;
  for (const auto& p : all) {
    if (files.empty() || files.back().first->operation != p.operation) files.push_back({&p});
    CAIP_TRY(variable, variable_json(rooms, call.session->org(), p));
    files.back().variables.emplace_back(std::move(variable));
  }
  const auto place = [](const File& f) { return Place{f.first->at.micros(), f.first->operation.str()}; };
  return list_reply(call, page_of(std::move(files), ask, place), place, file_json);
}

// The secrets as they are now: what is replaced before the order is sent makes it fail.
Result<std::map<SecretId, std::int64_t>> versions_of(const Rooms& rooms, const OrgId& org, const std::vector<std::string>& ids) {
  std::map<SecretId, std::int64_t> out;
  for (const auto& text : ids) {
    const auto id = SecretId::parse(text);
    if (!id) return fail(Code::not_found, "no such secret");
    CAIP_TRY(secret, rooms.secrets.get(org, *id));
    if (secret.kind != SecretKind::env_value) return fail(Code::invalid, secret.name.str() + " is no env value");
    if (!channel::is_env_name(secret.name.str())) return fail(Code::invalid, secret.name.str() + " is no name of an environment variable: letters, digits and '_'");
    if (channel::runs_code(secret.name.str())) return fail(Code::invalid, secret.name.str() + " makes programs run other code; it is not placed");
    if (!out.emplace(*id, secret.version).second) return fail(Code::invalid, "a secret is named twice");
  }
  if (out.empty()) return fail(Code::invalid, "at least one secret is placed; to take the file away, remove it");
  return out;
}

Reply place(const Rooms& rooms, Call& call) {
  CAIP_TRY(server, call.id<ServerId>());
  CAIP_TRY(ids, take_texts(call.body, "secrets", kMostPlaced));
  Members m(call.body);
  CAIP_TRY(user_text, m.string("user", 32));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(user, UnixUser::parse(user_text));
  PlaceEnv action{server, std::move(user), {}};
  CAIP_TRY(versions, on_record(rooms, *call.session, action, versions_of(rooms, call.session->org(), ids)));
  action.secrets = std::move(versions);
  CAIP_TRY(permit, permit_for(rooms, *call.session, action));
  CAIP_TRY(operation, on_record(rooms, *call.session, std::move(action), rooms.orders.issue(std::move(permit))));
  return accepted(operation);
}

Reply remove(const Rooms& rooms, Call& call) {
  CAIP_TRY(server, call.id<ServerId>());
  Members m(call.body);
  CAIP_TRY(user_text, m.string("user", 32));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(user, UnixUser::parse(user_text));
  const RemoveEnv action{server, std::move(user)};
  CAIP_TRY(permit, permit_for(rooms, *call.session, action));
  CAIP_TRY(operation, on_record(rooms, *call.session, action, rooms.orders.issue(std::move(permit))));
  return accepted(operation);
}

}  // namespace

void add_env_routes(Router& router, const Rooms& rooms) {
  router.add({.method = "GET", .path = "/api/v1/servers/{id}/env", .operation = "listEnv", .summary = "Which env values are in which user's file on a server; never the values",
              .permission = Permission::secret_view, .handler = [&rooms](Call& c) { return list(rooms, c); }, .list = true, .answer = "EnvFile"});
  router.add({.method = "POST", .path = "/api/v1/servers/{id}/env", .operation = "placeEnv", .summary = "Put exactly these env values into a user's file on a server",
              .permission = Permission::env_place, .handler = [&rooms](Call& c) { return place(rooms, c); },
              .body = {{"user", "string"}, {"secrets", "array"}}, .idempotency_key = true, .success = 202, .answer = "Operation"});
  router.add({.method = "POST", .path = "/api/v1/servers/{id}/env/removals", .operation = "removeEnv", .summary = "Remove a user's file of env values from a server",
              .permission = Permission::env_place, .handler = [&rooms](Call& c) { return remove(rooms, c); },
              .body = {{"user", "string"}}, .idempotency_key = true, .success = 202, .answer = "Operation"});
}

}  // namespace caip::web
