// storage/param.h: what may be bound to a statement. A closed set: a Secret does not convert.
// Ids are stored as text, times as microseconds since 1970, digests as blobs.
#pragma once
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/bytes.h"
#include "base/id.h"
#include "base/time.h"

namespace caip::storage {

class Param {  // borrows text and blobs for the call
 public:
  using Value = std::variant<std::monostate, std::int64_t, double, std::string_view, BytesView, std::string>;

  Param(std::nullopt_t) {}                                                 // NOLINT
  template <std::integral T> Param(T v) : value_(static_cast<std::int64_t>(v)) {}  // NOLINT
  Param(double v) : value_(v) {}                                           // NOLINT
  Param(std::string_view v) : value_(v) {}                                 // NOLINT
  Param(const std::string& v) : value_(std::string_view(v)) {}             // NOLINT
  Param(const char* v) : value_(std::string_view(v)) {}                    // NOLINT
  Param(BytesView v) : value_(v) {}                                        // NOLINT
  Param(const Bytes& v) : value_(BytesView(v)) {}                          // NOLINT
  Param(const Digest& v) : value_(BytesView(v)) {}                         // NOLINT
  Param(Instant v) : value_(v.micros()) {}                                 // NOLINT
  template <class Tag> Param(const Id<Tag>& v) : value_(v.str()) {}        // NOLINT
  template <class T> Param(const std::optional<T>& v) { if (v) *this = Param(*v); }  // NOLINT
  const Value& value() const { return value_; }

 private:
  Value value_;
};

}  // namespace caip::storage
