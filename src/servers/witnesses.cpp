#include "servers/witnesses.h"

#include <algorithm>
#include <array>
#include <map>
#include <mutex>

#include "audit/access.h"
#include "audit/ledger.h"
#include "audit/query.h"
#include "authorization/authorizer.h"
#include "base/log.h"
#include "channel/hub.h"
#include "crypto/cosignature.h"
#include "crypto/hash.h"
#include "outbox/outbox.h"
#include "servers/server_service.h"

namespace caip::servers {
namespace {

constexpr Duration kAnchorEvery = std::chrono::seconds(1);
constexpr Duration kKeepEvery = std::chrono::seconds(60);      // cosignatures are stored so often
constexpr Duration kRepeat = std::chrono::seconds(60);         // a log that does not grow is cosigned again
constexpr Duration kContradictEvery = std::chrono::minutes(10);  // one entry for so long
constexpr Duration kTellEvery = std::chrono::seconds(1);       // pages hear of cosignatures so often
constexpr std::size_t kMostKept = 12;  // of witnesses on one note of at most 16; up to four are ours while keys change

struct Place {
  OrgId org;
  WitnessState state;
  std::uint64_t moved_to = 0;  // what the newest thing sent to it makes of it
  std::uint64_t offered = 0;
  Instant offered_at = {};
  std::optional<channel::HeldKeys> keys = {};       // it will go by, when all that was sent has arrived; none: it knows no successions
  std::optional<channel::HeldKeys> confirmed = {};  // it said so
  bool refuses = false;                             // the next one; until it comes again
};

using Handovers = std::vector<audit::Query::Handover>;

Digest& of(channel::HeldKeys& held, crypto::SuccessionKey key) {
  switch (key) {
    case crypto::SuccessionKey::checkpoint: return held.checkpoint;
    case crypto::SuccessionKey::cosign: return held.cosign;
    case crypto::SuccessionKey::order: break;
  }
  return held.order;
}

// What leads on from these keys, which become those at its end.
channel::Successions missing(const Handovers& all, channel::HeldKeys& held) {
  channel::Successions out;
  for (const auto& h : all) {
    Digest& key = of(held, h.key);
    if (out.size() == channel::kMostSuccessions || key != crypto::sha256(h.old_key)) continue;
    key = crypto::sha256(h.new_key);
    out.push_back(h.statement);
  }
  return out;
}

// The smallest checkpoint that today's keys of the log have signed.
std::uint64_t newest_reign(const Handovers& all) {
  std::uint64_t from = 0;
  for (const auto& h : all)
    if (h.key != crypto::SuccessionKey::order) from = h.size;
  return from;
}

Bytes newest_order_key(const Handovers& all) {
  Bytes key;
  for (const auto& h : all)
    if (h.key == crypto::SuccessionKey::order) key = h.new_key;
  return key;
}

// A full disk is no contradiction: what the server holds is what it held, and the next try may succeed.
bool refuses_for_good(std::string_view why) { return why == code_text(Code::forbidden) || why == code_text(Code::malformed); }

}  // namespace

struct Witnesses::Parts {
  audit::Ledger& ledger;
  audit::Query& query;
  audit::Access& access;
  ServerService& servers;
  const authorization::Authorizer& authorizer;
  const Clock& clock;
  Send send = {};
  Announce announce = {};
  std::function<void(const OrgId&)> change = {};

  mutable std::mutex mutex = {};  // of all below
  std::map<ServerId, Place> places = {};
  std::string anchor = {};  // the newest note with both signatures of the log
  std::string anchor_text = {};
  std::uint64_t anchor_size = 0;
  Instant anchored_at = {}, kept_at = {}, looked_at = {}, told_at = {};
  std::vector<crypto::NoteSignature> fresh = {};  // cosignatures on the anchor
  std::array<std::mutex, 64> lanes = {};          // of a server: what is sent, in order

  std::mutex& lane(const ServerId& id) { return lanes.at(std::hash<ServerId>{}(id) % lanes.size()); }
  Result<void> announce_to(const ServerId&, const Handovers&);  // in its lane
  void announce_to_all();
  bool accuse(const AgentIdentity&, std::uint64_t seen, json::object detail);  // false: it did, a moment ago
  void look_for_anchor(Instant now);
  void keep(Instant now);
  std::vector<ServerId> due(Instant now);
  Result<void> tell_people(storage::WriteTx&, const OrgId&, const ServerId&, Instant now) const;
};

Witnesses::Witnesses(audit::Ledger& ledger, audit::Query& query, audit::Access& access, ServerService& servers,
                     const authorization::Authorizer& authorizer, const Clock& clock)
    : parts_(new Parts{ledger, query, access, servers, authorizer, clock}) {}
Witnesses::~Witnesses() = default;
void Witnesses::on_send(Send f) { parts_->send = std::move(f); }
void Witnesses::on_announce(Announce f) { parts_->announce = std::move(f); }
void Witnesses::on_change(std::function<void(const OrgId&)> f) { parts_->change = std::move(f); }

void Witnesses::known(const AgentIdentity& agent, std::optional<std::uint64_t> size, const std::optional<channel::HeldKeys>& keys) {
  const auto server = parts_->servers.find(agent.server());
  if (!server) return;
  const std::uint64_t at = size.value_or(0);
  {
    const std::scoped_lock lock(parts_->mutex);
    const WitnessState fresh{.server = server->id, .name = server->name, .online = false, .size = 0, .cosigned_at = std::nullopt, .contradicted = std::nullopt};
    Place& p = parts_->places.try_emplace(server->id, Place{.org = server->org, .state = fresh}).first->second;
    p.moved_to = at;
    p.offered = 0;
    p.offered_at = Instant();
    p.state.online = true;
    p.keys = p.confirmed = keys;
    p.refuses = false;
  }
  // It has seen more than there is: this log was rolled back, or is not the one it knows.
  if (const auto have = parts_->query.size(); have && at > *have) contradicted(agent, at, *have);
}

void Witnesses::corrected(const ServerId& id, std::uint64_t size) {
  const std::scoped_lock lock(parts_->mutex);
  const auto at = parts_->places.find(id);
  if (at == parts_->places.end()) return;
  at->second.moved_to = size;
  at->second.offered = 0;
}

void Witnesses::gone(const ServerId& id) {
  const std::scoped_lock lock(parts_->mutex);
  if (const auto at = parts_->places.find(id); at != parts_->places.end()) at->second.state.online = false;
}

Result<void> Witnesses::move_on(const ServerId& id, const Choose& choose, const Consistency& send) {
  const std::scoped_lock in_order(parts_->lane(id));
  CAIP_TRY(size, choose());
  CAIP_TRY(handovers, parts_->query.successions());
  if (size < newest_reign(handovers)) {  // a key handed over in between
    CAIP_TRY(newer, choose());
    if (newer < newest_reign(handovers)) return fail(Code::precondition_failed, "the checkpoint is of a key that has handed over");
    size = newer;
  }
  CAIP_CHECKED(parts_->announce_to(id, handovers));
  std::uint64_t old = 0;
  {
    const std::scoped_lock lock(parts_->mutex);
    if (const auto at = parts_->places.find(id); at != parts_->places.end()) old = at->second.moved_to;
  }
  std::vector<Digest> proof;
  if (old > size) {
    // Beyond our own end there is no proof; the server refuses, and says why.
    CAIP_TRY(have, parts_->query.size());
    if (old <= have) return fail(Code::precondition_failed, "the server was sent a newer checkpoint");
  } else {
    CAIP_TRY(made, parts_->query.consistency(old, size));
    proof = std::move(made);
  }
  CAIP_CHECKED(send(old, std::move(proof), newest_order_key(handovers)));
  const std::scoped_lock lock(parts_->mutex);
  if (const auto at = parts_->places.find(id); at != parts_->places.end()) at->second.moved_to = std::max(old, size);
  return {};
}

void Witnesses::witnessed(const AgentIdentity& agent, const channel::Witnessed& w) {
  Parts& p = *parts_;
  if (w.line.empty()) {
    if (w.refused.raw() == code_text(Code::digest_mismatch)) return contradicted(agent, w.size, w.offered);
    if (w.refused.raw() == code_text(Code::precondition_failed)) corrected(agent.server(), w.size);
    else log::warn("a server did not cosign", {{"server", agent.server().str()}, {"why", w.refused}});
    return;
  }
  const auto key = p.servers.witness_key(agent.server());
  const auto line = crypto::parse_signature_line(w.line);
  if (!key || !line) return;
  const crypto::Cosigner who{std::string(channel::kWitnessPrefix) + agent.server().str(), crypto::CosignatureType::ed25519, *key};
  std::optional<OrgId> org;
  const Instant now = p.clock.now();
  {
    const std::scoped_lock lock(p.mutex);
    const auto at = p.places.find(agent.server());
    if (at == p.places.end() || w.offered != p.anchor_size) return;  // about an older one: the next is on its way
    const auto seconds = crypto::cosigned_at({p.anchor_text, {*line}}, who);
    if (!seconds || *seconds > std::uint64_t{1} << 40) return;
    at->second.state.size = w.offered;
    at->second.state.cosigned_at = Instant(static_cast<std::int64_t>(*seconds) * 1'000'000);
    std::erase_if(p.fresh, [&](const auto& s) { return s.name == line->name; });
    if (p.fresh.size() < kMostKept) p.fresh.push_back(*line);
    if (now - p.told_at >= kTellEvery) {
      org = at->second.org;
      p.told_at = now;
    }
  }
  if (p.change && org) p.change(*org);
}

void Witnesses::held(const AgentIdentity& agent, const channel::KeysSaid& said) {
  std::uint64_t size = 0;
  {
    const std::scoped_lock lock(parts_->mutex);
    const auto at = parts_->places.find(agent.server());
    if (at == parts_->places.end()) return;
    Place& p = at->second;
    p.confirmed = p.keys = said.keys;
    if (said.refused.raw().empty()) return;
    p.refuses = refuses_for_good(said.refused.raw());
    if (!p.refuses) return log::warn("a server could not take a new key; it is told again", {{"server", agent.server().str()}, {"why", said.refused}});
    size = p.moved_to;
  }
  log::error("a server does not go by a new key of this control plane", {{"server", agent.server().str()}, {"why", said.refused}});
  parts_->accuse(agent, size, {{"new_key", "refused"}});
}

std::int64_t Witnesses::waiting_for(crypto::SuccessionKey key, BytesView public_key) const {
  const Digest newest = crypto::sha256(public_key);
  std::int64_t left = 0;
  const auto enrolled = parts_->servers.presence();
  const std::scoped_lock lock(parts_->mutex);
  for (const auto& [id, online, leaving] : enrolled) {  // also those that are let go: they may be restored
    const auto at = parts_->places.find(id);
    if (at == parts_->places.end() || !at->second.confirmed || of(*at->second.confirmed, key) != newest) ++left;
  }
  return left;
}

// Ahead of all that the new keys sign, so nothing goes to a server that has not said which keys it goes
// by: its hello may come a moment before its helper has spoken. A chain that is longer than a message is sent in several.
Result<void> Witnesses::Parts::announce_to(const ServerId& id, const Handovers& all) {
  if (all.empty()) return {};
  for (;;) {
    std::optional<channel::HeldKeys> held;
    {
      const std::scoped_lock lock(mutex);
      const auto at = places.find(id);
      if (at != places.end() && at->second.refuses) return fail(Code::precondition_failed, "the server refuses the key that this control plane goes by");
      if (at != places.end()) held = at->second.keys;
    }
    if (!held) return fail(Code::precondition_failed, "the server has not said which keys it goes by");
    const channel::Successions next = missing(all, *held);
    if (next.empty()) return {};
    CAIP_CHECKED(announce(id, next));
    const std::scoped_lock lock(mutex);
    if (const auto at = places.find(id); at != places.end()) at->second.keys = held;
  }
}

void Witnesses::Parts::announce_to_all() {
  const auto all = query.successions();
  if (!all || all->empty()) return;
  std::vector<ServerId> behind;
  {
    const std::scoped_lock lock(mutex);
    for (const auto& [id, place] : places) {
      if (!place.state.online || !place.keys || place.refuses) continue;
      channel::HeldKeys held = *place.keys;
      if (!missing(*all, held).empty()) behind.push_back(id);
    }
  }
  for (const ServerId& id : behind) {
    const std::scoped_lock in_order(lane(id));
    if (auto sent = announce_to(id, *all); !sent) log::warn("a new key could not be announced", {{"server", id.str()}, {"why", sent.error().detail}});
  }
}

void Witnesses::contradicted(const AgentIdentity& agent, std::uint64_t seen, std::uint64_t shown) {
  if (!parts_->accuse(agent, seen, {{"shown", shown & 0x1f'ffff'ffff'ffff}})) return;
  log::error("a server has seen another log than this one", {{"server", agent.server().str()}, {"seen", static_cast<std::int64_t>(seen)}, {"shown", static_cast<std::int64_t>(shown)}});
}

bool Witnesses::Parts::accuse(const AgentIdentity& agent, std::uint64_t seen, json::object detail) {
  const Instant now = clock.now();
  std::optional<OrgId> org;
  {
    const std::scoped_lock lock(mutex);
    const auto at = places.find(agent.server());
    if (at == places.end()) return false;
    if (at->second.state.contradicted && now - *at->second.state.contradicted < kContradictEvery) return false;
    at->second.state.contradicted = now;
    org = at->second.org;
  }
  auto permit = authorizer.authorize(agent, ContradictLog{agent.server(), static_cast<std::int64_t>(seen & 0x1f'ffff'ffff'ffff)}, org);
  if (permit)
    if (auto kept = access.contradicted(std::move(*permit), std::move(detail), [&](storage::WriteTx& tx) { return tell_people(tx, *org, agent.server(), now); }); !kept)
      log::error("that could not be recorded", {{"why", kept.error().detail}});
  if (change) change(*org);
  return true;
}

Result<void> Witnesses::Parts::tell_people(storage::WriteTx& tx, const OrgId& org, const ServerId& id, Instant now) const {
  const auto server = servers.find(id);
  CAIP_TRY(notice, outbox::raise(tx, {.kind = EventKind::log_contradicted, .org = org, .subject = server ? server->name.str() : id.str(), .link = id.str()}, now));
  static_cast<void>(notice);
  return {};
}

// --- time -------------------------------------------------------------------------------------

void Witnesses::Parts::look_for_anchor(Instant now) {
  const auto size = ledger.anchor();
  if (!size) return log::warn("the log's checkpoint could not be cosigned", {{"why", size.error().detail}});
  if (!*size && anchor_size != 0) return;
  const auto note = query.checkpoint();
  const auto parsed = note ? crypto::parse_note(*note) : std::unexpected(note.error());
  if (!parsed) return;
  const auto checkpoint = crypto::parse_checkpoint_text(parsed->text);
  if (!checkpoint) return;
  const std::scoped_lock lock(mutex);
  anchor = *note;
  anchor_text = parsed->text;
  anchor_size = checkpoint->size;
  anchored_at = now;
  fresh.clear();
}

void Witnesses::Parts::keep(Instant now) {
  std::vector<crypto::NoteSignature> lines;
  std::uint64_t size = 0;
  {
    const std::scoped_lock lock(mutex);
    if (fresh.empty() || now - kept_at < kKeepEvery) return;
    kept_at = now;
    lines = fresh;
    size = anchor_size;
  }
  if (auto kept = ledger.keep(size, lines); !kept) log::warn("cosignatures could not be stored", {{"why", kept.error().detail}});
}

// More servers are asked less often each: some of them look at every moment all the same.
std::vector<ServerId> Witnesses::Parts::due(Instant now) {
  const std::scoped_lock lock(mutex);
  const Duration every = std::clamp(std::chrono::milliseconds(20) * static_cast<std::int64_t>(places.size()), std::chrono::milliseconds(5'000),
                                    std::chrono::milliseconds(60'000));
  std::vector<ServerId> out;
  for (auto& [id, p] : places) {
    if (!p.state.online || anchor_size == 0) continue;
    if (now - p.offered_at < (p.offered != anchor_size ? every : kRepeat)) continue;
    p.offered = anchor_size;
    p.offered_at = now;
    out.push_back(id);
  }
  return out;
}

void Witnesses::tick() {
  Parts& p = *parts_;
  const Instant now = p.clock.now();
  if (now - p.looked_at >= kAnchorEvery || now < p.looked_at) {
    p.looked_at = now;
    p.announce_to_all();
    p.keep(now);  // of the anchor that was
    p.look_for_anchor(now);
  }
  if (p.send) {
    std::string note;
    std::uint64_t size = 0;
    const auto all = p.due(now);
    {
      const std::scoped_lock lock(p.mutex);
      note = p.anchor;
      size = p.anchor_size;
    }
    const auto anchor = [size]() -> Result<std::uint64_t> { return size; };
    for (const ServerId& id : all)
      if (auto sent = move_on(id, anchor, [&](std::uint64_t old, std::vector<Digest> proof, const Bytes&) { return p.send(id, {note, old, std::move(proof)}); });
          !sent && sent.error().code != Code::precondition_failed)  // an order was newer; the next anchor is newer still
        log::warn("a checkpoint could not be offered", {{"server", id.str()}, {"why", sent.error().detail}});
  }
  for (int n = 0; n < 4; ++n) {  // the index of the log follows it
    const auto more = p.ledger.index_some();
    if (!more || !*more) break;
  }
}

Result<Quorum> Witnesses::quorum(const Session& session) const {
  CAIP_CHECKED(parts_->authorizer.require_view(session, Permission::audit_verify));
  CAIP_TRY(servers, parts_->servers.list(session));
  std::erase_if(servers, [](const Server& s) { return s.leaves.has_value(); });  // let go: it sees nothing of the log
  const Instant now = parts_->clock.now();
  const std::scoped_lock lock(parts_->mutex);
  Quorum q{.witnesses = {}, .size = parts_->anchor_size, .anchored_at = std::nullopt, .have = 0, .needed = servers.size() / 2 + 1};
  if (parts_->anchor_size != 0) q.anchored_at = parts_->anchored_at;
  for (const Server& s : servers) {
    const auto at = parts_->places.find(s.id);
    WitnessState state{.server = s.id, .name = s.name, .online = false, .size = 0, .cosigned_at = std::nullopt, .contradicted = std::nullopt};
    if (at != parts_->places.end()) state = at->second.state;
    if (state.cosigned_at && now - *state.cosigned_at < kFresh && !state.contradicted) ++q.have;
    q.witnesses.push_back(std::move(state));
  }
  return q;
}

json::object view(const Quorum& q) {
  const auto time = [](const std::optional<Instant>& t) { return t ? json::value(t->str()) : json::value(nullptr); };
  json::array data;
  for (const auto& w : q.witnesses)
    data.push_back(json::object{{"server_id", w.server.str()}, {"name", w.name.str()}, {"online", w.online}, {"size", w.size},
                                {"cosigned_at", time(w.cosigned_at)}, {"contradicted_at", time(w.contradicted)}});
  return {{"data", data}, {"size", q.size}, {"anchored_at", time(q.anchored_at)}, {"have", q.have}, {"needed", q.needed},
          {"reached", q.have >= q.needed}};
}

}  // namespace caip::servers
