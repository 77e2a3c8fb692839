// Several proposals of the pilot in an order, and a human's yes or no to more than one of them at once.
#include "approvals/gate.h"
#include "base/lists.h"
#include "permits.h"
#include "plain_digest.h"
#include "runner/approval_runner.h"
#include "web/api.h"

namespace caip::web {
namespace {

json::object shown(const Rooms& rooms, const approvals::Plan& p) { return approvals::view(p, rooms.gate.world()); }

Reply list(const Rooms& rooms, Call& call) {
  CAIP_TRY(ask, call.page());
  CAIP_TRY(page, rooms.gate.plans(*call.session, ask));
  return list_reply(call, page, [](const auto& p) { return Place{p.created_at.micros(), p.id.str()}; }, [&](const auto& p) { return shown(rooms, p); });
}

Reply shown_now(const Rooms& rooms, Call& call, const PlanId& id) {
  CAIP_TRY(plan, rooms.gate.plan(*call.session, id));
  return json_reply(200, shown(rooms, plan));
}

Reply approve(const Rooms& rooms, Call& call) {
  CAIP_TRY(id, call.id<PlanId>());
  CAIP_TRY(steps, take_integers(call.body, "steps", static_cast<std::size_t>(approvals::kMostSteps)));
  Members m(call.body);
  CAIP_TRY(text, m.string("digest", 64));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(digest, parse_digest(text));
  CAIP_TRY(permit, permit_for(rooms, *call.session, ApprovePlan{id, digest, steps}));
  CAIP_TRY(plan, rooms.gate.approve(std::move(permit)));
  // The yes is on the record; what comes of running it is shown by the plan itself.
  for (const approvals::Approval& a : plan.steps)
    if (a.state == approvals::State::approved) (void)rooms.approval_runner.run(a.id);
  return shown_now(rooms, call, id);
}

Reply deny(const Rooms& rooms, Call& call) {
  CAIP_TRY(id, call.id<PlanId>());
  Members m(call.body);
  CAIP_TRY(text, m.string("digest", 64));
  CAIP_TRY(reason, m.optional_string("reason", 1000));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(digest, parse_digest(text));
  CAIP_TRY(permit, permit_for(rooms, *call.session, DenyPlan{id, digest}));
  CAIP_TRY(plan, rooms.gate.deny(std::move(permit), reason.value_or("")));
  return json_reply(200, shown(rooms, plan));
}

}  // namespace

void add_plan_routes(Router& router, const Rooms& rooms) {
  router.add({.method = "GET", .path = "/api/v1/plans", .operation = "listPlans", .summary = "Plans of the Pilot, newest first",
              .permission = Permission::approval_view, .handler = [&rooms](Call& c) { return list(rooms, c); }, .list = true, .answer = "Plan"});
  router.add({.method = "GET", .path = "/api/v1/plans/{id}", .operation = "getPlan", .summary = "One plan with its steps",
              .permission = Permission::approval_view, .handler = [&rooms](Call& c) -> Reply {
                CAIP_TRY(id, c.id<PlanId>());
                return shown_now(rooms, c, id);
              }, .answer = "Plan"});
  router.add({.method = "POST", .path = "/api/v1/plans/{id}/approve", .operation = "approvePlan",
              .summary = "Say yes to these steps, as the digest has them: rising numbers from 1, none of them destructive; of a plan in agent mode all that are not",
              .permission = Permission::approval_decide, .handler = [&rooms](Call& c) { return approve(rooms, c); },
              .body = {{"digest", "string"}, {"steps", "array"}}, .idempotency_key = true, .answer = "Plan"});
  router.add({.method = "POST", .path = "/api/v1/plans/{id}/deny", .operation = "denyPlan", .summary = "Say no to all of it that has not begun; what was allowed is held",
              .permission = Permission::approval_decide, .handler = [&rooms](Call& c) { return deny(rooms, c); },
              .body = {{"digest", "string"}, {"reason", "string", false}}, .idempotency_key = true, .answer = "Plan"});
}

}  // namespace caip::web
