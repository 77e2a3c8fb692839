// What happened to one's own account: sign-ins, what failed, and what was changed. From the log, of which everybody sees
// this much: the entries that are about themselves, in the organisation that they act in.
#include "audit/query.h"
#include "auth/accounts.h"
#include "base/text.h"
#include "web/api.h"

namespace caip::web {
namespace {

constexpr int kPages = 4;  // of the log, for one of these
constexpr std::size_t kMostAgent = 200;

const std::vector<std::string_view>& about_an_account() {
  static const std::vector<std::string_view> names{
      SignIn::kName, SignInWith::kName, HandOverSession::kName, SignInBySession::kName, ProveFactor::kName, SignOut::kName, StepUpSession::kName, EndSession::kName, EndOtherSessions::kName,
      SwitchOrganization::kName, LinkIdentity::kName, UnlinkIdentity::kName, AddFactor::kName, RenameFactor::kName, RemoveFactor::kName, ResetFactors::kName,
      ResetFactorsLocally::kName, RenewRecoveryCodes::kName, ChangePassword::kName, RequestPasswordReset::kName, ResetPassword::kName,
      RequestVerification::kName, ChangeEmail::kName, ConfirmEmail::kName, ConfirmNewEmail::kName, DisownSignIn::kName, DisownSession::kName, ForgetDevice::kName, AddMember::kName, ChangeRole::kName,
      DisableMember::kName, EnableMember::kName, TransferOwnership::kName, CreateOwner::kName, AcceptInvitation::kName, JoinOrganization::kName,
      CreateToken::kName, RevokeToken::kName};
  return names;
}

Result<audit::Filter> filter_of(const Rooms& rooms, const Session& session) {
  CAIP_TRY(me, rooms.accounts.member(session.org(), session.user()));
  audit::Filter f;
  f.org = session.org();
  f.from = me.created;  // what was under this address before they came is not theirs
  f.about = audit::About{session.user().str(), me.email.str(), about_an_account()};
  return f;
}

std::string text_at(const json::object& o, std::string_view name) {
  const auto* v = o.if_contains(name);
  return v && v->is_string() ? std::string(v->get_string()) : std::string();
}

const json::object& object_at(const json::object& o, std::string_view name) {
  static const json::object none;
  const auto* v = o.if_contains(name);
  return v && v->is_object() ? v->get_object() : none;
}

// Who did it: oneself, somebody else with an account, nobody who said who they are, or the product. Not which somebody.
std::string_view by_whom(const json::object& actor, const UserId& me) {
  if (text_at(actor, "id") == me.str()) return "self";
  const std::string kind = text_at(actor, "kind");
  return kind == "user" ? "other" : kind == "anonymous" ? "anonymous" : "system";
}

std::string what_of(const json::object& params) {
  for (const auto name : {"role", "kind", "provider", "name"})
    if (auto text = text_at(params, name); !text.empty()) return text;
  return {};
}

Result<json::object> event_json(const audit::Entry& e, const UserId& me) {
  CAIP_TRY(entry, parse_object(e.body));
  const json::object &detail = object_at(entry, "detail"), &actor = object_at(entry, "actor");
  const bool others = by_whom(actor, me) == "other";  // where somebody else sat is not for the person it was done to
  return json::object{{"index", e.index}, {"at", text_at(entry, "at")}, {"action", text_at(entry, "action")}, {"result", text_at(entry, "result")},
                      {"by", by_whom(actor, me)}, {"address", others ? "" : text_at(entry, "address")},
                      {"user_agent", others ? "" : shown(cut(text_at(entry, "user_agent"), kMostAgent))},
                      {"what", what_of(object_at(entry, "params"))}, {"reason", text_at(detail, "reason")}};
}

// A page of the log that has nothing of theirs is no answer yet: they would press "more" in an empty list.
Reply history(const Rooms& rooms, Call& call) {
  CAIP_TRY(limit, call.query_integer("limit", 50, 1, 200));
  CAIP_TRY(filter, filter_of(rooms, *call.session));
  auto cursor = call.query_text("cursor");
  json::array data;
  for (int n = 0; n < kPages && data.empty(); ++n) {
    CAIP_TRY(page, rooms.log.list(filter, static_cast<std::size_t>(limit), cursor));
    for (const auto& e : page.entries) {
      CAIP_TRY(event, event_json(e, call.session->user()));
      data.push_back(std::move(event));
    }
    if (!(cursor = page.next_cursor)) break;
  }
  return json_reply(200, json::object{{"data", data}, {"next_cursor", cursor ? json::value(*cursor) : json::value(nullptr)}});
}

}  // namespace

void add_history_routes(Router& router, const Rooms& rooms) {
  router.add({.method = "GET", .path = "/api/v1/account/history", .operation = "listAccountHistory",
              .summary = "Sign-ins, failures and changes of one's own account in this organisation, newest first",
              .permission = Permission::own_session, .handler = [&rooms](Call& c) { return history(rooms, c); }, .list = true, .answer = "AccountEvent"});
}

}  // namespace caip::web
