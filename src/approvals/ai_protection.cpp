// Production Protection: on, but for a while that an Owner chose. A row says from when to when it is off; without one it is on.
#include <algorithm>

#include "ai_parts.h"
#include "base/text.h"

namespace caip::approvals {
namespace {

constexpr std::size_t kMostReason = 500;
constexpr Duration kSkew = std::chrono::seconds(60);  // a clock that is corrected by less was not set back

bool in_production(const Approval& a) { return a.production; }

std::optional<Error> unfit(Instant until, const std::string& reason, Instant now) {
  if (until <= now || until - now > kLongestUnprotected) return Error{Code::invalid, "Production Protection is switched off for at most 24 hours"};
  const bool blank = reason.find_first_not_of(" \xC2\xA0") == std::string::npos;  // U+00A0: a space too
  if (blank || reason.size() > kMostReason || has_hidden(reason)) return Error{Code::invalid, "a reason has 1 to 500 bytes of visible text"};
  return std::nullopt;
}

Result<void> end(storage::WriteTx& tx, const OrgId& org) {
  CAIP_CHECKED(tx.exec("DELETE FROM production_unprotected WHERE org = ?1", org));
  return {};
}

}  // namespace

Result<std::optional<std::string>> AiControls::Parts::over(storage::Reader& tx, const OrgId& org, Instant now) const {
  CAIP_TRY(settings, within(tx, org));
  const auto& u = settings.unprotected;
  if (!u) return std::optional<std::string>{};
  const Instant seen{std::max(latest.load(), now.micros())};
  if (u->since > now || seen - now > kSkew) return std::optional<std::string>("the clock was set back, so nobody can tell how long it has been off");
  if (u->until <= seen) return std::optional<std::string>("its time was up, or whoever switched it off may no more");
  return std::optional<std::string>{};
}

Result<AiSettings> AiControls::unprotect(Authorized<UnprotectProduction>&& permit, std::string reason) {
  const Instant now = parts_->clock.now(), until = permit.action().until;
  const Principal& who = permit.principal();
  if (auto no = unfit(until, reason, now)) {
    CAIP_CHECKED(parts_->ledger.refuse(Denied{AnyAction{permit.action()}, who, no->code, no->detail}));
    return std::unexpected(*std::move(no));
  }
  auto tx = parts_->db.begin_write();
  CAIP_TRY(over, parts_->over(tx, *who.org, now));
  if (over) {
    const Error no{Code::conflict, "Production Protection is about to be on again: " + *over + ". What waits there is denied within a second; then try again"};
    { const auto undone = std::move(tx); }
    CAIP_CHECKED(parts_->ledger.refuse(Denied{AnyAction{permit.action()}, who, no.code, no.detail}));
    return std::unexpected(no);
  }
  Change c{.store = [org = *who.org, by = *who.user, now, until, reason](storage::WriteTx& in) -> Result<void> {
             CAIP_CHECKED(in.exec("INSERT INTO production_unprotected (org, since, until, by, reason) VALUES (?1, ?2, ?3, ?4, ?5)"
                                  " ON CONFLICT (org) DO UPDATE SET since = ?2, until = ?3, by = ?4, reason = ?5", org, now, until, by, reason));
             return {};
           },
           .kind = EventKind::production_protection,
           .said = [until, reason](const AiSettings&) { return "Production Protection is off until " + until.str() + ": the AI may propose changes on production servers. Reason: " + reason; },
           .detail = {{"reason", reason}}};
  return parts_->change(std::move(tx), std::move(permit), std::move(c));
}

namespace {

// `by`: none where its time had come.
Change protection(const OrgId& org, const std::optional<UserId>& by, std::string said) {
  return {.store = [org](storage::WriteTx& tx) { return end(tx, org); },
          .ends = AiControls::Less{org, by, AiUse::propose, "Production Protection is on again", in_production},
          .kind = EventKind::production_protection, .said = [said = std::move(said)](const AiSettings&) { return said; }};
}

}  // namespace

Result<AiSettings> AiControls::protect(Authorized<ProtectProduction>&& permit) {
  auto change = protection(*permit.principal().org, permit.principal().user, "Production Protection is on again");
  return parts_->change(std::move(permit), std::move(change));
}

Result<void> AiControls::protect_on_time(Authorized<ProtectProductionOnTime>&& permit) {
  const OrgId org = *permit.principal().org;
  auto tx = parts_->db.begin_write();
  CAIP_TRY(over, parts_->over(tx, org, parts_->clock.now()));
  if (!over) return {};  // somebody switched it on, or off anew, meanwhile
  CAIP_CHECKED(parts_->change(std::move(tx), std::move(permit), protection(org, std::nullopt, "Production Protection is on again: " + *over)));
  return {};
}

// Over from now on, which the gates go by; what waits is denied, and people are told, as for one whose time has come.
Result<void> AiControls::opener_left(storage::WriteTx& tx, const OrgId& org, const UserId& by, Instant now) {
  CAIP_CHECKED(tx.exec("UPDATE production_unprotected SET until = ?3 WHERE org = ?1 AND by = ?2 AND until > ?3", org, by, now));
  return {};
}

void AiControls::not_before(Instant at) { parts_->latest = std::max(parts_->latest.load(), at.micros()); }

std::vector<OrgId> AiControls::overdue() {
  const Instant now = parts_->clock.now(), latest{std::max(parts_->latest.load(), now.micros())};
  const bool set_back = latest - now > kSkew;  // how long it has been off cannot be told any more
  std::vector<OrgId> out;
  bool any = false;
  auto tx = parts_->db.begin_read();
  const auto read = tx.query("SELECT org, ?1 OR since > ?2 OR until <= ?3 FROM production_unprotected", set_back, now, latest, [&](const storage::Row& r) {
    any = true;
    if (auto org = r.id<OrgId>(0); org && r.boolean(1)) out.push_back(*org);
  });
  // While any is off, the latest stays the latest: many small steps back are one large one.
  parts_->latest = read && !any ? now.micros() : latest.micros();
  return out;
}

}  // namespace caip::approvals
