#include "servers/server_service.h"

#include <algorithm>
#include <limits>

#include "crypto/certificates.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "order_key.h"
#include "placements.h"
#include "secrets/keeper.h"
#include "server_parts.h"

namespace caip::servers {
namespace {

constexpr std::size_t kSamples = 240;  // one hour, one each 15 s
constexpr std::size_t kMaxUnits = 2000;
constexpr Duration kEnrolmentLife = std::chrono::minutes(30);
constexpr Duration kUnrenewed = std::chrono::hours(730 * 24);  // the certificate of an agent that cannot renew it

// Numbers from outside: what cannot be is 0 (NaN too).
double within(double v, double max) { return v >= 0 && v <= max ? v : 0; }
std::int64_t whole(std::int64_t v) { return v >= 0 && v < (std::int64_t{1} << 53) ? v : 0; }

Sample sane(const Sample& s) {
  return {.cpu_ratio = within(s.cpu_ratio, 1), .mem_used = whole(s.mem_used), .mem_total = whole(s.mem_total),
          .disk_used = whole(s.disk_used), .disk_total = whole(s.disk_total), .net_rx_bps = whole(s.net_rx_bps),
          .net_tx_bps = whole(s.net_tx_bps), .load1 = within(s.load1, 1e6), .at = s.at};
}

#define ENROLMENT_COLUMNS "id, org, name, created_at, expires_at, used_at, replaces, coalesce(maker, ''), coalesce(maker_role, ''), coalesce(maker_token, '')"

Result<Enrolment> read_enrolment(const storage::Row& r) {
  CAIP_TRY(id, r.id<EnrolmentId>(0));
  CAIP_TRY(org, r.id<OrgId>(1));
  CAIP_TRY(name, ServerName::parse(r.text_view(2)));
  Enrolment e{.id = id, .org = org, .name = std::move(name), .created_at = r.time(3), .expires_at = r.time(4),
              .used_at = r.optional_time(5), .replaces = r.boolean(6)};
  if (r.text_view(7).empty()) return e;
  CAIP_TRY(user, r.id<UserId>(7));
  CAIP_TRY(role, parse_role(r.text_view(8)));
  e.maker.emplace();
  e.maker->source = Source::user;
  e.maker->org = org;
  e.maker->user = user;
  e.maker->role = role;
  if (r.text_view(9).empty()) return e;
  CAIP_TRY(token, r.id<TokenId>(9));
  e.maker->source = Source::api_token;
  e.maker->token = token;
  return e;
}

}  // namespace

ServerService::ServerService(storage::Database& db, audit::Ledger& ledger, secrets::Keeper& keeper,
                             const authorization::Authorizer& authorizer, const Clock& clock, Duration grace)
    : parts_(new Parts{db, ledger, keeper, authorizer, clock, grace}) {}
ServerService::~ServerService() = default;
void ServerService::on(Events events) { parts_->events = std::move(events); }
void ServerService::on_maker(std::function<Result<void>(storage::Reader&, const Principal&)> still) { parts_->maker_still = std::move(still); }

Result<void> ServerService::load() {
  CAIP_CHECKED(parts_->read_authority());
  Inventory found;
  std::optional<Error> damage;
  auto tx = parts_->db.begin_read();
  CAIP_CHECKED(tx.query("SELECT " SERVER_COLUMNS " FROM servers", [&](const storage::Row& r) {
    auto live = read_server(r);
    if (!live) { damage = live.error(); return; }
    const ServerId id = live->server.id;
    found.emplace(id, *std::move(live));
  }));
  if (damage) return std::unexpected(*std::move(damage));
  CAIP_TRY(deaf, tx.one<std::int64_t>("SELECT deaf FROM server_time WHERE one = 1", [](const storage::Row& r) { return r.integer(0); }));
  parts_->time.begin(Instant(), deaf.value_or(0));
  parts_->inventory.with([&](Inventory& all) { all = std::move(found); });
  return {};
}

// --- enrolment ---------------------------------------------------------------------------

template <Action A>
Result<NewEnrolment> ServerService::Parts::offer(Authorized<A>&& permit, bool replaces) {
  const Principal who = permit.principal();
  if (!who.org) return fail(Code::internal, "an enrolment without an organisation");
  const Instant now = clock.now();
  Enrolment e{.id = permit.action().enrolment, .org = *who.org, .name = permit.action().name,
              .created_at = now, .expires_at = now + kEnrolmentLife, .used_at = std::nullopt, .replaces = replaces};
  const auto there = named(e.org, e.name);
  if (there && there->leaves) return fail(Code::conflict, "the server of this name is disconnected until " + there->leaves->str() + "; restore it first");
  if (!replaces && there) return fail(Code::conflict, "there is a server of this name; to put the machine in its place, ask for a command that replaces it (replace, --replace)");
  const std::string token = base64url(crypto::random_bytes(32));
  auto tx = db.begin_write();
  CAIP_CHECKED(tx.exec("INSERT INTO enrolments (id, org, name, token_hash, created_at, expires_at, replaces, maker, maker_role, maker_token)"
                       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                       e.id, e.org, e.name.str(), crypto::sha256(caip::view(token)), e.created_at, e.expires_at, e.replaces, who.user, text(who.role), who.token));
  CAIP_TRY(spent, std::move(permit).spend(now));
  CAIP_TRY(receipt, ledger.commit(std::move(tx), std::move(spent), {.detail = {{"expires_at", e.expires_at.str()}, {"replaces", replaces}}}));
  static_cast<void>(receipt);
  return NewEnrolment{std::move(e), token};
}

Result<NewEnrolment> ServerService::create_enrolment(Authorized<CreateEnrolment>&& permit, bool replaces) { return parts_->offer(std::move(permit), replaces); }
// Of the machine that this control plane was started for, which may be a new one each time.
Result<NewEnrolment> ServerService::create_enrolment(Authorized<OfferEnrolment>&& permit) { return parts_->offer(std::move(permit), true); }

Result<Receipt<RevokeEnrolment>> ServerService::revoke_enrolment(Authorized<RevokeEnrolment>&& permit) {
  const EnrolmentId id = permit.action().enrolment;
  const OrgId org = *permit.principal().org;
  const Instant now = parts_->clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  auto tx = parts_->db.begin_write();
  CAIP_TRY(name, tx.one<std::string>("SELECT name FROM enrolments WHERE id = ?1 AND org = ?2", id, org, [](const storage::Row& r) { return r.text(0); }));
  if (!name) return fail(Code::not_found, "no such install command");
  // Before any moment that a machine which waits for its turn may have read from the clock.
  CAIP_TRY(open, tx.exec("UPDATE enrolments SET expires_at = created_at WHERE id = ?1 AND used_at IS NULL AND expires_at > ?2", id, now));
  if (open != 1) return fail(Code::conflict, "this install command was used or has ended already");
  return parts_->ledger.commit(std::move(tx), std::move(spent), {.detail = {{"name", *name}}});
}

Result<Page<Enrolment>> ServerService::enrolments(const Session& session, const PageAsk& ask) {
  CAIP_CHECKED(parts_->authorizer.require_view(session, Permission::enrolment_view));
  const Place last = ask.after.value_or(Place{.number = std::numeric_limits<std::int64_t>::max(), .id = {}});
  std::vector<Enrolment> out;
  std::optional<Error> damage;
  auto tx = parts_->db.begin_read();
  CAIP_CHECKED(tx.query("SELECT " ENROLMENT_COLUMNS " FROM enrolments WHERE org = ?1"
                        " AND (created_at, id) < (?2, ?3) ORDER BY created_at DESC, id DESC LIMIT ?4",
                        session.org(), last.number, last.id, ask.limit + 1, [&](const storage::Row& r) {
    auto e = read_enrolment(r);
    if (e) out.push_back(*std::move(e));
    else damage = e.error();
  }));
  if (damage) return std::unexpected(*std::move(damage));
  return page_of(std::move(out), ask);
}

// One answer for every bad token; the log knows which it was.
std::unexpected<Error> ServerService::Parts::refuse(Origin origin, const std::optional<Enrolment>& e, std::string why) {
  Principal who;
  who.origin = std::move(origin);
  if (e) who.org = e->org;
  const EnrolServer action{e ? e->id : EnrolmentId{IdBytes{}}, ServerId{IdBytes{}}};
  if (auto r = ledger.refuse(Denied{AnyAction{action}, std::move(who), Code::bad_credentials, std::move(why)}); !r)
    return std::unexpected<Error>(std::move(r).error());
  return fail(Code::bad_credentials, "the enrolment token is wrong, used or expired");
}

Result<Enrolled> ServerService::enrol(std::string_view token, const std::string& csr_pem, const Foreign& hostname, Origin origin,
                                      const Bytes& witness_key, bool renews) {
  if (!witness_key.empty() && witness_key.size() != 32) return fail(Code::invalid, "a witness's key has 32 bytes");
  std::optional<Result<Enrolment>> row;
  {
    auto tx = parts_->db.begin_read();
    CAIP_TRY(found, tx.one<Result<Enrolment>>("SELECT " ENROLMENT_COLUMNS " FROM enrolments WHERE token_hash = ?1",
                                              crypto::sha256(caip::view(token)), read_enrolment));
    row = std::move(found);
  }
  if (!row) return parts_->refuse(std::move(origin), std::nullopt, "unknown token");
  CAIP_TRY(e, *std::move(row));
  if (e.used_at) return parts_->refuse(std::move(origin), e, "the token was used");
  if (parts_->clock.now() >= e.expires_at) return parts_->refuse(std::move(origin), e, "the token has expired");
  return parts_->admit(e, {csr_pem, hostname, witness_key, renews}, std::move(origin));
}

std::optional<Server> ServerService::Parts::named(const OrgId& org, const ServerName& name) const {
  return inventory.with([&](const Inventory& all) -> std::optional<Server> {
    for (const auto& [id, live] : all)
      if (live.server.org == org && live.server.name == name) return live.server;
    return std::nullopt;
  });
}

std::optional<std::string> ServerService::Parts::ended(storage::Reader& tx, const Enrolment& e) const {
  if (!e.replaces && named(e.org, e.name)) return "a server of this name came in meanwhile";
  if (!e.maker) return std::nullopt;
  if (!maker_still || !maker_still(tx, *e.maker)) return "who made the command may make none any more";
  return std::nullopt;
}

Result<Enrolled> ServerService::Parts::admit(const Enrolment& e, const Machine& machine, Origin origin) {
  // A machine set up anew under its old name stays the same server; its old certificate ends here.
  const auto old = named(e.org, e.name);
  const ServerId id = old ? old->id : crypto::random_id<ServerId>();
  const Duration life = machine.renews ? channel::kCertificateLife : kUnrenewed;
  CAIP_TRY(pem, keeper.issue_agent_certificate(machine.csr_pem, id, time.now(), life));
  CAIP_TRY(made, crypto::read_agent_certificate(pem));
  const std::string& fingerprint = made.fingerprint;
  auto permit = authorizer.authorize_anonymous(origin, EnrolServer{e.id, id}, e.org);
  if (!permit) return fail(permit.error().code);
  const Instant now = clock.now();
  std::optional<std::string> why;
  std::function<void()> after = [] {};
  {
    auto tx = db.begin_write();
    why = ended(tx, e);
    if (!why && old) {  // as it is now, not as it was seen before
      CAIP_TRY(stands, tx.one<bool>("SELECT leaves IS NULL FROM servers WHERE id = ?1", id, [](const storage::Row& r) { return r.boolean(0); }));
      if (!stands.value_or(false)) why = "the server whose place it takes was disconnected";
    }
    if (!why) {
      CAIP_TRY(rows, tx.exec("UPDATE enrolments SET used_at = ?2 WHERE id = ?1 AND used_at IS NULL AND expires_at > ?2", e.id, now));
      if (rows != 1) why = "the token was used at the same time";
    }
    if (!why) {
      CAIP_CHECKED(tx.exec("INSERT OR IGNORE INTO server_keys_past (server, agent_key, at) SELECT id, agent_key, ?2 FROM servers WHERE id = ?1 AND agent_key <> ''", id, now));
      CAIP_CHECKED(tx.exec("INSERT INTO servers (id, org, name, certificate, enrolled_at, witness, agent_key, key_since, certificate_from, certificate_until, seen, certificate_issuer)"
                           " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9, ?10, ?11)"
                           " ON CONFLICT (id) DO UPDATE SET certificate = ?4, enrolled_at = ?5, witness = ?6, agent_key = ?7, next_key = '', key_state = 'good', rotate = 0,"
                           " key_since = ?8, certificate_from = ?8, certificate_until = ?9, seen = ?10, certificate_issuer = ?11",
                           id, e.org, e.name.str(), fingerprint, now, hex(machine.witness_key), hex(made.key), made.from, made.until, time.listened(), made.issuer));
      CAIP_CHECKED(keep_time(tx));
      CAIP_CHECKED(placements::doubt(tx, id));
      if (old) {
        CAIP_TRY(told, another_machine(tx, e.org, id, now));
        after = std::move(told);
      }
      CAIP_TRY(spent, std::move(*permit).spend(now));
      json::object detail{{"name", e.name.str()}, {"hostname", machine.hostname.shown()}, {"certificate", fingerprint}, {"again", old.has_value()},
                          {"witness", hex(machine.witness_key)}};
      CAIP_TRY(receipt, ledger.commit(std::move(tx), std::move(spent), {.detail = std::move(detail)}));
      static_cast<void>(receipt);
    }
  }
  if (why) return refuse(std::move(origin), e, *std::move(why));
  // As the row says it by now: it may have been let go, enrolled once more, or gone with its organisation since, and whoever
  // did that comes here too.
  const auto there = inventory.with([&](Inventory& all) -> Result<bool> {
    auto tx = db.begin_read();
    CAIP_TRY(row, tx.one<Result<Live>>("SELECT " SERVER_COLUMNS " FROM servers WHERE id = ?1", id, read_server));
    if (!row) return false;
    CAIP_TRY(live, *std::move(row));
    all.insert_or_assign(id, std::move(live));
    return true;
  });
  if (!there) return std::unexpected(there.error());
  if (!*there) return fail(Code::not_found, "the organisation has been deleted");
  after();
  if (old && events.reenrolled) events.reenrolled(id);
  if (events.server_updated) events.server_updated(e.org, id);
  CAIP_TRY(keys, audit::Ledger::keys_of(db));
  return Enrolled{.server = id, .certificate_pem = pem, .ca_pem = keeper.authority(KeyClass::ca).pem, .agent_ca_pem = keeper.authority(KeyClass::agent_ca).pem,
                  .order_key = keys.order.empty() ? first_order_key(keeper, now) : std::move(keys.order),
                  .log_key = std::move(keys.first), .cosign_key = std::move(keys.second)};
}

Result<std::function<void()>> ServerService::end_of(storage::WriteTx& tx, const OrgId& org) {
  CAIP_CHECKED(tx.exec("DELETE FROM enrolments WHERE org = ?1", org));
  CAIP_CHECKED(tx.exec("DELETE FROM operations WHERE org = ?1", org));
  CAIP_CHECKED(tx.exec("DELETE FROM env_placements WHERE org = ?1", org));
  CAIP_CHECKED(tx.exec("DELETE FROM env_orders WHERE server IN (SELECT id FROM servers WHERE org = ?1)", org));
  CAIP_CHECKED(tx.exec("DELETE FROM server_keys_past WHERE server IN (SELECT id FROM servers WHERE org = ?1)", org));
  CAIP_CHECKED(tx.exec("DELETE FROM servers WHERE org = ?1", org));
  return [this, org] {
    std::vector<ServerId> gone;
    parts_->inventory.with([&](Inventory& all) {
      std::erase_if(all, [&](const auto& one) {
        if (one.second.server.org != org) return false;
        gone.push_back(one.first);
        return true;
      });
    });
    if (parts_->events.gone) std::ranges::for_each(gone, parts_->events.gone);
  };
}

// --- reading -------------------------------------------------------------------------------

Result<std::vector<Server>> ServerService::list(const Session& session) const {
  CAIP_CHECKED(parts_->may_view(session));
  return parts_->inventory.with([&](const Inventory& all) {
    std::vector<Server> out;
    for (const auto& [id, live] : all)
      if (live.server.org == session.org()) out.push_back(live.server);
    std::ranges::sort(out, {}, [](const Server& s) { return s.name.str(); });
    return out;
  });
}

Result<Server> ServerService::get(const Session& session, const ServerId& id) const {
  return parts_->look<Server>(session, id, [](const Live& l) { return l.server; });
}
Result<std::vector<Sample>> ServerService::samples(const Session& session, const ServerId& id) const {
  return parts_->look<std::vector<Sample>>(session, id, [](const Live& l) { return std::vector<Sample>(l.samples.begin(), l.samples.end()); });
}
Result<std::vector<Unit>> ServerService::units(const Session& session, const ServerId& id) const {
  return parts_->look<std::vector<Unit>>(session, id, [](const Live& l) { return l.units; });
}

std::optional<Server> ServerService::find(const ServerId& id) const {
  return parts_->inventory.with([&](const Inventory& all) -> std::optional<Server> {
    const auto it = all.find(id);
    return it == all.end() ? std::nullopt : std::optional<Server>(it->second.server);
  });
}

std::vector<ServerService::Presence> ServerService::presence() const {
  return parts_->inventory.with([&](const Inventory& all) {
    std::vector<Presence> out;
    out.reserve(all.size());
    for (const auto& [id, live] : all) out.push_back({id, live.server.online, live.server.leaves.has_value()});
    return out;
  });
}

std::optional<Server> ServerService::find_by_name(const OrgId& org, std::string_view name) const {
  const auto parsed = ServerName::parse(name);
  return parsed ? parts_->named(org, *parsed) : std::nullopt;
}

// --- from the channel ------------------------------------------------------------------------

bool ServerService::accepts(const AgentIdentity& agent) const {
  return parts_->inventory.with([&](const Inventory& all) {
    const auto it = all.find(agent.server());
    return it != all.end() && holds_key(it->second, agent) && !agent.shown().lapsed && !it->second.server.leaves;
  });
}

std::optional<Bytes> ServerService::witness_key(const ServerId& id) const {
  return parts_->inventory.with([&](const Inventory& all) -> std::optional<Bytes> {
    const auto it = all.find(id);
    if (it == all.end() || it->second.witness.empty()) return std::nullopt;
    return from_hex(it->second.witness);
  });
}

bool ServerService::online(const AgentIdentity& agent, const Facts& facts) {
  const auto org = parts_->touch(agent, [&](Live& l) {
    l.server.online = true;
    l.server.group = agent.group();
    l.server.facts = facts;
  });
  if (org && parts_->events.server_updated) parts_->events.server_updated(*org, agent.server());
  return org.has_value();
}

void ServerService::offline(const AgentIdentity& agent) {
  const auto org = parts_->touch(agent, [](Live& l) { l.server.online = false; });
  if (org && parts_->events.server_updated) parts_->events.server_updated(*org, agent.server());
}

void ServerService::report(const AgentIdentity& agent, const Sample& reported) {
  const Sample sample = sane(reported);
  const auto org = parts_->touch(agent, [&](Live& l) {
    l.server.latest = sample;
    l.samples.push_back(sample);
    if (l.samples.size() > kSamples) l.samples.pop_front();
  });
  if (org && parts_->events.metrics) parts_->events.metrics(*org, agent.server(), sample);
}

void ServerService::report(const AgentIdentity& agent, std::vector<Unit> units) {
  if (units.size() > kMaxUnits) units.resize(kMaxUnits);
  const auto org = parts_->touch(agent, [&](Live& l) { l.units = std::move(units); });
  if (org && parts_->events.units_updated) parts_->events.units_updated(*org, agent.server());
}

}  // namespace caip::servers
