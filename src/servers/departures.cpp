// Servers that are let go: out of service at once, forgotten later.
#include "base/log.h"
#include "outbox/outbox.h"
#include "server_parts.h"

namespace caip::servers {
namespace {

constexpr storage::Sql kValuesThere = "SELECT count(DISTINCT user || ' ' || secret) FROM env_placements WHERE server = ?1";
constexpr std::size_t kAtOnce = 100;  // forgotten in one tick; the others' turn is the next one

Result<std::int64_t> count(storage::Reader& tx, storage::Sql sql, const ServerId& id) {
  CAIP_TRY(n, tx.one<std::int64_t>(sql, id, [](const storage::Row& r) { return r.integer(0); }));
  return n.value_or(0);
}

// Why it is not let go.
std::optional<Error> keeps(const std::optional<Row>& row, const Principal& who, const ServerName& typed) {
  if (!row) return Error{Code::not_found, "no such server"};
  if (row->production() && who.role != Role::owner) return Error{Code::forbidden, "this server counts as production (environment " + std::string(text(row->environment)) + "): an Owner disconnects it"};
  if (row->leaves) return Error{Code::conflict, "the server is disconnected already, and is forgotten on " + row->leaves->str()};
  if (typed != row->name) return Error{Code::invalid, "this is not the server's name; type it as it is"};
  return std::nullopt;
}

// Why it is not restored.
std::optional<Error> stays_out(const std::optional<Row>& row, const Principal& who) {
  if (!row) return Error{Code::not_found, "no such server"};
  if (row->production() && who.role != Role::owner) return Error{Code::forbidden, "this server counts as production (environment " + std::string(text(row->environment)) + "): an Owner restores it"};
  if (!row->leaves) return Error{Code::conflict, "the server is not disconnected"};
  return std::nullopt;
}

Result<void> told(storage::WriteTx& tx, const OrgId& org, const ServerId& id, std::string what, Instant now) {
  CAIP_CHECKED(outbox::raise(tx, {.kind = EventKind::server_disconnected, .org = org, .subject = std::move(what), .link = id.str()}, now));
  return {};
}

}  // namespace

Result<Receipt<DisconnectServer>> ServerService::disconnect(Authorized<DisconnectServer>&& permit, const ServerName& typed) {
  const DisconnectServer action = permit.action();
  const Principal who = permit.principal();
  const Instant now = parts_->clock.now(), leaves = now + parts_->grace;
  CAIP_TRY(spent, std::move(permit).spend(now));
  std::optional<Error> no;
  {
    auto tx = parts_->db.begin_write();
    CAIP_TRY(row, row_of(tx, action.server, *who.org));
    no = keeps(row, who, typed);
    if (!no) {
      CAIP_CHECKED(tx.exec("UPDATE servers SET leaves = ?2, missed_at = NULL WHERE id = ?1", action.server, leaves));
      // Whoever has a command that puts a machine in its place puts none there any more.
      CAIP_CHECKED(tx.exec("UPDATE enrolments SET expires_at = created_at WHERE org = ?1 AND name = ?2 AND used_at IS NULL", row->org, row->name.str()));
      CAIP_CHECKED(told(tx, row->org, action.server, row->name.str() + " is disconnected, and will be forgotten on " + leaves.str() + ". Until then it can be restored", now));
      CAIP_TRY(receipt, parts_->ledger.commit(std::move(tx), std::move(spent), {.detail = {{"name", row->name.str()}, {"leaves_at", leaves.str()}}}));
      parts_->settle(row->org, action.server, leaves);
      return receipt;
    }
  }
  return parts_->refused(action, who, *std::move(no));
}

Result<Receipt<RestoreServer>> ServerService::restore(Authorized<RestoreServer>&& permit) {
  const RestoreServer action = permit.action();
  const Principal who = permit.principal();
  const Instant now = parts_->clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  std::optional<Error> no;
  {
    auto tx = parts_->db.begin_write();
    CAIP_TRY(row, row_of(tx, action.server, *who.org));
    no = stays_out(row, who);
    if (!no) {
      CAIP_CHECKED(tx.exec("UPDATE servers SET leaves = NULL WHERE id = ?1", action.server));
      CAIP_CHECKED(told(tx, row->org, action.server, row->name.str() + " is not forgotten: it was restored, and connects again by itself", now));
      CAIP_TRY(receipt, parts_->ledger.commit(std::move(tx), std::move(spent), {.detail = {{"name", row->name.str()}, {"would_have_left_at", row->leaves->str()}}}));
      parts_->settle(row->org, action.server, std::optional<Instant>());
      return receipt;
    }
  }
  return parts_->refused(action, who, *std::move(no));
}

Duration ServerService::grace() const noexcept { return parts_->grace; }

Result<Hanging> ServerService::hanging(const Session& session, const ServerId& id) const {
  CAIP_CHECKED(get(session, id));
  auto tx = parts_->db.begin_read();
  CAIP_TRY(orders, count(tx, "SELECT count(*) FROM operations WHERE status = 'pending' AND json_extract(action, '$.server') = ?1", id));
  CAIP_TRY(values, count(tx, kValuesThere, id));
  return Hanging{orders, values};
}

std::vector<std::pair<OrgId, ServerId>> ServerService::leaving() const {
  const Instant now = parts_->clock.now();
  return parts_->inventory.with([&](const Inventory& all) {
    std::vector<std::pair<OrgId, ServerId>> out;
    for (const auto& [id, live] : all)
      if (out.size() < kAtOnce && live.server.leaves && *live.server.leaves <= now) out.emplace_back(live.server.org, id);
    return out;
  });
}

Result<Receipt<ForgetServer>> ServerService::forget(Authorized<ForgetServer>&& permit) {
  const ServerId id = permit.action().server;
  const OrgId org = *permit.principal().org;
  const Instant now = parts_->clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  {
    auto tx = parts_->db.begin_write();
    CAIP_TRY(row, row_of(tx, id, org));
    if (row && row->leaves && *row->leaves <= now) {
      CAIP_TRY(values, count(tx, kValuesThere, id));
      CAIP_CHECKED(tx.exec("DELETE FROM env_placements WHERE server = ?1", id));
      CAIP_CHECKED(tx.exec("DELETE FROM env_orders WHERE server = ?1", id));
      CAIP_CHECKED(tx.exec("DELETE FROM server_keys_past WHERE server = ?1", id));
      CAIP_CHECKED(tx.exec("DELETE FROM servers WHERE id = ?1", id));
      const std::string left = values == 0 ? "" : "; of your env values " + std::to_string(values) + " are still in files on it";
      CAIP_CHECKED(told(tx, org, id, row->name.str() + " is forgotten. The machine runs on, and its agent is let in no more" + left, now));
      CAIP_TRY(receipt, parts_->ledger.commit(std::move(tx), std::move(spent), {.detail = {{"name", row->name.str()}, {"env_values_left", values}}}));
      parts_->settle(org, id, std::nullopt);
      return receipt;
    }
  }
  // After the transaction: what still hangs on it ends in ones of its own.
  parts_->settle(org, id, std::optional<Instant>());
  return fail(Code::conflict, "the server is not due to be forgotten");
}

// In memory as it is in the row by now: two who change it at once may come here in either order. `own`: what was committed
// a moment ago, for a row that cannot be read; nothing: it is forgotten.
void ServerService::Parts::settle(const OrgId& org, const ServerId& id, const std::optional<std::optional<Instant>>& own) {
  bool out = false, gone = false;
  inventory.with([&](Inventory& all) {
    const auto it = all.find(id);
    if (it == all.end()) return;
    auto leaves = own;
    auto tx = db.begin_read();
    const auto row = row_of(tx, id, org);
    if (row && *row) leaves.emplace((*row)->leaves);
    else if (row) leaves.reset();
    else log::error("whether a server was let go cannot be read", {{"server", id.str()}, {"why", row.error().detail}});
    gone = !leaves;
    if (gone) {
      all.erase(it);
      return;
    }
    it->second.server.leaves = *leaves;
    out = leaves->has_value();
    if (out) it->second.server.online = false;
  });
  if (out && events.departed) events.departed(id);
  if (gone && events.gone) events.gone(id);
  if (events.server_updated) events.server_updated(org, id);
}

}  // namespace caip::servers
