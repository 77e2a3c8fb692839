// site …: sites on servers.
#include <algorithm>

#include "base/text.h"
#include "commands.h"
#include "find.h"
#include "model/ids.h"
#include "terminal.h"

namespace caip::cli {
namespace {

std::string path_of(const json::object& site, std::string_view more = "") { return "/sites/" + percent_encoded(text_of_member(site, "id")) + std::string(more); }

Result<json::object> find_site(Api& api, const std::string& name_or_id) {
  if (SiteId::parse(name_or_id)) return api.get("/sites/" + name_or_id);
  CAIP_TRY(all, api.list("/sites?limit=200"));
  const auto found = std::ranges::find_if(all, [&](const json::value& s) { return text_of_member(s.get_object(), "name") == name_or_id; });
  if (found == all.end()) return fail(Code::not_found, "no site " + shown(name_or_id));
  return found->get_object();
}

std::string domains_of(const json::object& s) {
  std::string out;
  if (const json::value* all = s.if_contains("domains"); all && all->is_array())
    for (const json::value& one : all->get_array())
      if (one.is_string()) (out += out.empty() ? "" : ", ") += std::string(one.get_string());
  return out;
}

std::string kind_of(const json::object& s) {
  const json::value* port = s.if_contains("port");
  return text_of_member(s, "kind") + (port && port->is_int64() ? " of port " + std::to_string(port->get_int64()) : "");
}

Result<int> follow(Api& api, const json::object& started, const Line& line) {
  if (line.no_wait) return report_operation(started, line.as_json);
  CAIP_TRY(finished, wait_operation(api, text_of_member(started, "id"), line.timeout));
  return report_operation(finished, line.as_json);
}

json::array texts(const std::vector<std::string>& all) {
  json::array out;
  for (const std::string& one : all) out.emplace_back(one);
  return out;
}

void put_choices(json::object& body, const Line& line) {
  if (line.port) body["port"] = *line.port;
  if (line.redirect || line.no_redirect) body["redirect"] = line.redirect;
}

}  // namespace

Result<int> site_list(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(all, api.list("/sites?limit=200"));
  if (line.as_json) return print_json(json::object{{"data", all}}), 0;
  CAIP_TRY(servers, api.list("/servers"));
  std::vector<Row> rows;
  for (const auto& item : all) {
    const auto& s = item.get_object();
    const auto on = std::ranges::find_if(servers, [&](const json::value& one) { return text_of_member(one.get_object(), "id") == text_of_member(s, "server_id"); });
    rows.push_back({text_of_member(s, "name"), text_of_member(s, "state"), kind_of(s), domains_of(s), on == servers.end() ? text_of_member(s, "server_id") : text_of_member(on->get_object(), "name"),
                    text_of_member(s, "ends_at")});
  }
  if (rows.empty()) say("No sites yet. Make one with: caip site create NAME --server SERVER --domain DOMAIN");
  print(table({"NAME", "STATE", "KIND", "DOMAINS", "SERVER", "GONE FOR GOOD"}, rows));
  return 0;
}

Result<int> site_show(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(s, find_site(api, line.site));
  if (line.as_json) return print_json(s), 0;
  std::vector<Row> rows{{"id", text_of_member(s, "id")}, {"name", text_of_member(s, "name")}, {"state", text_of_member(s, "state")}, {"kind", kind_of(s)}, {"domains", domains_of(s)},
                        {"server", text_of_member(s, "server_id")}, {"changed", text_of_member(s, "changed_at")}};
  if (const std::string ends = text_of_member(s, "ends_at"); !ends.empty()) rows.push_back({"gone for good", ends});
  if (text_of_member(s, "kind") == "static") rows.push_back({"files", "/srv/caip-sites/" + text_of_member(s, "id") + "/public"});
  print(table({"", ""}, rows));
  return 0;
}

Result<int> site_create(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(server, find_server(api, line.server));
  json::object body{{"server_id", text_of_member(server, "id")}, {"name", line.name}, {"kind", line.port ? "proxy" : "static"}, {"domains", texts(line.names)}};
  put_choices(body, line);
  CAIP_TRY(started, api.post("/sites", body));
  return follow(api, started, line);
}

Result<int> site_change(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(site, find_site(api, line.site));
  json::object body;
  if (!line.names.empty()) body["domains"] = texts(line.names);
  put_choices(body, line);
  CAIP_TRY(started, api.send_json("PATCH", path_of(site), body));
  return follow(api, started, line);
}

Result<int> site_check(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(site, find_site(api, line.site));
  CAIP_TRY(started, api.post(path_of(site, "/checks"), {}));
  return follow(api, started, line);
}

Result<int> site_delete(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(site, find_site(api, line.site));
  const std::string name = text_of_member(site, "name"), hours = std::to_string(line.hours);
  CAIP_CHECKED(sure(line.confirm, "Delete " + shown(name) + " (" + shown(domains_of(site)) + ")? It is out of service at once. For " + hours +
                                      " hours its files, its user and its configuration are kept, and it can be restored; then its server removes them for good.", name));
  CAIP_TRY(started, api.post(path_of(site, "/deletion"), {{"name", name}, {"hours", line.hours}}));
  CAIP_TRY(code, follow(api, started, line));
  if (code == 0 && !line.as_json) say("Until then: caip site restore " + shown(name));
  return code;
}

Result<int> site_restore(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(site, find_site(api, line.site));
  CAIP_TRY(started, api.send_json("DELETE", path_of(site, "/deletion"), std::nullopt));
  return follow(api, started, line);
}

// What a server says of a site.
std::string site_text(const json::object& s) {
  const json::value* exists = s.if_contains("exists");
  if (!exists || !exists->is_bool() || !exists->get_bool()) return "the server has no such site";
  const auto list = [&](const char* member) { return domains_of(json::object{{"domains", s.if_contains(member) ? *s.if_contains(member) : json::value(json::array())}}); };
  if (const std::string ends = text_of_member(s, "ends_at"); !ends.empty()) return "out of service, whole until " + ends;
  std::string out = "answers for: " + (list("answers").empty() ? std::string("nothing") : list("answers"));
  if (!list("silent").empty()) out += "\nDOES NOT answer for: " + list("silent");
  if (const json::value* up = s.if_contains("upstream"); up && up->is_bool()) out += std::string("\nthe port: ") + (up->get_bool() ? "something listens" : "NOTHING LISTENS THERE");
  return out;
}

}  // namespace caip::cli
