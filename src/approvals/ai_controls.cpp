#include "approvals/ai_controls.h"

#include <algorithm>

#include "ai_parts.h"

namespace caip::approvals {
namespace {

Result<AiSettings> read(const storage::Row& r) {
  CAIP_TRY(by, r.id<UserId>(2));
  return AiSettings{.on = r.boolean(0), .writes = r.boolean(1), .changed_by = by, .changed_at = r.time(3)};
}

Result<Unprotected> read_unprotected(const storage::Row& r) {
  CAIP_TRY(by, r.id<UserId>(0));
  return Unprotected{.since = r.time(1), .until = r.time(2), .by = by, .reason = r.text(3)};
}

Result<void> store(storage::WriteTx& tx, const OrgId& org, const AiSettings& s) {
  CAIP_CHECKED(tx.exec("INSERT INTO ai_controls (org, is_on, writes, changed_by, changed_at) VALUES (?1, ?2, ?3, ?4, ?5)"
                       " ON CONFLICT (org) DO UPDATE SET is_on = ?2, writes = ?3, changed_by = ?4, changed_at = ?5",
                       org, s.on, s.writes, s.changed_by, s.changed_at.value()));
  return {};
}

// A verb that nobody had heard of when they went through a category one by one, and shut some of it, is shut too.
Result<void> shut_new_ones(storage::Reader& tx, const OrgId& org, AiSettings& s) {
  if (s.off.empty()) return {};
  std::set<std::string, std::less<>> known;
  CAIP_CHECKED(tx.query("SELECT operation FROM ai_operations_known WHERE org = ?1", org, [&](const storage::Row& r) { known.insert(r.text(0)); }));
  const auto part_of = s.off;
  for (const AiOperation& o : ai_operations()) {
    const bool picked = std::ranges::any_of(part_of, [&](const std::string& scope) { return scope.starts_with(std::string(o.category) + "."); });
    if (picked && !known.contains(o.name)) s.off.insert(std::string(o.name));
  }
  return {};
}

struct Turn {
  bool AiSettings::*which;
  bool to;
  AiUse use = AiUse::talk;  // what ends, where it is switched off
  std::string_view why = {};
  std::string_view said;
};

template <Action A>
Change turned(const Authorized<A>& permit, Instant now, const Turn& t) {
  const OrgId org = *permit.principal().org;
  const UserId by = *permit.principal().user;
  Change c{.store = [org, by, now, t](storage::WriteTx& tx) -> Result<void> {
             CAIP_TRY(s, AiControls::within(tx, org));
             s.*t.which = t.to;
             s.changed_by = by;
             s.changed_at = now;
             return store(tx, org, s);
           },
           .said = [said = std::string(t.said)](const AiSettings&) { return said; }, .detail = {{std::string_view(t.which == &AiSettings::on ? "on" : "writes"), t.to}}};
  if (!t.to) c.ends = AiControls::Less{org, by, t.use, std::string(t.why)};
  return c;
}

}  // namespace

AiControls::AiControls(storage::Database& db, audit::Ledger& ledger, const Clock& clock) : parts_(new Parts{db, ledger, clock}) {}
AiControls::~AiControls() = default;
void AiControls::on_less(OnLess f) { parts_->less = std::move(f); }
void AiControls::on_update(std::function<void(const OrgId&, const AiSettings&)> f) { parts_->update = std::move(f); }
Instant AiControls::now() const { return parts_->clock.now(); }

Result<AiSettings> AiControls::within(storage::Reader& tx, const OrgId& org) {
  CAIP_TRY(found, tx.one<Result<AiSettings>>("SELECT is_on, writes, changed_by, changed_at FROM ai_controls WHERE org = ?1", org, read));
  CAIP_TRY(s, found ? *std::move(found) : Result<AiSettings>(AiSettings{}));
  CAIP_CHECKED(tx.query("SELECT scope FROM ai_operations_off WHERE org = ?1", org, [&](const storage::Row& r) { s.off.insert(r.text(0)); }));
  CAIP_CHECKED(shut_new_ones(tx, org, s));
  CAIP_TRY(unprotected, tx.one<Result<Unprotected>>("SELECT by, since, until, reason FROM production_unprotected WHERE org = ?1", org, read_unprotected));
  CAIP_TRY(two, tx.one<bool>("SELECT 1 FROM second_person WHERE org = ?1", org, [](const storage::Row&) { return true; }));
  s.second_person = two.has_value();
  CAIP_CHECKED(tx.query("SELECT name, value FROM ai_limits WHERE org = ?1", org, [&](const storage::Row& r) { s.limits.insert_or_assign(r.text(0), r.integer(1)); }));
  if (!unprotected) return s;
  CAIP_TRY(u, *std::move(unprotected));
  s.unprotected = std::move(u);
  return s;
}

Result<AiSettings> AiControls::of(const OrgId& org) const {
  auto tx = parts_->db.begin_read();
  return within(tx, org);
}

Result<AiSettings> AiControls::stop(Authorized<StopAi>&& permit) {
  auto change = turned(permit, now(), {&AiSettings::on, false, AiUse::talk, "the AI was stopped", "The AI was stopped"});
  return parts_->change(std::move(permit), std::move(change));
}
Result<AiSettings> AiControls::start(Authorized<StartAi>&& permit) {
  auto change = turned(permit, now(), {.which = &AiSettings::on, .to = true, .said = "The AI is on again"});
  return parts_->change(std::move(permit), std::move(change));
}
Result<AiSettings> AiControls::forbid_writes(Authorized<ForbidAiWrites>&& permit) {
  auto change = turned(permit, now(), {&AiSettings::writes, false, AiUse::propose, "the AI may propose no changes any more", "The AI proposes no changes any more"});
  return parts_->change(std::move(permit), std::move(change));
}
Result<AiSettings> AiControls::allow_writes(Authorized<AllowAiWrites>&& permit) {
  auto change = turned(permit, now(), {.which = &AiSettings::writes, .to = true, .said = "The AI may propose changes again"});
  return parts_->change(std::move(permit), std::move(change));
}

namespace {

// What was off by itself, being new, is off by name from now on; what there is now is new no more.
Result<void> settle(storage::WriteTx& tx, const OrgId& org) {
  CAIP_TRY(s, AiControls::within(tx, org));
  for (const auto& name : s.off) CAIP_CHECKED(tx.exec("INSERT INTO ai_operations_off (org, scope) VALUES (?1, ?2) ON CONFLICT DO NOTHING", org, name));
  for (const AiOperation& o : ai_operations())
    CAIP_CHECKED(tx.exec("INSERT INTO ai_operations_known (org, operation) VALUES (?1, ?2) ON CONFLICT DO NOTHING", org, o.name));
  return {};
}

std::string allowed(const std::string& scope, const AiSettings& s) {
  const std::string category = scope.substr(0, scope.find('.'));
  if (category == scope || !s.off.contains(category)) return "The AI may propose " + scope + " again";
  return scope + " of the AI is on again, and nothing of " + category + " is proposed while that is off";
}

}  // namespace

Result<AiSettings> AiControls::set_operation(Authorized<SetAiOperation>&& permit) {
  const OrgId org = *permit.principal().org;
  const auto [scope, on] = permit.action();
  const std::string name = scope.str();
  if (on)
    return parts_->change(std::move(permit), {.store = [org, name](storage::WriteTx& tx) -> Result<void> {
                                                CAIP_CHECKED(settle(tx, org));
                                                CAIP_CHECKED(tx.exec("DELETE FROM ai_operations_off WHERE org = ?1 AND scope = ?2", org, name));
                                                return {};
                                              },
                                              .said = [name](const AiSettings& s) { return allowed(name, s); }});
  const UserId by = *permit.principal().user;
  const Which of_it = [name](const Approval& a) {
    const AiOperation* o = operation_of(a.action);
    return o != nullptr && (o->name == name || o->category == name);
  };
  return parts_->change(std::move(permit), {.store = [org, name](storage::WriteTx& tx) -> Result<void> {
                                              CAIP_CHECKED(settle(tx, org));
                                              CAIP_CHECKED(tx.exec("INSERT INTO ai_operations_off (org, scope) VALUES (?1, ?2) ON CONFLICT DO NOTHING", org, name));
                                              return {};
                                            },
                                            .ends = Less{org, by, AiUse::propose, "the AI may not propose " + name + " any more", of_it},
                                            .said = [name](const AiSettings&) { return "The AI does not propose " + name + " any more"; }});
}

Result<AiSettings> AiControls::set_second_person(Authorized<SetSecondPerson>&& permit) {
  const OrgId org = *permit.principal().org;
  const bool required = permit.action().required;
  return parts_->change(std::move(permit), {.store = [org, required](storage::WriteTx& tx) -> Result<void> {
                                              CAIP_CHECKED(required ? tx.exec("INSERT INTO second_person (org) VALUES (?1) ON CONFLICT DO NOTHING", org)
                                                                    : tx.exec("DELETE FROM second_person WHERE org = ?1", org));
                                              return {};
                                            },
                                            .kind = EventKind::production_protection,
                                            .said = [required](const AiSettings&) -> std::string {
                                              return required ? "What the AI proposes for production, or is destructive, needs two people's yes"
                                                              : "One person's yes is enough again for what the AI proposes for production, or is destructive";
                                            }});
}

Result<AiSettings> AiControls::set_limit(Authorized<SetAiLimit>&& permit) {
  const OrgId org = *permit.principal().org;
  const auto [limit, value] = permit.action();
  const AiLimitRow& row = limit.row();
  if (value < row.least || value > row.most) {
    const std::string why = limit.str() + " is a number from " + std::to_string(row.least) + " to " + std::to_string(row.most);
    CAIP_CHECKED(parts_->ledger.refuse(Denied{permit.action(), permit.principal(), Code::invalid, why}));
    return fail(Code::invalid, why);
  }
  return parts_->change(std::move(permit), {.store = [org, name = limit.str(), value](storage::WriteTx& tx) -> Result<void> {
                                              CAIP_CHECKED(tx.exec("INSERT INTO ai_limits (org, name, value) VALUES (?1, ?2, ?3) ON CONFLICT (org, name) DO UPDATE SET value = ?3", org, name, value));
                                              return {};
                                            },
                                            .said = [name = limit.str(), value](const AiSettings&) { return "The AI's limit " + name + " is " + std::to_string(value); }});
}

Result<AiAccess> AiControls::access_within(storage::Reader& tx, const OrgId& org, const ServerId& server) {
  CAIP_TRY(found, tx.one<std::string>("SELECT access FROM ai_access WHERE org = ?1 AND server = ?2", org, server, [](const storage::Row& r) { return r.text(0); }));
  if (!found) return AiAccess::read;
  return parse_ai_access(*found);
}

Result<AiAccess> AiControls::access(const OrgId& org, const ServerId& server) const {
  auto tx = parts_->db.begin_read();
  return access_within(tx, org, server);
}

Result<AiAccess> AiControls::set_access(Authorized<SetAiAccess>&& permit) {
  const OrgId org = *permit.principal().org;
  const auto [server, access] = permit.action();
  auto tx = parts_->db.begin_write();
  CAIP_CHECKED(tx.exec("INSERT INTO ai_access (org, server, access) VALUES (?1, ?2, ?3) ON CONFLICT (org, server) DO UPDATE SET access = ?3", org, server, text(access)));
  std::function<void()> after = [] {};
  if (access != AiAccess::full) {
    const Which there = [server](const Approval& a) { return server_of(a) == server; };
    CAIP_TRY(told, parts_->ending(tx, {org, *permit.principal().user, AiUse::propose, "the AI may propose nothing on this server any more", there}));
    after = std::move(told);
  }
  CAIP_TRY(settings, within(tx, org));
  CAIP_TRY(spent, std::move(permit).spend(parts_->clock.now()));
  CAIP_TRY(receipt, parts_->ledger.commit(std::move(tx), std::move(spent), {}));
  after();
  if (parts_->update) parts_->update(org, settings);
  return receipt.action().access;
}

Result<void> AiControls::offer_access(Authorized<OfferAiAccess>&& permit) {
  const auto [server, access] = permit.action();
  auto tx = parts_->db.begin_write();
  CAIP_TRY(rows, tx.exec("INSERT INTO ai_access (org, server, access) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING", permit.principal().org, server, text(access)));
  if (rows == 0) return {};
  CAIP_TRY(spent, std::move(permit).spend(parts_->clock.now()));
  CAIP_TRY(receipt, parts_->ledger.commit(std::move(tx), std::move(spent), {}));
  static_cast<void>(receipt);
  return {};
}

Result<void> AiControls::narrow(storage::WriteTx& tx, const OrgId& org, const ServerId& server) {
  CAIP_CHECKED(tx.exec("DELETE FROM ai_access WHERE org = ?1 AND server = ?2 AND access = 'full'", org, server));
  return {};
}

Result<void> AiControls::end_of(storage::WriteTx& tx, const OrgId& org) {
  CAIP_CHECKED(tx.exec("DELETE FROM ai_access WHERE org = ?1", org));
  CAIP_CHECKED(tx.exec("DELETE FROM ai_operations_off WHERE org = ?1", org));
  CAIP_CHECKED(tx.exec("DELETE FROM ai_operations_known WHERE org = ?1", org));
  CAIP_CHECKED(tx.exec("DELETE FROM production_unprotected WHERE org = ?1", org));
  CAIP_CHECKED(tx.exec("DELETE FROM second_person WHERE org = ?1", org));
  CAIP_CHECKED(tx.exec("DELETE FROM ai_limits WHERE org = ?1", org));
  CAIP_CHECKED(tx.exec("DELETE FROM ai_providers WHERE org = ?1", org));
  CAIP_CHECKED(tx.exec("DELETE FROM ai_controls WHERE org = ?1", org));
  return {};
}

}  // namespace caip::approvals
