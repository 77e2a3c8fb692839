// The people of an organisation and their roles.
#include "auth/accounts.h"
#include "authorization/authorizer.h"
#include "crypto/random.h"
#include "web/api.h"

namespace caip::web {
namespace {

json::object member_json(const auth::Member& m) {
  return json::object{{"id", m.user.str()}, {"email", m.email.str()}, {"role", text(m.role)},
                      {"version", m.version}, {"created_at", m.created.str()}};
}

Reply list(const Rooms& rooms, Call& call) {
  CAIP_TRY(ask, call.page());
  CAIP_TRY(page, rooms.accounts.members(call.session->org(), ask));
  return list_reply(call, page, [](const auth::Member& m) { return Place{m.created.micros(), m.user.str()}; }, member_json);
}

Result<json::object> find(const Rooms& rooms, const Session& session, const UserId& user) {
  CAIP_TRY(member, rooms.accounts.member(session.org(), user));
  return member_json(member);
}

Reply add(const Rooms& rooms, Call& call) {
  Members m(call.body);
  CAIP_TRY(email_text, m.string("email", 254));
  CAIP_TRY(role_text, m.string("role", 16));
  CAIP_TRY(password, m.string("password", 1024));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(email, Email::parse(email_text));
  CAIP_TRY(role, parse_role(role_text));
  auto permit = rooms.authorizer.authorize(*call.session, AddMember{crypto::random_id<UserId>(), email, role});
  if (!permit) return std::unexpected(refused(rooms, permit.error()));
  CAIP_TRY(receipt, rooms.accounts.add_member(std::move(*permit), SecretBytes(password)));
  CAIP_TRY(body, find(rooms, *call.session, receipt.action().user));
  return json_reply(201, body);
}

// If-Match: "3"
Result<std::int64_t> expected_version(const Call& call) {
  std::string_view tag = call.request.header("if-match");
  if (tag.empty()) return fail(Code::precondition_required, "send If-Match with the member's version");
  if (tag.size() < 3 || tag.size() > 14 || tag.front() != '"' || tag.back() != '"') return fail(Code::malformed, "If-Match is a quoted version");
  std::int64_t version = 0;
  for (char c : tag.substr(1, tag.size() - 2)) {
    if (c < '0' || c > '9') return fail(Code::malformed, "If-Match is a quoted version");
    version = version * 10 + (c - '0');
  }
  return version;
}

Reply change(const Rooms& rooms, Call& call) {
  CAIP_TRY(user, UserId::parse(call.path_text("id")));
  Members m(call.body);
  CAIP_TRY(role_text, m.string("role", 16));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(role, parse_role(role_text));
  CAIP_TRY(version, expected_version(call));
  auto permit = rooms.authorizer.authorize(*call.session, ChangeRole{user, role});
  if (!permit) return std::unexpected(refused(rooms, permit.error()));
  CAIP_TRY(receipt, rooms.accounts.change_role(std::move(*permit), version));
  CAIP_TRY(body, find(rooms, *call.session, receipt.action().user));
  http::Response r = json_reply(200, body);
  r.headers.emplace_back("ETag", '"' + std::to_string(body["version"].as_int64()) + '"');
  return r;
}

}  // namespace

void add_member_routes(Router& router, const Rooms& rooms) {
  router.add({.method = "GET", .path = "/api/v1/members", .operation = "listMembers", .summary = "The people of the organisation",
              .permission = Permission::member_view, .handler = [&rooms](Call& c) { return list(rooms, c); }, .list = true});
  router.add({.method = "POST", .path = "/api/v1/members", .operation = "addMember", .summary = "Add a person",
              .permission = Permission::member_manage, .handler = [&rooms](Call& c) { return add(rooms, c); },
              .body = {{"email", "string"}, {"role", "string"}, {"password", "string"}}, .idempotency_key = true, .success = 201, .slow = true});
  router.add({.method = "PATCH", .path = "/api/v1/members/{id}", .operation = "changeRole", .summary = "Change a person's role (If-Match)",
              .permission = Permission::member_manage, .handler = [&rooms](Call& c) { return change(rooms, c); }, .body = {{"role", "string"}}, .if_match = true});
}

}  // namespace caip::web
