#include "audit/access.h"

#include "audit/ledger.h"
#include "search.h"
#include "storage/database.h"

namespace caip::audit {

Result<Receipt<ReadLog>> Access::read(Authorized<ReadLog>&& permit) {
  CAIP_TRY(spent, std::move(permit).spend(clock_.now()));
  return ledger_.commit(db_.begin_write(), std::move(spent));
}

Result<Receipt<ExportLog>> Access::exported(Authorized<ExportLog>&& permit, const Filter& filter) {
  CAIP_TRY(spent, std::move(permit).spend(clock_.now()));
  return ledger_.commit(db_.begin_write(), std::move(spent), {.detail = {{"filter", filter_json(filter)}}});
}

Result<Receipt<ContradictLog>> Access::contradicted(Authorized<ContradictLog>&& permit, json::object detail, std::move_only_function<Result<void>(storage::WriteTx&)> also) {
  CAIP_TRY(spent, std::move(permit).spend(clock_.now()));
  auto tx = db_.begin_write();
  if (also) CAIP_CHECKED(also(tx));
  return ledger_.commit(std::move(tx), std::move(spent), {.result = Ending::failed, .detail = std::move(detail)});
}

}  // namespace caip::audit
