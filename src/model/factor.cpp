#include "model/factor.h"

namespace caip {

std::string_view text(FactorKind kind) noexcept {
  switch (kind) {
    case FactorKind::totp: return "totp";
    case FactorKind::recovery_code: return "recovery_code";
    case FactorKind::passkey: return "passkey";
  }
  return "?";
}

}  // namespace caip
