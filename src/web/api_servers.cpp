// Servers, what they report, what they are told to do, and how they come in.
#include "api_departures.h"
#include "api_keys.h"
#include "crypto/random.h"
#include "permits.h"
#include "servers/order_service.h"
#include "servers/server_service.h"
#include "web/api.h"

namespace caip::web {
namespace {

// A list that is in memory whole.
template <class T, class PlaceOf>
Reply listed(Call& call, std::vector<T> items, const PlaceOf& place) {
  CAIP_TRY(ask, call.page());
  return list_reply(call, page_of(std::move(items), ask, place), place, [](const T& item) { return servers::view(item); });
}

Reply enrolments(const Rooms& rooms, Call& call) {
  CAIP_TRY(ask, call.page());
  CAIP_TRY(page, rooms.servers.enrolments(*call.session, ask));
  return list_reply(call, page, [](const servers::Enrolment& e) { return Place{e.created_at.micros(), e.id.str()}; },
                    [](const servers::Enrolment& e) { return servers::view(e); });
}

template <Action A>
Reply order(const Rooms& rooms, Call& call, A action) {
  CAIP_TRY(permit, permit_for(rooms, *call.session, action));
  CAIP_TRY(operation, on_record(rooms, *call.session, std::move(action), rooms.orders.issue(std::move(permit))));
  http::Response r = json_reply(202, servers::view(operation));
  r.headers.emplace_back("Location", "/api/v1/operations/" + operation.id.str());
  return r;
}

template <Action A>
Reply control(const Rooms& rooms, Call& call, const ServerId& server, const std::string& unit_text) {
  CAIP_TRY(unit, ControlUnit::parse(unit_text));
  return order(rooms, call, A{server, unit});
}

bool of_machine(std::string_view type) {
  return type == ListProcesses::kName || type == ListSockets::kName || type == ListDisks::kName || type == RebootServer::kName;
}

Reply act_on_machine(const Rooms& rooms, Call& call, const ServerId& server, std::string_view type) {
  if (type == ListProcesses::kName) return order(rooms, call, ListProcesses{server});
  if (type == ListSockets::kName) return order(rooms, call, ListSockets{server});
  if (type == ListDisks::kName) return order(rooms, call, ListDisks{server});
  return order(rooms, call, RebootServer{server});
}

Reply act(const Rooms& rooms, Call& call) {
  CAIP_TRY(server, call.id<ServerId>());
  Members m(call.body);
  CAIP_TRY(type, m.string("type", 32));
  CAIP_TRY(unit_given, m.optional_string("unit", 255));
  CAIP_TRY(lines, m.optional_integer("lines", 1, 500));
  CAIP_CHECKED(m.finish());
  if (of_machine(type)) {
    if (unit_given || lines) return fail(Code::invalid, type + " is of the whole server: unit and lines do not belong to it");
    return act_on_machine(rooms, call, server, type);
  }
  if (!unit_given) return fail(Code::invalid, "unit is missing");
  const std::string& unit_text = *unit_given;
  if (lines && type != ReadJournal::kName) return fail(Code::invalid, "lines belongs to journal.read only");
  if (type == StartUnit::kName) return control<StartUnit>(rooms, call, server, unit_text);
  if (type == StopUnit::kName) return control<StopUnit>(rooms, call, server, unit_text);
  if (type == RestartUnit::kName) return control<RestartUnit>(rooms, call, server, unit_text);
  if (type == ReloadUnit::kName) return control<ReloadUnit>(rooms, call, server, unit_text);
  if (type == EnableUnit::kName) return control<EnableUnit>(rooms, call, server, unit_text);
  if (type == DisableUnit::kName) return control<DisableUnit>(rooms, call, server, unit_text);
  CAIP_TRY(unit, UnitName::parse(unit_text));
  if (type == UnitStatus::kName) return order(rooms, call, UnitStatus{server, unit});
  if (type == ReadJournal::kName) return order(rooms, call, ReadJournal{server, unit, lines.value_or(100)});
  return fail(Code::invalid, "no such action: " + shown(type));
}

json::object enrolment_json(const Rooms& rooms, const servers::NewEnrolment& made) {
  json::object body = servers::view(made.enrolment);
  body["install_command"] = install_command(rooms.public_url, rooms.authorities(), made.token);
  return body;
}

Reply create_enrolment(const Rooms& rooms, Call& call) {
  Members m(call.body);
  CAIP_TRY(name_text, m.string("name", 64));
  CAIP_TRY(replace, m.optional_boolean("replace"));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(name, ServerName::parse(name_text));
  CAIP_TRY(permit, permit_for(rooms, *call.session, CreateEnrolment{crypto::random_id<EnrolmentId>(), name}));
  CAIP_TRY(made, rooms.servers.create_enrolment(std::move(permit), replace.value_or(false)));
  return json_reply(201, enrolment_json(rooms, made));
}

Reply revoke_enrolment(const Rooms& rooms, Call& call) {
  CAIP_TRY(id, call.id<EnrolmentId>());
  CAIP_CHECKED(Members(call.body).finish());
  CAIP_TRY(permit, permit_for(rooms, *call.session, RevokeEnrolment{id}));
  CAIP_CHECKED(on_record(rooms, *call.session, RevokeEnrolment{id}, rooms.servers.revoke_enrolment(std::move(permit))));
  return empty_reply();
}

Reply enrol(const Rooms& rooms, Call& call) {
  Members m(call.body);
  CAIP_TRY(token, m.string("token", 128));
  CAIP_TRY(csr, m.string("csr", 8192));
  CAIP_TRY(hostname, m.string("hostname", 255));
  CAIP_TRY(witness_text, m.optional_string("witness_key", 64));
  CAIP_TRY(renews, m.optional_boolean("renews"));
  CAIP_CHECKED(m.finish());
  const auto witness = from_hex(witness_text.value_or(""));
  if (!witness) return fail(Code::invalid, "witness_key is 64 hex digits");
  CAIP_TRY(done, rooms.servers.enrol(token, csr, Foreign(hostname, 255), call.origin(), *witness, renews.value_or(false)));
  return json_reply(200, json::object{{"server_id", done.server.str()}, {"certificate", done.certificate_pem}, {"ca", done.ca_pem}, {"agent_ca", done.agent_ca_pem},
                                      {"order_key", hex(done.order_key)}, {"log_key", hex(done.log_key)}, {"cosign_key", base64(done.cosign_key)}});
}

Reply set_environment(const Rooms& rooms, Call& call) {
  CAIP_TRY(id, call.id<ServerId>());
  Members m(call.body);
  CAIP_TRY(text, m.string("environment", 16));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(environment, parse_environment(text));
  CAIP_TRY(version, call.if_match());
  CAIP_TRY(permit, permit_for(rooms, *call.session, SetEnvironment{id, environment}));
  CAIP_CHECKED(rooms.servers.set_environment(std::move(permit), version));
  CAIP_TRY(server, rooms.servers.get(*call.session, id));
  http::Response r = json_reply(200, servers::view(server));
  r.headers.emplace_back("ETag", '"' + std::to_string(server.version) + '"');
  return r;
}

// A handler that takes the {id} of a server.
template <class F>
RouteHandler with_server(F f) {
  return [f](Call& c) -> Reply {
    CAIP_TRY(id, c.id<ServerId>());
    return f(c, id);
  };
}

void add_reading(Router& router, const Rooms& rooms) {
  router.add({.method = "GET", .path = "/api/v1/servers", .operation = "listServers", .summary = "The servers",
              .permission = Permission::server_view, .handler = [&rooms](Call& c) -> Reply {
                CAIP_TRY(all, rooms.servers.list(*c.session));
                return listed(c, std::move(all), [](const servers::Server& s) { return Place{0, s.name.str()}; });
              }, .list = true, .answer = "Server"});
  router.add({.method = "GET", .path = "/api/v1/servers/{id}", .operation = "getServer", .summary = "One server",
              .permission = Permission::server_view, .handler = with_server([&rooms](Call& c, const ServerId& id) -> Reply {
                CAIP_TRY(server, rooms.servers.get(*c.session, id));
                return json_reply(200, servers::view(server));
              }), .answer = "Server"});
  router.add({.method = "GET", .path = "/api/v1/servers/{id}/metrics", .operation = "listMetrics", .summary = "The last hour's samples, oldest first",
              .permission = Permission::metrics_view, .handler = with_server([&rooms](Call& c, const ServerId& id) -> Reply {
                CAIP_TRY(samples, rooms.servers.samples(*c.session, id));
                return listed(c, std::move(samples), [](const servers::Sample& s) { return Place{s.at.micros(), {}}; });
              }), .list = true, .answer = "Sample"});
  router.add({.method = "GET", .path = "/api/v1/servers/{id}/services", .operation = "listServices", .summary = "The services of a server",
              .permission = Permission::unit_view, .handler = with_server([&rooms](Call& c, const ServerId& id) -> Reply {
                CAIP_TRY(units, rooms.servers.units(*c.session, id));
                return listed(c, std::move(units), [](const servers::Unit& u) { return Place{0, u.name.raw()}; });
              }), .list = true, .answer = "Service"});
}

}  // namespace

void add_server_routes(Router& router, const Rooms& rooms) {
  add_reading(router, rooms);
  add_departure_routes(router, rooms);
  add_key_routes(router, rooms);
  router.add({.method = "PUT", .path = "/api/v1/servers/{id}/environment", .operation = "setEnvironment",
              .summary = "What the server is for (If-Match): production, staging, development, or unknown, which counts as production. That it is no production server any more is an Owner's to say (step-up)",
              .permission = Permission::server_classify, .handler = [&rooms](Call& c) { return set_environment(rooms, c); },
              .body = {{"environment", "string"}}, .answer = "Server", .if_match = true});
  // server_view is what the least of the actions needs; each action is authorized by itself.
  router.add({.method = "POST", .path = "/api/v1/servers/{id}/actions", .operation = "createAction", .summary = "Tell a server to do something",
              .permission = Permission::server_view, .handler = [&rooms](Call& c) { return act(rooms, c); },
              .body = {{"type", "string"}, {"unit", "string", false}, {"lines", "integer", false}}, .idempotency_key = true, .success = 202, .answer = "Operation"});
  router.add({.method = "GET", .path = "/api/v1/operations/{id}", .operation = "getOperation", .summary = "What became of a command",
              .permission = Permission::operation_view, .handler = [&rooms](Call& c) -> Reply {
                CAIP_TRY(id, c.id<OperationId>());
                CAIP_TRY(operation, rooms.orders.get(*c.session, id));
                return json_reply(200, servers::view(operation));
              }, .answer = "Operation"});
  router.add({.method = "GET", .path = "/api/v1/enrolments", .operation = "listEnrolments", .summary = "Install commands that were made",
              .permission = Permission::enrolment_view, .handler = [&rooms](Call& c) { return enrolments(rooms, c); }, .list = true, .answer = "Enrolment"});
  router.add({.method = "POST", .path = "/api/v1/enrolments", .operation = "createEnrolment", .summary = "Make the command that installs an agent",
              .permission = Permission::server_enrol, .handler = [&rooms](Call& c) { return create_enrolment(rooms, c); },
              .body = {{"name", "string"}, {"replace", "boolean", false}}, .idempotency_key = true, .success = 201, .answer = "NewEnrolment"});
  router.add({.method = "DELETE", .path = "/api/v1/enrolments/{id}", .operation = "revokeEnrolment", .summary = "Make an install command worthless that nobody has used",
              .permission = Permission::server_enrol, .handler = [&rooms](Call& c) { return revoke_enrolment(rooms, c); }, .success = 204});
  router.add({.method = "POST", .path = "/api/v1/agent/enrol", .operation = "enrolServer", .summary = "An agent exchanges its token for a certificate",
              .permission = {}, .handler = [&rooms](Call& c) { return enrol(rooms, c); },
              .body = {{"token", "string"}, {"csr", "string"}, {"hostname", "string"}, {"witness_key", "string", false}, {"renews", "boolean", false}}, .answer = "EnrolledServer", .limited = true});
}

}  // namespace caip::web
