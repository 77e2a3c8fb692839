// table.h: the rows of `approvals`. The only statements that touch them.
#pragma once
#include <vector>

#include "approvals/plan.h"
#include "base/page.h"
#include "storage/tx.h"

namespace caip::approvals::table {

Result<void> insert(storage::WriteTx&, const Approval&);
Result<std::optional<Approval>> find(storage::Reader&, const ApprovalId&);
// Newest first, one more than a page.
Result<std::vector<Approval>> of_org(storage::Reader&, const OrgId&, std::optional<State>, const PageAsk&);
Result<std::vector<Approval>> in_state(storage::Reader&, State);
Result<std::vector<Approval>> undone_of(storage::Reader&, const OrgId&, const std::optional<UserId>& requester);  // kUndone; of all
// Undone, and what stands there is no approval: in the ids' own text.
struct Unreadable {
  std::string id, org, why;
};
Result<std::vector<Unreadable>> unreadable(storage::Reader&);
Result<void> end_unreadable(storage::WriteTx&, const std::string& id, std::string_view why);  // also one whose order runs
Result<void> hold(storage::WriteTx&, const ApprovalId&, std::string_view why);  // an executing one: its order is not sent any more
Result<std::int64_t> open_of(storage::Reader&, const UserId&);  // undecided proposals

// --- plans (plan.h)
Result<void> insert(storage::WriteTx&, const Plan&);  // and its steps
Result<std::optional<Plan>> find(storage::Reader&, const PlanId&);
Result<std::vector<Plan>> plans_of(storage::Reader&, const OrgId&, const PageAsk&);  // newest first, one more than a page
Result<std::vector<Approval>> steps_of(storage::Reader&, const PlanId&);              // in their order; damage of one is damage of all
Result<std::int64_t> done_before(storage::Reader&, const Approval& step);             // how many of the steps before it completed as planned
Result<std::optional<Stop>> stopped_before(storage::Reader&, const Approval& step);  // the first step before it that did not go as planned
Result<std::vector<Approval>> to_hold(storage::Reader&);  // undone, and behind such a one; of all organisations

// Compare and set: `now`'s row becomes `now` if its state is still `from`; else Code::already_decided.
Result<void> change(storage::WriteTx&, State from, const Approval& now);

}  // namespace caip::approvals::table
