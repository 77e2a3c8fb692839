#include "notifications/postman.h"

#include "audit/ledger.h"
#include "authorization/authorizer.h"
#include "base/log.h"
#include "letters.h"
#include "messages.h"
#include "outbox/letter.h"
#include "outbox/outbox.h"
#include "storage/database.h"
#include "tries.h"

namespace caip::notifications {
namespace {

constexpr Duration kOldest = std::chrono::hours(72);     // what nobody could send for so long tells nobody anything
constexpr Duration kTrouble = std::chrono::seconds(5);   // our own: the disk

std::unexpected<Error> refused(const Denied& d) { return fail(d.code, d.reason); }

struct Waiting {
  outbox::Letter letter;
  std::int64_t tries;
  Instant written, next;
};

Result<std::optional<Waiting>> waiting(storage::Reader& tx, const DeliveryId& id) {
  CAIP_TRY(row, tx.one<Result<Waiting>>("SELECT kind, org, user, address, subject, about, tries, created, next FROM letters WHERE id = ?1 AND state = 'queued'", id,
                                        [](const storage::Row& r) -> Result<Waiting> {
    CAIP_TRY(letter, outbox::read_letter(r, 0));
    return Waiting{std::move(letter), r.integer(6), r.time(7), r.time(8)};
  }));
  if (!row) return std::optional<Waiting>{};
  CAIP_TRY(found, *std::move(row));
  return std::optional(std::move(found));
}

}  // namespace

struct Postman::Claimed {
  outbox::Letter letter;
  std::string link;     // whole
  std::int64_t tries;   // this one counted
  Instant written;
};

Postman::Postman(storage::Database& db, audit::Ledger& ledger, const authorization::Authorizer& authorizer, const outbound::Client& client, MailSender sender, Mint mint,
                 const Clock& clock, Schedule schedule, std::string public_url)
    : db_(db), ledger_(ledger), authorizer_(authorizer), client_(client), sender_(std::move(sender)), mint_(std::move(mint)), clock_(clock), schedule_(std::move(schedule)),
      public_url_(std::move(public_url)) {}
Postman::~Postman() { stop(); }

void Postman::start(std::size_t threads) {
  for (std::size_t n = 0; n < threads; ++n) workers_.add([this](const std::stop_token& stop) { return step(stop); });
}

void Postman::stop() { workers_.stop(); }

bool Postman::step(const std::stop_token& stop) {
  const auto id = next();
  if (id) deliver(*id, stop);
  return id.has_value();
}

// What is due the longest, of what no other thread is at.
std::optional<DeliveryId> Postman::next() {
  const Instant now = clock_.now();
  const std::scoped_lock lock(mutex_);
  if (now < not_before_) return std::nullopt;
  std::optional<DeliveryId> found;
  auto tx = db_.begin_read();
  const auto read = tx.query("SELECT id FROM letters WHERE state = 'queued' AND next <= ?1 ORDER BY next, id LIMIT ?2", now, busy_.size() + 1, [&](const storage::Row& r) {
    if (const auto id = r.id<DeliveryId>(0); id && !found && !busy_.contains(*id)) found = *id;
  });
  if (!read) log::error("the letters cannot be read", {{"why", read.error().detail}});
  if (found) busy_.insert(*found);
  return found;
}

Result<void> Postman::give_up(storage::WriteTx&& tx, const DeliveryId& id, const std::optional<OrgId>& org, DeliveryState state, std::string_view why) {
  const Instant now = clock_.now();
  CAIP_CHECKED(tx.exec("UPDATE letters SET state = ?2, outcome = ?3, last = ?4 WHERE id = ?1", id, text(state), why, now));
  auto permit = authorizer_.authorize_system(RecordMail{id, state}, org);
  if (!permit) return refused(permit.error());
  CAIP_TRY(spent, std::move(*permit).spend(now));
  if (state == DeliveryState::dead && org)
    CAIP_CHECKED(outbox::raise(tx, {.kind = EventKind::delivery_failed, .org = *org, .subject = "a letter (" + std::string(why) + ")"}, now));
  CAIP_CHECKED(ledger_.commit(std::move(tx), std::move(spent), {.result = audit::Ending::failed, .detail = {{"outcome", why}}}));
  return {};
}

// Step 1. Nothing: it is not to be sent, now or at all.
Result<std::optional<Postman::Claimed>> Postman::claim(const DeliveryId& id) {
  const Instant now = clock_.now();
  auto tx = db_.begin_write();
  CAIP_TRY(found, waiting(tx, id));
  if (!found || found->next > now) return std::optional<Claimed>{};
  auto& letter = found->letter;
  if (now - found->written > kOldest) {
    CAIP_CHECKED(give_up(std::move(tx), id, letter.org, DeliveryState::dead, "nobody could send it for three days"));
    return std::optional<Claimed>{};
  }
  CAIP_TRY(link, mint_(tx, letter, found->written, now));
  if (!link) {
    CAIP_CHECKED(give_up(std::move(tx), id, letter.org, DeliveryState::dropped, "nobody needs it any more"));
    return std::optional<Claimed>{};
  }
  const std::int64_t tries = found->tries + 1;
  CAIP_CHECKED(tx.exec("UPDATE letters SET tries = ?2, next = ?3, last = ?4 WHERE id = ?1", id, tries, after_wait(schedule_, tries, now), now));
  auto permit = authorizer_.authorize_system(SendMail{id, letter.kind}, letter.org);
  if (!permit) return refused(permit.error());
  CAIP_TRY(spent, std::move(*permit).spend(now));
  CAIP_CHECKED(ledger_.commit(std::move(tx), std::move(spent), {.detail = {{"try", tries}}}));
  return std::optional(Claimed{std::move(letter), link->empty() ? "" : public_url_ + *link, tries, found->written});
}

// Step 2.
Answer Postman::attempt(const DeliveryId& id, const Claimed& c, const std::stop_token& stop) const {
  outbound::Letter l;
  l.host = sender_.host;
  l.port = sender_.port;
  l.security = sender_.starttls ? outbound::MailSecurity::starttls : outbound::MailSecurity::tls;
  l.user = sender_.user;
  if (sender_.password) l.password = opened(*sender_.password);
  l.from = sender_.from.str();
  l.to = c.letter.address.str();
  std::string body = body_of(c.letter, c.link, public_url_);
  l.message = mail_message({l.from, l.to, std::string(title_of(c.letter.kind)), c.written, id.str()}, body);
  wipe(std::span<char>(body));
  const auto got = client_.send_mail(l, stop);
  Answer answer = answer_of(got);
  // What is wrong with the installation's own server or password is put right some day: no reason to lose what people need.
  if (!got && answer.verdict == Verdict::never) answer.verdict = Verdict::again;
  return answer;
}

// Step 3.
Result<void> Postman::record(const DeliveryId& id, const Claimed& c, const Answer& answer) {
  const Instant now = clock_.now();
  const DeliveryState state = state_after(answer.verdict, c.tries >= kMostTries);
  auto permit = authorizer_.authorize_system(RecordMail{id, state}, c.letter.org);
  if (!permit) return refused(permit.error());
  CAIP_TRY(spent, std::move(*permit).spend(now));
  auto tx = db_.begin_write();
  CAIP_CHECKED(tx.exec("UPDATE letters SET state = ?2, outcome = ?3 WHERE id = ?1 AND state = 'queued'", id, text(state), answer.words));
  if (state == DeliveryState::dead && c.letter.org)
    CAIP_CHECKED(outbox::raise(tx, {.kind = EventKind::delivery_failed, .org = *c.letter.org,
                                    .subject = (c.letter.kind == MailKind::verify_email ? "a letter" : "a letter to " + c.letter.address.str()) + ", \"" + std::string(title_of(c.letter.kind)) + "\" (" + answer.words + ")"}, now));
  CAIP_CHECKED(ledger_.commit(std::move(tx), std::move(spent), {.result = state == DeliveryState::dead ? audit::Ending::failed : audit::Ending::completed,
                                                               .detail = {{"outcome", answer.words}, {"try", c.tries}}}));
  return {};
}

void Postman::deliver(const DeliveryId& id, const std::stop_token& stop) {
  const auto done = [&]() -> Result<void> {
    CAIP_TRY(claimed, claim(id));
    if (!claimed) return {};
    const Answer answer = attempt(id, *claimed, stop);
    wipe(std::span<char>(claimed->link));
    // What a stop cut off is no outcome: it stays queued, also when this was the last try.
    if (stop.stop_requested() && answer.verdict != Verdict::delivered) return {};
    return record(id, *claimed, answer);
  }();
  if (!done) log::error("a letter could not be sent or its outcome not stored; it is sent again", {{"delivery", id.str()}, {"why", done.error().detail}});
  const std::scoped_lock lock(mutex_);
  busy_.erase(id);
  if (!done) not_before_ = clock_.now() + kTrouble;
}

}  // namespace caip::notifications
