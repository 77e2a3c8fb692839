#include "model/ai.h"

#include <algorithm>
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

}  // namespace caip
