// org …, member …: the organisations of a person, and the people of the one that the session acts in.
#include "base/text.h"
#include "commands.h"
#include "find.h"
#include "terminal.h"

namespace caip::cli {
namespace {

Result<json::object> find_by(Api& api, const std::string& list, std::string_view member, const std::string& wanted, const std::string& what) {
  CAIP_TRY(all, api.list(list));
  std::optional<json::object> found;
  for (const auto& item : all) {
    const auto& o = item.get_object();
    if (text_of_member(o, "id") == wanted) return o;
    if (text_of_member(o, member) != wanted) continue;
    if (found) return fail(Code::conflict, "several " + what + "s are called " + shown(wanted) + "; name one by its id");
    found = o;
  }
  if (!found) return fail(Code::not_found, "no " + what + " " + shown(wanted));
  return *found;
}

Result<json::object> find_member(Api& api, const std::string& who) { return find_by(api, "/members?limit=200", "email", who, "member"); }
std::string path_of(const json::object& member) { return "/members/" + percent_encoded(text_of_member(member, "id")); }

void print_held(const json::object& answer) {
  const auto* held = object_member(answer, "still_held");
  if (held == nullptr) return;
  for (const auto& item : held->at("secrets").as_array())
    say("Knows a value they typed in; replace it: " + shown(text_of_member(item.get_object(), "kind")) + " " + shown(text_of_member(item.get_object(), "name")));
  for (const auto& item : held->at("enrolments").as_array())
    say("Has seen an install command that works until " + shown(text_of_member(item.get_object(), "expires_at")) + ": " + shown(text_of_member(item.get_object(), "name")));
  for (const auto& item : held->at("by_hand").as_array()) say("Look after by hand: " + shown(item.as_string()));
}

Result<int> report(const Line& line, const json::object& answer, const std::string& said) {
  if (line.as_json) print_json(answer);
  else say(said);
  return 0;
}

}  // namespace

Result<int> org_list(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(all, api.list("/organizations?limit=200"));
  if (line.as_json) return print_json(json::object{{"data", all}}), 0;
  std::vector<Row> rows;
  for (const auto& item : all) {
    const auto& o = item.get_object();
    const json::value* current = o.if_contains("current");
    rows.push_back({current != nullptr && current->is_bool() && current->get_bool() ? "*" : "", text_of_member(o, "name"), text_of_member(o, "role"), text_of_member(o, "ends"), text_of_member(o, "id")});
  }
  print(table({"", "NAME", "ROLE", "DELETED ON", "ID"}, rows));
  return 0;
}

Result<int> org_create(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(made, api.post("/organizations", {{"name", line.name}}));
  return report(line, made, "Founded " + shown(line.name) + ". Act there with: caip org switch " + shown(text_of_member(made, "id")));
}

Result<int> org_switch(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(org, find_by(api, "/organizations?limit=200", "name", line.name, "organisation"));
  CAIP_TRY(session, api.send_json("POST", "/session/organization", json::object{{"organization_id", text_of_member(org, "id")}}));
  CAIP_CHECKED(api.keep_session(session));
  return report(line, session, "Acting in " + shown(text_of_member(org, "name")) + " as " + shown(text_of_member(session, "role")));
}

Result<int> org_rename(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(org, api.send_json("PATCH", "/organization", json::object{{"name", line.name}}));
  return report(line, org, "Renamed to " + shown(line.name));
}

// Which one, from the session: nobody deletes by an id that they mistyped.
Result<int> org_delete(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(session, api.get("/session"));
  CAIP_TRY(goes, api.get("/organization/deletion"));
  const auto* org = object_member(session, "organization");
  const std::string name = org != nullptr ? text_of_member(*org, "name") : "", id = org != nullptr ? text_of_member(*org, "id") : "";
  const auto number = [&](const char* what) {
    const json::value* v = goes.if_contains(what);
    return v != nullptr ? json::serialize(*v) : "?";
  };
  CAIP_CHECKED(sure(line.confirm, "Delete " + shown(name) + " for good, in " + number("grace_seconds") + " seconds? It goes with " + number("secrets") + " secrets, " + number("tokens") +
                              " API tokens and " + number("members") + " memberships; its " + number("servers") + " servers run on, and are connected no more.", name));
  CAIP_TRY(planned, api.post("/organization/deletion", {{"organization_id", id}, {"name", name}}));
  return report(line, planned, shown(name) + " will be deleted on " + shown(text_of_member(planned, "ends")) + ". Until then: caip org restore");
}

Result<int> org_restore(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_CHECKED(api.remove("/organization/deletion"));
  return report(line, {}, "The organisation stays");
}

Result<int> member_list(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(all, api.list("/members?limit=200"));
  if (line.as_json) return print_json(json::object{{"data", all}}), 0;
  std::vector<Row> rows;
  for (const auto& item : all) {
    const auto& m = item.get_object();
    rows.push_back({text_of_member(m, "email"), text_of_member(m, "role"), text_of_member(m, "created_at"), text_of_member(m, "disabled_at"), text_of_member(m, "id")});
  }
  print(table({"E-MAIL", "ROLE", "SINCE", "DISABLED", "ID"}, rows));
  return 0;
}

Result<int> member_add(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(password, line.password_stdin ? first_line_of_stdin() : typed("First password", true));
  CAIP_TRY(member, api.post("/members", {{"email", line.email}, {"role", line.role}, {"password", password}}));
  return report(line, member, "Added " + shown(line.email) + " as " + shown(line.role));
}

Result<int> member_role(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(member, find_member(api, line.email));
  CAIP_TRY(changed, api.send_json("PATCH", path_of(member), json::object{{"role", line.role}}, version_of(member)));
  return report(line, changed, shown(text_of_member(changed, "email")) + " is " + shown(line.role) + " now, and has to sign in again");
}

Result<int> member_remove(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(member, find_member(api, line.email));
  const std::string email = text_of_member(member, "email");
  CAIP_CHECKED(sure(line.confirm, "Remove " + shown(email) + " from the organisation?", email));
  CAIP_TRY(answer, api.send_json("DELETE", path_of(member), std::nullopt, version_of(member)));
  if (!line.as_json) print_held(answer);
  return report(line, answer, "Removed " + shown(email));
}

Result<int> member_reset_factors(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(member, find_member(api, line.email));
  const std::string email = text_of_member(member, "email");
  CAIP_CHECKED(sure(line.confirm, "Remove all second factors of " + shown(email) + " and end their sessions? Their password alone signs them in afterwards.", email));
  CAIP_CHECKED(api.remove(path_of(member) + "/factors"));
  return report(line, json::object{{"reset", email}}, "The second factors of " + shown(email) + " are removed. Have them set up new ones.");
}

Result<int> member_disable(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(member, find_member(api, line.email));
  const std::string email = text_of_member(member, "email");
  CAIP_CHECKED(sure(line.confirm, "Disable " + shown(email) + "? Their sessions and undecided proposals end, their tokens wait.", email));
  CAIP_TRY(changed, api.send_json("POST", path_of(member) + "/disable", json::object{}, version_of(member)));
  return report(line, changed, shown(email) + " is disabled. Let them in again with: caip member enable " + shown(email));
}

Result<int> member_enable(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(member, find_member(api, line.email));
  CAIP_TRY(changed, api.send_json("POST", path_of(member) + "/enable", json::object{}, version_of(member)));
  return report(line, changed, shown(text_of_member(changed, "email")) + " may sign in again");
}

Result<int> member_owner(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(member, find_member(api, line.email));
  const std::string email = text_of_member(member, "email");
  CAIP_CHECKED(sure(line.confirm, "Hand your ownership to " + shown(email) + "? You are Admin afterwards.", email));
  CAIP_TRY(changed, api.send_json("POST", path_of(member) + "/ownership", json::object{}, version_of(member)));
  return report(line, changed, shown(email) + " is Owner now; sign in again");
}

Result<int> member_leave(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(session, api.get("/session"));
  const auto* org = object_member(session, "organization");
  const std::string name = org != nullptr ? text_of_member(*org, "name") : "";
  CAIP_CHECKED(sure(line.confirm, "Leave " + shown(name) + "? Only an invitation brings you back.", name));
  CAIP_TRY(answer, api.post("/organization/leave", {{"organization_id", org != nullptr ? text_of_member(*org, "id") : ""}}));
  forget_tokens(api.paths());
  if (!line.as_json) print_held(answer);
  return report(line, answer, "You left " + shown(name));
}

}  // namespace caip::cli
