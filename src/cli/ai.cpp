// ai …: what the organisation's AI may do at all. Stopping asks nothing; switching on asks who is there.
#include "api.h"
#include "commands.h"
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

Result<int> ai_stop(const Line& line) {
  return change(line, "/ai/stop", "The AI is stopped: its answers ended, and what it had proposed is denied. An Owner or Admin switches it on again with: caip ai start");
}
Result<int> ai_start(const Line& line) { return change(line, "/ai/start", "The AI is on"); }
Result<int> ai_forbid_writes(const Line& line) {
  return change(line, "/ai/forbid-writes", "The AI proposes no changes any more, and what it had proposed is denied. Allow them again with: caip ai allow-writes");
}
Result<int> ai_allow_writes(const Line& line) { return change(line, "/ai/allow-writes", "The AI may propose changes; each waits for a person's yes"); }

}  // namespace caip::cli
