// second_person.cpp: where an organisation asks for two people, on a production server and of what is destructive.
#include "approvals/ai_controls.h"
#include "parts.h"

namespace caip::approvals {

Result<bool> ApprovalGate::Parts::asks_for_two(storage::Reader& tx, const Approval& a) const {
  if (!a.production && a.impact != Impact::destructive) return false;
  CAIP_TRY(settings, AiControls::within(tx, a.org));
  return settings.second_person;
}

Result<Event> ApprovalGate::Parts::yes_by(storage::WriteTx& tx, Approval& a, const UserId& who) const {
  CAIP_TRY(two, asks_for_two(tx, a));
  a.second_person = a.second_person || two;  // once asked for, it is; withdrawing the setting lets no card off
  if (!a.second_person) return Event::approve;
  if (a.state == State::half_approved) {
    if (a.first_by == who) return fail(Code::already_decided, "you allowed it already; another person has to, before it runs");
    const auto first = still_decides(tx, a.first_by.value(), a, "first approver");
    if (first && who == a.requester) return fail(Code::forbidden, "whoever asked the Pilot for it cannot give the second yes");
    if (first) return Event::approve;
    CAIP_CHECKED(lapse(tx, a));
  }
  return Event::approve_first;
}

Result<void> ApprovalGate::Parts::lapse(storage::WriteTx& tx, Approval& a) const {
  const UserId first = a.first_by.value();
  a.first_by.reset();
  a.first_at.reset();
  CAIP_CHECKED(move(tx, a, Event::lapse));
  auto permit = authorizer.authorize_system(LapseApproval{a.id, first}, a.org);
  if (!permit) return fail(Code::internal, permit.error().reason);
  CAIP_TRY(spent, std::move(*permit).spend(clock.now()));
  CAIP_CHECKED(ledger.append(tx, std::move(spent), {.detail = {{"digest", hex(a.digest)}, {"reason", "whoever allowed it first may not any more"}}}));
  return {};
}

Result<void> ApprovalGate::Parts::by_enough(storage::Reader& tx, const Approval& a) const {
  CAIP_TRY(two, asks_for_two(tx, a));
  if (!two && !a.second_person) return {};
  if (!a.first_by || a.first_by == a.decided_by || a.decided_by == a.requester)
    return fail(Code::forbidden, "the organisation asks for a second person (setting: second person), and one allowed it");
  return still_decides(tx, *a.first_by, a, "first approver");
}

}  // namespace caip::approvals
