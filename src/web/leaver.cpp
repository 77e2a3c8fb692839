#include "leaver.h"

#include <set>

#include "audit/query.h"
#include "servers/server_service.h"
#include "vault/secret_store.h"

namespace caip::web {
namespace {

constexpr int kPages = 5;
constexpr std::size_t kPage = 200;

// The values of params.`member` in what this person did, newest first.
Result<std::set<std::string>> done_by(const Rooms& rooms, const OrgId& org, const UserId& user, std::string_view action, std::string_view member) {
  std::set<std::string> out;
  audit::Filter filter{.org = org, .actor = user.str(), .action = std::string(action), .result = "completed"};
  std::optional<std::string> cursor;
  for (int n = 0; n < kPages; ++n) {
    CAIP_TRY(page, rooms.log.list(filter, kPage, cursor));
    for (const auto& entry : page.entries) {
      CAIP_TRY(body, parse_object(entry.body));
      out.emplace(body.at("params").as_object().at(member).as_string());
    }
    if (!(cursor = page.next_cursor)) break;
  }
  return out;
}

Result<json::array> secrets_known(const Rooms& rooms, const OrgId& org, const UserId& user) {
  json::array out;
  CAIP_TRY(made, done_by(rooms, org, user, CreateSecret::kName, "secret"));
  CAIP_TRY(replaced, done_by(rooms, org, user, ReplaceSecret::kName, "secret"));
  made.merge(replaced);
  for (const auto& text : made) {
    CAIP_TRY(id, SecretId::parse(text));
    if (auto secret = rooms.secrets.get(org, id)) out.push_back(json::object{{"id", text}, {"kind", caip::text(secret->kind)}, {"name", secret->name.str()}});
  }
  return out;
}

Result<json::array> commands_known(const Rooms& rooms, const Session& asking, const UserId& user) {
  json::array out;
  if (!holds(asking.principal(), Permission::enrolment_view)) return out;  // nor did they make any
  CAIP_TRY(made, done_by(rooms, asking.org(), user, CreateEnrolment::kName, "enrolment"));
  CAIP_TRY(newest, rooms.servers.enrolments(asking, {.limit = kPage, .after = std::nullopt}));
  for (const auto& e : newest.items)
    if (made.contains(e.id.str()) && !e.used_at && rooms.clock.now() < e.expires_at) out.push_back(json::object{{"id", e.id.str()}, {"name", e.name.str()}, {"expires_at", e.expires_at.str()}});
  return out;
}

}  // namespace

Result<json::object> still_held(const Rooms& rooms, const Session& asking, const UserId& user) {
  CAIP_TRY(secrets, secrets_known(rooms, asking.org(), user));
  CAIP_TRY(commands, commands_known(rooms, asking, user));
  return json::object{{"secrets", secrets},
                      {"enrolments", commands},
                      {"by_hand", json::array{"SSH keys and accounts that were put on servers by hand",
                                              "accounts at cloud, DNS and code hosting providers",
                                              "notification channels that lead to a private address",
                                              "copies: exports of the log, backups, notes"}}};
}

}  // namespace caip::web
