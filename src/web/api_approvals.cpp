// What the pilot proposed, and a human's yes or no to it.
#include "approvals/gate.h"
#include "permits.h"
#include "plain_digest.h"
#include "runner/approval_runner.h"
#include "web/api.h"

namespace caip::web {
namespace {

Reply list(const Rooms& rooms, Call& call) {
  std::optional<approvals::State> state;
  if (auto text = call.query_text("state")) {
    CAIP_TRY(parsed, approvals::parse_state(*text));
    state = parsed;
  }
  CAIP_TRY(ask, call.page());
  CAIP_TRY(page, rooms.gate.list(*call.session, state, ask));
  return list_reply(call, page, [](const auto& a) { return Place{a.created_at.micros(), a.id.str()}; },
                    [&](const auto& a) { return approvals::view(a, rooms.gate.world()); });
}

Reply shown_now(const Rooms& rooms, Call& call, const ApprovalId& id) {
  CAIP_TRY(approval, rooms.gate.get(*call.session, id));
  return json_reply(200, approvals::view(approval, rooms.gate.world()));
}

Reply approve(const Rooms& rooms, Call& call) {
  CAIP_TRY(id, call.id<ApprovalId>());
  Members m(call.body);
  CAIP_TRY(text, m.string("digest", 64));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(digest, parse_digest(text));
  CAIP_TRY(permit, permit_for(rooms, *call.session, Approve{id, digest}));
  CAIP_TRY(approved, rooms.gate.approve(std::move(permit)));
  // The yes is on the record; what comes of running it is shown by the approval itself.
  (void)rooms.approval_runner.run(approved.id);
  return shown_now(rooms, call, id);
}

Reply deny(const Rooms& rooms, Call& call) {
  CAIP_TRY(id, call.id<ApprovalId>());
  Members m(call.body);
  CAIP_TRY(text, m.string("digest", 64));
  CAIP_TRY(reason, m.optional_string("reason", 1000));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(digest, parse_digest(text));
  if (reason && has_hidden(*reason)) return fail(Code::invalid, "the reason contains hidden characters");
  CAIP_TRY(permit, permit_for(rooms, *call.session, Deny{id, digest}));
  CAIP_TRY(denied, rooms.gate.deny(std::move(permit), reason.value_or("")));
  return json_reply(200, approvals::view(denied, rooms.gate.world()));
}

}  // namespace

void add_approval_routes(Router& router, const Rooms& rooms) {
  router.add({.method = "GET", .path = "/api/v1/approvals", .operation = "listApprovals", .summary = "Proposals, newest first",
              .permission = Permission::approval_view, .handler = [&rooms](Call& c) { return list(rooms, c); },
              .query = {{"state", "string", false}}, .list = true, .answer = "Approval"});
  router.add({.method = "GET", .path = "/api/v1/approvals/{id}", .operation = "getApproval", .summary = "One proposal",
              .permission = Permission::approval_view, .handler = [&rooms](Call& c) -> Reply {
                CAIP_TRY(id, c.id<ApprovalId>());
                return shown_now(rooms, c, id);
              }, .answer = "Approval"});
  router.add({.method = "POST", .path = "/api/v1/approvals/{id}/approve", .operation = "approve", .summary = "Say yes to exactly these bytes",
              .permission = Permission::approval_decide, .handler = [&rooms](Call& c) { return approve(rooms, c); },
              .body = {{"digest", "string"}}, .idempotency_key = true, .answer = "Approval"});
  router.add({.method = "POST", .path = "/api/v1/approvals/{id}/deny", .operation = "deny", .summary = "Say no",
              .permission = Permission::approval_decide, .handler = [&rooms](Call& c) { return deny(rooms, c); },
              .body = {{"digest", "string"}, {"reason", "string", false}}, .idempotency_key = true, .answer = "Approval"});
}

}  // namespace caip::web
