#include "storage/tx.h"

#include "lane.h"
#include "storage/reads_only.h"

namespace caip::storage {

Result<void> Reader::run(Sql sql, std::span<const Param> params, const RowFn& row) {
  CAIP_ASSERT(connection_ != nullptr);  // moved from, or over
  return connection_->run(Rights::data, sql.text(), params, row);
}

ReadTx::ReadTx(ReadPool& pool, Connection& c) : pool_(&pool) {
  connection_ = &c;
  // A failure shows at the first query: without a transaction each query is its own snapshot.
  static_cast<void>(c.run(Rights::data, Sql("BEGIN").text(), {}));
}
ReadTx::ReadTx(ReadTx&& o) noexcept : Reader(o), pool_(o.pool_) { o.connection_ = nullptr; }
ReadTx::~ReadTx() {
  if (connection_ == nullptr) return;
  static_cast<void>(connection_->run(Rights::data, Sql("ROLLBACK").text(), {}));
  pool_->give_back(*connection_);
}

std::uint64_t LogWriter::undone() const { return lane_->undone(); }
Result<void> LogWriter::run(Sql sql, std::span<const Param> params) { return lane_->log(sql, params); }

WriteTx::WriteTx(Lane& lane, Connection& c) : lane_(&lane) { connection_ = &c; }
WriteTx::WriteTx(WriteTx&& o) noexcept : Reader(o), lane_(o.lane_) { o.connection_ = nullptr; }
WriteTx::~WriteTx() {
  if (connection_ != nullptr) lane_->rollback();
}

Result<std::int64_t> WriteTx::change(Sql sql, std::span<const Param> params) {
  CAIP_ASSERT(connection_ != nullptr);
  if (ReadsOnly::here()) return fail(Code::internal, "a change where only reading is allowed");
  return lane_->change(sql, params);
}

LogWriter WriteTx::log(Badge<audit::Ledger>) {
  CAIP_ASSERT(connection_ != nullptr);
  return LogWriter(*lane_);
}

Result<void> WriteTx::commit(Badge<audit::Ledger>) && {
  CAIP_ASSERT(connection_ != nullptr);
  connection_ = nullptr;
  return lane_->commit();
}

}  // namespace caip::storage
