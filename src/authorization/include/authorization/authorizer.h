// authorization/authorizer.h: may this principal do exactly this, now? The one place that says
// yes, and the only minter of Authorized<A>. Deny by default. Thread-safe; no I/O, no state.
//
// A session: the role must grant needs_of(action) (model/permission.h), and further
//   * own_session actions are for the session itself alone;
//   * nobody hands out a role above their own, or a token with a scope that they do not hold;
//   * the pilot (source == pilot) never writes: what changes something on a server gives approval_needed when
//     its human could do them; it never decides, enrols, manages members or touches a session;
//   * approval.propose, plan.propose and pilot.reply are the pilot's alone, pilot.ask is the human's alone;
//   * an API token does what its scopes, its maker's role and the table's column for tokens all allow:
//     never a decision on an approval, members, tokens, sessions, or anything that asks for a step-up: no
//     person is there who could.
// Whoever lacks the permission is told that, and is not asked for a password first.
// Which organisation a target belongs to is not known here: repositories look it up scoped by
// principal().org.
#pragma once
#include <expected>
#include <optional>
#include <variant>

#include "base/time.h"
#include "proofs/agent_identity.h"
#include "proofs/approved.h"
#include "proofs/authorized.h"
#include "proofs/session.h"
#include "proofs/step_up.h"

namespace caip::authorization {

template <Action A>
using Decision = std::expected<Authorized<A>, Denied>;
using WarrantedAction = std::variant<Authorized<StartUnit>, Authorized<StopUnit>, Authorized<RestartUnit>, Authorized<ReloadUnit>, Authorized<EnableUnit>, Authorized<DisableUnit>, Authorized<PlaceEnv>, Authorized<RemoveEnv>,
                                     Authorized<CreateSite>, Authorized<ChangeSite>, Authorized<DeleteSite>, Authorized<RestoreSite>>;

constexpr bool for_sessions(Permission p) {
  return p != Permission::anonymous && p != Permission::agent && p != Permission::system;
}

class Authorizer {
 public:
  explicit Authorizer(const Clock& clock) : clock_(clock) {}

  template <Action A>
    requires(for_sessions(A::kNeeds) && A::kStepUp == StepUpNeed::never)
  Decision<A> authorize(const Session&, A) const;

  // What asks for a step-up. It counts for its own session, while it is fresh.
  template <Action A>
    requires(for_sessions(A::kNeeds) && A::kStepUp != StepUpNeed::never)
  Decision<A> authorize(const Session&, A, StepUp&&) const;
  // Without one: yes only where these operands ask for none.
  template <Action A>
    requires(for_sessions(A::kNeeds) && A::kStepUp == StepUpNeed::by_operands)
  Decision<A> authorize_without_step_up(const Session&, A) const;
  // And never a yes where the action always does; Code::step_up_needed unless it would be refused anyway.
  template <Action A>
    requires(for_sessions(A::kNeeds) && A::kStepUp == StepUpNeed::always)
  Denied refuse_without_step_up(const Session&, A) const;

  // An agent, for what its own server does.
  template <Action A>
    requires(A::kNeeds == Permission::agent)
  Decision<A> authorize(const AgentIdentity&, A, std::optional<OrgId> org = std::nullopt) const;

  // No session: what guards it is a one-time token or credentials, checked by who spends it.
  template <Action A>
    requires(A::kNeeds == Permission::anonymous)
  Decision<A> authorize_anonymous(Origin, A, std::optional<OrgId> org = std::nullopt) const;

  // The control plane itself.
  template <Action A>
    requires(A::kNeeds == Permission::system)
  Decision<A> authorize_system(A, std::optional<OrgId> org = std::nullopt) const;

  // What a human approved and the gate redeemed. The requester's rights are checked again, with
  // the role the gate found now; bytes must be what the action encodes to; it must not be late.
  std::expected<WarrantedAction, Denied> authorize(Warrant&&) const;

  // Reading lists and pages: the permissions that the table (model/permission.h) marks so. Anything else is refused:
  // changes need an Authorized<A>.
  Result<void> require_view(const Session&, Permission) const;

 private:
  struct Basis {
    std::optional<UserId> approver = {};
    bool warranted = false;
    bool stepped_up = false;
  };
  template <Action A>
  Decision<A> decide_for(Principal, A, Basis) const;
  const Clock& clock_;
};

}  // namespace caip::authorization
