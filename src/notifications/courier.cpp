#include "notifications/courier.h"

#include <algorithm>
#include <tuple>

#include "answers.h"
#include "audit/ledger.h"
#include "authorization/authorizer.h"
#include "base/log.h"
#include "messages.h"
#include "outbox/outbox.h"
#include "rows.h"
#include "tries.h"
#include "storage/database.h"
#include "vault/secret_store.h"

namespace caip::notifications {
namespace {

constexpr Duration kOldest = std::chrono::hours(72);          // then a service that only says "later" is given up
constexpr Duration kKept = std::chrono::hours(24 * 90);
constexpr Duration kForgetEach = std::chrono::hours(1);
constexpr std::int64_t kForgetMost = 5000;
constexpr std::int64_t kTellMost = 200;
constexpr std::int64_t kMostWaits = 20;                       // of one delivery; from then on each uses up a try
constexpr std::size_t kMostServed = 10'000;                   // remembered turns; forgetting them makes nobody wait
constexpr Duration kTrouble = std::chrono::seconds(5);        // our own: the disk, the keeper

std::unexpected<Error> refused(const Denied& d) { return fail(d.code, d.reason); }

// False: somebody deleted it on the page of secrets. Any other trouble is ours, and passes.
Result<bool> is_there(const vault::SecretStore& vault, const OrgId& org, const SecretId& id) {
  auto secret = vault.get(org, id);
  if (secret) return true;
  if (secret.error().code == Code::not_found) return false;
  return std::unexpected(std::move(secret).error());
}

}  // namespace

struct Courier::Job {
  DeliveryId id;
  std::string channel, org;
  Instant due;
};

struct Courier::Plan {
  OrgId org;
  std::optional<Channel> channel;
  std::optional<Notice> notice;
  std::int64_t tries = 0, most = 0;  // this one counted
  std::int64_t waits = 0;            // before this one
  Instant created, next;
  std::vector<SecretBytes> secrets = {};
  std::string trouble = {};  // why nothing can be sent
  Verdict then = Verdict::never;
};

Courier::Courier(storage::Database& db, audit::Ledger& ledger, vault::SecretStore& vault, const authorization::Authorizer& authorizer,
                 const outbound::Client& client, const Channels& channels, const Clock& clock, CourierSettings settings)
    : db_(db), ledger_(ledger), vault_(vault), authorizer_(authorizer), client_(client), channels_(channels), clock_(clock), settings_(std::move(settings)) {}
Courier::~Courier() { stop(); }

void Courier::listen(Ears ears) { ears_ = std::move(ears); }

void Courier::start(std::size_t threads) {
  tell();
  for (std::size_t n = 0; n < threads; ++n) workers_.add([this](const std::stop_token& stop) { return step(stop); });
  workers_.add([this, forget_at = clock_.now()](const std::stop_token&) mutable {
    tell();
    if (clock_.now() >= forget_at) {
      forget();
      forget_at = clock_.now() + kForgetEach;
    }
    return false;
  });
}

void Courier::stop() { workers_.stop(); }

bool Courier::step(const std::stop_token& stop) {
  const auto job = next();
  if (job) deliver(*job, stop);
  return job.has_value();
}

// Least recently served first: the organisation, then its channel, then what is due the longest.
bool Courier::better(const Job& a, const Job& b) const {
  const auto turn = [&](const std::string& who) {
    const auto at = served_.find(who);
    return at == served_.end() ? 0 : at->second;
  };
  return std::tuple(turn(a.org), turn(a.channel), a.due) < std::tuple(turn(b.org), turn(b.channel), b.due);
}

void Courier::serves(const Job& job) {
  if (served_.size() > kMostServed) served_.clear();
  ++turns_;
  served_[job.org] = served_[job.channel] = turns_;
  busy_.insert(job.channel);
  ++working_[job.org];
}

// One look into the index for each channel that has something queued.
std::optional<Courier::Job> Courier::next() {
  const Instant now = clock_.now();
  const std::scoped_lock lock(mutex_);
  std::erase_if(not_before_, [&](const auto& p) { return p.second <= now; });
  std::optional<Job> found;
  auto tx = db_.begin_read();
  const auto read = tx.query("WITH RECURSIVE waiting(channel) AS (SELECT min(channel) FROM deliveries WHERE state = 'queued' UNION ALL"
                             " SELECT (SELECT min(channel) FROM deliveries WHERE state = 'queued' AND channel > waiting.channel) FROM waiting WHERE waiting.channel IS NOT NULL)"
                             " SELECT d.id, d.channel, d.org, d.next FROM waiting JOIN deliveries d ON d.id ="
                             " (SELECT id FROM deliveries WHERE channel = waiting.channel AND state = 'queued' AND next <= ?1 ORDER BY next LIMIT 1)",
                             now, [&](const storage::Row& r) {
                               auto id = r.id<DeliveryId>(0);
                               if (!id) return;
                               Job job{*id, r.text(1), r.text(2), r.time(3)};
                               const auto working = working_.find(job.org);
                               if (busy_.contains(job.channel) || not_before_.contains(job.channel)) return;
                               if (working != working_.end() && working->second >= settings_.most_of_one) return;
                               if (!found || better(job, *found)) found.emplace(std::move(job));
                             });
  if (!read) log::error("the outbox cannot be read", {{"why", read.error().detail}});
  if (found) serves(*found);
  return found;
}

// Step 1.
Result<Courier::Plan> Courier::claim(const Job& job) {
  const Instant now = clock_.now();
  CAIP_TRY(channel_id, NotifyChannelId::parse(job.channel));
  std::optional<Plan> plan;
  std::optional<Error> damage;
  {
    auto tx = db_.begin_read();
    CAIP_CHECKED(tx.query("SELECT d.org, d.tries, d.most, d.created, d.waits, n.seq, n.id, n.org, n.kind, n.user, n.subject, n.link, n.created"
                          " FROM deliveries d JOIN notices n ON n.id = d.notice WHERE d.id = ?1 AND d.state = 'queued'",
                          job.id, [&](const storage::Row& r) {
                            auto org = r.id<OrgId>(0);
                            auto notice = read_notice(r, 5);
                            if (!org || !notice) return void(damage = Error{Code::storage_failed, "a damaged row in the outbox"});
                            plan.emplace(Plan{.org = *org, .channel = {}, .notice = *std::move(notice), .tries = r.integer(1) + 1, .most = r.integer(2),
                                              .waits = r.integer(4), .created = r.time(3), .next = {}});
                          }));
    if (damage) return std::unexpected(*std::move(damage));
    if (!plan) return fail(Code::not_found, "not queued any more");
    CAIP_TRY(channel, find_channel(tx, plan->org, channel_id));
    plan->channel = std::move(channel);
  }
  plan->next = after_wait(settings_.schedule, plan->tries, now);
  std::vector<SecretId> secrets;
  if (plan->channel && plan->channel->secret) {
    CAIP_TRY(there, is_there(vault_, plan->org, *plan->channel->secret));
    if (there) secrets.push_back(*plan->channel->secret);
    else plan->trouble = "the credential was deleted; enter it again";
  }
  if (plan->channel && plan->channel->previous && plan->channel->previous_until.value_or(now) > now) {
    CAIP_TRY(there, is_there(vault_, plan->org, *plan->channel->previous));
    if (there && plan->trouble.empty()) secrets.push_back(*plan->channel->previous);
  }
  auto permit = authorizer_.authorize_system(SendNotification{job.id, channel_id, std::move(secrets)}, plan->org);
  if (!permit) return refused(permit.error());
  bool counted = false;
  auto opened = vault_.open_to_send(*std::move(permit), [&](storage::WriteTx& tx) -> Result<void> {
    CAIP_TRY(rows, tx.exec("UPDATE deliveries SET tries = ?2, next = ?3, last = ?4 WHERE id = ?1 AND state = 'queued'", job.id, plan->tries, plan->next, now));
    if (rows != 1) return fail(Code::not_found, "not queued any more");
    counted = true;
    return {};
  });
  if (opened) plan->secrets = *std::move(opened);
  else if (!counted) return std::unexpected(std::move(opened).error());
  else {  // a try like any other, with an end in the log
    log::error("the credential of a channel could not be opened", {{"delivery", job.id.str()}, {"why", opened.error().detail}});
    plan->trouble = "the credential could not be opened";
    plan->then = Verdict::again;
  }
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

// Step 2. The channel is as it was when this was claimed.
Answer Courier::attempt(const Job& job, const Plan& plan, const std::stop_token& stop) {
  const EventKind kind = plan.notice->kind;
  if (!plan.channel) return {Verdict::never, "the channel is gone"};
  if (!plan.trouble.empty()) return {plan.then, plan.trouble};
  const Channel& channel = *plan.channel;
  if (!channel.verified && kind != EventKind::verification) return {Verdict::never, "the address is not confirmed"};
  if (channel.paused && kind != EventKind::test) return {Verdict::never, "the channel is paused"};
  const auto code = kind == EventKind::verification ? channels_.code_of(channel) : std::optional<std::string>("");
  if (!code) return {Verdict::never, "the code has expired; have another one sent"};
  const Places places{settings_.telegram_api, settings_.public_url};
  return send(client_, {.notice = *plan.notice, .delivery = job.id, .target = channel.target, .secrets = plan.secrets, .places = places, .code = *code, .now = clock_.now()}, stop);
}

void Courier::deliver(const Job& job, const std::stop_token& stop) {
  auto plan = claim(job);
  bool trouble = false;
  if (plan) {
    const Answer answer = attempt(job, *plan, stop);
    plan->secrets.clear();
    // What a stop cut off is no outcome: it stays queued, also when this was the last try.
    const bool cut_off = stop.stop_requested() && answer.verdict != Verdict::delivered;
    if (auto done = cut_off ? Result<void>() : record(job, *plan, answer); !done) {
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
  if (const auto working = working_.find(job.org); --working->second == 0) working_.erase(working);
}

// Step 3.
Result<void> Courier::record(const Job& job, const Plan& plan, const Answer& answer) {
  const Instant now = clock_.now();
  // A service that asks for patience uses up no try, but it cannot ask for ever, and it says how long
  // at least: never sooner than the schedule has it after so many of these answers.
  const bool asked_to_wait = answer.verdict == Verdict::wait && plan.waits < kMostWaits;
  const Instant patient = std::max(now + answer.wait.value_or(Duration(0)), after_wait(settings_.schedule, plan.waits + 1, now));
  const bool last = asked_to_wait ? plan.most == 1 || now - plan.created > kOldest : plan.tries >= plan.most;
  const DeliveryState state = state_after(answer.verdict, last);
  const bool waits = state == DeliveryState::queued && asked_to_wait;
  auto permit = authorizer_.authorize_system(RecordDelivery{job.id, state}, plan.org);
  if (!permit) return refused(permit.error());
  CAIP_TRY(spent, std::move(*permit).spend(now));
  {
    auto tx = db_.begin_write();
    CAIP_CHECKED(tx.exec("UPDATE deliveries SET state = ?2, outcome = ?3, tries = ?4, next = ?5, waits = ?6 WHERE id = ?1 AND state = 'queued'", job.id, text(state),
                         answer.words, waits ? plan.tries - 1 : plan.tries, waits ? patient : plan.next, waits ? plan.waits + 1 : plan.waits));
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
  if (asked_to_wait) {
    const std::scoped_lock lock(mutex_);
    not_before_[job.channel] = patient;
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
      CAIP_TRY(any, tx.one<std::int64_t>("SELECT 1 FROM notices WHERE created < ?1 UNION ALL SELECT 1 FROM letters WHERE created < ?1 LIMIT 1", then, [](const storage::Row& r) { return r.integer(0); }));
      if (!any) return {};
    }
    auto tx = db_.begin_write();
    CAIP_CHECKED(tx.exec("DELETE FROM deliveries WHERE notice IN (SELECT id FROM notices WHERE created < ?1 ORDER BY seq LIMIT ?2)", then, kForgetMost));
    CAIP_TRY(count, tx.exec("DELETE FROM notices WHERE seq IN (SELECT seq FROM notices WHERE created < ?1 ORDER BY seq LIMIT ?2)", then, kForgetMost));
    CAIP_CHECKED(tx.exec("DELETE FROM letters WHERE id IN (SELECT id FROM letters WHERE created < ?1 ORDER BY created LIMIT ?2)", then, kForgetMost));
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
