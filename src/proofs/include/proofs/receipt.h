// proofs/receipt.h: the change and its log entry are durable. Minted by audit::Ledger alone; a
// success reply to a mutation needs one.
#pragma once
#include <cstdint>

#include "base/badge.h"
#include "model/actions.h"

namespace caip::audit { class Ledger; }

namespace caip {

template <Action A>
class [[nodiscard]] Receipt final {
 public:
  Receipt(Badge<audit::Ledger>, A action, std::uint64_t index) : action_(std::move(action)), index_(index) {}
  Receipt(Receipt&&) noexcept = default;
  Receipt(const Receipt&) = delete;
  Receipt& operator=(const Receipt&) = delete;
  ~Receipt() noexcept {}
  const A& action() const& { return action_; }
  std::uint64_t index() const { return index_; }  // of the entry in the log

 private:
  A action_;
  std::uint64_t index_;
};

}  // namespace caip
