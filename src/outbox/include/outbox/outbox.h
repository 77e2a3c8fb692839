// outbox/outbox.h: raise an event in the transaction of what caused it.
//
//   CAIP_CHECKED(outbox::raise(tx, {.kind = EventKind::role_changed, .org = org, .subject = email + " is now " + role}, now));
//   return ledger.commit(std::move(tx), …);
//
// An event with `user` is about one person and for that person alone, in-app (new_sign_in,
// credential_changed): organisations' channels get none of it; letters go to the person's own address.
#pragma once
#include <optional>
#include <string>

#include "base/time.h"
#include "model/ids.h"
#include "model/notification.h"
#include "storage/migration.h"
#include "storage/tx.h"

namespace caip::outbox {

struct Event {
  EventKind kind;
  OrgId org;
  std::optional<UserId> user = {};
  std::string subject = {};  // what it is about, for {} of the sentence; shown cut and escaped. Never a secret.
  std::string link = {};     // the id of what it is about ("apr_…", "srv_…"), if that has a page; of a sign-in its session ("ses_…")
};

storage::Migrations migrations();

Result<NoticeId> raise(storage::WriteTx&, const Event&, Instant now);

// To one channel, whatever its routing; `most` tries.
Result<void> raise_for(storage::WriteTx&, const Event&, const NotifyChannelId&, const DeliveryId&, std::int64_t most, Instant now);

// Within the transaction that ends an organisation: its messages and channels go, and what is raised for it
// later is not kept. Letters that wait are their people's.
Result<void> end_of(storage::WriteTx&, const OrgId&);

// As stored in a channel's row: "" is every kind, else ",approval.waiting,server.offline,".
bool wants(std::string_view events, EventKind) noexcept;

}  // namespace caip::outbox
