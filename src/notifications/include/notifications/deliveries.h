// notifications/deliveries.h: the delivery log: what went to which channel, when, with what outcome.
// No content and no credential. Thread-safe. Includes no storage.
#pragma once
#include <optional>
#include <string>

#include "base/json.h"
#include "base/page.h"
#include "base/time.h"
#include "model/actions.h"
#include "model/mail.h"
#include "proofs/authorized.h"

namespace caip::storage { class Database; }
namespace caip::audit { class Ledger; }

namespace caip::notifications {

struct Delivery {
  DeliveryId id;
  OrgId org;
  NotifyChannelId channel;
  std::string channel_name;
  ChannelKind kind;
  NoticeId notice;
  EventKind event;
  DeliveryState state;
  std::int64_t tries, most;
  Instant created, next;
  std::optional<Instant> last;
  std::string outcome;  // of the last try; our words
};
json::object view(const Delivery&);

// A letter to a person that was given up: no subject, which may be the person's own affair, and no link, which is stored
// nowhere.
struct DeadLetter {
  DeliveryId id;
  MailKind kind;
  // Not of one that nobody has confirmed yet: whoever asked for it need not be its owner. Nor, with the outcome, of a letter
  // that no organisation owns: its person was another one's.
  std::optional<Email> address;
  std::int64_t tries;
  Instant created;
  std::optional<Instant> last;
  std::string outcome;
};
json::object view(const DeadLetter&);
enum class Unowned : std::uint8_t { left_out, included };  // letters to people who belong to no organisation, or did to one that ended: that there are some

class Deliveries final {
 public:
  Deliveries(storage::Database& db, audit::Ledger& ledger, const Clock& clock) : db_(db), ledger_(ledger), clock_(clock) {}
  // The newest first.
  Result<Page<Delivery>> list(const OrgId&, std::optional<NotifyChannelId>, std::optional<DeliveryState>, const PageAsk&) const;
  Result<Delivery> get(const OrgId&, const DeliveryId&) const;
  // Of that organisation, the newest first.
  Result<Page<DeadLetter>> dead_letters(const OrgId&, Unowned, const PageAsk&) const;
  // A dead one is queued anew. Code::conflict when it is not dead, or its channel is gone.
  Result<Delivery> retry(Authorized<RetryDelivery>&&);

 private:
  storage::Database& db_;
  audit::Ledger& ledger_;
  const Clock& clock_;
};

}  // namespace caip::notifications
