// server env …: which env values are in which user's file on a server. Secrets are named; values are seen nowhere.
#include <algorithm>

#include "base/text.h"
#include "commands.h"
#include "find.h"
#include "terminal.h"

namespace caip::cli {
namespace {

std::string path_of(const json::object& server, std::string_view more = "") {
  return "/servers/" + percent_encoded(text_of_member(server, "id")) + "/env" + std::string(more);
}

// Names as ids: all of them, or the first that there is not.
Result<json::array> secret_ids(Api& api, const std::vector<std::string>& names) {
  CAIP_TRY(all, api.list("/secrets?limit=200&kind=env_value"));
  json::array out;
  for (const auto& name : names) {
    const auto found = std::ranges::find_if(all, [&](const json::value& s) { return text_of_member(s.get_object(), "name") == name; });
    if (found == all.end()) return fail(Code::not_found, "no secret " + shown(name) + " of kind env_value; add it with: caip secrets set env_value " + shown(name));
    out.emplace_back(text_of_member(found->get_object(), "id"));
  }
  return out;
}

// "placed", or what is wrong with it.
std::string state_of(const std::string& file, const json::object& variable) {
  const json::value* current = variable.if_contains("current_version");
  if (file != "placed") return file;
  if (current == nullptr || current->is_null()) return "the secret was deleted";
  return *current == variable.at("version") ? "placed" : "older value placed";
}

Result<int> follow(Api& api, const json::object& started, const Line& line) {
  if (line.no_wait) return report_operation(started, line.as_json);
  CAIP_TRY(finished, wait_operation(api, text_of_member(started, "id"), line.timeout));
  return report_operation(finished, line.as_json);
}

}  // namespace

Result<int> server_env_list(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(server, find_server(api, line.server));
  CAIP_TRY(all, api.list(path_of(server)));
  if (line.as_json) return print_json(json::object{{"data", all}}), 0;
  std::vector<Row> rows;
  for (const auto& item : all) {
    const auto& file = item.get_object();
    for (const auto& one : file.at("variables").as_array()) {
      const auto& v = one.get_object();
      const std::string name = text_of_member(v, "name");
      rows.push_back({text_of_member(file, "user"), name.empty() ? text_of_member(v, "secret_id") : name, json::serialize(v.at("version")),
                      state_of(text_of_member(file, "state"), v), text_of_member(file, "at")});
    }
  }
  if (rows.empty()) say("No env values there. Place some with: caip server env place SERVER --user USER NAME...");
  print(table({"USER", "NAME", "VERSION", "STATE", "SINCE"}, rows));
  return 0;
}

Result<int> server_env_place(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(server, find_server(api, line.server));
  CAIP_TRY(ids, secret_ids(api, line.names));
  CAIP_TRY(started, api.post(path_of(server), {{"user", line.unix_user}, {"secrets", ids}}));
  return follow(api, started, line);
}

Result<int> server_env_remove(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(server, find_server(api, line.server));
  CAIP_TRY(started, api.post(path_of(server, "/removals"), {{"user", line.unix_user}}));
  return follow(api, started, line);
}

}  // namespace caip::cli
