// approvals/gate.h: a human says yes to exactly these bytes, once. The only minter of Warrant.
//
// Refused and recorded (audit result "blocked"): deciding what is decided, expired or of another
// organisation; a digest other than the stored one; a decider who is the pilot, or whose role
// lacks the action's own permission; a second yes by who gave the first or asked for it; a yes without a step-up to what asks for one; proposing what the proposer's human could not do, what only
// reads, or where the organisation's AI may not (ai_gates.h); redeeming twice. Every change of state is one
// UPDATE … WHERE state = <from>, so of two deciders one loses. A step of a plan is such an approval, and is redeemed in its turn alone. Thread-safe.
#pragma once
#include <expected>
#include <memory>
#include <vector>

#include "approvals/ai_gates.h"
#include "approvals/plan.h"
#include "base/page.h"
#include "proofs/approved.h"
#include "proofs/authorized.h"
#include "proofs/session.h"

namespace caip::storage { class Database; class WriteTx; }
namespace caip::audit { class Ledger; }
namespace caip::authorization { class Authorizer; }

namespace caip::approvals {

inline constexpr Duration kLifetime = std::chrono::minutes(15);
inline constexpr int kMaxOpen = 20;  // undecided proposals of one person

struct Passed {
  AiSettings settings;
  AiWrite write;
  bool second_person = false;
  std::optional<UserId> second = {};
};

class ApprovalGate final {
 public:
  // In the transaction that changes the state; an error undoes it.
  using InChange = std::function<Result<void>(storage::WriteTx&, const Approval&)>;

  ApprovalGate(storage::Database&, audit::Ledger&, const authorization::Authorizer&, World, const Clock&);
  ~ApprovalGate();
  // Both at start, before any thread. on_change has one listener, the runner.
  void on_change(InChange, std::function<void(const Approval&)> durable);
  void on_update(std::function<void(const Approval&)>);    // after it is durable
  const World& world() const;

  // The digest of the permit must be that of encode(action).
  Result<Approval> propose(Authorized<ProposeAction>&&, const ServerAction&, const Foreign& intent,
                           std::optional<ConversationId>);
  Result<Approval> approve(Authorized<Approve>&&);
  Result<Approval> deny(Authorized<Deny>&&, std::string reason);

  // --- plans (plan.h). The digest of the permit must be that of plan_bytes() of these actions, in this order. All or nothing, each.
  Result<Plan> propose(Authorized<ProposePlan>&&, const std::vector<Wanted>&, const Foreign& intent, std::optional<ConversationId>);
  // A yes to the named steps, each as if by itself; never to what is destructive. Of a plan in agent mode: to all that may be, and to
  // none of them by itself.
  Result<Plan> approve(Authorized<ApprovePlan>&&);
  Result<Plan> deny(Authorized<DenyPlan>&&, std::string reason);  // of all that waits; what was allowed and has not begun is held
  Result<Page<Plan>> plans(const Session&, const PageAsk&);       // newest first
  Result<Plan> plan(const Session&, const PlanId&);

  void expire_due();  // pending and approved ones past their time, and steps behind one that did not go as planned; every second or so

  // Within the transaction in which somebody goes or gets another role: what they proposed and nobody has carried out yet
  // ends, and so does what rests on a yes of theirs; of two, a first one alone counts for nothing. An order that was not sent is not sent. What is given tells on_update, once that is durable.
  Result<std::function<void()>> end_of(storage::WriteTx&, const OrgId&, const UserId&);

  // Within the transaction in which the organisation's AI may propose less: of `which` (empty: of all) what waits for a decision
  // is denied by whoever switched that (nobody: its time had come), what was allowed and not run yet fails. Tells as above.
  Result<std::function<void()>> deny_all(storage::WriteTx&, const OrgId&, const std::optional<UserId>& by, const std::string& why, const Which& which = {});
  // Of those, also what is ordered: an order that was not sent is not sent any more, whatever is switched back later.
  static Result<void> hold(storage::WriteTx&, const OrgId&, const std::string& why, const Which&);
  // Within the transaction that ends an organisation, once its people are gone: what they proposed.
  static Result<void> end_of(storage::WriteTx&, const OrgId&);

  Result<Page<Approval>> list(const Session&, std::optional<State>, const PageAsk&);  // newest first
  Result<Approval> get(const Session&, const ApprovalId&);
  Result<Approval> find(const ApprovalId&);
  Result<std::vector<Approval>> in_state(State);

  Result<bool> its_turn(const Approval&);  // no step before it is open; redeem() asks again

  // --- for the runner alone. redeem(): approved -> executing inside `tx`, checked anew: expiry,
  // bytes against digest, the rights of requester and approver as they are now.
  Result<Warrant> redeem(storage::WriteTx& tx, const ApprovalId&, const OperationId&);
  // What its order passes by now, after it was redeemed; the error inside: a gate of the AI that is shut, a server that moved, a
  // second person who is asked for since.
  Result<std::expected<Passed, Error>> passes(const ApprovalId&);
  // It was approved but must not run: approved -> failed, on the record.
  Result<void> block(const ApprovalId&, const Error& why);
  // executing -> completed or failed, inside the transaction that finishes the operation.
  // surprise: it worked, and what is there now is not what a plan goes on from.
  Result<void> finish(storage::WriteTx& tx, const ApprovalId&, bool ok, std::string outcome, std::string surprise = {});
  void updated(const ApprovalId&);  // tell on_update once the caller's transaction is durable

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace caip::approvals
