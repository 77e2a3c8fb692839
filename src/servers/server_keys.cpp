// The keys that agents prove themselves with: what is let in, what is renewed, and what is worth nothing any more.
#include "base/log.h"
#include "crypto/certificates.h"
#include "crypto/ed25519.h"
#include "crypto/random.h"
#include "outbox/outbox.h"
#include "secrets/keeper.h"
#include "server_parts.h"

namespace caip::servers {
namespace {

constexpr Duration kDeafAfter = std::chrono::hours(1);    // without a tick, or between two runs
constexpr Duration kBehind = std::chrono::minutes(1);     // of the clock; less is no matter
constexpr Duration kForgetAsked = std::chrono::minutes(10);
constexpr Duration kAskAgain = std::chrono::minutes(1);
constexpr Duration kRecordAgain = std::chrono::hours(1);  // that one server's agent is turned away
constexpr std::size_t kAsksAtOnce = 100;                  // in one tick; the others' turn is the next one
constexpr std::size_t kMostTurnedAway = 10'000;
constexpr std::string_view kPostQuantum = "mldsa65";      // a signature of TLS's

bool has_next(const AgentKey& k, const AgentIdentity& agent) { return !k.next.empty() && k.next == hex(agent.shown().key); }

bool shows_current(const Live& l, const AgentIdentity& agent) {
  const AgentKey& k = l.server.key;
  return k.key.empty() ? l.server.certificate == agent.certificate() : k.key == hex(agent.shown().key);
}

bool wants_new_key(const Live& l, Instant now) {
  const AgentKey& k = l.server.key;
  return !l.witness.empty() && (k.rotate || now >= k.since + channel::kKeyLife || k.signature != kPostQuantum);
}

bool wants_certificate(std::optional<Instant> from, std::optional<Instant> until, Instant now) {
  if (!from || !until) return true;
  const Duration life = *until - *from;
  return life > channel::kCertificateLife || now >= *from + life / 2;
}

// Install commands of before would undo it.
Result<void> withdraw(storage::WriteTx& tx, const OrgId& org, const std::string& name) {
  CAIP_CHECKED(tx.exec("UPDATE enrolments SET expires_at = created_at WHERE org = ?1 AND name = ?2 AND used_at IS NULL", org, name));
  return {};
}

Error no_row() { return {Code::conflict, "the server's key was changed, revoked or let go meanwhile"}; }

}  // namespace

bool holds_key(const Live& l, const AgentIdentity& agent) { return l.server.key.state == KeyState::good && shows_current(l, agent); }

Result<Live> read_server(const storage::Row& r) {
  CAIP_TRY(id, r.id<ServerId>(0));
  CAIP_TRY(org, r.id<OrgId>(1));
  CAIP_TRY(name, ServerName::parse(r.text_view(2)));
  CAIP_TRY(environment, parse_environment(r.text_view(3)));
  CAIP_TRY(state, parse_key_state(r.text_view(10)));
  return Live{.server = {.id = id, .org = org, .name = std::move(name), .environment = environment, .certificate = r.text(4),
                         .facts = {}, .online = false, .group = {}, .last_seen = std::nullopt, .latest = std::nullopt, .leaves = r.optional_time(6), .version = r.integer(7),
                         .key = {.key = r.text(8), .next = r.text(9), .state = state, .rotate = r.boolean(11), .since = r.time(12), .from = r.optional_time(13),
                                 .until = r.optional_time(14), .issuer = r.text(18), .seen = r.integer(15), .checked = r.optional_time(16), .check = r.text(17)}},
              .witness = r.text(5)};
}

// --- time ---------------------------------------------------------------------------------

Instant KeyTime::now() {
  const std::int64_t seen = clock_.now().micros();
  return latest_.with([&](Latest& l) {
    const auto steady = Steady::now();
    if (Duration(l.micros - seen) > kBehind) l.micros += std::chrono::duration_cast<Duration>(steady - l.at).count();
    l.micros = std::max(l.micros, seen);
    l.at = steady;
    return Instant(l.micros);
  });
}

void KeyTime::begin(Instant newest, std::int64_t deaf) {
  deaf_ = deaf;
  latest_.with([&](Latest& l) { l.micros = std::max(l.micros, newest.micros()); });
  if (const Duration gap = now() - newest; newest != Instant() && gap > kDeafAfter) deaf_ += gap.count();
}

void KeyTime::tick() {
  const std::int64_t at = now().micros(), before = ticked_.exchange(at);
  if (before != 0 && Duration(at - before) > kDeafAfter) deaf_ += at - before;
}

Instant ServerService::key_time() { return parts_->time.now(); }
void ServerService::not_before(Instant newest) { parts_->time.begin(newest, parts_->time.deaf()); }
Result<void> ServerService::keep_time(storage::WriteTx& tx) { return parts_->keep_time(tx); }
void ServerService::on_ask(std::function<void(const ServerId&, const channel::KeyAsk&)> f) { parts_->ask_agent = std::move(f); }

Result<void> ServerService::Parts::keep_time(storage::WriteTx& tx) {
  CAIP_CHECKED(tx.exec("UPDATE server_time SET deaf = ?1 WHERE one = 1", time.deaf()));
  return {};
}

// What is stored of a key, into memory; what its connection showed stays.
void ServerService::Parts::reread(const ServerId& id) {
  inventory.with([&](Inventory& all) {
    const auto it = all.find(id);
    if (it == all.end()) return;
    auto tx = db.begin_read();
    auto row = tx.one<Result<Live>>("SELECT " SERVER_COLUMNS " FROM servers WHERE id = ?1", id, read_server);
    if (!row || !*row || !**row) return log::error("a server's key cannot be read", {{"server", id.str()}});
    AgentKey& k = it->second.server.key;
    AgentKey fresh = (**row)->server.key;
    fresh.renews = k.renews;
    fresh.proves = k.proves;
    fresh.checking = k.checking;
    fresh.signature = k.signature;
    fresh.issuer = k.issuer;
    k = std::move(fresh);
    if (k.state != KeyState::good) it->second.server.online = false;
  });
}

// --- at the door ----------------------------------------------------------------------------

// Why it is not let in; nothing: it is, to renew at least.
std::optional<std::string> ServerService::Parts::turns_away(const AgentIdentity& agent) {
  const std::int64_t listened = time.listened();
  return inventory.with([&](const Inventory& all) -> std::optional<std::string> {
    const auto it = all.find(agent.server());
    if (it == all.end()) return "no such server";
    const Server& s = it->second.server;
    if (s.leaves) return "the server is disconnected";
    if (s.key.state != KeyState::good) return "the server's key is " + std::string(text(s.key.state));
    if (!shows_current(it->second, agent) && !has_next(s.key, agent)) return "not a key of this server, or not any more";
    if (agent.shown().lapsed && s.key.seen != 0 && Duration(listened - s.key.seen) > channel::kMostLapsed) return "its certificate ended, and it was not seen for 45 days";
    return std::nullopt;
  });
}

Result<void> ServerService::knocks(const AgentIdentity& agent) {
  auto why = parts_->turns_away(agent);
  if (!why) return {};
  if (const auto server = find(agent.server())) parts_->record_refusal(agent, server->org, *why);
  return fail(Code::forbidden, *std::move(why));
}

// Agents dial again and again: once an hour is enough.
void ServerService::Parts::record_refusal(const AgentIdentity& agent, const OrgId& org, std::string why) {
  const Instant now = clock.now();
  const bool due = turned_away.with([&](auto& all) {
    if (all.size() >= kMostTurnedAway) std::erase_if(all, [&](const auto& one) { return now - one.second >= kRecordAgain; });
    auto& last = all[agent.server()];
    const bool first = last == Instant() || now - last >= kRecordAgain;
    if (first) last = now;
    return first;
  });
  if (!due) return;
  Principal who;
  who.source = Source::agent;
  who.server = agent.server();
  who.org = org;
  const ConnectAgent action{agent.server(), agent.shown().key};
  const auto also = [&](storage::WriteTx& tx) { return tell_of_past(tx, agent, org); };
  if (auto logged = ledger.refuse(Denied{AnyAction{action}, std::move(who), Code::forbidden, std::move(why)}, also); !logged)
    log::error("that an agent was turned away is not in the log", {{"server", agent.server().str()}, {"why", logged.error().detail}});
}

// Whoever comes with a key of before has a copy of what is gone from the server, or is the server, set back to an earlier day. Once for each key.
Result<void> ServerService::Parts::tell_of_past(storage::WriteTx& tx, const AgentIdentity& agent, const OrgId& org) const {
  CAIP_TRY(first, tx.exec("UPDATE server_keys_past SET told = 1 WHERE server = ?1 AND agent_key = ?2 AND told = 0", agent.server(), hex(agent.shown().key)));
  if (first != 1) return {};
  CAIP_TRY(name, tx.one<std::string>("SELECT name FROM servers WHERE id = ?1", agent.server(), [](const storage::Row& r) { return r.text(0); }));
  CAIP_CHECKED(outbox::raise(tx, {.kind = EventKind::server_quarantined, .org = org, .subject = "Somebody came as " + name.value_or("a server") +
                                  " with a key that it had before, and was refused: a copy of its disk, the machine that it was, or the server itself, set back to an earlier day", .link = agent.server().str()}, clock.now()));
  return {};
}

void ServerService::twice(const AgentIdentity& agent, const std::string& here, const std::string& there) {
  const auto server = find(agent.server());
  if (!server) return;
  const auto done = parts_->quarantine(agent, server->org, here, there);
  if (!done) return log::error("a server whose key two hold is not quarantined", {{"server", agent.server().str()}, {"why", done.error().detail}});
  if (!*done) return;
  log::error("TWO HOLD ONE SERVER'S KEY; neither is let in any more", {{"server", agent.server().str()}, {"addresses", here + ", " + there}});
  parts_->reread(agent.server());
  if (parts_->events.departed) parts_->events.departed(agent.server());
  if (parts_->events.server_updated) parts_->events.server_updated(server->org, agent.server());
}

Result<bool> ServerService::Parts::quarantine(const AgentIdentity& agent, const OrgId& org, const std::string& here, const std::string& there) {
  auto permit = authorizer.authorize_system(QuarantineServer{agent.server()}, org);
  if (!permit) return fail(permit.error().code, permit.error().reason);
  auto tx = db.begin_write();
  CAIP_TRY(name, tx.one<std::string>("SELECT name FROM servers WHERE id = ?1", agent.server(), [](const storage::Row& r) { return r.text(0); }));
  CAIP_TRY(rows, tx.exec("UPDATE servers SET key_state = 'quarantined', next_key = '', rotate = 0 WHERE id = ?1 AND key_state = 'good'"
                         " AND (agent_key = ?2 OR (agent_key = '' AND certificate = ?3))", agent.server(), hex(agent.shown().key), agent.certificate()));
  if (rows != 1) return false;  // of a key that is none of it any more
  CAIP_CHECKED(withdraw(tx, org, name.value_or("")));
  CAIP_CHECKED(outbox::raise(tx, {.kind = EventKind::server_quarantined, .org = org, .subject = "Two were connected as " + name.value_or("a server") + " at the same time (from " + here + " and " + there +
                                  "), with one key: neither is let in any more. Find out which machine has a copy of it; an install command that replaces the server is the way back", .link = agent.server().str()}, clock.now()));
  CAIP_TRY(spent, std::move(*permit).spend(clock.now()));
  CAIP_CHECKED(ledger.commit(std::move(tx), std::move(spent), {.detail = {{"key", hex(agent.shown().key)}, {"addresses", json::array{here, there}}}}));
  return true;
}

Result<void> ServerService::met(const AgentIdentity& agent, bool renews, bool proves) {
  CAIP_TRY(adopted, parts_->adopt(agent));
  const auto org = parts_->inventory.with([&](Inventory& all) -> std::optional<OrgId> {
    const auto it = all.find(agent.server());
    if (it == all.end() || !holds_key(it->second, agent)) return std::nullopt;
    AgentKey& k = it->second.server.key;
    k.renews = renews;
    k.proves = proves;
    k.signature = agent.shown().signature;
    k.issuer = agent.shown().issuer;
    if (!k.until) k.from = agent.shown().from, k.until = agent.shown().until;
    return it->second.server.org;
  });
  if (!org) return fail(Code::forbidden, "not a key of this server, or not any more");
  parts_->checks.with([&](auto& all) {
    if (const auto it = all.find(agent.server()); it != all.end()) it->second.fresh = true;
  });
  if (adopted && parts_->events.server_updated) parts_->events.server_updated(*org, agent.server());
  return {};
}

// The first use of a new key. From then on the one before is worth nothing.
Result<bool> ServerService::Parts::adopt(const AgentIdentity& agent) {
  struct Found {
    OrgId org;
    std::string name, before;
    bool by_hand;
  };
  const auto found = inventory.with([&](const Inventory& all) -> std::optional<Found> {
    const auto it = all.find(agent.server());
    if (it == all.end() || !has_next(it->second.server.key, agent)) return std::nullopt;
    const Server& s = it->second.server;
    return Found{s.org, s.name.str(), s.key.key, s.key.rotate};
  });
  if (!found) return false;
  const auto& org = found->org;
  const auto& before = found->before;
  const auto& shown = agent.shown();
  auto permit = authorizer.authorize(agent, AdoptKey{agent.server(), shown.key}, org);
  if (!permit) return fail(permit.error().code, permit.error().reason);
  {
    auto tx = db.begin_write();
    CAIP_CHECKED(tx.exec("INSERT OR IGNORE INTO server_keys_past (server, agent_key, at) SELECT id, agent_key, ?3 FROM servers WHERE id = ?1 AND next_key = ?2", agent.server(), hex(shown.key), time.now()));
    CAIP_TRY(rows, tx.exec("UPDATE servers SET agent_key = next_key, next_key = '', rotate = 0, key_since = ?3, certificate_from = ?4, certificate_until = ?5, seen = ?6, certificate_issuer = ?7"
                           " WHERE id = ?1 AND next_key = ?2 AND key_state = 'good' AND leaves IS NULL",
                           agent.server(), hex(shown.key), time.now(), shown.from, shown.until, time.listened(), shown.issuer));
    if (rows != 1) return std::unexpected(no_row());
    CAIP_CHECKED(keep_time(tx));
    if (found->by_hand)
      CAIP_CHECKED(outbox::raise(tx, {.kind = EventKind::server_key_changed, .org = org, .subject = found->name + " uses a new key, as somebody asked for; the one before is worth nothing any more", .link = agent.server().str()}, clock.now()));
    CAIP_TRY(spent, std::move(*permit).spend(clock.now()));
    CAIP_CHECKED(ledger.commit(std::move(tx), std::move(spent), {.detail = {{"before", before}, {"signature", shown.signature}}}));
  }
  reread(agent.server());
  return true;
}

Result<void> ServerService::Parts::read_authority() {
  secrets::Authority now = keeper.authority(KeyClass::agent_ca);
  CAIP_TRY(id, crypto::authority_id(now.pem));
  authority.with([&](auto& a) { a = {std::move(id), std::move(now)}; });
  return {};
}

void ServerService::authority_changed() {
  if (auto read = parts_->read_authority(); !read) log::error("the new authority of the agents' channel cannot be read", {{"why", read.error().detail}});
}

std::int64_t ServerService::of_earlier_authorities() const {
  const std::string now = parts_->authority.with([](const auto& a) { return a.id; });
  return parts_->inventory.with([&](const Inventory& all) {
    return std::ranges::count_if(all, [&](const auto& one) {
      const Server& s = one.second.server;
      return !s.leaves && s.key.state == KeyState::good && s.key.issuer != now;
    });
  });
}

// --- renewing -------------------------------------------------------------------------------

std::optional<channel::KeyAsk> ServerService::Parts::ask(const ServerId& id, Live& l, bool lapsed, bool due) {
  const Instant now = time.now();
  // First what keeps it connected: a key that cannot be replaced is no reason to let a certificate end.
  const bool of_another = authority.with([&](const auto& a) { return l.server.key.issuer != a.id; });
  const bool renew = lapsed || due || of_another || wants_certificate(l.server.key.from, l.server.key.until, now), rotate = !renew && wants_new_key(l, now);
  if (!l.server.key.renews || !(rotate || renew)) return std::nullopt;
  channel::KeyAsk out{.rotate = rotate, .nonce = crypto::random_bytes(channel::kNonce)};
  l.asked = clock.now();
  asked.with([&](auto& all) { all.emplace(out.nonce, Asked{.server = id, .rotate = rotate, .at = l.asked}); });
  return out;
}

std::optional<channel::KeyAsk> ServerService::ask_key(const AgentIdentity& agent) {
  return parts_->inventory.with([&](Inventory& all) -> std::optional<channel::KeyAsk> {
    const auto it = all.find(agent.server());
    if (it == all.end() || !holds_key(it->second, agent)) return std::nullopt;
    const auto& shown = agent.shown();  // what is stored may not have arrived
    return parts_->ask(agent.server(), it->second, shown.lapsed, wants_certificate(shown.from, shown.until, parts_->time.now()));
  });
}

void ServerService::tick_keys() {
  Parts& p = *parts_;
  p.time.tick();
  p.tick_checks();
  const Instant now = p.time.now(), wall = p.clock.now();
  // First: what is asked from here on is later than `wall`, and would look like the questions of a clock that was set back since.
  p.asked.with([&](auto& all) { std::erase_if(all, [&](const auto& one) { return wall < one.second.at || wall - one.second.at > kForgetAsked; }); });
  std::vector<std::pair<ServerId, channel::KeyAsk>> asks;
  std::vector<ServerId> ended;
  const auto look = [&](const ServerId& id, Live& live) {
    if (!live.server.online) return;
    if (live.server.key.until && now >= *live.server.key.until) ended.push_back(id);
    const bool lately = wall >= live.asked && wall - live.asked < kAskAgain;
    if (lately || asks.size() >= kAsksAtOnce) return;
    if (auto one = p.ask(id, live, false, false)) asks.emplace_back(id, *std::move(one));
  };
  p.inventory.with([&](Inventory& all) {  // from where it ended the last time: those that never answer keep nobody's turn
    const auto start = p.asked_last ? all.upper_bound(*p.asked_last) : all.begin();
    for (auto it = start; it != all.end(); ++it) look(it->first, it->second);
    for (auto it = all.begin(); it != start; ++it) look(it->first, it->second);
    if (!asks.empty()) p.asked_last = asks.back().first;
  });
  for (const auto& [id, one] : asks)
    if (p.ask_agent) p.ask_agent(id, one);
  for (const auto& id : ended)
    if (p.events.lapsed) p.events.lapsed(id);
}

// What an agent may have a certificate for: the key it showed; and, where it was asked for one, a new one that its root half speaks for.
Result<ServerService::Parts::Wanted> ServerService::Parts::wanted(const AgentIdentity& agent, const channel::KeyOffer& offer) {
  CAIP_TRY(requested, crypto::read_request(offer.request));
  const auto question = asked.with([&](auto& all) -> std::optional<Asked> {
    const auto it = all.find(offer.nonce);
    if (it == all.end() || it->second.server != agent.server()) return std::nullopt;
    auto out = std::move(it->second);
    all.erase(it);
    return out;
  });
  if (!question) return fail(Code::conflict, "nobody asked for it");
  return inventory.with([&](const Inventory& all) -> Result<Wanted> {
    const auto it = all.find(agent.server());
    if (it == all.end() || !holds_key(it->second, agent)) return std::unexpected(no_row());
    const Server& s = it->second.server;
    Wanted out{.org = s.org, .name = s.name.str(), .key = requested.key, .fresh = requested.key != agent.shown().key};
    if (!out.fresh) return out;
    const auto witness = from_hex(it->second.witness);
    const channel::Vouched said{.server = s.id, .enrolment = s.certificate, .held = agent.shown().key, .next = requested.key, .nonce = offer.nonce};
    if (!question->rotate || agent.shown().lapsed) return fail(Code::forbidden, "a new key that nobody asked for");
    if (!requested.post_quantum) return fail(Code::forbidden, "a new key that is not ML-DSA-65");
    if (!witness || witness->empty() || !crypto::ed25519_verify(*witness, caip::view(channel::voucher_text(said)), offer.voucher))
      return fail(Code::forbidden, "a new key that the server's root half does not speak for");
    return out;
  });
}

Result<channel::KeyIssued> ServerService::offered(const AgentIdentity& agent, const channel::KeyOffer& offer) {
  Parts& p = *parts_;
  const auto wanted = p.wanted(agent, offer);
  if (!wanted) {
    if (const auto server = find(agent.server()); server && wanted.error().code == Code::forbidden) p.record_refusal(agent, server->org, wanted.error().detail);
    return std::unexpected(wanted.error());
  }
  CAIP_TRY(pem, p.keeper.issue_agent_certificate(offer.request, agent.server(), p.time.now(), channel::kCertificateLife));
  CAIP_TRY(made, crypto::read_agent_certificate(pem));
  // Of one that the listener does not show yet: who takes it would be let in by nobody. It is asked again.
  const auto issuer = p.authority.with([](const auto& a) { return a; });
  if (made.issuer != issuer.id) return fail(Code::conflict, "the authority is being replaced");
  CAIP_CHECKED(p.register_key(agent, *wanted, made));
  p.reread(agent.server());
  if (p.events.server_updated) p.events.server_updated(wanted->org, agent.server());
  return channel::KeyIssued{.certificate = std::move(pem), .reconnect = wanted->fresh || agent.shown().lapsed || agent.shown().issuer != issuer.id,
                            .authorities = issuer.now.pem + issuer.now.links};
}

// Before the certificate leaves. An enrolment of before there was this says here for the first time which key is its own.
Result<void> ServerService::Parts::register_key(const AgentIdentity& agent, const Wanted& w, const crypto::AgentCertificate& made) {
  const auto from = made.from, until = made.until;
  const std::string held = hex(agent.shown().key), next = w.fresh ? hex(w.key) : "";
  const bool lapsed = agent.shown().lapsed;
  auto permit = authorizer.authorize(agent, RenewCertificate{agent.server(), w.key}, w.org);
  if (!permit) return fail(permit.error().code, permit.error().reason);
  auto tx = db.begin_write();
  CAIP_TRY(rows, tx.exec("UPDATE servers SET agent_key = ?2, seen = ?4, next_key = CASE WHEN ?5 = '' THEN next_key ELSE ?5 END,"
                         " certificate_from = CASE WHEN ?5 = '' THEN ?6 ELSE certificate_from END, certificate_until = CASE WHEN ?5 = '' THEN ?7 ELSE certificate_until END, certificate_issuer = ?8"
                         " WHERE id = ?1 AND (agent_key = ?2 OR (agent_key = '' AND certificate = ?3)) AND key_state = 'good' AND leaves IS NULL",
                         agent.server(), held, agent.certificate(), time.listened(), next, from, until, agent.shown().issuer));
  if (rows != 1) return std::unexpected(no_row());
  CAIP_CHECKED(keep_time(tx));
  if (lapsed)
    CAIP_CHECKED(outbox::raise(tx, {.kind = EventKind::server_key_changed, .org = w.org, .subject = w.name + " came back after its certificate had ended, and has a new one", .link = agent.server().str()}, clock.now()));
  CAIP_TRY(spent, std::move(*permit).spend(clock.now()));
  CAIP_CHECKED(ledger.commit(std::move(tx), std::move(spent), {.detail = {{"until", until.str()}, {"new_key", w.fresh}, {"lapsed", lapsed}}}));
  return {};
}

// --- by people --------------------------------------------------------------------------------

namespace {

struct KeyRow {
  ServerName name;
  bool leaves, witness;
  KeyState state;
};

Result<std::optional<KeyRow>> key_row(storage::Reader& tx, const ServerId& id, const OrgId& org) {
  CAIP_TRY(row, tx.one<Result<KeyRow>>("SELECT name, leaves IS NOT NULL, witness <> '', key_state FROM servers WHERE id = ?1 AND org = ?2", id, org, [](const storage::Row& r) -> Result<KeyRow> {
    CAIP_TRY(name, ServerName::parse(r.text_view(0)));
    CAIP_TRY(state, parse_key_state(r.text_view(3)));
    return KeyRow{std::move(name), r.boolean(1), r.boolean(2), state};
  }));
  if (!row) return std::optional<KeyRow>{};
  CAIP_TRY(found, *std::move(row));
  return std::optional(std::move(found));
}

std::optional<Error> keeps_key(const std::optional<KeyRow>& row) {
  if (!row) return Error{Code::not_found, "no such server"};
  if (row->leaves) return Error{Code::conflict, "the server is disconnected: nobody is let in as it"};
  if (row->state != KeyState::good) return Error{Code::conflict, "the server's key is " + std::string(text(row->state)) + ": an install command that replaces it is the way back"};
  return std::nullopt;
}

}  // namespace

Result<Receipt<RotateServerKey>> ServerService::rotate_key(Authorized<RotateServerKey>&& permit) {
  const RotateServerKey action = permit.action();
  const Principal who = permit.principal();
  CAIP_TRY(spent, std::move(permit).spend(parts_->clock.now()));
  std::optional<Error> no;
  {
    auto tx = parts_->db.begin_write();
    CAIP_TRY(row, key_row(tx, action.server, *who.org));
    no = keeps_key(row);
    if (!no && !row->witness) no = Error{Code::conflict, "this server's agent is from before keys were rotated: an install command that replaces it brings a new one"};
    if (!no) {
      CAIP_CHECKED(tx.exec("UPDATE servers SET rotate = 1 WHERE id = ?1", action.server));
      CAIP_TRY(receipt, parts_->ledger.commit(std::move(tx), std::move(spent), {.detail = {{"name", row->name.str()}}}));
      parts_->reread(action.server);
      if (parts_->events.server_updated) parts_->events.server_updated(*who.org, action.server);
      return receipt;
    }
  }
  return parts_->refused(action, who, *std::move(no));
}

Result<Receipt<RevokeServerKey>> ServerService::revoke_key(Authorized<RevokeServerKey>&& permit) {
  const RevokeServerKey action = permit.action();
  const Principal who = permit.principal();
  const Instant now = parts_->clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  std::optional<Error> no;
  {
    auto tx = parts_->db.begin_write();
    CAIP_TRY(row, key_row(tx, action.server, *who.org));
    no = keeps_key(row);
    if (!no) {
      CAIP_CHECKED(tx.exec("UPDATE servers SET key_state = 'revoked', next_key = '', rotate = 0 WHERE id = ?1", action.server));
      CAIP_CHECKED(withdraw(tx, *who.org, row->name.str()));
      CAIP_CHECKED(outbox::raise(tx, {.kind = EventKind::server_key_changed, .org = *who.org, .subject = "The key of " + row->name.str() + " was revoked; its agent is let in no more. An install command that replaces it is the way back",
                                      .link = action.server.str()}, now));
      CAIP_TRY(receipt, parts_->ledger.commit(std::move(tx), std::move(spent), {.detail = {{"name", row->name.str()}}}));
      parts_->reread(action.server);
      if (parts_->events.departed) parts_->events.departed(action.server);
      if (parts_->events.server_updated) parts_->events.server_updated(*who.org, action.server);
      return receipt;
    }
  }
  return parts_->refused(action, who, *std::move(no));
}

}  // namespace caip::servers
