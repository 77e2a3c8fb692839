// model/ai.h: what an organisation's AI may do on one server, which writes it may propose at all, in which mode somebody
// talks with it, how far it may go, and who makes the model.
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

// Of one conversation, chosen by whose it is.
enum class PilotMode : std::uint8_t {
  ask,   // it reads and explains; it is offered nothing that proposes, and what it proposes all the same is refused
  plan,  // each write that it wants is a card of its own, which a person decides; several of them may stand in an order
  agent,  // such an order is allowed as a whole, but for what is destructive
};
std::string_view text(PilotMode) noexcept;  // "ask"
Result<PilotMode> parse_pilot_mode(std::string_view);

// How far the AI goes before it stops and says so: "steps_per_run", "steps_per_plan".
struct AiLimitRow {
  std::string_view name, about;
  std::int64_t least, most, unset;
};
std::span<const AiLimitRow> ai_limits() noexcept;
class AiLimit final {  // the name of one; there is no other
 public:
  static Result<AiLimit> parse(std::string_view);
  const std::string& str() const { return text_; }
  const AiLimitRow& row() const noexcept;
  auto operator<=>(const AiLimit&) const = default;

 private:
  explicit AiLimit(std::string_view text) : text_(text) {}
  std::string text_;
};

// Whose protocol the model is spoken to in. Which model, and where, is no word of ours: the provider lists them.
enum class AiVendor : std::uint8_t { openai_compatible, openai, anthropic, gemini, ollama };
std::string_view text(AiVendor) noexcept;  // "openai_compatible"
Result<AiVendor> parse_ai_vendor(std::string_view);

}  // namespace caip
