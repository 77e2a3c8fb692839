// Secrets: names out, values in. No reply of these routes holds a value, whoever asks.
#include "api_env.h"
#include "crypto/random.h"
#include "permits.h"
#include "secret_member.h"
#include "servers/order_service.h"
#include "vault/rotation.h"
#include "vault/secret_store.h"
#include "web/api.h"

namespace caip::web {
namespace {

json::value or_null(const std::optional<Instant>& t) { return t ? json::value(t->str()) : json::value(nullptr); }

json::object secret_json(const vault::SecretInfo& s, std::int64_t placed_on) {
  return json::object{{"id", s.id.str()}, {"kind", text(s.kind)}, {"name", s.name.str()}, {"version", s.version},
                      {"public_key", s.public_key ? json::value(*s.public_key) : json::value(nullptr)},
                      {"created_at", s.created.str()}, {"replaced_at", or_null(s.replaced)}, {"placed_on", placed_on}};
}

Result<http::Response> tagged(const Rooms& rooms, Call& call, int status, const vault::SecretInfo& s) {
  CAIP_TRY(placed, rooms.orders.placed_on(call.session->org()));
  http::Response r = json_reply(status, secret_json(s, placed[s.id]));
  r.headers.emplace_back("ETag", '"' + std::to_string(s.version) + '"');
  return r;
}

Reply list(const Rooms& rooms, Call& call) {
  CAIP_TRY(ask, call.page());
  std::optional<SecretKind> kind;
  if (const auto wanted = call.query_text("kind")) {
    CAIP_TRY(parsed, parse_secret_kind(*wanted));
    kind = parsed;
  }
  CAIP_TRY(page, rooms.secrets.list(call.session->org(), kind, ask));
  CAIP_TRY(placed, rooms.orders.placed_on(call.session->org()));
  return list_reply(call, page, [](const vault::SecretInfo& s) { return Place{0, s.id.str()}; },
                    [&](const vault::SecretInfo& s) { return secret_json(s, placed[s.id]); });
}

Reply get(const Rooms& rooms, Call& call) {
  CAIP_TRY(id, call.id<SecretId>());
  CAIP_TRY(secret, rooms.secrets.get(call.session->org(), id));
  return tagged(rooms, call, 200, secret);
}

Reply create(const Rooms& rooms, Call& call) {
  CAIP_TRY(value, take_secret(call.body, "value", vault::kMostValue));
  Members m(call.body);
  CAIP_TRY(kind_text, m.string("kind", 32));
  CAIP_TRY(name_text, m.string("name", 64));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(kind, parse_secret_kind(kind_text));
  CAIP_TRY(name, SecretName::parse(name_text));
  CAIP_TRY(permit, permit_for(rooms, *call.session, CreateSecret{crypto::random_id<SecretId>(), kind, name}));
  CAIP_TRY(secret, rooms.secrets.create(std::move(permit), value ? *std::move(value) : SecretBytes()));
  CAIP_TRY(r, tagged(rooms, call, 201, secret));
  r.headers.emplace_back("Location", "/api/v1/secrets/" + secret.id.str());
  return r;
}

// Of a secret that is none of theirs neither kind nor name is known here, and the entry is about the id.
SecretName unknown_name() { return SecretName::parse("unknown").value(); }

Reply replace(const Rooms& rooms, Call& call) {
  CAIP_TRY(value, take_secret(call.body, "value", vault::kMostValue));
  CAIP_CHECKED(Members(call.body).finish());
  CAIP_TRY(id, call.id<SecretId>());
  CAIP_TRY(expected, call.if_match());
  CAIP_TRY(secret, on_record(rooms, *call.session, ReplaceSecret{id, SecretKind::env_value, unknown_name()}, rooms.secrets.get(call.session->org(), id)));
  CAIP_TRY(permit, permit_for(rooms, *call.session, ReplaceSecret{id, secret.kind, secret.name}));
  CAIP_TRY(replaced, rooms.secrets.replace(std::move(permit), value ? *std::move(value) : SecretBytes(), expected));
  return tagged(rooms, call, 200, replaced);
}

Reply remove(const Rooms& rooms, Call& call) {
  CAIP_CHECKED(Members(call.body).finish());
  CAIP_TRY(id, call.id<SecretId>());
  CAIP_TRY(expected, call.if_match());
  CAIP_TRY(secret, on_record(rooms, *call.session, DeleteSecret{id, SecretKind::env_value, unknown_name()}, rooms.secrets.get(call.session->org(), id)));
  CAIP_TRY(permit, permit_for(rooms, *call.session, DeleteSecret{id, secret.kind, secret.name}));
  CAIP_CHECKED(rooms.secrets.remove(std::move(permit), expected));
  return empty_reply();
}

json::object key_json(const vault::KeyStatus& k, Instant now) {
  json::object out{{"key", text(k.key)}, {"algorithm", vault::algorithm_of(k.key)}, {"generation", k.generation},
                   {"state", k.current ? "current" : "previous"}, {"created_at", k.created.str()},
                   {"age_days", std::chrono::duration_cast<std::chrono::hours>(now - k.created).count() / 24},
                   {"next_rotation_at", or_null(k.next_rotation)}, {"ends_at", or_null(k.ends)}, {"rotates", vault::rotation_period(k.key).has_value()}};
  out["secrets"] = k.sealed ? json::value(*k.sealed) : json::value(nullptr);
  out["servers_waiting"] = k.waiting ? json::value(*k.waiting) : json::value(nullptr);
  return out;
}

Reply inventory(const Rooms& rooms, Call& call) {
  CAIP_TRY(found, rooms.rotation.inventory(call.session->org()));
  CAIP_TRY(counts, rooms.secrets.counts(call.session->org()));
  const Instant now = rooms.clock.now();
  json::array keys, seals, classes;
  for (const auto& k : found.keys) keys.push_back(key_json(k, now));
  for (const auto& s : found.seals) seals.push_back(json::object{{"id", s.id}, {"kind", s.kind}, {"created_at", s.created.str()}});
  for (const auto& c : counts)
    classes.push_back(json::object{{"kind", text(c.kind)}, {"use", text(use_of(c.kind))}, {"count", c.count}, {"algorithm", vault::algorithm_of(KeyClass::data)}});
  return json_reply(200, json::object{{"keys", keys}, {"seals", seals}, {"classes", classes}, {"memory_locked", found.memory_locked}});
}

Reply rotate(const Rooms& rooms, Call& call) {
  Members m(call.body);
  CAIP_TRY(name, m.string("key", 16));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(key, parse_key_class(name));
  CAIP_TRY(permit, permit_for(rooms, *call.session, RotateKey{key}));
  CAIP_CHECKED(rooms.rotation.start(std::move(permit)));
  http::Response r = json_reply(202, json::object{{"key", text(key)}, {"state", "started"}});
  r.headers.emplace_back("Location", "/api/v1/secrets/inventory");
  return r;
}

}  // namespace

// secret_env is the least that making, replacing and deleting need; each is authorized by its kind.
void add_secret_routes(Router& router, const Rooms& rooms) {
  add_env_routes(router, rooms);
  router.add({.method = "GET", .path = "/api/v1/secrets", .operation = "listSecrets", .summary = "The names of secrets; values never come out",
              .permission = Permission::secret_view, .handler = [&rooms](Call& c) { return list(rooms, c); },
              .query = {{"kind", "string", false}}, .list = true, .answer = "Secret"});
  router.add({.method = "POST", .path = "/api/v1/secrets", .operation = "createSecret",
              .summary = "Add a secret (kind ssh_key without a value: the key is made here)", .permission = Permission::secret_env,
              .handler = [&rooms](Call& c) { return create(rooms, c); },
              .body = {{"kind", "string"}, {"name", "string"}, {"value", "string", false}}, .idempotency_key = true, .success = 201, .answer = "Secret"});
  router.add({.method = "GET", .path = "/api/v1/secrets/inventory", .operation = "getKeyInventory",
              .summary = "Every key, seal and class of secrets, with algorithm, age and next rotation", .permission = Permission::key_view,
              .handler = [&rooms](Call& c) { return inventory(rooms, c); }, .answer = "KeyInventory"});
  router.add({.method = "POST", .path = "/api/v1/secrets/rotations", .operation = "rotateKey", .summary = "Put a new key in place of an old one (every one but the pepper)",
              .permission = Permission::key_rotate, .handler = [&rooms](Call& c) { return rotate(rooms, c); },
              .body = {{"key", "string"}}, .idempotency_key = true, .success = 202, .answer = "Rotation"});
  router.add({.method = "GET", .path = "/api/v1/secrets/{id}", .operation = "getSecret", .summary = "One secret's name and public half",
              .permission = Permission::secret_view, .handler = [&rooms](Call& c) { return get(rooms, c); }, .answer = "Secret"});
  router.add({.method = "PUT", .path = "/api/v1/secrets/{id}", .operation = "replaceSecret", .summary = "Put another value in its place (If-Match)",
              .permission = Permission::secret_env, .handler = [&rooms](Call& c) { return replace(rooms, c); }, .body = {{"value", "string", false}}, .answer = "Secret", .if_match = true});
  router.add({.method = "DELETE", .path = "/api/v1/secrets/{id}", .operation = "deleteSecret", .summary = "Delete a secret and destroy its key (If-Match)",
              .permission = Permission::secret_env, .handler = [&rooms](Call& c) { return remove(rooms, c); }, .success = 204, .if_match = true});
}

}  // namespace caip::web
