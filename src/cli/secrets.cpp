// secrets …: names are shown, values are typed, piped or read from a file, and never printed. No
// option takes a value: the command line is for everyone on the machine to see.
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>

#include "base/text.h"
#include "commands.h"
#include "find.h"
#include "model/secret.h"
#include "terminal.h"

namespace caip::cli {
namespace {

constexpr std::size_t kMostValue = 32 * 1024;

std::string whole_number(const json::object& o, std::string_view name) {
  const json::value* v = o.if_contains(name);
  return v != nullptr && v->is_int64() ? std::to_string(v->get_int64()) : "-";
}

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

Result<json::object> find_secret(Api& api, const std::string& kind, const std::string& name) {
  CAIP_TRY(parsed, parse_secret_kind(kind));
  CAIP_TRY(all, api.list("/secrets?limit=200&kind=" + std::string(text(parsed))));
  for (const auto& item : all)
    if (text_of_member(item.get_object(), "name") == name) return item.get_object();
  return fail(Code::not_found, "no secret " + shown(name) + " of kind " + kind);
}

Result<std::string> all_of(std::istream& in) {
  std::string value;
  for (char c; value.size() <= kMostValue && in.get(c);) value += c;
  if (value.size() > kMostValue) return fail(Code::too_large, "a secret has at most 32768 bytes");
  if (value.ends_with('\n')) value.pop_back();  // the one that editors and echo add
  if (!valid_utf8(value)) return fail(Code::invalid, "a secret is text; encode binary values, for instance in base64");
  return value;
}

// From a file, standard input, or a prompt without echo; nothing: an SSH key is made by the server.
Result<std::optional<std::string>> value_of(const Line& line) {
  if (line.generate) {
    if (line.kind != text(SecretKind::ssh_key)) return fail(Code::invalid, "--generate is for ssh_key");
    return std::optional<std::string>();
  }
  CAIP_TRY(value, secret_value(line.value_file, line.value_stdin, "Value of " + line.name));
  return std::optional(std::move(value));
}

Result<json::object> store(Api& api, const Line& line) {
  CAIP_TRY(value, value_of(line));
  json::object body;
  if (value) body["value"] = *value;
  const auto before = find_secret(api, line.kind, line.name);
  if (before) return api.put("/secrets/" + percent_encoded(text_of_member(*before, "id")), body, whole_number(*before, "version"));
  if (before.error().code != Code::not_found) return std::unexpected(before.error());
  body["kind"] = line.kind;
  body["name"] = line.name;
  return api.post("/secrets", body);
}

// For servers that do not go by the newest key: one of before until there is none of them, today's agents' authority while there is one.
bool waits(const json::object& key) {
  const json::value* waiting = key.if_contains("servers_waiting");
  return waiting != nullptr && waiting->is_int64() && (waiting->get_int64() > 0 || text_of_member(key, "state") != "current");
}

std::vector<Row> key_rows(const json::object& inventory) {
  std::vector<Row> rows;
  for (const auto& item : inventory.at("keys").as_array()) {
    const auto& k = item.get_object();
    const std::string ends = text_of_member(k, "ends_at");
    const json::value* waiting = k.if_contains("servers_waiting");
    const std::string next = waits(k) ? std::to_string(waiting->get_int64()) + " servers to go"
                             : ends.empty()                           ? or_dash(text_of_member(k, "next_rotation_at"))
                                                                      : "ends " + ends;
    rows.push_back({text_of_member(k, "key"), text_of_member(k, "algorithm"), whole_number(k, "generation"), text_of_member(k, "state"),
                    whole_number(k, "age_days") + " d", next, whole_number(k, "secrets")});
  }
  return rows;
}

}  // namespace

Result<std::string> secret_value(const std::string& path, bool piped, const std::string& prompt) {
  if (piped) return all_of(std::cin);
  if (path.empty()) return typed(prompt, true);
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(Code::invalid, "cannot read " + shown(path));
  return all_of(file);
}

Result<int> secrets_list(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(all, api.list("/secrets?limit=200" + (line.kind.empty() ? "" : "&kind=" + percent_encoded(line.kind))));
  if (line.as_json) {
    print_json(json::object{{"data", all}});
    return 0;
  }
  std::vector<Row> rows;
  for (const auto& item : all) {
    const auto& s = item.get_object();
    rows.push_back({text_of_member(s, "kind"), text_of_member(s, "name"), whole_number(s, "version"), text_of_member(s, "created_at"),
                    or_dash(text_of_member(s, "replaced_at")), text_of_member(s, "id")});
  }
  if (rows.empty()) say("No secrets yet. Add one with: caip secrets set KIND NAME");
  print(table({"KIND", "NAME", "VERSION", "CREATED", "REPLACED", "ID"}, rows));
  return 0;
}

Result<int> secrets_set(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(secret, store(api, line));
  if (line.as_json) {
    print_json(secret);
    return 0;
  }
  say("Stored " + shown(text_of_member(secret, "kind")) + " " + shown(text_of_member(secret, "name")) + ", version " + whole_number(secret, "version"));
  if (const auto key = text_of_member(secret, "public_key"); !key.empty()) print(shown(key));
  return 0;
}

Result<int> secrets_show(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(s, find_secret(api, line.kind, line.name));
  if (line.as_json) {
    print_json(s);
    return 0;
  }
  print(table({"name", text_of_member(s, "name")}, {{"kind", text_of_member(s, "kind")},
                                                    {"id", text_of_member(s, "id")},
                                                    {"version", whole_number(s, "version")},
                                                    {"created", text_of_member(s, "created_at")},
                                                    {"replaced", or_dash(text_of_member(s, "replaced_at"))},
                                                    {"public key", or_dash(text_of_member(s, "public_key"))}}));
  return 0;
}

Result<int> secrets_delete(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(s, find_secret(api, line.kind, line.name));
  const bool sure = line.confirm.empty() ? confirmed("Delete " + line.kind + " " + line.name + "? Its key is destroyed, nobody gets it back.") : line.confirm == line.name;
  if (!sure) return fail(Code::invalid, "nothing was deleted; --confirm=" + line.name + " says yes without being asked");
  CAIP_CHECKED(api.remove("/secrets/" + percent_encoded(text_of_member(s, "id")), whole_number(s, "version")));
  if (line.as_json) print_json(json::object{{"deleted", text_of_member(s, "id")}});
  else say("Deleted " + shown(line.name));
  return 0;
}

Result<int> secrets_inventory(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(found, api.get("/secrets/inventory"));
  if (line.as_json) {
    print_json(found);
    return 0;
  }
  print(table({"KEY", "ALGORITHM", "GENERATION", "STATE", "AGE", "NEXT ROTATION", "SECRETS"}, key_rows(found)));
  std::vector<Row> classes, seals;
  for (const auto& item : found.at("classes").as_array())
    classes.push_back({text_of_member(item.get_object(), "kind"), text_of_member(item.get_object(), "algorithm"), text_of_member(item.get_object(), "use"),
                       whole_number(item.get_object(), "count")});
  for (const auto& item : found.at("seals").as_array())
    seals.push_back({text_of_member(item.get_object(), "id"), text_of_member(item.get_object(), "kind"), text_of_member(item.get_object(), "created_at")});
  print(table({"CLASS", "ALGORITHM", "USE", "COUNT"}, classes));
  print(table({"SEAL", "KIND", "CREATED"}, seals));
  return 0;
}

Result<int> secrets_rotate(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(started, api.post("/secrets/rotations", {{"key", line.kind}}));
  if (line.as_json) print_json(started);
  else say("A new key " + shown(line.kind) + " is in use; what is under the old one follows. See: caip secrets inventory");
  return 0;
}

}  // namespace caip::cli
