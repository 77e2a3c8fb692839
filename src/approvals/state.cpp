#include "approvals/state.h"

namespace caip::approvals {

std::string_view text(State s) noexcept {
  switch (s) {
    case State::pending: return "pending";
    case State::half_approved: return "half_approved";
    case State::approved: return "approved";
    case State::executing: return "executing";
    case State::completed: return "completed";
    case State::failed: return "failed";
    case State::denied: return "denied";
    case State::expired: return "expired";
    case State::held: return "held";
  }
  return "failed";
}

std::string_view text(Event e) noexcept {
  switch (e) {
    case Event::approve: return "approve";
    case Event::approve_first: return "approve_first";
    case Event::lapse: return "lapse";
    case Event::deny: return "deny";
    case Event::expire: return "expire";
    case Event::redeem: return "redeem";
    case Event::block: return "block";
    case Event::succeed: return "succeed";
    case Event::fail: return "fail";
    case Event::hold: return "hold";
  }
  return "fail";
}

Result<State> parse_state(std::string_view name) {
  for (auto s : {State::pending, State::half_approved, State::approved, State::executing, State::completed, State::failed, State::denied, State::expired, State::held})
    if (text(s) == name) return s;
  return fail(Code::invalid, "no such state of an approval");
}

}  // namespace caip::approvals
