#include "notifications/courier.h"

#include <algorithm>

#include "answers.h"
#include "audit/ledger.h"
#include "authorization/authorizer.h"
#include "base/log.h"
#include "crypto/random.h"
#include "messages.h"
#include "outbox/outbox.h"
#include "rows.h"
#include "storage/database.h"
#include "vault/secret_store.h"

namespace caip::notifications {
namespace {

constexpr auto kLook = std::chrono::milliseconds(200);
constexpr Duration kOldest = std::chrono::hours(72);          // then a service that only says "later" is given up
constexpr Duration kKept = std::chrono::hours(24 * 90);
constexpr Duration kForgetEach = std::chrono::hours(1);
constexpr std::int64_t kForgetMost = 5000;
constexpr std::int64_t kTellMost = 200;
constexpr Duration kTrouble = std::chrono::seconds(5);        // our own: the disk, the keeper

std::unexpected<Error> refused(const Denied& d) { return fail(d.code, d.reason); }

DeliveryState state_after(Verdict v, bool last) {
  switch (v) {
    case Verdict::delivered: return DeliveryState::delivered;
    case Verdict::never:
    case Verdict::gone: return DeliveryState::dead;
    case Verdict::wait:
    case Verdict::again: break;
  }
  return last ? DeliveryState::dead : DeliveryState::queued;
}

}  // namespace

struct Courier::Job {
  DeliveryId id;
  std::string channel;
};

struct Courier::Plan {
  OrgId org;
  std::optional<Channel> channel;
  std::optional<Notice> notice;
  std::int64_t tries = 0, most = 0;  // this one counted
  Instant created, next;
  std::vector<SecretBytes> secrets = {};
  bool credential_gone = false;
};

Courier::Courier(storage::Database& db, audit::Ledger& ledger, vault::SecretStore& vault, const authorization::Authorizer& authorizer,
                 const outbound::Client& client, const Channels& channels, const Clock& clock, CourierSettings settings)
    : db_(db), ledger_(ledger), vault_(vault), authorizer_(authorizer), client_(client), channels_(channels), clock_(clock), settings_(std::move(settings)) {}
Courier::~Courier() { stop(); }

void Courier::listen(Ears ears) { ears_ = std::move(ears); }

void Courier::start(std::size_t threads) {
  tell();
  for (std::size_t n = 0; n < threads; ++n) threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
  threads_.emplace_back([this](const std::stop_token& stop) {
    Instant forget_at = clock_.now();
    std::mutex mutex;
    std::unique_lock lock(mutex);
    while (!stop.stop_requested()) {
      tell();
      if (clock_.now() >= forget_at) {
        forget();
        forget_at = clock_.now() + kForgetEach;
      }
      wake_.wait_for(lock, stop, kLook, [] { return false; });
    }
  });
}

void Courier::stop() {
  for (auto& t : threads_) t.request_stop();
  threads_.clear();
}

void Courier::work(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    if (const auto job = next()) {
      deliver(*job, stop);
      continue;
    }
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, kLook, [] { return false; });
  }
}

bool Courier::step() {
  const auto job = next();
  if (job) deliver(*job, {});
  return job.has_value();
}

// The longest due of each channel, then the first of a channel that is free. Fair to channels, and
// so to organisations.
std::optional<Courier::Job> Courier::next() {
  const Instant now = clock_.now();
  const std::scoped_lock lock(mutex_);
  std::erase_if(not_before_, [&](const auto& p) { return p.second <= now; });
  std::optional<Job> found;
  Instant since;
  auto tx = db_.begin_read();
  const auto read = tx.query("SELECT channel, id, min(next) FROM deliveries WHERE state = 'queued' GROUP BY channel HAVING min(next) <= ?1", now,
                             [&](const storage::Row& r) {
                               const std::string channel = r.text(0);
                               auto id = r.id<DeliveryId>(1);
                               if (!id || busy_.contains(channel) || not_before_.contains(channel) || (found && since <= r.time(2))) return;
                               found.emplace(Job{*id, channel});
                               since = r.time(2);
                             });
  if (!read) log::error("the outbox cannot be read", {{"why", read.error().detail}});
  if (found) busy_.insert(found->channel);
  return found;
}

Instant Courier::after_wait(std::int64_t tries, Instant now) const {
  const auto& waits = settings_.schedule.waits;
  if (waits.empty()) return now;
  const auto at = std::min<std::size_t>(static_cast<std::size_t>(std::max<std::int64_t>(tries - 1, 0)), waits.size() - 1);
  const Duration wait = waits.at(at);
  const std::int64_t fifth = wait.count() / 5;
  const auto random = crypto::random_bytes(4);
  const std::uint32_t n = random[0] | (random[1] << 8U) | (random[2] << 16U) | (static_cast<std::uint32_t>(random[3]) << 24U);
  return now + wait + Duration(fifth == 0 ? 0 : static_cast<std::int64_t>(n) % (2 * fifth) - fifth);
}

// Step 1.
Result<Courier::Plan> Courier::claim(const Job& job) {
  const Instant now = clock_.now();
  CAIP_TRY(channel_id, NotifyChannelId::parse(job.channel));
  std::optional<Plan> plan;
  std::optional<Error> damage;
  {
    auto tx = db_.begin_read();
    CAIP_CHECKED(tx.query("SELECT d.org, d.tries, d.most, d.created, n.seq, n.id, n.org, n.kind, n.user, n.subject, n.link, n.created"
                          " FROM deliveries d JOIN notices n ON n.id = d.notice WHERE d.id = ?1 AND d.state = 'queued'",
                          job.id, [&](const storage::Row& r) {
                            auto org = r.id<OrgId>(0);
                            auto notice = read_notice(r, 4);
                            if (!org || !notice) return void(damage = Error{Code::storage_failed, "a damaged row in the outbox"});
                            plan.emplace(Plan{.org = *org, .channel = {}, .notice = *std::move(notice), .tries = r.integer(1) + 1, .most = r.integer(2),
                                              .created = r.time(3), .next = {}});
                          }));
    if (damage) return std::unexpected(*std::move(damage));
    if (!plan) return fail(Code::not_found, "not queued any more");
    CAIP_TRY(channel, find_channel(tx, plan->org, channel_id));
    plan->channel = std::move(channel);
  }
  plan->next = after_wait(plan->tries, now);
  std::vector<SecretId> secrets;
  if (plan->channel) {
    if (plan->channel->secret) secrets.push_back(*plan->channel->secret);
    if (plan->channel->previous && plan->channel->previous_until.value_or(now) > now) secrets.push_back(*plan->channel->previous);
  }
  // Somebody deleted it on the page of secrets.
  plan->credential_gone = std::ranges::any_of(secrets, [&](const SecretId& id) { return !vault_.get(plan->org, id); });
  if (plan->credential_gone) secrets.clear();
  auto permit = authorizer_.authorize_system(SendNotification{job.id, channel_id, std::move(secrets)}, plan->org);
  if (!permit) return refused(permit.error());
  CAIP_TRY(opened, vault_.open_to_send(*std::move(permit), [&](storage::WriteTx& tx) -> Result<void> {
             CAIP_TRY(rows, tx.exec("UPDATE deliveries SET tries = ?2, next = ?3, last = ?4 WHERE id = ?1 AND state = 'queued'", job.id, plan->tries, plan->next, now));
             if (rows != 1) return fail(Code::not_found, "not queued any more");
             return {};
           }));
  plan->secrets = std::move(opened);
  return *std::move(plan);
}

namespace {

Answer send(const outbound::Client& client, const Sending& sending, const std::stop_token& stop) {
  if (sending.target.kind() == ChannelKind::email) {
    const auto letter = letter_for(sending);
    return letter ? answer_of(client.send_mail(*letter, stop)) : Answer{Verdict::never, letter.error().detail};
  }
  const auto request = request_for(sending);
  return request ? answer_of(sending.target.kind(), client.send(*request, stop)) : Answer{Verdict::never, request.error().detail};
}

}  // namespace

void Courier::deliver(const Job& job, const std::stop_token& stop) {
  auto plan = claim(job);
  bool trouble = false;
  if (plan) {
    const Places places{settings_.telegram_api, settings_.public_url};
    const auto code = plan->notice->kind == EventKind::verification ? channels_.code_of(NotifyChannelId::parse(job.channel).value()) : std::optional<std::string>("");
    Answer answer{Verdict::never, "the channel is gone"};
    if (!code) answer.words = "the code has expired; have another one sent";
    else if (plan->credential_gone) answer.words = "the credential was deleted; enter it again";
    else if (plan->channel && plan->channel->paused && plan->notice->kind != EventKind::test) answer.words = "the channel is paused";
    else if (plan->channel)
      answer = send(client_, {.notice = *plan->notice, .delivery = job.id, .target = plan->channel->target, .secrets = plan->secrets, .places = places,
                              .code = *code, .now = clock_.now()},
                    stop);
    plan->secrets.clear();
    if (auto done = record(job, *plan, answer); !done) {
      trouble = true;
      log::error("the outcome of a notification could not be stored; it is sent again", {{"delivery", job.id.str()}, {"why", done.error().detail}});
    }
  } else if (plan.error().code != Code::not_found) {
    trouble = true;
    log::error("a notification could not be prepared", {{"delivery", job.id.str()}, {"why", plan.error().detail}});
  }
  const std::scoped_lock lock(mutex_);
  if (trouble) not_before_[job.channel] = clock_.now() + kTrouble;
  busy_.erase(job.channel);
}

// Step 3.
Result<void> Courier::record(const Job& job, const Plan& plan, const Answer& answer) {
  const Instant now = clock_.now();
  // A service that asks for patience uses up no try, but it cannot ask for ever.
  const bool asked_to_wait = answer.verdict == Verdict::wait;
  const bool last = asked_to_wait ? plan.most == 1 || now - plan.created > kOldest : plan.tries >= plan.most;
  const DeliveryState state = state_after(answer.verdict, last);
  const bool waits = state == DeliveryState::queued && asked_to_wait;
  auto permit = authorizer_.authorize_system(RecordDelivery{job.id, state}, plan.org);
  if (!permit) return refused(permit.error());
  CAIP_TRY(spent, std::move(*permit).spend(now));
  {
    auto tx = db_.begin_write();
    CAIP_CHECKED(tx.exec("UPDATE deliveries SET state = ?2, outcome = ?3, tries = ?4, next = ?5 WHERE id = ?1 AND state = 'queued'", job.id, text(state), answer.words,
                         waits ? plan.tries - 1 : plan.tries, waits ? now + answer.wait.value_or(kTrouble) : plan.next));
    if (answer.verdict == Verdict::gone) CAIP_CHECKED(tx.exec("UPDATE notify_channels SET paused = ?2, version = version + 1 WHERE id = ?1", job.channel, answer.words));
    if (state == DeliveryState::dead && facts(plan.notice->kind).reach == Reach::everywhere)
      CAIP_CHECKED(outbox::raise(tx, {.kind = EventKind::delivery_failed, .org = plan.org,
                                      .subject = std::string(facts(plan.notice->kind).title) + " to " + (plan.channel ? plan.channel->name.str() : "a channel") +
                                                 " (" + answer.words + ")",
                                      .link = job.id.str()},
                                 now));
    CAIP_TRY(receipt, ledger_.commit(std::move(tx), std::move(spent), {.result = state == DeliveryState::dead ? audit::Ending::failed : audit::Ending::completed,
                                                                       .detail = {{"outcome", answer.words}, {"try", plan.tries}}}));
    static_cast<void>(receipt);
  }
  if (asked_to_wait && answer.wait) {
    const std::scoped_lock lock(mutex_);
    not_before_[job.channel] = now + *answer.wait;
  }
  if (ears_.delivery) ears_.delivery(plan.org, job.id, state);
  return {};
}

void Courier::tell() {
  const std::scoped_lock lock(telling_);
  std::vector<Notice> fresh;
  {
    auto tx = db_.begin_read();
    if (!told_) {
      auto newest = tx.one<std::int64_t>("SELECT coalesce(max(seq), 0) FROM notices", [](const storage::Row& r) { return r.integer(0); });
      if (newest) told_ = newest->value_or(0);
      return;
    }
    const auto read = tx.query("SELECT seq, id, org, kind, user, subject, link, created FROM notices WHERE seq > ?1 AND in_app = 1 ORDER BY seq LIMIT ?2", *told_, kTellMost,
                               [&](const storage::Row& r) {
                                 if (auto notice = read_notice(r)) fresh.push_back(*std::move(notice));
                               });
    if (!read) return;
  }
  for (const auto& notice : fresh) {
    told_ = notice.seq;
    if (ears_.notice) ears_.notice(notice);
  }
}

void Courier::forget() {
  const Instant now = clock_.now(), then = now + -kKept;
  const auto done = [&]() -> Result<void> {
    {
      auto tx = db_.begin_read();
      CAIP_TRY(any, tx.one<std::int64_t>("SELECT 1 FROM notices WHERE created < ?1 LIMIT 1", then, [](const storage::Row& r) { return r.integer(0); }));
      if (!any) return {};
    }
    auto tx = db_.begin_write();
    CAIP_CHECKED(tx.exec("DELETE FROM deliveries WHERE notice IN (SELECT id FROM notices WHERE created < ?1 ORDER BY seq LIMIT ?2)", then, kForgetMost));
    CAIP_CHECKED(tx.exec("DELETE FROM notices_read WHERE notice IN (SELECT seq FROM notices WHERE created < ?1 ORDER BY seq LIMIT ?2)", then, kForgetMost));
    CAIP_TRY(count, tx.exec("DELETE FROM notices WHERE seq IN (SELECT seq FROM notices WHERE created < ?1 ORDER BY seq LIMIT ?2)", then, kForgetMost));
    auto permit = authorizer_.authorize_system(ForgetNotices{count}, std::nullopt);
    if (!permit) return refused(permit.error());
    CAIP_TRY(spent, std::move(*permit).spend(now));
    CAIP_TRY(receipt, ledger_.commit(std::move(tx), std::move(spent)));
    static_cast<void>(receipt);
    return {};
  }();
  if (!done) log::warn("old notices stay a while longer", {{"why", done.error().detail}});
}

}  // namespace caip::notifications
