// base/result.h: an expected failure is a return value. Result<T> holds a T or an Error and
// must not be dropped. CAIP_TRY(name, expr) unwraps or returns the error; CAIP_CHECKED(expr)
// does it for Result<void>. CAIP_ASSERT is for broken invariants of ours: always on, aborts.
#pragma once
#include <expected>
#include <string>
#include <utility>

#include "base/error.h"

namespace caip {

template <class T>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using Base = std::expected<T, Error>;
  using Base::Base;
  Result(Base&& b) : Base(std::move(b)) {}  // NOLINT(google-explicit-constructor)
};

inline std::unexpected<Error> fail(Code code, std::string detail = {}) {
  return std::unexpected<Error>(Error{code, std::move(detail)});
}

[[noreturn]] void assertion_failed(const char* expr, const char* file, int line) noexcept;

}  // namespace caip

#define CAIP_CONCAT2(a, b) a##b
#define CAIP_CONCAT(a, b) CAIP_CONCAT2(a, b)
#define CAIP_TRY_AS(tmp, name, expr) \
  auto tmp = (expr);                 \
  if (!tmp) return std::unexpected<::caip::Error>(std::move(tmp).error()); \
  auto name = *std::move(tmp)
#define CAIP_TRY(name, expr) CAIP_TRY_AS(CAIP_CONCAT(caip_try_, __LINE__), name, expr)
#define CAIP_CHECKED(expr)                                                   \
  do {                                                                       \
    if (auto caip_r = (expr); !caip_r)                                       \
      return std::unexpected<::caip::Error>(std::move(caip_r).error());      \
  } while (false)
#define CAIP_ASSERT(expr) \
  ((expr) ? static_cast<void>(0) : ::caip::assertion_failed(#expr, __FILE__, __LINE__))
