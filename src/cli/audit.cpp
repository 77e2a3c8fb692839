// audit …
#include <algorithm>

#include "api.h"
#include "base/text.h"
#include "commands.h"
#include "terminal.h"

namespace caip::cli {
namespace {

std::string actor_of(const json::object& entry) {
  const auto* actor = object_member(entry, "actor");
  if (actor == nullptr) return "-";
  return text_of_member(*actor, "kind") + " " + text_of_member(*actor, "id");
}

Result<json::array> newest(Api& api, const Line& line) {
  std::string path = "/audit/entries?limit=" + std::to_string(std::min<std::int64_t>(line.limit, 200));
  if (!line.action.empty()) path += "&action=" + percent_encoded(line.action);
  if (!line.result.empty()) path += "&result=" + percent_encoded(line.result);
  json::array all;
  std::string cursor;
  while (all.size() < static_cast<std::size_t>(line.limit)) {
    CAIP_TRY(page, api.get(cursor.empty() ? path : path + "&cursor=" + percent_encoded(cursor)));
    const json::value* data = page.if_contains("data");
    if (data == nullptr || !data->is_array()) return fail(Code::internal, "the server's answer is not a list");
    for (const auto& item : data->get_array())
      if (item.is_object() && all.size() < static_cast<std::size_t>(line.limit)) all.push_back(item);
    cursor = text_of_member(page, "next_cursor");
    if (cursor.empty()) break;
  }
  return all;
}

}  // namespace

Result<int> audit_list(const Line& line) {
  CAIP_TRY(api, Api::open());
  CAIP_TRY(all, newest(api, line));
  if (line.as_json) {
    print_json(json::object{{"data", all}});
    return 0;
  }
  std::vector<Row> rows;
  for (const auto& item : all) {
    const auto& object = item.get_object();
    const auto* e = object_member(object, "entry");
    if (e == nullptr) continue;
    const json::value* index = object.if_contains("index");
    rows.push_back({index != nullptr ? json::serialize(*index) : "", text_of_member(*e, "at"), text_of_member(*e, "action"), text_of_member(*e, "result"),
                    text_of_member(*e, "source"), actor_of(*e), text_of_member(*e, "target")});
  }
  print(table({"INDEX", "AT", "ACTION", "RESULT", "SOURCE", "ACTOR", "TARGET"}, rows));
  return 0;
}

Result<int> audit_verify(const Line& line, const VerifyDataDir& verify) {
  std::optional<std::string> old;
  if (!line.checkpoint.empty()) {
    CAIP_TRY(text, read_file(line.checkpoint, 65536));
    old = text;
  }
  const auto checked = verify(line.data, old);
  if (!checked) return fail(Code::storage_failed, checked.error().detail);  // exit code 1: it was not shown to hold
  const Verified& report = *checked;
  if (line.as_json) {
    json::object out{{"holds", !report.broken}, {"entries", report.entries}, {"root", report.root}, {"checkpoint", report.checkpoint}};
    out["broken"] = report.broken ? json::value(*report.broken) : json::value(nullptr);
    out["broken_index"] = report.broken_index ? json::value(*report.broken_index) : json::value(nullptr);
    print_json(out);
  } else if (report.broken) {
    print("The log does NOT hold: " + shown(*report.broken));
  } else {
    print("Everything holds: " + std::to_string(report.entries) + " entries, root " + report.root);
    if (!old) print("Keep the checkpoint (caip audit verify --json) elsewhere: with it, a cut or rewritten log is found too.");
  }
  return report.broken ? 1 : 0;
}

}  // namespace caip::cli
