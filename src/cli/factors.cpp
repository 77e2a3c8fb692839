// factor …, identity …, account history: the ways in which one signs in, and what happened to one's account.
#include <algorithm>
#include <utility>

#include "api.h"
#include "base/text.h"
#include "commands.h"
#include "let_in.h"
#include "terminal.h"

namespace caip::cli {
namespace {

const json::array& array_member(const json::object& o, std::string_view name) {
  static const json::array none;
  const auto* v = o.if_contains(name);
  return v != nullptr && v->is_array() ? v->get_array() : none;
}

// They are shown this once: to standard output, so that they can go into a file.
int print_codes(const Line& line, const json::object& answer) {
  if (line.as_json) return print_json(answer), 0;
  const auto& codes = array_member(answer, "recovery_codes");
  if (codes.empty()) return say("Your recovery codes stay as they are."), 0;
  say("Recovery codes, each for one sign-in without your app or passkey. They are not shown again:");
  for (const auto& c : codes) print(shown(c.as_string()));
  return 0;
}

// The first item of `now` whose id is not among those of `before`.
const json::object* new_among(const json::array& now, const json::array& before) {
  const auto id = [](const json::value& item) { return text_of_member(item.get_object(), "id"); };
  for (const auto& item : now)
    if (std::ranges::none_of(before, [&](const json::value& old) { return id(old) == id(item); })) return &item.get_object();
  return nullptr;
}

std::string of_user(const json::object& session, std::string_view member) {
  const auto* user = object_member(session, "user");
  return user != nullptr ? text_of_member(*user, member) : "";
}

// What only a browser does: it adds to a list of ours, and what was added there is the answer.
Result<json::object> added_in_browser(const Line& line, Errand errand, const std::string& list, std::string_view member) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(before, api.get(list));
  CAIP_TRY(me, api.get("/session"));
  CAIP_TRY(session, let_in_by_browser(api, line, errand));
  if (of_user(session, "id") != of_user(me, "id")) {
    api.end_session(session);
    return fail(Code::conflict, "the browser is signed in as " + shown(of_user(session, "email")) + ": what was added there is theirs, and nothing changed here");
  }
  CAIP_CHECKED(api.replace_session(session));
  CAIP_CHECKED(save_device(api.paths(), text_of_member(session, "device_token")));
  CAIP_TRY(after, api.get(list));
  const auto* added = new_among(array_member(after, member), array_member(before, member));
  if (added == nullptr) return fail(Code::conflict, "nothing was added in the browser");
  return *added;
}

Result<std::string> code_for(const Line& line) {
  if (line.code_stdin) return first_line_of_stdin();
  return typed("The code that your app shows now", false);
}

}  // namespace

Result<int> factor_list(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(factors, api.get("/account/factors"));
  if (line.as_json) return print_json(factors), 0;
  std::vector<Row> rows;
  if (const auto* totp = object_member(factors, "totp")) rows.push_back({"authenticator app", "", text_of_member(*totp, "since"), "", text_of_member(*totp, "id")});
  for (const auto& item : array_member(factors, "passkeys")) {
    const auto& k = item.get_object();
    rows.push_back({k.at("suspended") == true ? "passkey, suspended" : "passkey", text_of_member(k, "name"), text_of_member(k, "added_at"), text_of_member(k, "used_at"), text_of_member(k, "id")});
  }
  print(table({"KIND", "NAME", "SINCE", "LAST USE", "ID"}, rows));
  say(std::to_string(factors.at("recovery_codes").to_number<std::int64_t>()) + " recovery codes are left");
  return 0;
}

Result<int> factor_add_totp(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(offer, api.post("/account/factors/totp-offers", {}));
  print_piece(line.as_json ? json::serialize(offer) + "\n" : text_of_member(offer, "uri") + "\n");
  say("Add this address to your authenticator app, as a link or as a QR code.");
  CAIP_TRY(code, code_for(line));
  CAIP_TRY(added, api.post("/account/factors/totp", {{"code", code}}));
  return print_codes(line, added);
}

Result<int> factor_rename(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_CHECKED(api.send_json("PATCH", "/account/factors/" + percent_encoded(line.id), json::object{{"name", line.name}}));
  if (line.as_json) print_json(json::object{{"renamed", line.id}, {"name", line.name}});
  else print("Renamed " + shown(line.id) + " to " + shown(line.name));
  return 0;
}

Result<int> factor_remove(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_CHECKED(api.remove("/account/factors/" + percent_encoded(line.id)));
  if (line.as_json) print_json(json::object{{"removed", line.id}});
  else print("Removed " + shown(line.id) + ". Your other sessions have ended.");
  return 0;
}

Result<int> factor_recovery_codes(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(made, api.post("/account/factors/recovery-codes", {}));
  return print_codes(line, made);
}

Result<int> identity_list(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(methods, api.get("/account/identities"));
  if (line.as_json) return print_json(methods), 0;
  std::vector<Row> rows;
  for (const auto& item : array_member(methods, "identities")) {
    const auto& i = item.get_object();
    rows.push_back({text_of_member(i, "provider"), text_of_member(i, "shown"), text_of_member(i, "linked_at"), text_of_member(i, "used_at"), text_of_member(i, "id")});
  }
  print(table({"SERVICE", "ACCOUNT", "LINKED", "LAST USE", "ID"}, rows));
  return 0;
}

Result<int> factor_add_passkey(const Line& line) {
  CAIP_TRY(passkey, added_in_browser(line, Errand::add_passkey, "/account/factors", "passkeys"));
  if (line.as_json) print_json(json::object{{"added", passkey}});
  else print("Added the passkey " + shown(text_of_member(passkey, "name")) + ", " + text_of_member(passkey, "id") + ". Your other sessions have ended.");
  return 0;
}

Result<int> identity_link(const Line& line) {
  CAIP_TRY(linked, added_in_browser(line, Errand::link, "/account/identities", "identities"));
  if (line.as_json) print_json(json::object{{"linked", linked}});
  else print("Linked " + shown(text_of_member(linked, "shown")) + " of " + shown(text_of_member(linked, "provider")) + ", " + text_of_member(linked, "id"));
  return 0;
}

Result<int> identity_unlink(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_CHECKED(api.remove("/account/identities/" + percent_encoded(line.id)));
  if (line.as_json) print_json(json::object{{"unlinked", line.id}});
  else print("Unlinked " + shown(line.id));
  return 0;
}

Result<int> account_history(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  json::array all;
  for (std::string cursor; std::cmp_less(all.size(), line.limit);) {
    CAIP_TRY(page, api.get("/account/history?limit=" + std::to_string(std::min<std::int64_t>(line.limit, 200)) + (cursor.empty() ? "" : "&cursor=" + percent_encoded(cursor))));
    for (const auto& item : array_member(page, "data"))
      if (std::cmp_less(all.size(), line.limit)) all.push_back(item);
    if ((cursor = text_of_member(page, "next_cursor")).empty()) break;
  }
  if (line.as_json) return print_json(json::object{{"data", all}}), 0;
  std::vector<Row> rows;
  for (const auto& item : all) {
    const auto& e = item.get_object();
    rows.push_back({text_of_member(e, "at"), text_of_member(e, "action"), text_of_member(e, "result"), text_of_member(e, "by"), text_of_member(e, "address"),
                    text_of_member(e, "what"), text_of_member(e, "reason")});
  }
  print(table({"AT", "WHAT", "ENDED", "BY", "FROM", "ABOUT", "REASON"}, rows));
  return 0;
}

}  // namespace caip::cli
