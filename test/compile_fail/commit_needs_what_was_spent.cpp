// A transaction ends in a log entry of an authorized action or not at all.
// rooms: base model proofs crypto storage audit
// expect: no matching function|cannot convert|could not convert|is private within this context
#include <utility>
#include "audit/ledger.h"

auto end(caip::audit::Ledger& ledger, caip::storage::WriteTx tx, caip::Spent<caip::SignOut> spent) {
#ifdef MUST_FAIL
  return ledger.commit(std::move(tx), caip::SignOut(spent.action()));
#else
  return ledger.commit(std::move(tx), std::move(spent));
#endif
}
