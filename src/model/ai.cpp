#include "model/ai.h"

namespace caip {

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

}  // namespace caip
