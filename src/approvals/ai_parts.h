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
  std::function<std::string(const AiSettings&)> said;  // to people, as a sentence without its full stop; of the settings after it
  json::object detail = {};
};

struct AiControls::Parts {
  storage::Database& db;
  audit::Ledger& ledger;
  const Clock& clock;
  OnLess less = {};
  std::function<void(const OrgId&, const AiSettings&)> update = {};
  std::atomic<std::int64_t> latest = 0;  // microseconds: the latest that the clock, or the log, has said

  // Whether Production Protection is off in a row that is over; and why, for people. Nothing: it is on, or off by right.
  Result<std::optional<std::string>> over(storage::Reader&, const OrgId&, Instant now) const;

  // What goes on of what was taken away, in its transaction; what is given follows it.
  Result<std::function<void()>> ending(storage::WriteTx& tx, const Less& what) const {
    if (!less) return [] {};
    return less(tx, what);
  }

  template <Action A>
  Result<AiSettings> change(Authorized<A>&& permit, Change what) { return change(db.begin_write(), std::move(permit), std::move(what)); }
  template <Action A>
  Result<AiSettings> change(storage::WriteTx tx, Authorized<A>&& permit, Change what) {
    const OrgId org = *permit.principal().org;
    const Instant now = clock.now();
    std::function<void()> after = [] {};
    if (what.ends) {  // before anything is stored, which may fail: a full disk is no reason to go on
      CAIP_TRY(told, ending(tx, *what.ends));
      after = std::move(told);
    }
    CAIP_CHECKED(what.store(tx));
    CAIP_TRY(settings, within(tx, org));
    CAIP_CHECKED(outbox::raise(tx, {.kind = what.kind, .org = org, .subject = what.said(settings)}, now));
    CAIP_TRY(spent, std::move(permit).spend(now));
    CAIP_TRY(receipt, ledger.commit(std::move(tx), std::move(spent), {.detail = std::move(what.detail)}));
    static_cast<void>(receipt);
    after();
    if (update) update(org, settings);
    return settings;
  }
};

}  // namespace caip::approvals
