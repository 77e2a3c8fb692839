// notifications/inbox.h: one's own notices: what the organisation is told and one's role may see,
// and what is about oneself. Thread-safe. Includes no storage.
#pragma once
#include <vector>

#include "base/page.h"
#include "model/actions.h"
#include "notifications/notice.h"
#include "proofs/authorized.h"
#include "proofs/session.h"

namespace caip::storage { class Database; }
namespace caip::audit { class Ledger; }

namespace caip::notifications {

class Inbox final {
 public:
  Inbox(storage::Database& db, audit::Ledger& ledger, const Clock& clock) : db_(db), ledger_(ledger), clock_(clock) {}
  Result<Page<Notice>> list(const Session&, const PageAsk&) const;  // the newest first
  Result<std::int64_t> unread(const Session&) const;
  // All up to and with the action's.
  Result<void> mark_read(const Session&, Authorized<ReadNotices>&&);

 private:
  storage::Database& db_;
  audit::Ledger& ledger_;
  const Clock& clock_;
};

}  // namespace caip::notifications
