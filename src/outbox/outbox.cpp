#include "outbox/outbox.h"

#include <utility>
#include <vector>

#include "base/text.h"
#include "crypto/random.h"
#include "model/mail.h"

namespace caip::outbox {
namespace {

constexpr std::size_t kMostSubject = 300;
constexpr std::int64_t kMostTries = 10;
constexpr std::int64_t kMostQueued = 1000;  // of a channel: a receiver that takes nothing fills no disk

Result<NoticeId> put_notice(storage::WriteTx& tx, const Event& e, Instant now) {
  const auto id = crypto::random_id<NoticeId>();
  CAIP_CHECKED(tx.exec("INSERT INTO notices (id, org, kind, user, subject, link, in_app, created) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8"
                       " WHERE NOT EXISTS (SELECT 1 FROM told_no_more WHERE org = ?2)", id, e.org,
                       text(e.kind), e.user, shown(cut(e.subject, kMostSubject)), e.link, facts(e.kind).reach != Reach::one_channel, now));
  return id;
}

Result<bool> is_full(storage::WriteTx& tx, std::string_view channel) {
  CAIP_TRY(one_more, tx.one<std::int64_t>("SELECT 1 FROM deliveries WHERE channel = ?1 AND state = 'queued' LIMIT 1 OFFSET ?2", channel, kMostQueued - 1,
                                          [](const storage::Row& r) { return r.integer(0); }));
  return one_more.has_value();
}

// With a full queue it is in the log as dead, and can be tried again from there.
Result<void> put_delivery(storage::WriteTx& tx, const OrgId& org, std::string_view channel, const NoticeId& notice, const DeliveryId& id, std::int64_t most,
                          Instant now) {
  CAIP_TRY(full, is_full(tx, channel));
  CAIP_CHECKED(tx.exec("INSERT INTO deliveries (id, org, channel, notice, created, state, tries, most, next, outcome)"
                       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?5, ?8)",
                       id, org, channel, notice, now, text(full ? DeliveryState::dead : DeliveryState::queued), most,
                       full ? "1,000 messages wait for this channel already" : ""));
  return {};
}

}  // namespace

bool wants(std::string_view events, EventKind kind) noexcept {
  const std::string_view name = text(kind);
  for (auto at = events.find(name); at != events.npos; at = events.find(name, at + 1))
    if (at > 0 && events[at - 1] == ',' && at + name.size() < events.size() && events[at + name.size()] == ',') return true;
  return events.empty();
}

Result<void> end_of(storage::WriteTx& tx, const OrgId& org) {
  CAIP_CHECKED(tx.exec("DELETE FROM deliveries WHERE org = ?1", org));
  CAIP_CHECKED(tx.exec("DELETE FROM notify_channels WHERE org = ?1", org));
  CAIP_CHECKED(tx.exec("DELETE FROM notices_read_up_to WHERE org = ?1", org));
  CAIP_CHECKED(tx.exec("DELETE FROM notices WHERE org = ?1", org));
  // What is on its way is a person's own, and goes on without the organisation; what was sent, and its invitations, go.
  CAIP_CHECKED(tx.exec("DELETE FROM letters WHERE org = ?1 AND (state <> 'queued' OR kind = ?2)", org, text(MailKind::invitation)));
  CAIP_CHECKED(tx.exec("UPDATE letters SET org = NULL WHERE org = ?1", org));
  CAIP_CHECKED(tx.exec("INSERT INTO told_no_more (org) VALUES (?1) ON CONFLICT DO NOTHING", org));
  return {};
}

Result<NoticeId> raise(storage::WriteTx& tx, const Event& e, Instant now) {
  CAIP_TRY(notice, put_notice(tx, e, now));
  if (e.user || facts(e.kind).reach != Reach::everywhere) return notice;  // what is one person's is in no channel of others
  std::vector<std::string> channels;
  CAIP_CHECKED(tx.query("SELECT id, events FROM notify_channels WHERE org = ?1 AND deleted IS NULL AND verified = 1 AND paused IS NULL AND min_severity <= ?2", e.org,
                        std::to_underlying(facts(e.kind).severity), [&](const storage::Row& r) {
                          if (wants(r.text_view(1), e.kind)) channels.push_back(r.text(0));
                        }));
  for (const auto& channel : channels) CAIP_CHECKED(put_delivery(tx, e.org, channel, notice, crypto::random_id<DeliveryId>(), kMostTries, now));
  return notice;
}

Result<void> raise_for(storage::WriteTx& tx, const Event& e, const NotifyChannelId& channel, const DeliveryId& delivery, std::int64_t most, Instant now) {
  CAIP_TRY(notice, put_notice(tx, e, now));
  return put_delivery(tx, e.org, channel.str(), notice, delivery, most, now);
}

}  // namespace caip::outbox
