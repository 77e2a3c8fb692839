// operations.h: the rows of `operations`. The only statements that touch them.
#pragma once
#include <vector>

#include "servers/types.h"
#include "storage/tx.h"

namespace caip::servers::operations {

struct Stored {
  Operation operation;
  std::string order;  // canonical JSON, what is signed
};

Result<void> insert(storage::WriteTx&, const Operation&, const std::string& order);
Result<std::optional<Stored>> find(storage::Reader&, const OperationId&);
Result<std::vector<Stored>> pending(storage::Reader&);
// pending -> what `o` says; Code::conflict when it was not pending any more.
Result<void> finish(storage::WriteTx&, const Operation& o);
// What reads (journal.read, unit.status, process.list, socket.list, disk.list) brought back before `then`. forget(): of `most` operations;
// how many it were.
Result<bool> any_to_forget(storage::Reader&, Instant then);
Result<std::int64_t> forget(storage::WriteTx&, Instant then, std::int64_t most);

}  // namespace caip::servers::operations
