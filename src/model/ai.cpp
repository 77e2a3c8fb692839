#include "model/ai.h"

#include <algorithm>
#include <array>
#include <vector>

#include "model/actions.h"

namespace caip {
namespace {

template <class A>
void add(std::vector<AiOperation>& all) {
  if constexpr (A::kImpact != Impact::safe) all.push_back({A::kName, A::kName.substr(0, A::kName.find('.')), row_of(A::kNeeds)->about});
}

std::vector<AiOperation> writes_of_the_list() {
  std::vector<AiOperation> all;
  [&]<class... A>(std::type_identity<std::variant<A...>>) { (add<A>(all), ...); }(std::type_identity<ServerAction>{});
  return all;
}

}  // namespace

std::string_view text(AiAccess access) noexcept {
  switch (access) {
    case AiAccess::none: return "none";
    case AiAccess::read: return "read";
    case AiAccess::full: break;
  }
  return "full";
}

Result<AiAccess> parse_ai_access(std::string_view name) {
  for (const AiAccess a : {AiAccess::none, AiAccess::read, AiAccess::full})
    if (text(a) == name) return a;
  return fail(Code::invalid, "an access is none, read or full");
}

std::span<const AiOperation> ai_operations() noexcept {
  static const std::vector<AiOperation> all = writes_of_the_list();
  return all;
}

Result<AiScope> AiScope::parse(std::string_view name) {
  for (const AiOperation& o : ai_operations())
    if (o.name == name || o.category == name) return AiScope(name);
  return fail(Code::invalid, "there is no operation or category of that name that an AI could propose");
}

std::string_view text(PilotMode mode) noexcept {
  switch (mode) {
    case PilotMode::ask: return "ask";
    case PilotMode::plan: return "plan";
    case PilotMode::agent: return "agent";
  }
  return "ask";
}

Result<PilotMode> parse_pilot_mode(std::string_view name) {
  for (const PilotMode m : {PilotMode::ask, PilotMode::plan, PilotMode::agent})
    if (text(m) == name) return m;
  return fail(Code::invalid, "a mode is ask, plan or agent");
}

namespace {

constexpr std::array kLimits{
    AiLimitRow{"steps_per_run", "calls of tools while the Pilot answers one question", 1, 1000, 100},
    AiLimitRow{"steps_per_plan", "changes that the Pilot may put into one plan", 1, 20, 10},
};
constexpr std::array<std::string_view, 5> kVendors{"openai_compatible", "openai", "anthropic", "gemini", "ollama"};  // in the order of the enum

}  // namespace

std::span<const AiLimitRow> ai_limits() noexcept { return kLimits; }

Result<AiLimit> AiLimit::parse(std::string_view name) {
  if (std::ranges::contains(kLimits, name, &AiLimitRow::name)) return AiLimit(name);
  return fail(Code::invalid, "there is no limit of the AI of that name");
}
const AiLimitRow& AiLimit::row() const noexcept { return *std::ranges::find(kLimits, text_, &AiLimitRow::name); }

std::string_view text(AiVendor vendor) noexcept { return kVendors.at(static_cast<std::size_t>(vendor)); }

Result<AiVendor> parse_ai_vendor(std::string_view name) {
  const auto found = std::ranges::find(kVendors, name);
  if (found != kVendors.end()) return static_cast<AiVendor>(found - kVendors.begin());
  return fail(Code::invalid, "a provider is openai_compatible, openai, anthropic, gemini or ollama");
}

}  // namespace caip
