#include "servers/absences.h"

#include <string>

#include "audit/ledger.h"
#include "authorization/authorizer.h"
#include "base/log.h"
#include "outbox/outbox.h"
#include "servers/server_service.h"
#include "storage/database.h"

namespace caip::servers {
namespace {

constexpr std::size_t kAtOnce = 1000;  // servers in one tick; the others' turn is the next one
constexpr std::size_t kNamed = 3;

std::string names_of(const std::vector<Server>& all) {
  std::string out;
  for (std::size_t i = 0; i < all.size() && i < kNamed; ++i) (out += i == 0 ? "" : ", ") += all.at(i).name.str();
  return all.size() > kNamed ? out + " and " + std::to_string(all.size() - kNamed) + " more" : out;
}

// But for those that were let go or forgotten since they were looked at.
Result<std::vector<Server>> still_there(storage::Reader& tx, const std::vector<Server>& seen) {
  std::vector<Server> out;
  for (const auto& server : seen) {
    CAIP_TRY(stays, tx.one<bool>("SELECT leaves IS NULL FROM servers WHERE id = ?1", server.id, [](const storage::Row& r) { return r.boolean(0); }));
    if (stays.value_or(false)) out.push_back(server);
  }
  return out;
}

}  // namespace

Absences::Absences(storage::Database& db, audit::Ledger& ledger, ServerService& servers, const authorization::Authorizer& authorizer, const Clock& clock,
                   Duration grace)
    : db_(db), ledger_(ledger), servers_(servers), authorizer_(authorizer), clock_(clock), grace_(grace) {}

Result<void> Absences::load() {
  std::optional<Error> damage;
  auto tx = db_.begin_read();
  CAIP_CHECKED(tx.query("SELECT id, missed_at FROM servers WHERE missed_at IS NOT NULL", [&](const storage::Row& r) {
    if (auto id = r.id<ServerId>(0)) away_[*id] = {.since = r.time(1), .online = false, .told = true};
    else damage = id.error();
  }));
  if (damage) return std::unexpected(*std::move(damage));
  return {};
}

void Absences::tick() {
  Due missed, met;
  look(missed, met);
  tell<MissServer>(missed, EventKind::server_offline, true);
  tell<MeetServer>(met, EventKind::server_back, false);
}

void Absences::look(Due& missed, Due& met) {
  const Instant now = clock_.now();
  std::size_t due = 0;
  const auto add = [&](Due& to, const ServerId& id) {
    const auto server = due < kAtOnce ? servers_.find(id) : std::nullopt;
    if (!server) return;
    to[server->org].push_back(*server);
    ++due;
  };
  for (const auto& [id, online, leaving] : servers_.presence()) {
    auto at = away_.find(id);
    if (leaving) {  // let go on purpose: nobody misses it
      if (at != away_.end()) away_.erase(at);
      continue;
    }
    if (at == away_.end()) {
      if (online) continue;
      at = away_.emplace(id, Absence{.since = now}).first;
    }
    Absence& a = at->second;
    if (a.online != online || now < a.since) a.since = now;  // also when the clock was set back
    a.online = online;
    const bool lasts = now - a.since >= grace_;
    // Back for as long as it has to be away: one that comes and goes is not told of at each turn.
    if (online && !a.told) away_.erase(at);
    else if (online && lasts) add(met, id);
    else if (!online && !a.told && lasts) add(missed, id);
  }
}

// All of an organisation in one transaction: its message is told exactly when they are on the record.
template <Action A>
void Absences::tell(const Due& due, EventKind kind, bool gone) {
  for (const auto& [org, all] : due) {
    if (const auto ok = record<A>(org, all, kind, gone); !ok) {
      log::error("that servers are away or back could not be recorded", {{"why", ok.error().detail}});
      continue;
    }
    for (const auto& server : all) {
      if (gone) away_[server.id].told = true;
      else away_.erase(server.id);
    }
  }
}

template <Action A>
Result<void> Absences::record(const OrgId& org, const std::vector<Server>& seen, EventKind kind, bool gone) {
  const Instant now = clock_.now();
  auto tx = db_.begin_write();
  CAIP_TRY(all, still_there(tx, seen));
  if (all.empty()) return {};
  CAIP_CHECKED(outbox::raise(tx, {.kind = kind, .org = org, .subject = names_of(all), .link = all.size() == 1 ? all.front().id.str() : ""}, now));
  for (const auto& server : all) {
    if (gone) CAIP_CHECKED(tx.exec("UPDATE servers SET missed_at = ?2 WHERE id = ?1", server.id, now));
    else CAIP_CHECKED(tx.exec("UPDATE servers SET missed_at = NULL WHERE id = ?1", server.id));
    auto permit = authorizer_.authorize_system(A{server.id}, org);
    if (!permit) return fail(permit.error().code, permit.error().reason);
    CAIP_TRY(spent, std::move(*permit).spend(now));
    const audit::Outcome outcome{.detail = {{"name", server.name.str()}}};
    if (&server == &all.back()) CAIP_CHECKED(ledger_.commit(std::move(tx), std::move(spent), outcome));
    else CAIP_CHECKED(ledger_.append(tx, std::move(spent), outcome));
  }
  return {};
}

}  // namespace caip::servers
