// base/badge.h: proof that the caller is Minter. A function that takes a Badge<Minter> can be
// called by that class alone. The destructor is user-provided, so the type is not trivially
// copyable and std::bit_cast cannot conjure one.
#pragma once
#include <type_traits>

namespace caip {

template <class Minter>
class [[nodiscard]] Badge final {
  friend Minter;
  Badge() noexcept {}

 public:
  Badge(const Badge&) = delete;
  Badge& operator=(const Badge&) = delete;
  ~Badge() noexcept {}
};

}  // namespace caip
