// model/ai.h: what an organisation's AI may do on one server, and which writes it may propose at all.
#pragma once
#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace caip {

enum class AiAccess : std::uint8_t {
  none,  // to it, there is no such server
  read,  // it looks
  full,  // it looks, and proposes what a person then allows
};

std::string_view text(AiAccess) noexcept;  // "read"
Result<AiAccess> parse_ai_access(std::string_view);

// A write on a server that an AI may propose: "unit.restart", of the category "unit", "restart a service".
struct AiOperation {
  std::string_view name, category, about;
};
std::span<const AiOperation> ai_operations() noexcept;  // made from the list of server actions, in its order

// What a setting is about: a category ("unit") or one operation of it ("unit.restart"). There is no other name.
class AiScope final {
 public:
  static Result<AiScope> parse(std::string_view);
  const std::string& str() const { return text_; }
  auto operator<=>(const AiScope&) const = default;

 private:
  explicit AiScope(std::string_view text) : text_(text) {}
  std::string text_;
};

}  // namespace caip
