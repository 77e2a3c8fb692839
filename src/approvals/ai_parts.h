// ai_parts.h: what the switches of the AI and Production Protection share. Private.
#pragma once
#include <atomic>

#include "approvals/ai_controls.h"
#include "audit/ledger.h"
#include "outbox/outbox.h"
#include "storage/database.h"

namespace caip::approvals {

struct Change {
  std::function<Result<void>(storage::WriteTx&)> store;
  std::optional<AiControls::Less> ends = {};
  EventKind kind = EventKind::ai_changed;
  std::string said;  // to people, as a sentence without its full stop
  json::object detail = {};
};

struct AiControls::Parts {
  storage::Database& db;
  audit::Ledger& ledger;
  const Clock& clock;
  OnLess less = {};
  std::function<void(const OrgId&, const AiSettings&)> update = {};
  std::atomic<std::int64_t> latest = 0;  // microseconds: the latest that the clock, or the log, has said

  // What goes on of what was taken away, in its transaction; what is given follows it.
  Result<std::function<void()>> ending(storage::WriteTx& tx, const Less& what) const {
    if (!less) return [] {};
    return less(tx, what);
  }

  template <Action A>
  Result<AiSettings> change(Authorized<A>&& permit, Change what) {
    const OrgId org = *permit.principal().org;
    const Instant now = clock.now();
    std::function<void()> after = [] {};
    auto tx = db.begin_write();
    if (what.ends) {  // before anything is stored, which may fail: a full disk is no reason to go on
      CAIP_TRY(told, ending(tx, *what.ends));
      after = std::move(told);
    }
    CAIP_CHECKED(what.store(tx));
    CAIP_TRY(settings, within(tx, org));
    CAIP_CHECKED(outbox::raise(tx, {.kind = what.kind, .org = org, .subject = std::move(what.said)}, now));
    CAIP_TRY(spent, std::move(permit).spend(now));
    CAIP_TRY(receipt, ledger.commit(std::move(tx), std::move(spent), {.detail = std::move(what.detail)}));
    static_cast<void>(receipt);
    after();
    if (update) update(org, settings);
    return settings;
  }
};

}  // namespace caip::approvals
