#include "approvals/ai_controls.h"

#include "audit/ledger.h"
#include "outbox/outbox.h"
#include "storage/database.h"

namespace caip::approvals {
namespace {

Result<AiSettings> read(const storage::Row& r) {
  CAIP_TRY(by, r.id<UserId>(2));
  return AiSettings{.on = r.boolean(0), .writes = r.boolean(1), .changed_by = by, .changed_at = r.time(3)};
}

Result<void> store(storage::WriteTx& tx, const OrgId& org, const AiSettings& s) {
  CAIP_CHECKED(tx.exec("INSERT INTO ai_controls (org, is_on, writes, changed_by, changed_at) VALUES (?1, ?2, ?3, ?4, ?5)"
                       " ON CONFLICT (org) DO UPDATE SET is_on = ?2, writes = ?3, changed_by = ?4, changed_at = ?5",
                       org, s.on, s.writes, s.changed_by, s.changed_at.value()));
  return {};
}

struct Change {
  void (*apply)(AiSettings&);
  std::optional<AiUse> ends;
  std::string_view said;  // to people, as a sentence without its full stop
};

}  // namespace

std::optional<Error> keeps_from(const AiSettings& s, AiUse use) {
  if (!s.on)
    return Error{Code::ai_off, "the AI of this organisation is stopped (setting: AI); an Owner or Admin switches it on again on the Pilot page or with caip ai start"};
  if (use == AiUse::propose && !s.writes)
    return Error{Code::ai_off, "the AI of this organisation proposes no changes (setting: write actions of the AI); an Owner or Admin allows them on the Pilot page or with caip ai allow-writes"};
  return std::nullopt;
}

struct AiControls::Parts {
  storage::Database& db;
  audit::Ledger& ledger;
  const Clock& clock;
  OnLess less = {};
  std::function<void(const OrgId&, const AiSettings&)> update = {};

  template <Action A>
  Result<AiSettings> change(Authorized<A>&& permit, const Change& what) {
    const OrgId org = *permit.principal().org;
    const UserId by = *permit.principal().user;
    const Instant now = clock.now();
    std::function<void()> after;
    auto tx = db.begin_write();
    CAIP_TRY(s, within(tx, org));
    what.apply(s);
    s.changed_by = by;
    s.changed_at = now;
    CAIP_CHECKED(store(tx, org, s));
    if (what.ends && less) {
      CAIP_TRY(told, less(tx, {org, by, *what.ends}));
      after = std::move(told);
    }
    CAIP_TRY(notice, outbox::raise(tx, {.kind = EventKind::ai_changed, .org = org, .subject = std::string(what.said)}, now));
    static_cast<void>(notice);
    CAIP_TRY(spent, std::move(permit).spend(now));
    CAIP_TRY(receipt, ledger.commit(std::move(tx), std::move(spent), {.detail = {{"on", s.on}, {"writes", s.writes}}}));
    static_cast<void>(receipt);
    if (after) after();
    if (update) update(org, s);
    return s;
  }
};

AiControls::AiControls(storage::Database& db, audit::Ledger& ledger, const Clock& clock) : parts_(new Parts{db, ledger, clock}) {}
AiControls::~AiControls() = default;
void AiControls::on_less(OnLess f) { parts_->less = std::move(f); }
void AiControls::on_update(std::function<void(const OrgId&, const AiSettings&)> f) { parts_->update = std::move(f); }

Result<AiSettings> AiControls::within(storage::Reader& tx, const OrgId& org) {
  CAIP_TRY(found, tx.one<Result<AiSettings>>("SELECT is_on, writes, changed_by, changed_at FROM ai_controls WHERE org = ?1", org, read));
  if (!found) return AiSettings{};
  return *std::move(found);
}

Result<AiSettings> AiControls::of(const OrgId& org) const {
  auto tx = parts_->db.begin_read();
  return within(tx, org);
}

Result<AiSettings> AiControls::stop(Authorized<StopAi>&& permit) {
  return parts_->change(std::move(permit), {[](AiSettings& s) { s.on = false; }, AiUse::talk, "The AI was stopped"});
}
Result<AiSettings> AiControls::start(Authorized<StartAi>&& permit) {
  return parts_->change(std::move(permit), {[](AiSettings& s) { s.on = true; }, std::nullopt, "The AI is on again"});
}
Result<AiSettings> AiControls::forbid_writes(Authorized<ForbidAiWrites>&& permit) {
  return parts_->change(std::move(permit), {[](AiSettings& s) { s.writes = false; }, AiUse::propose, "The AI proposes no changes any more"});
}
Result<AiSettings> AiControls::allow_writes(Authorized<AllowAiWrites>&& permit) {
  return parts_->change(std::move(permit), {[](AiSettings& s) { s.writes = true; }, std::nullopt, "The AI may propose changes again"});
}

Result<void> AiControls::end_of(storage::WriteTx& tx, const OrgId& org) {
  CAIP_CHECKED(tx.exec("DELETE FROM ai_controls WHERE org = ?1", org));
  return {};
}

}  // namespace caip::approvals
