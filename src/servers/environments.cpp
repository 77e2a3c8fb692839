// What a server is for, as people set it. Unknown counts as production, and leaving that is an Owner's.
#include "base/log.h"
#include "outbox/outbox.h"
#include "server_parts.h"

namespace caip::servers {
namespace {

// Why it stays what it is.
std::optional<Error> stays(const std::optional<Row>& row, const Principal& who, Environment to, std::int64_t version) {
  if (!row) return Error{Code::not_found, "no such server"};
  if (row->production() && !counts_as_production(to) && !holds(who, Permission::production_release))
    return Error{Code::forbidden, "this server counts as production (environment " + std::string(text(row->environment)) + "): an Owner says that it is none"};
  if (row->version != version) return Error{Code::precondition_failed, "the server was changed meanwhile; look again"};
  return std::nullopt;
}

}  // namespace

Result<std::optional<Row>> row_of(storage::Reader& tx, const ServerId& id, const OrgId& org) {
  CAIP_TRY(row, tx.one<Result<Row>>("SELECT org, name, environment, leaves, version FROM servers WHERE id = ?1 AND org = ?2", id, org, [](const storage::Row& r) -> Result<Row> {
    CAIP_TRY(of, r.id<OrgId>(0));
    CAIP_TRY(name, ServerName::parse(r.text_view(1)));
    CAIP_TRY(environment, parse_environment(r.text_view(2)));
    return Row{of, std::move(name), environment, r.optional_time(3), r.integer(4)};
  }));
  if (!row) return std::optional<Row>{};
  CAIP_TRY(found, *std::move(row));
  return std::optional(std::move(found));
}

void ServerService::on_move(InMove f) { parts_->in_move = std::move(f); }

Result<bool> ServerService::production_within(storage::Reader& tx, const OrgId& org, const ServerId& id) {
  CAIP_TRY(row, row_of(tx, id, org));
  return !row || row->production();
}

Result<Receipt<SetEnvironment>> ServerService::set_environment(Authorized<SetEnvironment>&& permit, std::int64_t version) {
  const SetEnvironment action = permit.action();
  const Principal who = permit.principal();
  const Instant now = parts_->clock.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  std::optional<Error> no;
  {
    auto tx = parts_->db.begin_write();
    CAIP_TRY(row, row_of(tx, action.server, *who.org));
    no = stays(row, who, action.environment, version);
    if (!no) {
      const bool was = row->production(), is = counts_as_production(action.environment);
      CAIP_CHECKED(tx.exec("UPDATE servers SET environment = ?2, version = version + 1 WHERE id = ?1", action.server, text(action.environment)));
      std::function<void()> after = [] {};
      if (was != is && parts_->in_move) {
        CAIP_TRY(told, parts_->in_move(tx, row->org, *who.user, action.server));
        after = std::move(told);
      }
      if (was && !is)
        CAIP_CHECKED(outbox::raise(tx, {.kind = EventKind::production_protection, .org = row->org, .subject = row->name.str() + " is no production server any more: it is for " +
                                        std::string(text(action.environment)) + ", and the AI may propose changes on it where nothing else keeps it from that", .link = action.server.str()}, now));
      CAIP_TRY(receipt, parts_->ledger.commit(std::move(tx), std::move(spent), {.detail = {{"name", row->name.str()}, {"before", text(row->environment)}}}));
      parts_->settle_environment(row->org, action.server);
      after();
      return receipt;
    }
  }
  return parts_->refused(action, who, *std::move(no));
}

Result<std::function<void()>> ServerService::Parts::another_machine(storage::WriteTx& tx, const OrgId& org, const ServerId& id, Instant now) const {
  CAIP_TRY(row, row_of(tx, id, org));
  const bool released = row && !row->production();
  CAIP_CHECKED(tx.exec("UPDATE servers SET environment = CASE WHEN environment = 'production' THEN environment ELSE 'unknown' END, version = CASE WHEN environment = 'production' THEN version + 1 ELSE 1 END WHERE id = ?1", id));
  if (released)
    CAIP_CHECKED(outbox::raise(tx, {.kind = EventKind::production_protection, .org = org, .subject = "Another machine took the place of " + row->name.str() +
                                    ": what it is for is unknown, which counts as production, and the AI may only look at it", .link = id.str()}, now));
  if (!in_move) return [] {};
  return in_move(tx, org, std::nullopt, id);
}

Result<void> ServerService::offer_environment(Authorized<OfferEnvironment>&& permit) {
  const OfferEnvironment action = permit.action();
  const OrgId org = *permit.principal().org;
  CAIP_TRY(spent, std::move(permit).spend(parts_->clock.now()));
  {
    auto tx = parts_->db.begin_write();
    CAIP_TRY(rows, tx.exec("UPDATE servers SET environment = ?3, version = 2 WHERE id = ?1 AND org = ?2 AND version = 1 AND environment = 'unknown'", action.server, org, text(action.environment)));
    if (rows == 0) return {};
    CAIP_TRY(receipt, parts_->ledger.commit(std::move(tx), std::move(spent), {}));
    static_cast<void>(receipt);
  }
  parts_->settle_environment(org, action.server);
  return {};
}

Result<bool> ServerService::came_by_offer(const OrgId& org, const ServerId& id) const {
  auto tx = parts_->db.begin_read();
  CAIP_TRY(found, tx.one<bool>("SELECT 1 FROM servers s JOIN enrolments e ON e.org = s.org AND e.name = s.name AND e.used_at = s.enrolled_at AND e.maker IS NULL"
                               " WHERE s.id = ?1 AND s.org = ?2", id, org, [](const storage::Row& r) { return r.boolean(0); }));
  return found.has_value();
}

// In memory as it is in the row by now: two who change it at once may come here in either order.
void ServerService::Parts::settle_environment(const OrgId& org, const ServerId& id) {
  inventory.with([&](Inventory& all) {
    const auto it = all.find(id);
    if (it == all.end()) return;
    auto tx = db.begin_read();
    const auto row = row_of(tx, id, org);
    if (!row) return log::error("what a server is for cannot be read", {{"server", id.str()}, {"why", row.error().detail}});
    if (!*row) return;
    it->second.server.environment = (*row)->environment;
    it->second.server.version = (*row)->version;
  });
  if (events.server_updated) events.server_updated(org, id);
}

}  // namespace caip::servers
