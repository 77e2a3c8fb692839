// approvals/state.h: the life of an approval, as a table. Whatever is not in it is refused and
// recorded. test/models/approval.pml is the Spin model of it; test/models/check.py compares the
// rows below with the model's moves, one by one, so keep one row a line.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace caip::approvals {

enum class State : std::uint8_t {
  pending,
  half_approved,  // one of two people said yes
  approved, executing, completed, failed, denied, expired,
  held,  // a step of a plan that was not run: one before it did not go as planned
};
enum class Event : std::uint8_t {
  approve,        // the yes that is enough
  approve_first,  // of two people
  lapse,          // that one may not any more: it counts for nothing
  deny, expire, redeem, block, succeed, fail,
  hold,  // of a plan that stopped before it
};

struct Row {
  State from;
  Event event;
  State to;
};

inline constexpr std::array kTable = {
    Row{State::pending, Event::approve, State::approved},
    Row{State::pending, Event::approve_first, State::half_approved},
    Row{State::pending, Event::deny, State::denied},
    Row{State::pending, Event::expire, State::expired},
    Row{State::pending, Event::hold, State::held},
    Row{State::half_approved, Event::approve, State::approved},
    Row{State::half_approved, Event::lapse, State::pending},
    Row{State::half_approved, Event::deny, State::denied},
    Row{State::half_approved, Event::expire, State::expired},
    Row{State::half_approved, Event::hold, State::held},
    Row{State::approved, Event::redeem, State::executing},
    Row{State::approved, Event::block, State::failed},
    Row{State::approved, Event::expire, State::expired},
    Row{State::approved, Event::hold, State::held},
    Row{State::executing, Event::succeed, State::completed},
    Row{State::executing, Event::fail, State::failed},
};

constexpr std::optional<State> next(State from, Event event) {
  for (const Row& row : kTable)
    if (row.from == from && row.event == event) return row.to;
  return std::nullopt;
}
constexpr bool is_final(State s) {
  for (const Row& row : kTable)
    if (row.from == s) return false;
  return true;
}

constexpr bool undecided(State s) { return s == State::pending || s == State::half_approved; }
inline constexpr std::array kUndone{State::pending, State::half_approved, State::approved};  // before anything of it runs

std::string_view text(State) noexcept;
std::string_view text(Event) noexcept;
Result<State> parse_state(std::string_view);

}  // namespace caip::approvals
