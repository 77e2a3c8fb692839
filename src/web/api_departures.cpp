// A server that is let go: what that is, the date on which it is forgotten, and taking that back.
#include "api_departures.h"

#include "permits.h"
#include "servers/server_service.h"

namespace caip::web {
namespace {

Result<json::object> facts(const Rooms& rooms, const Session& session, const ServerId& id) {
  CAIP_TRY(server, rooms.servers.get(session, id));
  CAIP_TRY(hanging, rooms.servers.hanging(session, id));
  return json::object{{"name", server.name.str()}, {"leaves_at", server.leaves ? json::value(server.leaves->str()) : json::value(nullptr)},
                      {"grace_seconds", rooms.servers.grace() / std::chrono::seconds(1)}, {"orders", hanging.orders}, {"env_values", hanging.env_values}};
}

Reply look(const Rooms& rooms, Call& call) {
  CAIP_TRY(id, call.id<ServerId>());
  CAIP_TRY(all, facts(rooms, *call.session, id));
  return json_reply(200, std::move(all));
}

Reply disconnect(const Rooms& rooms, Call& call) {
  CAIP_TRY(id, call.id<ServerId>());
  Members m(call.body);
  CAIP_TRY(typed, m.string("name", 64));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(name, ServerName::parse(typed));
  CAIP_TRY(permit, permit_for(rooms, *call.session, DisconnectServer{id}));
  CAIP_CHECKED(rooms.servers.disconnect(std::move(permit), name));
  CAIP_TRY(all, facts(rooms, *call.session, id));
  return json_reply(201, std::move(all));
}

Reply restore(const Rooms& rooms, Call& call) {
  CAIP_TRY(id, call.id<ServerId>());
  CAIP_TRY(permit, permit_for(rooms, *call.session, RestoreServer{id}));
  CAIP_CHECKED(rooms.servers.restore(std::move(permit)));
  return empty_reply();
}

}  // namespace

void add_departure_routes(Router& router, const Rooms& rooms) {
  constexpr auto kPath = "/api/v1/servers/{id}/disconnection";
  router.add({.method = "GET", .path = kPath, .operation = "getServerDisconnection", .summary = "What disconnecting the server would be, and the date on which it is forgotten if one is set",
              .permission = Permission::server_disconnect, .handler = [&rooms](Call& c) { return look(rooms, c); }, .answer = "ServerDisconnection"});
  router.add({.method = "POST", .path = kPath, .operation = "disconnectServer",
              .summary = "Disconnect the server now and forget it later (step-up); the machine runs on, and until then it can be restored",
              .permission = Permission::server_disconnect, .handler = [&rooms](Call& c) { return disconnect(rooms, c); },
              .body = {{"name", "string"}}, .idempotency_key = true, .success = 201, .answer = "ServerDisconnection"});
  router.add({.method = "DELETE", .path = kPath, .operation = "restoreServer", .summary = "Take the date back: the server connects again by itself",
              .permission = Permission::server_disconnect, .handler = [&rooms](Call& c) { return restore(rooms, c); }, .success = 204});
}

}  // namespace caip::web
