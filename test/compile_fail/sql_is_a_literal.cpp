// SQL is written in the program; no text from outside can become part of it.
// rooms: base model proofs crypto storage
// expect: no matching function|could not convert|not a constant expression|cannot convert|conversion from
#include <string>
#include "storage/tx.h"

caip::Result<std::int64_t> remove(caip::storage::WriteTx& tx, const std::string& id) {
#ifdef MUST_FAIL
  return tx.exec("DELETE FROM t WHERE id = '" + id + "'");
#else
  return tx.exec("DELETE FROM t WHERE id = ?1", id);
#endif
}
