// proofs/authorized.h: this principal may do exactly this action, decided just now. Minted by
// authorization::Authorizer alone. A repository takes it and gives back Spent<A>; operands come
// from the token, so a permit for one thing cannot be spent on another. Lives 30 s at most.
#pragma once
#include <optional>

#include "base/badge.h"
#include "base/time.h"
#include "model/actions.h"
#include "model/actor.h"

namespace caip::authorization { class Authorizer; }
namespace caip::audit { class Ledger; }

namespace caip {

template <Action A> class Spent;

template <Action A>
class [[nodiscard]] Authorized final {
 public:
  Authorized(Badge<authorization::Authorizer>, A action, Principal principal, std::optional<UserId> approver, Instant decided,
             bool stepped_up = false)
      : action_(std::move(action)), principal_(std::move(principal)), approver_(approver), decided_(decided), stepped_up_(stepped_up) {}
  Authorized(Authorized&& o) noexcept
      : action_(std::move(o.action_)), principal_(std::move(o.principal_)), approver_(o.approver_),
        decided_(o.decided_), stepped_up_(o.stepped_up_), live_(std::exchange(o.live_, false)) {}
  Authorized(const Authorized&) = delete;
  Authorized& operator=(const Authorized&) = delete;
  ~Authorized() noexcept {}

  const A& action() const& { return action_; }
  const A& action() const&& = delete;
  const Principal& principal() const& { return principal_; }
  const Principal& principal() const&& = delete;
  const std::optional<UserId>& approver() const& { return approver_; }
  bool stepped_up() const { return stepped_up_; }

  // Once. Refused when it was moved from, is older than 30 s, or lacks the step-up that the action needs.
  Result<Spent<A>> spend(Instant now) &&;

 private:
  A action_;
  Principal principal_;
  std::optional<UserId> approver_;
  Instant decided_;
  bool stepped_up_;
  bool live_ = true;
};

// What was authorized has been carried out inside a transaction. audit::Ledger turns it into a
// log entry; `outcome` and `detail` are set by the room that did it.
template <Action A>
class [[nodiscard]] Spent final {
 public:
  Spent(Spent&&) noexcept = default;
  Spent(const Spent&) = delete;
  Spent& operator=(const Spent&) = delete;
  ~Spent() noexcept {}
  const A& action() const& { return action_; }
  const Principal& principal() const& { return principal_; }
  const std::optional<UserId>& approver() const& { return approver_; }

 private:
  friend class Authorized<A>;
  Spent(A action, Principal principal, std::optional<UserId> approver)
      : action_(std::move(action)), principal_(std::move(principal)), approver_(approver) {}
  A action_;
  Principal principal_;
  std::optional<UserId> approver_;
};

template <Action A>
Result<Spent<A>> Authorized<A>::spend(Instant now) && {
  constexpr Duration kLifetime = std::chrono::seconds(30);
  if (!std::exchange(live_, false)) return fail(Code::internal, "a permit was spent twice");
  if (now - decided_ > kLifetime) return fail(Code::expired, "the decision is too old; try again");
  if constexpr (A::kStepUp != StepUpNeed::never)  // the backstop: the authorizer gives no such permit
    if (!stepped_up_ && needs_step_up(AnyAction{action_})) return fail(Code::step_up_needed);
  return Spent<A>(std::move(action_), std::move(principal_), approver_);
}

// The authorizer said no. No text for the client beyond the code; the reason is for the log.
struct [[nodiscard]] Denied {
  AnyAction action;
  Principal principal;
  Code code;           // forbidden, approval_needed, …
  std::string reason;  // "role viewer lacks unit.stop"
};

}  // namespace caip
