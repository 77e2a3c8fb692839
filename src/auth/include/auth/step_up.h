// auth/step_up.h: the only minter of StepUp. A session's stamp says when its person last proved who
// they are, at sign-in or since; which factors may set it is decided where they are checked (Accounts).
#pragma once
#include "base/result.h"
#include "proofs/session.h"
#include "proofs/step_up.h"

namespace caip::auth {

class StepUpVerifier {  // thread-safe
 public:
  explicit StepUpVerifier(const Clock& clock) : clock_(clock) {}
  // Code::step_up_needed when the stamp is too old, or there is none, or nobody is there in person.
  Result<StepUp> prove(const Session&) const;

 private:
  const Clock& clock_;
};

}  // namespace caip::auth
