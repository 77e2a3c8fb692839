// ai …: what the organisation's AI may do at all. Stopping asks nothing; switching on asks who is there.
#include <algorithm>

#include "api.h"
#include "base/text.h"
#include "commands.h"
#include "find.h"
#include "terminal.h"

namespace caip::cli {
namespace {

bool is_true(const json::object& o, std::string_view name) {
  const json::value* v = o.if_contains(name);
  return v != nullptr && v->is_bool() && v->get_bool();
}

const json::array& items(const json::object& o, std::string_view name) {
  static const json::array kNone;
  const json::value* v = o.if_contains(name);
  return v != nullptr && v->is_array() ? v->get_array() : kNone;
}

// "off until 2026-…, by owner@example.org: the disk is full"
std::string protection_of(const json::object& ai) {
  const auto* p = object_member(ai, "production_protection");
  if (p == nullptr) return "-";
  if (is_true(*p, "on")) return "on: nothing is proposed on production servers, nor where the environment is unknown";
  const auto* by = object_member(*p, "switched_off_by");
  return "OFF until " + text_of_member(*p, "off_until") + (by != nullptr ? ", by " + text_of_member(*by, "email") : "") + ": " + text_of_member(*p, "reason");
}

Result<int> change(const Line& line, const char* path, const std::string& said, const json::object& body = {}) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(now, api.post(path, body));
  if (line.as_json) print_json(now);
  else say(said);
  return 0;
}

}  // namespace

Result<int> ai_show(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(now, api.get("/ai"));
  if (line.as_json) return print_json(now), 0;
  const auto* by = object_member(now, "changed_by");
  std::vector<Row> rows{{"write actions", is_true(now, "writes") ? "may be proposed" : "off"}};
  for (const auto& item : items(now, "operations")) {
    const auto& o = item.get_object();
    rows.push_back({"  " + text_of_member(o, "operation"), !is_true(o, "category_on") ? "off: " + text_of_member(o, "category") : is_true(o, "on") ? "may be proposed" : "off"});
  }
  rows.push_back({"Production Protection", protection_of(now)});
  rows.push_back({"second person", is_true(now, "second_person") ? "on: for production and what is destructive, two people have to say yes" : "off"});
  for (const auto& item : items(now, "limits")) {
    const auto& l = item.get_object();
    if (const json::value* v = l.if_contains("value"); v != nullptr && v->is_int64()) rows.push_back({text_of_member(l, "limit"), std::to_string(v->get_int64())});
  }
  rows.push_back({"changed", text_of_member(now, "changed_at")});
  rows.push_back({"by", by != nullptr ? text_of_member(*by, "email") : ""});
  print(table({"AI", is_true(now, "on") ? "on" : "stopped"}, rows));
  return 0;
}

namespace {

std::string answer_of(const json::object& access, std::string_view use) {
  const auto* o = object_member(access, use);
  if (o == nullptr) return "-";
  return is_true(*o, "may") ? "yes" : "no: " + text_of_member(*o, "why_not");
}

}  // namespace

Result<int> ai_access(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(server, find_server(api, line.server));
  const std::string path = "/servers/" + percent_encoded(text_of_member(server, "id")) + "/ai-access";
  CAIP_TRY(now, line.state.empty() ? api.get(path) : api.put(path, {{"access", line.state}}));
  if (line.as_json) return print_json(now), 0;
  std::vector<Row> rows{{"AI access", text_of_member(now, "access")}, {"may look", answer_of(now, "look")}, {"may propose", answer_of(now, "propose")}};
  for (const auto& item : items(now, "operations")) {
    const auto& o = item.get_object();
    rows.push_back({"  " + text_of_member(o, "operation"), is_true(o, "may") ? "yes" : "no: " + text_of_member(o, "why_not")});
  }
  print(table({"server", text_of_member(server, "name")}, rows));
  return 0;
}

Result<int> ai_stop(const Line& line) {
  return change(line, "/ai/stop", "The AI is stopped: its answers ended, and what it had proposed is denied. An Owner or Admin switches it on again with: caip ai start");
}
Result<int> ai_start(const Line& line) { return change(line, "/ai/start", "The AI is on"); }
Result<int> ai_forbid_writes(const Line& line) {
  return change(line, "/ai/forbid-writes", "The AI proposes no changes any more, and what it had proposed is denied. Allow them again with: caip ai allow-writes");
}
Result<int> ai_allow_writes(const Line& line) { return change(line, "/ai/allow-writes", "The AI may propose changes; each waits for a person's yes"); }

namespace {

bool category_off(const json::object& ai, std::string_view operation) {
  return std::ranges::any_of(items(ai, "operations"), [&](const json::value& item) {
    const auto& o = item.get_object();
    return text_of_member(o, "operation") == operation && !is_true(o, "category_on");
  });
}

Result<int> set_operation(const Line& line, bool on) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(now, api.put("/ai/operations", {{"operation", line.name}, {"on", on}}));
  if (line.as_json) print_json(now);
  else if (on && category_off(now, line.name)) say(shown(line.name) + " is on, and nothing of its category is proposed while that is off; allow it too with: caip ai allow " + shown(line.name.substr(0, line.name.find('.'))));
  else if (on) say("The AI may propose " + shown(line.name) + "; each waits for a person's yes");
  else say("The AI does not propose " + shown(line.name) + " any more, and what it had proposed of it is denied");
  return 0;
}

}  // namespace

Result<int> ai_allow(const Line& line) { return set_operation(line, true); }
Result<int> ai_forbid(const Line& line) { return set_operation(line, false); }
Result<int> ai_protect(const Line& line) {
  return change(line, "/ai/protect-production", "Production Protection is on: the AI proposes nothing on production servers, and what it had proposed there is denied");
}
Result<int> ai_second_person(const Line& line) {
  const bool on = line.state == "on";
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(now, api.put("/ai/second-person", {{"required", on}}));
  if (line.as_json) print_json(now);
  else if (on) say("What the AI proposes for production, or is destructive, needs the yes of two people; the second is not who asked");
  else say("One person's yes is enough again. What was proposed while two were asked for still needs two");
  return 0;
}
Result<int> ai_limit(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(now, api.put("/ai/limits", {{"limit", line.name}, {"value", line.value.value_or(0)}}));
  if (line.as_json) print_json(now);
  else say("The AI's limit " + shown(line.name) + " is " + std::to_string(line.value.value_or(0)));
  return 0;
}
Result<int> ai_unprotect(const Line& line) {
  return change(line, "/ai/unprotect-production", "Production Protection is off; every Owner and Admin was told. It is on again by itself in " + std::to_string(line.minutes) +
                " minutes, or with: caip ai protect", {{"minutes", line.minutes}, {"reason", line.reason}});
}

}  // namespace caip::cli
