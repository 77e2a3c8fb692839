// A human's yes comes out of approvals::ApprovalGate and from nowhere else.
// rooms: base model proofs
// expect: Badge<.*> is private|private within this context
#include <string>
#include <utility>
#include "proofs/approved.h"

void forge(caip::ApprovalId id, caip::ServerAction action, caip::Principal p, caip::UserId user, caip::Warrant given) {
#ifdef MUST_FAIL
  caip::Warrant warrant(caip::Badge<caip::approvals::ApprovalGate>{}, id, std::move(action), "",
                        caip::Digest{}, std::move(p), user, caip::Instant{});
#else
  (void)id, (void)action, (void)p, (void)user;
  caip::Warrant warrant = std::move(given);
#endif
  (void)warrant;
}
