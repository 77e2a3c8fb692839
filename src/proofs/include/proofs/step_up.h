// proofs/step_up.h: the person at this session has shown, within the last five minutes, that it is
// still them. Minted by auth::StepUpVerifier alone. A stolen session is not enough for what asks for it.
#pragma once
#include "base/badge.h"
#include "base/time.h"
#include "model/ids.h"

namespace caip::auth { class StepUpVerifier; }

namespace caip {

inline constexpr Duration kStepUpLifetime = std::chrono::minutes(5);

class [[nodiscard]] StepUp final {
 public:
  StepUp(Badge<auth::StepUpVerifier>, SessionId session, Instant proven) : session_(session), proven_(proven) {}
  StepUp(StepUp&&) noexcept = default;
  StepUp(const StepUp&) = delete;
  StepUp& operator=(const StepUp&) = delete;
  ~StepUp() noexcept {}

  const SessionId& session() const { return session_; }
  // Whoever spends it looks at the time again. A moment to come is none: the clock was set back since.
  bool fresh(Instant now) const { return proven_ <= now && now - proven_ < kStepUpLifetime; }

 private:
  SessionId session_;
  Instant proven_;
};

}  // namespace caip
