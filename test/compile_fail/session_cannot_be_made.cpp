// Nobody but auth::SessionStore says that a person is signed in.
// rooms: base model proofs
// expect: Badge<.*> is private|private within this context
#include <utility>
#include "proofs/session.h"

void forge(caip::Principal p) {
#ifdef MUST_FAIL
  caip::Session session(caip::Badge<caip::auth::SessionStore>{}, std::move(p));
#else
  caip::Principal same = std::move(p);
  (void)same;
#endif
}
