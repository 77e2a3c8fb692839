// There is no other door: a transaction has no commit() that a room could call.
// rooms: base model proofs crypto storage audit
// expect: is private within this context|has no member|Badge<.*> is private
#include <utility>
#include "audit/ledger.h"

auto end(caip::audit::Ledger& ledger, caip::storage::WriteTx tx, caip::Spent<caip::SignOut> spent) {
#ifdef MUST_FAIL
  (void)ledger, (void)spent;
  return std::move(tx).commit(caip::Badge<caip::audit::Ledger>{});
#else
  return ledger.commit(std::move(tx), std::move(spent));
#endif
}
