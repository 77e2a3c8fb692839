// agent/overloaded.h: one visitor from several functions.
#pragma once

namespace caip::agent {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F> Overloaded(F...) -> Overloaded<F...>;

}  // namespace caip::agent
