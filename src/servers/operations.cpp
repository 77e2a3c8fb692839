#include "operations.h"

namespace caip::servers::operations {
namespace {

Result<OperationStatus> parse_status(std::string_view name) {
  using enum OperationStatus;
  for (auto s : {pending, succeeded, failed, expired})
    if (text(s) == name) return s;
  return fail(Code::storage_failed, "no such state of an operation");
}

Result<Stored> read(const storage::Row& r) {
  CAIP_TRY(id, r.id<OperationId>(0));
  CAIP_TRY(org, r.id<OrgId>(1));
  CAIP_TRY(action, decode(r.text_view(2)));
  CAIP_TRY(requester, r.optional_id<UserId>(4));
  CAIP_TRY(approval, r.optional_id<ApprovalId>(5));
  CAIP_TRY(status, parse_status(r.text_view(6)));
  return Stored{.operation = {.id = id, .org = org, .action = std::move(action), .requester = requester, .approval = approval,
                              .status = status, .result = r.text(7), .error = r.text(8), .created_at = r.time(9),
                              .expires_at = r.time(10), .finished_at = r.optional_time(11)},
                .order = r.text(3)};
}

struct Collect {
  std::vector<Stored> rows = {};
  std::optional<Error> damage = {};
  void operator()(const storage::Row& r) {
    auto o = read(r);
    if (o) rows.push_back(*std::move(o));
    else if (!damage) damage = o.error();
  }
};

#define COLUMNS                                                                                 \
  "SELECT id, org, action, signed_order, requester, approval, status, result, error, created_at, " \
  "expires_at, finished_at FROM operations "

}  // namespace

Result<void> insert(storage::WriteTx& tx, const Operation& o, const std::string& order) {
  CAIP_CHECKED(tx.exec("INSERT INTO operations (id, org, action, signed_order, requester, approval, status, created_at, expires_at)"
                       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'pending', ?7, ?8)",
                       o.id, o.org, encode(o.action), order, o.requester, o.approval, o.created_at, o.expires_at));
  return {};
}

Result<std::optional<Stored>> find(storage::Reader& tx, const OperationId& id) {
  Collect collect;
  CAIP_CHECKED(tx.query(COLUMNS "WHERE id = ?1", id, std::ref(collect)));
  if (collect.damage) return std::unexpected(*std::move(collect.damage));
  if (collect.rows.empty()) return std::optional<Stored>{};
  return std::optional<Stored>{std::move(collect.rows.front())};
}

Result<std::vector<Stored>> pending(storage::Reader& tx) {
  Collect collect;
  CAIP_CHECKED(tx.query(COLUMNS "WHERE status = 'pending' ORDER BY created_at", std::ref(collect)));
  if (collect.damage) return std::unexpected(*std::move(collect.damage));
  return std::move(collect.rows);
}

Result<void> finish(storage::WriteTx& tx, const Operation& o) {
  CAIP_TRY(rows, tx.exec("UPDATE operations SET status = ?2, result = ?3, error = ?4, finished_at = ?5"
                         " WHERE id = ?1 AND status = 'pending'",
                         o.id, text(o.status), o.result, o.error, o.finished_at));
  if (rows != 1) return fail(Code::conflict, "the operation is finished already");
  return {};
}

// Canonical bytes begin with the action, and ',' comes before '-'.
#define OF(name) "(action >= '{\"action\":\"" name "\",' AND action < '{\"action\":\"" name "\"-')"
#define OLD_READS \
  "result <> '' AND finished_at < ?1 AND (" OF("journal.read") " OR " OF("unit.status") " OR " OF("process.list") " OR " OF("socket.list") " OR " OF("disk.list") ")"

Result<bool> any_to_forget(storage::Reader& tx, Instant then) {
  bool any = false;
  CAIP_CHECKED(tx.query("SELECT 1 FROM operations WHERE " OLD_READS " LIMIT 1", then, [&](const storage::Row&) { any = true; }));
  return any;
}

Result<std::int64_t> forget(storage::WriteTx& tx, Instant then, std::int64_t most) {
  CAIP_TRY(rows, tx.exec("UPDATE operations SET result = '' WHERE id IN (SELECT id FROM operations WHERE " OLD_READS " LIMIT ?2)", then, most));
  return static_cast<std::int64_t>(rows);
}

}  // namespace caip::servers::operations
