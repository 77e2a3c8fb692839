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

std::optional<Error> keeps_from(AiAccess access, AiUse use) {
  if (access == AiAccess::none)
    return Error{Code::ai_off, "the AI has no access to this server (setting: AI access of the server, none); an Owner or Admin changes it on the server's page or with caip ai access"};
  if (use == AiUse::propose && access == AiAccess::read)
    return Error{Code::ai_off, "the AI may look at this server and proposes nothing on it (setting: AI access of the server, read); an Owner or Admin changes it on the server's page or with caip ai access"};
  return std::nullopt;
}

struct AiControls::Parts {
  storage::Database& db;
  audit::Ledger& ledger;
  const Clock& clock;
  OnLess less = {};
  std::function<void(const OrgId&, const AiSettings&)> update = {};

  // What goes on of what was taken away, in its transaction; what is given follows it.
  Result<std::function<void()>> ending(storage::WriteTx& tx, const Less& what) const {
    if (!less) return [] {};
    return less(tx, what);
  }

  template <Action A>
  Result<AiSettings> change(Authorized<A>&& permit, const Change& what) {
    const OrgId org = *permit.principal().org;
    const UserId by = *permit.principal().user;
    const Instant now = clock.now();
    std::function<void()> after = [] {};
    auto tx = db.begin_write();
    CAIP_TRY(s, within(tx, org));
    what.apply(s);
    s.changed_by = by;
    s.changed_at = now;
    if (what.ends) {  // before anything is stored, which may fail: a full disk is no reason to go on
      CAIP_TRY(told, ending(tx, {org, by, *what.ends}));
      after = std::move(told);
    }
    CAIP_CHECKED(store(tx, org, s));
    CAIP_TRY(notice, outbox::raise(tx, {.kind = EventKind::ai_changed, .org = org, .subject = std::string(what.said)}, now));
    static_cast<void>(notice);
    CAIP_TRY(spent, std::move(permit).spend(now));
    CAIP_TRY(receipt, ledger.commit(std::move(tx), std::move(spent), {.detail = {{"on", s.on}, {"writes", s.writes}}}));
    static_cast<void>(receipt);
    after();
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
    CAIP_TRY(told, parts_->ending(tx, {org, *permit.principal().user, AiUse::propose, server}));
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

Result<void> AiControls::end_of(storage::WriteTx& tx, const OrgId& org) {
  CAIP_CHECKED(tx.exec("DELETE FROM ai_access WHERE org = ?1", org));
  CAIP_CHECKED(tx.exec("DELETE FROM ai_controls WHERE org = ?1", org));
  return {};
}

}  // namespace caip::approvals
