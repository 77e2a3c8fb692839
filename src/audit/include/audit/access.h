// audit/access.h: reading the log is on the record too. Includes no storage, so `web` may see it.
#pragma once
#include <cstdint>
#include <functional>

#include "audit/query.h"
#include "model/actions.h"
#include "proofs/authorized.h"
#include "proofs/receipt.h"

namespace caip::storage { class Database; class WriteTx; }

namespace caip::audit {

class Access final {  // thread-safe
 public:
  Access(storage::Database& db, Ledger& ledger, const Clock& clock) : db_(db), ledger_(ledger), clock_(clock) {}
  Result<Receipt<ReadLog>> read(Authorized<ReadLog>&&);
  // The filter stands in the entry's detail. The export covers the log up to its own entry, which
  // so closes it: size() of the checkpoint to use is found with Query::checkpoint_from.
  Result<Receipt<ExportLog>> exported(Authorized<ExportLog>&&, const Filter&);
  // A server's agent was shown a log that contradicts the one it had seen. `also` is done in the same transaction.
  Result<Receipt<ContradictLog>> contradicted(Authorized<ContradictLog>&&, json::object detail, std::move_only_function<Result<void>(storage::WriteTx&)> also);

 private:
  storage::Database& db_;
  Ledger& ledger_;
  const Clock& clock_;
};

}  // namespace caip::audit
