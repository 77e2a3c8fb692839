// server …, unit …, operation …
#include <chrono>
#include <cmath>
#include <cstdio>
#include <thread>

#include "base/text.h"
#include "commands.h"
#include "find.h"
#include "machine.h"
#include "model/ids.h"
#include "terminal.h"

namespace caip::cli {
namespace {

bool true_member(const json::object& object, std::string_view name) {
  const json::value* v = object.if_contains(name);
  return v != nullptr && v->is_bool() && v->get_bool();
}

std::string percent(double part, double whole) {
  if (!(whole > 0)) return "-";
  return std::to_string(std::lround(part / whole * 100)) + " %";
}

std::string channel_of(const json::object& server) {
  const auto* channel = object_member(server, "channel");
  if (channel == nullptr) return "-";
  const std::string group = text_of_member(*channel, "group");
  return text_of_member(*channel, "status") + (group.empty() ? "" : " (" + group + ")");
}

std::string state_of(const json::object& server) {
  const std::string leaves = text_of_member(server, "leaves_at");
  if (!leaves.empty()) return "disconnected, forgotten on " + leaves;
  return true_member(server, "online") ? "online" : "offline";
}

std::string environment_of(const json::object& server) {
  const std::string environment = text_of_member(server, "environment");
  return environment == "unknown" ? "unknown, which counts as production" : environment;
}

// {"lines":[…]} as lines, {"unit":{…}} as systemctl would head it, anything else as JSON.
std::string result_text(const json::object& result) {
  if (const auto* lines = result.if_contains("lines"); lines != nullptr && lines->is_array()) {
    std::string out;
    for (const auto& line : lines->get_array())
      if (line.is_string()) out += (out.empty() ? "" : "\n") + std::string(line.get_string());
    return out;
  }
  if (auto text = machine_text(result)) return *std::move(text);
  if (const auto* site = object_member(result, "site")) return site_text(*site);
  if (const auto* unit = object_member(result, "unit"); unit != nullptr && !text_of_member(*unit, "unit").empty())
    return text_of_member(*unit, "unit") + ": " + text_of_member(*unit, "description") + "\n  loaded: " + text_of_member(*unit, "load") +
           "\n  active: " + text_of_member(*unit, "active") + " (" + text_of_member(*unit, "sub") + ")\n  at boot: " + text_of_member(*unit, "file_state");
  return json::serialize(result);
}

template <class Done>
Result<json::object> poll(Api& api, const std::string& path, std::int64_t seconds, Done done) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  for (;;) {
    CAIP_TRY(state, api.get(path));
    if (done(text_of_member(state, "state").empty() ? text_of_member(state, "status") : text_of_member(state, "state"))) return state;
    if (std::chrono::steady_clock::now() >= end) return fail(Code::timeout, "not finished after " + std::to_string(seconds) + " s; it goes on without this command");
    std::this_thread::sleep_for(std::chrono::milliseconds(250));
  }
}

}  // namespace

std::string unit_name(const std::string& text) { return text.contains('.') ? text : text + ".service"; }

Result<json::object> find_server(Api& api, const std::string& name_or_id) {
  if (ServerId::parse(name_or_id)) return api.get("/servers/" + name_or_id);
  CAIP_TRY(all, api.list("/servers"));
  const json::object* found = nullptr;
  for (const auto& server : all) {
    if (text_of_member(server.get_object(), "name") != name_or_id) continue;
    if (found != nullptr) return fail(Code::conflict, "several servers bear this name; use the id");
    found = &server.get_object();
  }
  if (found == nullptr) return fail(Code::not_found, "no server " + shown(name_or_id));
  return *found;
}

Result<json::object> wait_operation(Api& api, const std::string& id, std::int64_t seconds) {
  return poll(api, "/operations/" + percent_encoded(id), seconds, [](const std::string& s) { return s != "pending" && s != "running"; });
}

Result<json::object> wait_approval(Api& api, const std::string& id, std::int64_t seconds) {
  return poll(api, "/approvals/" + percent_encoded(id), seconds,
              [](const std::string& s) { return s != "draft" && s != "pending" && s != "approved" && s != "executing"; });
}

Result<json::object> wait_plan(Api& api, const std::string& id, std::int64_t seconds) {
  return poll(api, "/plans/" + percent_encoded(id), seconds, [](const std::string& s) { return s != "running"; });
}

int report_operation(const json::object& operation, bool as_json) {
  const std::string status = text_of_member(operation, "status");
  const int code = status == "failed" ? 1 : status == "expired" ? 7 : 0;  // an order that got no answer in time
  if (as_json) {
    print_json(operation);
    return code;
  }
  print(shown(text_of_member(operation, "type")) + " " + shown(text_of_member(operation, "unit") + text_of_member(operation, "user") + text_of_member(operation, "site")) + ": " + shown(status) + "  (" +
        shown(text_of_member(operation, "id")) + ")");
  for (const char* name : {"result", "error"}) {
    const json::value* v = operation.if_contains(name);
    if (v == nullptr || v->is_null()) continue;
    const auto* object = v->if_object();
    print(shown_lines(object != nullptr ? result_text(*object) : v->is_string() ? std::string(v->get_string()) : json::serialize(*v)));
  }
  return code;
}

Result<int> server_list(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(all, api.list("/servers"));
  if (line.as_json) {
    print_json(json::object{{"data", all}});
    return 0;
  }
  std::vector<Row> rows;
  for (const auto& item : all) {
    const auto& s = item.get_object();
    rows.push_back({text_of_member(s, "name"), state_of(s), text_of_member(s, "environment"),
                    channel_of(s), text_of_member(s, "last_seen"), text_of_member(s, "id")});
  }
  if (rows.empty()) say("No servers yet. Add one with: caip server add NAME");
  print(table({"NAME", "STATE", "ENVIRONMENT", "CHANNEL", "LAST SEEN", "ID"}, rows));
  return 0;
}

Result<int> server_show(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(s, find_server(api, line.server));
  if (line.as_json) {
    print_json(s);
    return 0;
  }
  std::vector<Row> rows{{"id", text_of_member(s, "id")},
                        {"state", state_of(s)},
                        {"last seen", text_of_member(s, "last_seen")},
                        {"channel", channel_of(s)},
                        {"environment", environment_of(s)},
                        {"system", text_of_member(s, "os") + ", " + text_of_member(s, "kernel")}};
  if (const auto* m = object_member(s, "latest")) {
    char load[32];
    std::snprintf(load, sizeof load, "%.2f", number_member(*m, "load1"));
    rows.push_back({"CPU", percent(number_member(*m, "cpu_ratio"), 1)});
    rows.push_back({"memory", percent(number_member(*m, "mem_used"), number_member(*m, "mem_total"))});
    rows.push_back({"disk", percent(number_member(*m, "disk_used"), number_member(*m, "disk_total"))});
    rows.push_back({"load", load});
  }
  print(table({"name", text_of_member(s, "name")}, rows));
  return 0;
}

Result<int> server_environment(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(server, find_server(api, line.server));
  if (!line.state.empty()) {
    CAIP_TRY(now, api.put("/servers/" + percent_encoded(text_of_member(server, "id")) + "/environment", {{"environment", line.state}}, version_of(server)));
    server = std::move(now);
  }
  if (line.as_json) print_json(server);
  else print(shown(text_of_member(server, "name")) + ": " + shown(environment_of(server)));
  return 0;
}

Result<int> server_disconnect(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(server, find_server(api, line.server));
  const std::string path = "/servers/" + percent_encoded(text_of_member(server, "id")) + "/disconnection";
  CAIP_TRY(d, api.get(path));
  const std::string name = text_of_member(d, "name");
  const auto number = [&](const char* what) { return std::to_string(static_cast<std::int64_t>(number_member(d, what))); };
  CAIP_CHECKED(sure(line.confirm, "Disconnect " + shown(name) + " now, and forget it in " + number("grace_seconds") + " seconds? The machine runs on; " + number("orders") +
                                      " orders under way end without an answer, and " + number("env_values") + " env values stay in files on it.", name));
  CAIP_TRY(gone, api.post(path, {{"name", name}}));
  if (line.as_json) print_json(gone);
  else print("Disconnected " + shown(name) + ". It is forgotten on " + shown(text_of_member(gone, "leaves_at")) + "; until then: caip server restore " + shown(name));
  return 0;
}

Result<int> server_restore(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(server, find_server(api, line.server));
  CAIP_CHECKED(api.remove("/servers/" + percent_encoded(text_of_member(server, "id")) + "/disconnection"));
  if (line.as_json) print_json(json::object{{"restored", text_of_member(server, "id")}});
  else print(shown(text_of_member(server, "name")) + " stays, and connects again by itself");
  return 0;
}

Result<int> server_services(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(server, find_server(api, line.server));
  CAIP_TRY(all, api.list("/servers/" + percent_encoded(text_of_member(server, "id")) + "/services"));
  if (line.as_json) {
    print_json(json::object{{"data", all}});
    return 0;
  }
  std::vector<Row> rows;
  for (const auto& item : all) {
    const auto& u = item.get_object();
    rows.push_back({text_of_member(u, "unit"), text_of_member(u, "load"), text_of_member(u, "active"), text_of_member(u, "sub"), text_of_member(u, "file_state"), text_of_member(u, "description")});
  }
  print(table({"UNIT", "LOAD", "ACTIVE", "SUB", "AT BOOT", "DESCRIPTION"}, rows));
  return 0;
}

Result<int> enrolment_list(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(all, api.list("/enrolments?limit=200"));
  if (line.as_json) return print_json(json::object{{"data", all}}), 0;
  std::vector<Row> rows;
  for (const auto& item : all) {
    const auto& e = item.get_object();
    rows.push_back({text_of_member(e, "name"), text_of_member(e, "created_at"), text_of_member(e, "expires_at"), text_of_member(e, "used_at"), text_of_member(e, "id")});
  }
  if (rows.empty()) say("No install commands. Make one with: caip server add NAME");
  print(table({"SERVER", "MADE", "ENDS", "USED", "ID"}, rows));
  return 0;
}

Result<int> enrolment_revoke(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_CHECKED(api.remove("/enrolments/" + percent_encoded(line.id)));
  if (line.as_json) print_json(json::object{{"revoked", line.id}});
  else print("Revoked " + shown(line.id) + ": its command lets no server in any more");
  return 0;
}

Result<int> server_add(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  json::object body{{"name", line.server}};
  if (line.replace) body["replace"] = true;
  CAIP_TRY(enrolment, api.post("/enrolments", body));
  if (line.as_json) {
    print_json(enrolment);
    return 0;
  }
  say("Run this as root on the server, once, before " + shown(text_of_member(enrolment, "expires_at")) + ":");
  print(shown_lines(text_of_member(enrolment, "install_command")));
  return 0;
}

namespace {

Result<int> act(const Line& line, const json::object& body) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(server, find_server(api, line.server));
  CAIP_TRY(started, api.post("/servers/" + percent_encoded(text_of_member(server, "id")) + "/actions", body));
  if (line.no_wait) return report_operation(started, line.as_json);
  CAIP_TRY(finished, wait_operation(api, text_of_member(started, "id"), line.timeout));
  return report_operation(finished, line.as_json);
}

}  // namespace

Result<int> unit_action(const Line& line) {
  json::object body{{"type", line.verb}, {"unit", unit_name(line.unit)}};
  if (line.verb == "journal.read") body["lines"] = line.lines;
  return act(line, body);
}

Result<int> machine_action(const Line& line) { return act(line, {{"type", line.verb}}); }

Result<int> server_reboot(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(server, find_server(api, line.server));
  const std::string name = text_of_member(server, "name");
  CAIP_CHECKED(sure(line.confirm, "Reboot " + shown(name) + " now? Everything on it stops, and only what is enabled starts again.", name));
  return act(line, {{"type", "server.reboot"}});
}

Result<int> operation_show(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(operation, api.get("/operations/" + percent_encoded(line.id)));
  static_cast<void>(report_operation(operation, line.as_json));
  return 0;
}

Result<int> operation_watch(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(operation, wait_operation(api, line.id, line.timeout));
  return report_operation(operation, line.as_json);
}

}  // namespace caip::cli
