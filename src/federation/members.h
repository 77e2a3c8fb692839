// Reading what providers send: JSON whose other members are none of our business. Private.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/json.h"

namespace caip::federation {

inline std::optional<std::string> text_in(const json::object& o, std::string_view name, std::size_t most) {
  const auto* v = o.if_contains(name);
  if (v == nullptr || !v->is_string() || v->get_string().size() > most) return std::nullopt;
  return std::string(v->get_string());
}

inline std::optional<Bytes> bytes_in(const json::object& o, std::string_view name, std::size_t most) {
  const auto text = text_in(o, name, most);
  return text ? from_base64url(*text) : std::nullopt;
}

}  // namespace caip::federation
