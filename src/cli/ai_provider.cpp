// ai provider, ai models: who answers as the organisation's AI. A key is a stored secret, named here and never typed.
#include "api.h"
#include "base/text.h"
#include "commands.h"
#include "terminal.h"

namespace caip::cli {
namespace {

json::object where(const Line& line) {
  json::object body{{"provider", line.kind}};
  if (!line.base_url.empty()) body["base_url"] = line.base_url;
  if (!line.secret.empty()) body["secret"] = line.secret;
  return body;
}

int print_provider(const Line& line, const json::object& now) {
  if (line.as_json) return print_json(now), 0;
  std::vector<Row> rows{{"answers", text_of_member(now, "label")}};
  const auto* chosen = object_member(now, "chosen");
  if (chosen == nullptr) rows.push_back({"chosen by", "whoever installed this; an Owner chooses with: caip ai provider NAME --model MODEL --secret NAME"});
  if (chosen != nullptr) {
    const auto* key = object_member(*chosen, "key");
    const auto* by = object_member(*chosen, "changed_by");
    const json::value* tokens = chosen->if_contains("max_tokens");
    rows.push_back({"address", text_of_member(*chosen, "base_url")});
    rows.push_back({"key", key == nullptr ? "none" : text_of_member(*key, "name").empty() ? "deleted" : text_of_member(*key, "name")});
    rows.push_back({"tokens of a turn", tokens != nullptr && tokens->is_int64() ? std::to_string(tokens->get_int64()) : "-"});
    rows.push_back({"changed", text_of_member(*chosen, "changed_at")});
    rows.push_back({"by", by != nullptr ? text_of_member(*by, "email") : ""});
  }
  print(table({"provider", chosen != nullptr ? text_of_member(*chosen, "provider") : "as installed"}, rows));
  return 0;
}

}  // namespace

Result<int> ai_provider(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  if (line.kind.empty()) {
    CAIP_TRY(now, api.get("/ai/provider"));
    return print_provider(line, now);
  }
  if (line.kind == "default") {
    CAIP_TRY(now, api.remove("/ai/provider"));
    return print_provider(line, now);
  }
  if (line.model.empty()) return fail(Code::invalid, "--model is missing; what there is: caip ai models " + shown(line.kind) + " --secret NAME");
  json::object body = where(line);
  body["model"] = line.model;
  if (line.value) body["max_tokens"] = *line.value;
  CAIP_TRY(now, api.put("/ai/provider", body));
  return print_provider(line, now);
}

Result<int> ai_models(const Line& line) {
  CAIP_TRY(api, Api::open(line));
  json::object body = where(line);
  CAIP_TRY(found, api.post("/ai/provider/test", body));
  if (line.as_json) return print_json(found), 0;
  const json::value* models = found.if_contains("models");
  if (models != nullptr && models->is_array())
    for (const auto& m : models->get_array())
      if (m.is_string()) print(shown(std::string(m.get_string())));
  return 0;
}

}  // namespace caip::cli
