// session …, device …, account …: where one is signed in and known, and one's password.
#include "api.h"
#include "base/text.h"
#include "commands.h"
#include "terminal.h"

namespace caip::cli {
namespace {

// From standard input, or asked for twice at the terminal.
Result<std::string> new_password(const Line& line) {
  if (line.password_stdin) return first_line_of_stdin();
  CAIP_TRY(once, typed("New password", true));
  CAIP_TRY(again, typed("Again", true));
  if (once != again) return fail(Code::invalid, "the two passwords differ; nothing was changed");
  return once;
}

}  // namespace

Result<int> session_list(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(all, api.list("/sessions?limit=200"));
  if (line.as_json) {
    print_json(json::object{{"data", all}});
    return 0;
  }
  std::vector<Row> rows;
  for (const auto& item : all) {
    const auto& s = item.get_object();
    const json::value* current = s.if_contains("current");
    rows.push_back({text_of_member(s, "id"), text_of_member(s, "device"), text_of_member(s, "address"), text_of_member(s, "country"), text_of_member(s, "network"), text_of_member(s, "created_at"),
                    text_of_member(s, "last_used_at"), current != nullptr && *current == true ? "this one" : ""});
  }
  print(table({"ID", "DEVICE", "ADDRESS", "COUNTRY", "NETWORK", "SIGNED IN", "LAST USE", ""}, rows));
  return 0;
}

Result<int> session_end(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_CHECKED(api.remove("/sessions/" + percent_encoded(line.id)));
  if (line.as_json) print_json(json::object{{"ended", 1}});
  else print("Ended " + shown(line.id));
  return 0;
}

Result<int> session_end_others(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(done, api.remove("/sessions"));
  if (line.as_json) print_json(done);
  else print("Ended " + std::to_string(done.at("ended").to_number<std::int64_t>()) + " other sessions");
  return 0;
}

Result<int> session_disown(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(password, new_password(line));
  CAIP_CHECKED(api.post("/sessions/" + percent_encoded(line.id) + "/disown", {{"password", password}}));
  forget_tokens(api.paths());
  if (line.as_json) print_json(json::object{{"disowned", line.id}});
  else print("Disowned. All your sessions have ended, this one too, and what that one added is undone. Sign in with the new password: caip login");
  return 0;
}

Result<int> device_list(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(all, api.list("/devices?limit=200"));
  if (line.as_json) {
    print_json(json::object{{"data", all}});
    return 0;
  }
  std::vector<Row> rows;
  for (const auto& item : all) {
    const auto& d = item.get_object();
    const json::value *current = d.if_contains("current"), *sessions = d.if_contains("sessions");
    rows.push_back({text_of_member(d, "id"), text_of_member(d, "device"), text_of_member(d, "address"), text_of_member(d, "country"), text_of_member(d, "network"),
                    text_of_member(d, "first_sign_in_at"), text_of_member(d, "last_sign_in_at"), sessions != nullptr ? json::serialize(*sessions) : "",
                    current != nullptr && *current == true ? "this one" : ""});
  }
  print(table({"ID", "DEVICE", "ADDRESS", "COUNTRY", "NETWORK", "FIRST SIGN-IN", "LAST SIGN-IN", "SESSIONS", ""}, rows));
  return 0;
}

Result<int> device_forget(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(done, api.remove("/devices/" + percent_encoded(line.id)));
  const auto ended = done.at("ended").to_number<std::int64_t>();
  if (line.as_json) print_json(done);
  else print("Forgot " + shown(line.id) + ": its next sign-in is one on a new device. Ended there: " + std::to_string(ended) + (ended == 1 ? " session" : " sessions"));
  return 0;
}

Result<int> account_password(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(password, new_password(line));
  CAIP_CHECKED(api.put("/account/password", {{"password", password}}));
  if (line.as_json) print_json(json::object{{"changed", true}});
  else print("Password changed. Your other sessions have ended.");
  return 0;
}

Result<int> session_limits(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(now, api.get("/organization/session-limits"));
  if (line.idle_minutes || line.lifetime_minutes) {
    if (line.idle_minutes) now["idle_minutes"] = *line.idle_minutes;
    if (line.lifetime_minutes) now["lifetime_minutes"] = *line.lifetime_minutes;
    CAIP_TRY(set, api.put("/organization/session-limits", now));
    now = std::move(set);
  }
  if (line.as_json) print_json(now);
  else print("Sessions end after " + json::serialize(now.at("idle_minutes")) + " idle minutes, and after " + json::serialize(now.at("lifetime_minutes")) + " minutes in any case");
  return 0;
}

}  // namespace caip::cli
