// notification …: one's own notices; channels, what they are told, their test; the delivery log.
// Credentials are typed, piped or read from a file, and printed never; a signing secret that the
// server makes is printed once.
#include <algorithm>
#include <chrono>
#include <thread>

#include "base/text.h"
#include "commands.h"
#include "find.h"
#include "model/notification.h"
#include "terminal.h"

namespace caip::cli {
namespace {

constexpr int kLooks = 120;  // twice a second: a service has 15 s to answer, and others may be first

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }
std::string number(const json::object& o, std::string_view name) {
  const auto* v = o.if_contains(name);
  return v != nullptr && v->is_int64() ? std::to_string(v->get_int64()) : "-";
}
bool flag(const json::object& o, std::string_view name) {
  const auto* v = o.if_contains(name);
  return v != nullptr && v->is_bool() && v->get_bool();
}

Result<json::object> find_channel(Api& api, const std::string& name) {
  CAIP_TRY(all, api.list("/notifications/channels?limit=200"));
  for (const auto& item : all)
    if (text_of_member(item.get_object(), "name") == name || text_of_member(item.get_object(), "id") == name) return item.get_object();
  return fail(Code::not_found, "no channel " + shown(name));
}

std::string path_of(const json::object& channel) { return "/notifications/channels/" + percent_encoded(text_of_member(channel, "id")); }

// host=mail.example.org port=587 …
Result<json::object> target_of(const std::vector<std::string>& settings) {
  json::object out;
  for (const auto& setting : settings) {
    const auto equals = setting.find('=');
    if (equals == std::string::npos) return fail(Code::invalid, "--set takes NAME=VALUE, such as --set to=ops@example.org");
    const std::string name = setting.substr(0, equals), value = setting.substr(equals + 1);
    if (name != "port") {
      out[name] = value;
      continue;
    }
    if (value.empty() || value.size() > 5 || value.find_first_not_of("0123456789") != std::string::npos) return fail(Code::invalid, "port is a number");
    out[name] = std::stoll(value);
  }
  return out;
}

Result<std::optional<std::string>> credential_of(const Line& line, bool asks) {
  if (line.generate) return std::optional<std::string>();
  if (line.value_file.empty() && !line.value_stdin && !asks) return std::optional<std::string>();
  CAIP_TRY(value, secret_value(line.value_file, line.value_stdin, "Credential of " + line.name));
  return std::optional(std::move(value));
}

json::array events_of(const Line& line) {
  json::array out;
  for (const auto& e : line.events) out.emplace_back(e);
  return out;
}

std::string events_text(const json::object& channel) {
  std::string out;
  if (const auto* events = channel.if_contains("events"); events != nullptr && events->is_array())
    for (const auto& e : events->get_array())
      if (e.is_string()) (out += out.empty() ? "" : " ") += shown(e.get_string());
  return out.empty() ? "all" : out;
}

std::string state_of(const json::object& channel) {
  if (!flag(channel, "verified")) return "not confirmed";
  return text_of_member(channel, "paused").empty() ? "in use" : "paused: " + text_of_member(channel, "paused");
}

int report_channel(const Line& line, const json::object& channel, const std::string& done) {
  if (line.as_json) {
    print_json(channel);
    return 0;
  }
  say(done + " " + shown(text_of_member(channel, "name")));
  if (const auto secret = text_of_member(channel, "signing_secret"); !secret.empty()) {
    say("The signing secret, shown this once:");
    print(shown(secret));
  }
  if (!flag(channel, "verified")) say("It is used when its address is confirmed: caip notification verify '" + shown(text_of_member(channel, "name")) + "'");
  return 0;
}

// Waits for the outcome of what was just queued.
Result<int> report_delivery(const Line& line, Api& api, const json::object& queued) {
  const std::string path = "/notifications/deliveries/" + percent_encoded(text_of_member(queued, "delivery_id"));
  for (int n = 0; n < kLooks; ++n) {
    CAIP_TRY(d, api.get(path));
    if (text_of_member(d, "state") != "queued") {
      if (line.as_json) print_json(d);
      else say(shown(text_of_member(d, "state") + ": " + text_of_member(d, "outcome")));
      return text_of_member(d, "state") == "delivered" ? 0 : 1;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
  return fail(Code::timeout, "it is still on its way; see: caip notification deliveries");
}

}  // namespace

Result<int> notification_list(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(page, api.get("/notifications/inbox?limit=" + std::to_string(std::min<std::int64_t>(line.limit, 200))));
  if (line.as_json) {
    print_json(page);
    return 0;
  }
  std::vector<Row> rows;
  for (const auto& item : page.at("data").as_array()) {
    const auto& n = item.get_object();
    rows.push_back({flag(n, "read") ? "" : "new", text_of_member(n, "severity"), text_of_member(n, "created_at"), text_of_member(n, "title"), text_of_member(n, "text")});
  }
  if (rows.empty()) say("Nothing has happened yet.");
  print(table({"", "SEVERITY", "WHEN", "WHAT", "ABOUT"}, rows));
  return 0;
}

Result<int> notification_read(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(page, api.get("/notifications/inbox?limit=1"));
  const auto& data = page.at("data").as_array();
  if (!data.empty()) CAIP_CHECKED(api.put("/notifications/inbox/read", {{"up_to", text_of_member(data.front().get_object(), "id")}}, "0"));
  if (line.as_json) print_json(json::object{{"unread", 0}});
  else say("All notices are marked as read");
  return 0;
}

Result<int> notification_channels(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(all, api.list("/notifications/channels?limit=200"));
  if (line.as_json) {
    print_json(json::object{{"data", all}});
    return 0;
  }
  std::vector<Row> rows;
  for (const auto& item : all) {
    const auto& c = item.get_object();
    rows.push_back({text_of_member(c, "name"), text_of_member(c, "kind"), state_of(c), text_of_member(c, "least_severity"), events_text(c), text_of_member(c, "id")});
  }
  if (rows.empty()) say("No channels yet. Add one with: caip notification add KIND NAME");
  print(table({"NAME", "KIND", "STATE", "FROM", "EVENTS", "ID"}, rows));
  return 0;
}

Result<int> notification_add(const Line& line) {
  CAIP_TRY(kind, parse_channel_kind(line.kind));
  CAIP_TRY(target, target_of(line.settings));
  const bool asks = kind != ChannelKind::webhook && kind != ChannelKind::email;
  CAIP_TRY(credential, credential_of(line, asks));
  CAIP_TRY(api, Api::open(line));
  json::object body{{"kind", text(kind)}, {"name", line.name}, {"target", target}, {"events", events_of(line)}};
  if (!line.least.empty()) body["least_severity"] = line.least;
  if (credential) body["credential"] = *credential;
  CAIP_TRY(made, api.post("/notifications/channels", body));
  return report_channel(line, made, "Added");
}

Result<int> notification_route(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(before, find_channel(api, line.name));
  json::object body;
  if (!line.least.empty()) body["least_severity"] = line.least;
  if (!line.events.empty()) body["events"] = events_of(line);
  if (line.all_events) body["events"] = json::array();
  if (line.pause) body["paused"] = true;
  if (line.resume) body["paused"] = false;
  if (body.empty()) return fail(Code::invalid, "nothing to change: --least, --event, --all, --pause or --resume");
  CAIP_TRY(changed, api.send_json("PATCH", path_of(before), body, number(before, "version")));
  return report_channel(line, changed, "Changed");
}

Result<int> notification_credential(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(before, find_channel(api, line.name));
  CAIP_TRY(credential, credential_of(line, true));
  json::object body;
  if (credential) body["credential"] = *credential;
  CAIP_TRY(changed, api.post(path_of(before) + "/credential", body));
  return report_channel(line, changed, "Replaced the credential of");
}

Result<int> notification_test(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(channel, find_channel(api, line.name));
  CAIP_TRY(queued, api.post(path_of(channel) + "/test", {}));
  return report_delivery(line, api, queued);
}

Result<int> notification_verify(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(channel, find_channel(api, line.name));
  if (line.text.empty()) {
    CAIP_TRY(queued, api.post(path_of(channel) + "/code", {}));
    say("A code is on its way to the address. Then: caip notification verify NAME CODE");
    return report_delivery(line, api, queued);
  }
  CAIP_TRY(verified, api.post(path_of(channel) + "/verify", {{"code", line.text}}));
  return report_channel(line, verified, "Confirmed");
}

Result<int> notification_delete(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(channel, find_channel(api, line.name));
  const bool sure = line.confirm.empty() ? confirmed("Delete the channel " + line.name + "? What is queued for it is dropped.") : line.confirm == line.name;
  if (!sure) return fail(Code::invalid, "nothing was deleted; --confirm=" + line.name + " says yes without being asked");
  CAIP_CHECKED(api.remove(path_of(channel), number(channel, "version")));
  if (line.as_json) print_json(json::object{{"deleted", text_of_member(channel, "id")}});
  else say("Deleted " + shown(line.name));
  return 0;
}

Result<int> notification_deliveries(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(page, api.get("/notifications/deliveries?limit=" + std::to_string(std::min<std::int64_t>(line.limit, 200)) +
                         (line.state.empty() ? "" : "&state=" + percent_encoded(line.state))));
  if (line.as_json) {
    print_json(page);
    return 0;
  }
  std::vector<Row> rows;
  for (const auto& item : page.at("data").as_array()) {
    const auto& d = item.get_object();
    rows.push_back({text_of_member(d, "created_at"), text_of_member(d, "event"), text_of_member(d, "channel_name"), text_of_member(d, "state"), number(d, "tries"),
                    or_dash(text_of_member(d, "outcome")), text_of_member(d, "id")});
  }
  if (rows.empty()) say("Nothing was sent yet.");
  print(table({"WHEN", "EVENT", "CHANNEL", "STATE", "TRIES", "OUTCOME", "ID"}, rows));
  return 0;
}

Result<int> notification_retry(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(d, api.post("/notifications/deliveries/" + percent_encoded(line.id) + "/retry", {}));
  if (line.as_json) print_json(d);
  else say("Queued again; see: caip notification deliveries");
  return 0;
}

Result<int> notification_events(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(found, api.get("/notifications/event-kinds"));
  if (line.as_json) {
    print_json(found);
    return 0;
  }
  std::vector<Row> rows;
  for (const auto& item : found.at("events").as_array()) {
    const auto& e = item.get_object();
    rows.push_back({text_of_member(e, "event"), text_of_member(e, "severity"), text_of_member(e, "title"), flag(e, "in_app_only") ? "in-app only" : ""});
  }
  print(table({"EVENT", "SEVERITY", "WHAT", ""}, rows));
  return 0;
}

Result<int> notification_letters(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(all, api.list("/notifications/dead-letters?limit=200"));
  if (line.as_json) return print_json(json::object{{"data", all}}), 0;
  std::vector<Row> rows;
  for (const auto& item : all) {
    const auto& l = item.get_object();
    rows.push_back({text_of_member(l, "kind"), text_of_member(l, "address"), text_of_member(l, "created_at"), text_of_member(l, "last_try_at"), text_of_member(l, "outcome")});
  }
  if (rows.empty()) say("Every letter was sent, or is on its way.");
  print(table({"WHAT", "TO", "WRITTEN", "LAST TRY", "HOW IT ENDED"}, rows));
  return 0;
}

}  // namespace caip::cli
