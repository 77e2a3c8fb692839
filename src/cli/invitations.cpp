// invitation …, token …: links and API tokens are printed once, when they are made, to standard output.
#include "base/text.h"
#include "commands.h"
#include "find.h"
#include "terminal.h"

namespace caip::cli {
namespace {

std::string texts_of(const json::object& o, std::string_view name) {
  std::string out;
  if (const auto* all = o.if_contains(name); all != nullptr && all->is_array())
    for (const auto& item : all->get_array())
      if (item.is_string()) out += (out.empty() ? "" : ",") + std::string(item.get_string());
  return out;
}

// By id, or by what it is called when one alone is called so.
Result<std::string> id_of(Api& api, const std::string& list, std::string_view member, const std::string& wanted, std::string_view state) {
  CAIP_TRY(all, api.list(list));
  std::string found;
  for (const auto& item : all) {
    const auto& o = item.get_object();
    if (text_of_member(o, "id") == wanted) return wanted;
    if (text_of_member(o, member) != wanted || (!state.empty() && text_of_member(o, "state") != state)) continue;
    if (!found.empty()) return fail(Code::conflict, "several are called " + shown(wanted) + "; name one by its id");
    found = text_of_member(o, "id");
  }
  if (found.empty()) return fail(Code::not_found, "there is no " + shown(wanted));
  return found;
}

Result<int> print_link(const Line& line, const json::object& made) {
  if (line.as_json) return print_json(made), 0;
  const std::string whom = shown(text_of_member(made, "email")), until = shown(text_of_member(made, "expires_at"));
  if (made.at("mailed") == true) return say("A letter with the link is on its way to " + whom + "; it works once, until " + until + ". Another letter: caip invitation resend " + whom), 0;
  say("For " + whom + ", once, until " + until + ". Whoever holds the link can use it. It is not shown again:");
  print(shown(text_of_member(made, "link")));
  return 0;
}

}  // namespace

Result<int> invitation_list(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(all, api.list("/invitations?limit=200"));
  if (line.as_json) return print_json(json::object{{"data", all}}), 0;
  std::vector<Row> rows;
  for (const auto& item : all) {
    const auto& i = item.get_object();
    rows.push_back({text_of_member(i, "email"), text_of_member(i, "role"), text_of_member(i, "state"), text_of_member(i, "expires_at"), text_of_member(i, "id")});
  }
  if (rows.empty()) say("Nobody was invited yet. Invite with: caip invitation create E-MAIL ROLE");
  print(table({"E-MAIL", "ROLE", "STATE", "ENDS", "ID"}, rows));
  return 0;
}

Result<int> invitation_create(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(made, api.post("/invitations", {{"email", line.email}, {"role", line.role}, {"days", line.days}}));
  return print_link(line, made);
}

Result<int> invitation_resend(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(id, id_of(api, "/invitations?limit=200", "email", line.email, "open"));
  CAIP_TRY(made, api.post("/invitations/" + percent_encoded(id) + "/resend", {}));
  return print_link(line, made);
}

Result<int> invitation_revoke(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(id, id_of(api, "/invitations?limit=200", "email", line.email, "open"));
  CAIP_CHECKED(api.remove("/invitations/" + percent_encoded(id)));
  if (line.as_json) print_json(json::object{{"revoked", id}});
  else say("Revoked: the link is worth nothing");
  return 0;
}

Result<int> token_list(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(all, api.list(std::string("/tokens?limit=200") + (line.everybody ? "&all=true" : "")));
  if (line.as_json) return print_json(json::object{{"data", all}}), 0;
  std::vector<Row> rows;
  for (const auto& item : all) {
    const auto& t = item.get_object();
    const auto* user = object_member(t, "user");
    const std::string used = text_of_member(t, "last_used_at"), from = texts_of(t, "networks");
    rows.push_back({text_of_member(t, "name"), user != nullptr ? text_of_member(*user, "email") : "", texts_of(t, "scopes"), from.empty() ? "anywhere" : from,
                    used.empty() ? "never" : used, text_of_member(t, "expires_at"), text_of_member(t, "id")});
  }
  if (rows.empty()) say("No tokens. Make one with: caip token create NAME --scope server.view");
  print(table({"NAME", "OF", "SCOPES", "FROM", "USED", "ENDS", "ID"}, rows));
  return 0;
}

Result<int> token_create(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  json::array scopes(line.scopes.begin(), line.scopes.end()), networks(line.networks.begin(), line.networks.end());
  CAIP_TRY(made, api.post("/tokens", {{"name", line.name}, {"days", line.days}, {"scopes", scopes}, {"networks", networks}}));
  if (line.as_json) return print_json(made), 0;
  say("Valid until " + shown(text_of_member(made, "expires_at")) + ". It is not shown again; keep it in a file that only the program reads:");
  print(shown(text_of_member(made, "token")));
  return 0;
}

Result<int> token_revoke(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(id, id_of(api, std::string("/tokens?limit=200") + (line.everybody ? "&all=true" : ""), "name", line.name, ""));
  CAIP_CHECKED(api.remove("/tokens/" + percent_encoded(id)));
  if (line.as_json) print_json(json::object{{"revoked", id}});
  else say("Revoked " + shown(line.name));
  return 0;
}

Result<int> role_list(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  if (line.format == "csv") {
    CAIP_TRY(text, api.get_text("/roles?format=csv"));
    return print_piece(text), 0;
  }
  CAIP_TRY(found, api.get("/roles"));
  if (line.as_json) return print_json(found), 0;
  std::vector<Row> rows;
  for (const auto& item : found.at("data").as_array()) {
    const auto& r = item.get_object();
    rows.push_back({text_of_member(r, "category"), text_of_member(r, "permission"), texts_of(r, "roles"), text_of_member(r, "about")});
  }
  print(table({"CATEGORY", "PERMISSION", "ROLES", "WHAT IT ALLOWS"}, rows));
  return 0;
}

Result<int> server_access(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(server, find_server(api, line.server));
  CAIP_TRY(all, api.list("/servers/" + percent_encoded(text_of_member(server, "id")) + "/access?limit=200"));
  if (line.as_json) return print_json(json::object{{"data", all}}), 0;
  std::vector<Row> rows;
  for (const auto& item : all) {
    const auto& p = item.get_object();
    const auto* user = object_member(p, "user");
    const std::string who = user != nullptr ? text_of_member(*user, "email") : "";
    const auto add = [&](const std::string& name, const json::object& of) {
      for (const auto& may : of.at("may").as_array())
        rows.push_back({name, text_of_member(may.get_object(), "permission"), text_of_member(may.get_object(), "because"), text_of_member(may.get_object(), "about")});
    };
    add(who, p);
    for (const auto& item_of : p.at("tokens").as_array()) {
      const auto& t = item_of.get_object();
      const std::string from = texts_of(t, "networks");
      add("token " + text_of_member(t, "name") + " of " + who + (from.empty() ? ", from anywhere" : ", from " + from), t);
    }
  }
  print(table({"WHO", "PERMISSION", "BECAUSE OF", "WHAT IT ALLOWS"}, rows));
  return 0;
}

}  // namespace caip::cli
