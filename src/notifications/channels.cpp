#include "notifications/channels.h"

#include <algorithm>

#include "audit/ledger.h"
#include "authorization/authorizer.h"
#include "crypto/random.h"
#include "outbound/client.h"
#include "outbox/outbox.h"
#include "rows.h"
#include "storage/database.h"
#include "vault/secret_store.h"

namespace caip::notifications {
namespace {

constexpr Duration kCodeLife = std::chrono::minutes(30);
constexpr int kCodeTries = 5;
constexpr std::int64_t kOnce = 1;
constexpr Duration kMinute = std::chrono::minutes(1);
constexpr std::int64_t kCodesEach = 1, kTestsEach = 5;  // a minute and channel

std::unexpected<Error> no_such_channel() { return fail(Code::not_found, "no such channel"); }

SecretName name_for(const SecretId& id) { return SecretName::parse("channel." + id.str()).value(); }

Result<Channel> must_find(storage::Reader& tx, const OrgId& org, const NotifyChannelId& id) {
  CAIP_TRY(found, find_channel(tx, org, id));
  if (!found) return no_such_channel();
  return *std::move(found);
}

Result<void> name_is_free(storage::Reader& tx, const OrgId& org, const ChannelName& name, const NotifyChannelId& own) {
  CAIP_TRY(taken, tx.one<std::int64_t>("SELECT 1 FROM notify_channels WHERE org = ?1 AND name = ?2 AND id <> ?3 AND deleted IS NULL", org, name.str(), own,
                                       [](const storage::Row& r) { return r.integer(0); }));
  if (taken) return fail(Code::conflict, "a channel has this name already");
  return {};
}

Result<void> insert(storage::WriteTx& tx, const Channel& c) {
  CAIP_CHECKED(name_is_free(tx, c.org, c.name, c.id));
  CAIP_TRY(count, tx.one<std::int64_t>("SELECT count(*) FROM notify_channels WHERE org = ?1 AND deleted IS NULL", c.org, [](const storage::Row& r) { return r.integer(0); }));
  if (count.value_or(0) >= static_cast<std::int64_t>(kMostChannels)) return fail(Code::too_many, "an organisation has at most 50 channels");
  CAIP_CHECKED(tx.exec("INSERT INTO notify_channels (id, org, kind, name, config, secret, min_severity, events, verified, version, created)"
                       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1, ?10)",
                       c.id, c.org, text(c.target.kind()), c.name.str(), canonical(c.target.stored()), c.secret, std::to_underlying(c.routing.least),
                       stored(c.routing.events), c.verified, c.created));
  return {};
}

// Six digits, each as likely as any other.
std::string new_code() {
  std::string out;
  while (out.size() < 6)
    if (const std::uint8_t b = crypto::random_bytes(1).front(); b < 250) out += static_cast<char>('0' + b % 10);
  return out;
}

// What a code proves: that this target, reached with this credential, is read by who asked.
std::string way_of(const Channel& c) { return canonical(c.target.stored()) + (c.secret ? c.secret->str() : ""); }

// A stored password goes to the server it was entered for and to no other: who may change a channel
// need not know it.
bool password_would_go_elsewhere(const Channel& c, const std::optional<Target>& target) {
  const auto* from = std::get_if<MailTarget>(&c.target.where());
  const auto* to = target ? std::get_if<MailTarget>(&target->where()) : nullptr;
  if (from == nullptr || to == nullptr || !c.secret) return false;
  return from->host != to->host || from->port != to->port || from->starttls != to->starttls || from->user != to->user;
}

bool confirmed_from_the_start(ChannelKind kind) { return kind != ChannelKind::email; }

void apply(Channel& c, const Change& change) {
  if (change.name) c.name = *change.name;
  if (change.routing) c.routing = *change.routing;
  if (change.target) {
    const std::string before = way_of(c);
    c.target = *change.target;
    if (way_of(c) != before) c.verified = confirmed_from_the_start(c.target.kind());
  }
  if (change.paused) c.paused = *change.paused ? std::optional<std::string>("paused") : std::nullopt;
}

// What a channel is, and what a change of it changed, for the log.
json::object described(const Channel& c) {
  return {{"target", canonical(c.target.view())}, {"least_severity", text(c.routing.least)}, {"events", stored(c.routing.events)},
          {"paused", c.paused.value_or("")}, {"verified", c.verified}, {"name", c.name.str()}};
}
json::object changes(const Channel& before, const Channel& after) {
  json::object out;
  const json::object was = described(before), is = described(after);
  for (const auto& [what, value] : is) {
    if (value == was.at(what)) continue;
    out[what] = value;
    out[std::string(what) + "_before"] = was.at(what);
  }
  return out;
}

Result<std::int64_t> asked_since(storage::Reader& tx, const Channel& c, EventKind kind, Instant since) {
  CAIP_TRY(count, tx.one<std::int64_t>("SELECT count(*) FROM deliveries d JOIN notices n ON n.id = d.notice WHERE d.org = ?1 AND d.created > ?2 AND d.channel = ?3 AND n.kind = ?4",
                                       c.org, since, c.id, text(kind), [](const storage::Row& r) { return r.integer(0); }));
  return count.value_or(0);
}

// Each is a message to an address that somebody typed in.
Result<void> not_too_often(storage::Reader& tx, const Channel& c, EventKind kind, Instant now) {
  CAIP_TRY(open, tx.one<std::int64_t>("SELECT 1 FROM deliveries d JOIN notices n ON n.id = d.notice WHERE d.channel = ?1 AND d.state = 'queued' AND n.kind = ?2", c.id, text(kind),
                                      [](const storage::Row& r) { return r.integer(0); }));
  if (open) return fail(Code::too_many, "one is on its way; the delivery log says what becomes of it");
  CAIP_TRY(count, asked_since(tx, c, kind, now + -kMinute));
  if (count >= (kind == EventKind::verification ? kCodesEach : kTestsEach)) return fail(Code::too_many, "wait a minute before the next one");
  return {};
}

}  // namespace

Channels::Channels(storage::Database& db, audit::Ledger& ledger, vault::SecretStore& vault, const authorization::Authorizer& authorizer, Prove prove,
                   const outbound::Client& client, const Clock& clock)
    : db_(db), ledger_(ledger), vault_(vault), authorizer_(authorizer), prove_(std::move(prove)), client_(client), clock_(clock) {}

template <Action A>
std::expected<Authorized<A>, Denied> Channels::decide(const Session& session, A action) const {
  if constexpr (A::kStepUp == StepUpNeed::never) {
    return authorizer_.authorize(session, std::move(action));
  } else {
    if (auto fresh = prove_(session)) return authorizer_.authorize(session, std::move(action), *std::move(fresh));
    return std::unexpected(authorizer_.refuse_without_step_up(session, std::move(action)));
  }
}

template <Action A>
Result<Authorized<A>> Channels::permit(const Session& session, A action) const {
  auto permit = decide(session, std::move(action));
  if (permit) return *std::move(permit);
  CAIP_CHECKED(ledger_.refuse(permit.error()));
  if (permit.error().code == Code::step_up_needed) return fail(Code::step_up_needed);
  return fail(permit.error().code, "your role does not allow this");
}

// What is kept as the credential is `given`; what is returned was made here and is shown once.
Result<std::optional<SecretBytes>> Channels::ready(ChannelKind kind, std::optional<SecretBytes>& given) const {
  if (given) {
    CAIP_CHECKED(acceptable_credential(kind, *given, client_));
    return std::optional<SecretBytes>();
  }
  if (needs_credential(kind)) return fail(Code::invalid, "this kind of channel needs a credential");
  if (kind != ChannelKind::webhook) return std::optional<SecretBytes>();
  given = new_signing_secret();
  std::optional<SecretBytes> shown;
  given->expose(Use::hand_to_client, [&](BytesView b) { shown.emplace(text_of(b)); });
  return shown;
}

Result<Saved> Channels::create(const Session& session, const ChannelName& name, const Target& target, const Routing& routing, std::optional<SecretBytes> credential) {
  CAIP_TRY(allowed, permit(session, CreateChannel{crypto::random_id<NotifyChannelId>(), target.kind(), name}));
  CAIP_CHECKED(acceptable_target(target, client_));
  CAIP_TRY(shown, ready(target.kind(), credential));
  const Instant now = clock_.now();
  Channel c{.id = allowed.action().channel, .org = session.org(), .name = name, .target = target, .secret = {}, .previous = {}, .previous_until = {},
            .routing = routing, .verified = confirmed_from_the_start(target.kind()), .paused = {}, .version = 1, .created = now};
  CAIP_TRY(spent, std::move(allowed).spend(now));
  if (!credential) {
    auto tx = db_.begin_write();
    CAIP_CHECKED(insert(tx, c));
    CAIP_TRY(receipt, ledger_.commit(std::move(tx), std::move(spent), {.detail = described(c)}));
    static_cast<void>(receipt);
    return Saved{std::move(c), std::move(shown)};
  }
  c.secret = crypto::random_id<SecretId>();
  CAIP_TRY(keep, permit(session, CreateSecret{*c.secret, SecretKind::notification, name_for(*c.secret)}));
  CAIP_TRY(kept, vault_.create(std::move(keep), *std::move(credential), [&](storage::WriteTx& tx) -> Result<void> {
             CAIP_CHECKED(insert(tx, c));
             CAIP_CHECKED(ledger_.append(tx, std::move(spent), {.detail = described(c)}));
             return {};
           }));
  static_cast<void>(kept);
  return Saved{std::move(c), std::move(shown)};
}

Result<Channel> Channels::change(const Session& session, const NotifyChannelId& id, const Change& change, std::int64_t expected) {
  CAIP_TRY(allowed, permit(session, ChangeChannel{id}));
  if (change.target) CAIP_CHECKED(acceptable_target(*change.target, client_));
  CAIP_TRY(spent, std::move(allowed).spend(clock_.now()));
  auto tx = db_.begin_write();
  CAIP_TRY(c, must_find(tx, session.org(), id));
  if (c.version != expected) return fail(Code::precondition_failed, "the channel was changed meanwhile");
  if (password_would_go_elsewhere(c, change.target))
    return fail(Code::conflict, "another mail server or user needs its own password: add a new channel");
  const Channel before = c;
  apply(c, change);
  CAIP_CHECKED(name_is_free(tx, c.org, c.name, c.id));
  ++c.version;
  CAIP_CHECKED(tx.exec("UPDATE notify_channels SET name = ?2, config = ?3, min_severity = ?4, events = ?5, verified = ?6, paused = ?7, version = ?8 WHERE id = ?1", id,
                       c.name.str(), canonical(c.target.stored()), std::to_underlying(c.routing.least), stored(c.routing.events), c.verified, c.paused, c.version));
  CAIP_TRY(receipt, ledger_.commit(std::move(tx), std::move(spent), {.detail = changes(before, c)}));
  static_cast<void>(receipt);
  return c;
}

// One permit for each that is still there: somebody may have deleted it on the page of secrets.
Result<std::vector<Authorized<DeleteSecret>>> Channels::may_drop(const Session& session, std::initializer_list<std::optional<SecretId>> ids) const {
  std::vector<Authorized<DeleteSecret>> out;
  for (const auto& id : ids) {
    if (!id) continue;
    auto secret = vault_.get(session.org(), *id);
    if (!secret && secret.error().code == Code::not_found) continue;
    if (!secret) return std::unexpected(std::move(secret).error());
    CAIP_TRY(allowed, permit(session, DeleteSecret{*id, secret->kind, secret->name}));
    out.push_back(std::move(allowed));
  }
  return out;
}

Result<Saved> Channels::replace_credential(const Session& session, const NotifyChannelId& id, std::optional<SecretBytes> credential) {
  const SecretId fresh = crypto::random_id<SecretId>();
  CAIP_TRY(allowed, permit(session, ReplaceCredential{id, fresh}));
  CAIP_TRY(before, get(session.org(), id));
  CAIP_TRY(shown, ready(before.target.kind(), credential));
  if (!credential) return fail(Code::invalid, "a new credential, please");
  const Instant now = clock_.now();
  const bool overlaps = before.target.kind() == ChannelKind::webhook && before.secret;
  CAIP_TRY(spent, std::move(allowed).spend(now));
  CAIP_TRY(keep, permit(session, CreateSecret{fresh, SecretKind::notification, name_for(fresh)}));
  CAIP_TRY(drops, may_drop(session, {before.previous, overlaps ? std::nullopt : before.secret}));
  CAIP_TRY(kept, vault_.create(std::move(keep), *std::move(credential), [&](storage::WriteTx& tx) -> Result<void> {
             CAIP_TRY(rows, tx.exec("UPDATE notify_channels SET secret = ?2, previous_secret = ?3, previous_until = ?4, paused = NULL, version = version + 1,"
                                    " verified = CASE kind WHEN 'email' THEN 0 ELSE verified END"
                                    " WHERE id = ?1 AND deleted IS NULL AND version = ?5",
                                    id, fresh, overlaps ? before.secret : std::nullopt, overlaps ? std::optional(now + kOverlap) : std::nullopt, before.version));
             if (rows != 1) return fail(Code::precondition_failed, "the channel was changed meanwhile");
             CAIP_CHECKED(ledger_.append(tx, std::move(spent)));
             for (auto& drop : drops) CAIP_CHECKED(vault_.remove_within(tx, std::move(drop)));
             return {};
           }));
  static_cast<void>(kept);
  CAIP_TRY(after, get(session.org(), id));
  return Saved{std::move(after), std::move(shown)};
}

Result<void> Channels::remove(const Session& session, const NotifyChannelId& id, std::int64_t expected) {
  CAIP_TRY(allowed, permit(session, DeleteChannel{id}));
  const Instant now = clock_.now();
  CAIP_TRY(before, get(session.org(), id));
  CAIP_TRY(drops, may_drop(session, {before.secret, before.previous}));
  CAIP_TRY(spent, std::move(allowed).spend(now));
  auto tx = db_.begin_write();
  CAIP_TRY(found, must_find(tx, session.org(), id));
  if (found.version != expected || before.version != expected) return fail(Code::precondition_failed, "the channel was changed meanwhile");
  CAIP_CHECKED(tx.exec("UPDATE notify_channels SET deleted = ?2, secret = NULL, previous_secret = NULL WHERE id = ?1", id, now));
  CAIP_CHECKED(tx.exec("UPDATE deliveries SET state = 'dropped', outcome = 'the channel was deleted' WHERE channel = ?1 AND state = 'queued'", id));
  for (auto& drop : drops) CAIP_CHECKED(vault_.remove_within(tx, std::move(drop)));
  CAIP_TRY(receipt, ledger_.commit(std::move(tx), std::move(spent)));
  static_cast<void>(receipt);
  return {};
}

Result<Page<Channel>> Channels::list(const OrgId& org, const PageAsk& ask) const {
  std::vector<Channel> found;
  std::optional<Error> damage;
  auto tx = db_.begin_read();
  CAIP_CHECKED(tx.query("SELECT id, org, kind, name, config, secret, previous_secret, previous_until, min_severity, events, verified, paused, version, created"
                        " FROM notify_channels WHERE org = ?1 AND deleted IS NULL AND id > ?2 ORDER BY id LIMIT ?3",
                        org, ask.after ? ask.after->id : std::string(), static_cast<std::int64_t>(ask.limit) + 1, [&](const storage::Row& r) {
                          auto channel = read_channel(r);
                          if (channel) found.push_back(*std::move(channel));
                          else damage = channel.error();
                        }));
  if (damage) return std::unexpected(*std::move(damage));
  return page_of(std::move(found), ask);
}

Result<Channel> Channels::get(const OrgId& org, const NotifyChannelId& id) const {
  auto tx = db_.begin_read();
  return must_find(tx, org, id);
}

Result<DeliveryId> Channels::queue(Authorized<TestChannel>&& allowed, const Channel& c, EventKind kind) {
  const DeliveryId delivery = allowed.action().delivery;
  const Instant now = clock_.now();
  CAIP_TRY(spent, std::move(allowed).spend(now));
  auto tx = db_.begin_write();
  CAIP_CHECKED(not_too_often(tx, c, kind, now));
  CAIP_CHECKED(outbox::raise_for(tx, {.kind = kind, .org = c.org, .subject = c.name.str()}, c.id, delivery, kOnce, now));
  CAIP_TRY(receipt, ledger_.commit(std::move(tx), std::move(spent), {.detail = {{"message", text(kind)}}}));
  static_cast<void>(receipt);
  return delivery;
}

Result<DeliveryId> Channels::test(const Session& session, const NotifyChannelId& id) {
  CAIP_TRY(allowed, permit(session, TestChannel{id, crypto::random_id<DeliveryId>()}));
  CAIP_TRY(c, get(session.org(), id));
  if (!c.verified) return fail(Code::conflict, "confirm the address first: have a code sent to it");
  return queue(std::move(allowed), c, EventKind::test);
}

Result<DeliveryId> Channels::send_code(const Session& session, const NotifyChannelId& id) {
  CAIP_TRY(allowed, permit(session, TestChannel{id, crypto::random_id<DeliveryId>()}));
  CAIP_TRY(c, get(session.org(), id));
  if (c.verified) return fail(Code::conflict, "the channel is confirmed already");
  const Instant now = clock_.now();
  {
    auto tx = db_.begin_read();
    CAIP_CHECKED(not_too_often(tx, c, EventKind::verification, now));
  }
  codes_.with([&](auto& all) {
    std::erase_if(all, [&](const auto& one) { return one.second.ends <= now; });
    all.insert_or_assign(id, Pending{new_code(), way_of(c), now + kCodeLife});
  });
  return queue(std::move(allowed), c, EventKind::verification);
}

std::optional<std::string> Channels::code_of(const Channel& c) const {
  return codes_.with([&](const auto& all) -> std::optional<std::string> {
    const auto at = all.find(c.id);
    return at == all.end() || at->second.ends <= clock_.now() || at->second.way != way_of(c) ? std::nullopt : std::optional(at->second.digits);
  });
}

// A code that was sent somewhere else than the channel leads now is none.
Channels::Guess Channels::guess(const Channel& c, std::string_view code) {
  return codes_.with([&](auto& all) {
    const auto at = all.find(c.id);
    if (at == all.end() || at->second.ends <= clock_.now() || at->second.way != way_of(c) || ++at->second.tries > kCodeTries) return Guess::none;
    if (!crypto::equal_ct(caip::view(at->second.digits), caip::view(code))) return Guess::wrong;
    all.erase(at);
    return Guess::right;
  });
}

Result<Channel> Channels::verify(const Session& session, const NotifyChannelId& id, std::string_view code) {
  CAIP_TRY(allowed, permit(session, VerifyChannel{id}));
  CAIP_TRY(c, get(session.org(), id));
  const Guess said = guess(c, code);
  if (said != Guess::none) {
    const bool right = said == Guess::right;
    CAIP_TRY(spent, std::move(allowed).spend(clock_.now()));
    auto tx = db_.begin_write();
    CAIP_TRY(now, must_find(tx, session.org(), id));
    if (way_of(now) != way_of(c)) return fail(Code::precondition_failed, "the channel was changed meanwhile");
    if (right) CAIP_CHECKED(tx.exec("UPDATE notify_channels SET verified = 1, version = version + 1 WHERE id = ?1", id));
    CAIP_TRY(receipt, ledger_.commit(std::move(tx), std::move(spent), {.result = right ? audit::Ending::completed : audit::Ending::failed,
                                                                       .detail = {{"target", canonical(c.target.view())}, {"right_code", right}}}));
    static_cast<void>(receipt);
  }
  if (said != Guess::right) return fail(Code::invalid, "not the code that was sent last, or too late; have another one sent");
  return get(session.org(), id);
}

}  // namespace caip::notifications
