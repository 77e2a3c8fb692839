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

enum class State : std::uint8_t { pending, approved, executing, completed, failed, denied, expired };
enum class Event : std::uint8_t { approve, deny, expire, redeem, block, succeed, fail };

struct Row {
  State from;
  Event event;
  State to;
};

inline constexpr std::array kTable = {
    Row{State::pending, Event::approve, State::approved},
    Row{State::pending, Event::deny, State::denied},
    Row{State::pending, Event::expire, State::expired},
    Row{State::approved, Event::redeem, State::executing},
    Row{State::approved, Event::block, State::failed},
    Row{State::approved, Event::expire, State::expired},
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

std::string_view text(State) noexcept;
std::string_view text(Event) noexcept;
Result<State> parse_state(std::string_view);

}  // namespace caip::approvals
