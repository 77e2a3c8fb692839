// The keys that servers' agents prove themselves with: looked at, replaced, revoked.
#include "api_keys.h"

#include "permits.h"
#include "servers/server_service.h"

namespace caip::web {
namespace {

Reply look(const Rooms& rooms, Call& call) {
  CAIP_TRY(id, call.id<ServerId>());
  CAIP_TRY(server, rooms.servers.get(*call.session, id));
  return json_reply(200, servers::view(server.key, server.online, server.group));
}

Reply rotate(const Rooms& rooms, Call& call) {
  CAIP_TRY(id, call.id<ServerId>());
  CAIP_CHECKED(Members(call.body).finish());
  CAIP_TRY(permit, permit_for(rooms, *call.session, RotateServerKey{id}));
  CAIP_CHECKED(rooms.servers.rotate_key(std::move(permit)));
  return look(rooms, call);
}

Reply revoke(const Rooms& rooms, Call& call) {
  CAIP_TRY(id, call.id<ServerId>());
  CAIP_CHECKED(Members(call.body).finish());
  CAIP_TRY(permit, permit_for(rooms, *call.session, RevokeServerKey{id}));
  CAIP_CHECKED(rooms.servers.revoke_key(std::move(permit)));
  return look(rooms, call);
}

Reply check(const Rooms& rooms, Call& call) {
  CAIP_TRY(id, call.id<ServerId>());
  CAIP_CHECKED(Members(call.body).finish());
  CAIP_TRY(permit, permit_for(rooms, *call.session, CheckChannel{id}));
  CAIP_CHECKED(rooms.servers.check_channel(std::move(permit)));
  CAIP_TRY(server, rooms.servers.get(*call.session, id));
  return json_reply(202, servers::view(server.key, server.online, server.group));
}

}  // namespace

void add_key_routes(Router& router, const Rooms& rooms) {
  router.add({.method = "GET", .path = "/api/v1/servers/{id}/key", .operation = "getServerKey", .summary = "What the server's agent proves itself with: its key, its certificate, and what was negotiated",
              .permission = Permission::server_view, .handler = [&rooms](Call& c) { return look(rooms, c); }, .answer = "ServerKey"});
  router.add({.method = "POST", .path = "/api/v1/servers/{id}/key/rotate", .operation = "rotateServerKey",
              .summary = "Have the server's agent make a new key; the old one counts until the new one is used",
              .permission = Permission::server_key, .handler = [&rooms](Call& c) { return rotate(rooms, c); }, .idempotency_key = true, .answer = "ServerKey"});
  router.add({.method = "POST", .path = "/api/v1/servers/{id}/key/revoke", .operation = "revokeServerKey",
              .summary = "Let the server's agent in no more, at once (step-up); an install command that replaces it is the way back",
              .permission = Permission::server_key, .handler = [&rooms](Call& c) { return revoke(rooms, c); }, .idempotency_key = true, .answer = "ServerKey"});
  router.add({.method = "POST", .path = "/api/v1/servers/{id}/key/check", .operation = "checkServerChannel",
              .summary = "Have the agent make a fresh handshake and sign a challenge with its server's key; what came of it is in the server's key within 20 seconds, and in the log",
              .permission = Permission::server_check, .handler = [&rooms](Call& c) { return check(rooms, c); }, .idempotency_key = true, .success = 202, .answer = "ServerKey"});
}

}  // namespace caip::web
