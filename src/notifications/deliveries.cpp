#include "notifications/deliveries.h"

#include "audit/ledger.h"
#include "storage/database.h"

namespace caip::notifications {
namespace {

constexpr std::int64_t kMostTries = 10;
constexpr std::int64_t kMostRetries = 10;   // by hand, of one delivery
constexpr std::int64_t kMostQueued = 1000;  // of a channel, as the outbox has it

// id, org, channel, name, kind, notice, event, state, tries, most, created, next, last, outcome
Result<Delivery> read(const storage::Row& r) {
  CAIP_TRY(id, r.id<DeliveryId>(0));
  CAIP_TRY(org, r.id<OrgId>(1));
  CAIP_TRY(channel, r.id<NotifyChannelId>(2));
  CAIP_TRY(kind, parse_channel_kind(r.text_view(4)));
  CAIP_TRY(notice, r.id<NoticeId>(5));
  CAIP_TRY(event, parse_event_kind(r.text_view(6)));
  CAIP_TRY(state, parse_delivery_state(r.text_view(7)));
  return Delivery{.id = id, .org = org, .channel = channel, .channel_name = r.text(3), .kind = kind, .notice = notice, .event = event, .state = state,
                  .tries = r.integer(8), .most = r.integer(9), .created = r.time(10), .next = r.time(11), .last = r.optional_time(12), .outcome = r.text(13)};
}

Result<DeadLetter> read_letter(const storage::Row& r) {
  CAIP_TRY(id, r.id<DeliveryId>(0));
  CAIP_TRY(kind, parse_mail_kind(r.text_view(1)));
  CAIP_TRY(address, Email::parse(r.text_view(2)));
  DeadLetter letter{.id = id, .kind = kind, .address = {}, .tries = r.integer(3), .created = r.time(4), .last = r.optional_time(5), .outcome = r.text(6)};
  const bool unowned = r.boolean(7);
  if (unowned) letter.outcome.clear();  // the mail server's words may name the address
  else if (kind != MailKind::verify_email) letter.address = std::move(address);
  return letter;
}

}  // namespace

json::object view(const Delivery& d) {
  json::object out{{"id", d.id.str()}, {"channel_id", d.channel.str()}, {"channel_name", d.channel_name}, {"channel_kind", text(d.kind)},
                   {"event", text(d.event)}, {"state", text(d.state)}, {"tries", d.tries}, {"outcome", d.outcome}, {"created_at", d.created.str()}};
  out["last_try_at"] = d.last ? json::value(d.last->str()) : json::value(nullptr);
  out["next_try_at"] = d.state == DeliveryState::queued ? json::value(d.next.str()) : json::value(nullptr);
  return out;
}

Result<Page<Delivery>> Deliveries::list(const OrgId& org, std::optional<NotifyChannelId> channel, std::optional<DeliveryState> state, const PageAsk& ask) const {
  std::vector<Delivery> found;
  std::optional<Error> damage;
  const Place after = ask.after.value_or(Place{INT64_MAX, ""});
  std::optional<std::string> wanted;
  if (state) wanted = std::string(text(*state));
  auto tx = db_.begin_read();
  CAIP_CHECKED(tx.query("SELECT d.id, d.org, d.channel, c.name, c.kind, d.notice, n.kind, d.state, d.tries, d.most, d.created, d.next, d.last, d.outcome"
                        " FROM deliveries d JOIN notify_channels c ON c.id = d.channel JOIN notices n ON n.id = d.notice"
                        " WHERE d.org = ?1 AND (d.created, d.id) < (?2, ?3) AND (?4 IS NULL OR d.channel = ?4) AND (?5 IS NULL OR d.state = ?5)"
                        " ORDER BY d.created DESC, d.id DESC LIMIT ?6",
                        org, after.number, after.id, channel, wanted, static_cast<std::int64_t>(ask.limit) + 1, [&](const storage::Row& r) {
                          auto d = read(r);
                          if (d) found.push_back(*std::move(d));
                          else damage = d.error();
                        }));
  if (damage) return std::unexpected(*std::move(damage));
  return page_of(std::move(found), ask);
}

json::object view(const DeadLetter& l) {
  return {{"id", l.id.str()}, {"kind", text(l.kind)}, {"address", l.address ? json::value(l.address->str()) : json::value(nullptr)}, {"tries", l.tries},
          {"outcome", l.outcome}, {"created_at", l.created.str()}, {"last_try_at", l.last ? json::value(l.last->str()) : json::value(nullptr)}};
}

Result<Page<DeadLetter>> Deliveries::dead_letters(const OrgId& org, Unowned unowned, const PageAsk& ask) const {
  std::vector<DeadLetter> found;
  std::optional<Error> damage;
  const Place after = ask.after.value_or(Place{INT64_MAX, ""});
  auto tx = db_.begin_read();
  CAIP_CHECKED(tx.query("SELECT id, kind, address, tries, created, last, outcome, org IS NULL FROM letters"
                        " WHERE state = 'dead' AND (org = ?1 OR (?2 AND org IS NULL)) AND (created, id) < (?3, ?4) ORDER BY created DESC, id DESC LIMIT ?5",
                        org, unowned == Unowned::included, after.number, after.id, static_cast<std::int64_t>(ask.limit) + 1, [&](const storage::Row& r) {
                          if (auto letter = read_letter(r)) found.push_back(*std::move(letter));
                          else damage = letter.error();
                        }));
  if (damage) return std::unexpected(*std::move(damage));
  return page_of(std::move(found), ask);
}

Result<Delivery> Deliveries::get(const OrgId& org, const DeliveryId& id) const {
  auto tx = db_.begin_read();
  CAIP_TRY(found, tx.one<Result<Delivery>>("SELECT d.id, d.org, d.channel, c.name, c.kind, d.notice, n.kind, d.state, d.tries, d.most, d.created, d.next, d.last, d.outcome"
                                           " FROM deliveries d JOIN notify_channels c ON c.id = d.channel JOIN notices n ON n.id = d.notice"
                                           " WHERE d.org = ?1 AND d.id = ?2",
                                           org, id, read));
  if (!found) return fail(Code::not_found, "no such delivery");
  return *std::move(found);
}

Result<Delivery> Deliveries::retry(Authorized<RetryDelivery>&& permit) {
  const DeliveryId id = permit.action().delivery;
  const OrgId org = *permit.principal().org;
  const Instant now = clock_.now();
  CAIP_TRY(before, get(org, id));
  // Its code has expired, and whoever lives at the address did not ask for it.
  if (before.event == EventKind::verification) return fail(Code::conflict, "have another code sent");
  const std::int64_t most = facts(before.event).reach == Reach::one_channel ? 1 : kMostTries;
  CAIP_TRY(spent, std::move(permit).spend(now));
  {
    auto tx = db_.begin_write();
    CAIP_TRY(rows, tx.exec("UPDATE deliveries SET state = 'queued', tries = 0, waits = 0, retried = retried + 1, most = ?3, next = ?4"
                           " WHERE id = ?1 AND org = ?2 AND state = 'dead' AND retried < ?5"
                           " AND channel IN (SELECT id FROM notify_channels WHERE deleted IS NULL AND verified = 1)"
                           " AND NOT EXISTS (SELECT 1 FROM deliveries q WHERE q.channel = deliveries.channel AND q.state = 'queued' LIMIT 1 OFFSET ?6)",
                           id, org, most, now, kMostRetries, kMostQueued - 1));
    if (rows != 1) return fail(Code::conflict, "only a dead delivery is tried again, ten times at most, and on a channel that is there, confirmed and not full");
    CAIP_TRY(receipt, ledger_.commit(std::move(tx), std::move(spent)));
    static_cast<void>(receipt);
  }
  return get(org, id);
}

}  // namespace caip::notifications
