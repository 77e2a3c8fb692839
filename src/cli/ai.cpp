// ai …: what the organisation's AI may do at all. Stopping asks nothing; switching on asks who is there.
#include "api.h"
#include "commands.h"
#include "find.h"
#include "terminal.h"

namespace caip::cli {
namespace {

bool is_true(const json::object& o, std::string_view name) {
  const json::value* v = o.if_contains(name);
  return v != nullptr && v->is_bool() && v->get_bool();
}

Result<int> change(const Line& line, const char* path, const std::string& said) {
  CAIP_TRY(api, Api::open(line));
  CAIP_TRY(now, api.post(path, {}));
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
  print(table({"AI", is_true(now, "on") ? "on" : "stopped"},
              {{"write actions", is_true(now, "writes") ? "may be proposed" : "off"},
               {"changed", text_of_member(now, "changed_at")},
               {"by", by != nullptr ? text_of_member(*by, "email") : ""}}));
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
  print(table({"server", text_of_member(server, "name")},
              {{"AI access", text_of_member(now, "access")}, {"may look", answer_of(now, "look")}, {"may propose", answer_of(now, "propose")}}));
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

}  // namespace caip::cli
