// base/guarded.h: the lock owns the data. with() is the only way to it.
#pragma once
#include <functional>
#include <mutex>
#include <utility>

namespace caip {

template <class T>
class Guarded {
 public:
  Guarded() = default;
  explicit Guarded(T value) : value_(std::move(value)) {}
  template <class F>
  decltype(auto) with(F&& f) {
    std::scoped_lock lock(mutex_);
    return std::invoke(std::forward<F>(f), value_);
  }
  template <class F>
  decltype(auto) with(F&& f) const {
    std::scoped_lock lock(mutex_);
    return std::invoke(std::forward<F>(f), std::as_const(value_));
  }

 private:
  mutable std::mutex mutex_;
  T value_{};
};

}  // namespace caip
