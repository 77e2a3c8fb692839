// What is secret cannot be bound to a statement.
// rooms: base model proofs crypto storage
// expect: no matching function|could not convert|cannot convert
#include <string>
#include "crypto/secret.h"
#include "storage/tx.h"

#ifdef MUST_FAIL
using Value = caip::SecretBytes;
#else
using Value = std::string;
#endif
caip::Result<std::int64_t> keep(caip::storage::WriteTx& tx, const Value& value) {
  return tx.exec("INSERT INTO t VALUES (?1)", value);
}
