#include "sites/site_service.h"

#include "audit/ledger.h"
#include "authorization/authorizer.h"
#include "outbox/outbox.h"
#include "rows.h"
#include "storage/database.h"

namespace caip::sites {
namespace {

constexpr Duration kServersTime = std::chrono::hours(1);  // after the end, for its server to remove the files: it looks twice an hour
constexpr std::int64_t kAtOnce = 100;

Result<bool> has_server(storage::Reader& tx, const Site& s) {
  CAIP_TRY(n, tx.one<std::int64_t>("SELECT count(*) FROM servers WHERE id = ?1", s.server, [](const storage::Row& r) { return r.integer(0); }));
  return n.value_or(0) != 0;
}

bool is_over(const Site& s, Instant now) { return s.state == State::deleted && !s.operation && s.ends && *s.ends + kServersTime <= now; }

}  // namespace

Result<std::vector<Site>> SiteService::list(const Session& session) const {
  CAIP_CHECKED(authorizer_.require_view(session, Permission::site_view));
  auto tx = db_.begin_read();
  return rows::of(tx, session.org());
}

Result<Site> SiteService::get(const Session& session, const SiteId& id) const {
  CAIP_CHECKED(authorizer_.require_view(session, Permission::site_view));
  auto tx = db_.begin_read();
  CAIP_TRY(found, rows::find(tx, id));
  if (!found || found->org != session.org()) return fail(Code::not_found, "no such site");
  return *std::move(found);
}

Result<json::array> SiteService::on_server(const Session& session, const ServerId& server) const {
  CAIP_TRY(all, list(session));
  json::array out;
  for (const Site& s : all)
    if (s.server == server) out.push_back(view(s));
  return out;
}

std::vector<std::pair<OrgId, ForgetSite>> SiteService::due() const {
  std::vector<std::pair<OrgId, ForgetSite>> out;
  auto tx = db_.begin_read();
  for (const auto& found : {rows::ending(tx, clock_.now() + -kServersTime, kAtOnce), rows::of_no_server(tx, kAtOnce)}) {
    if (!found) continue;
    for (const Site& s : *found) out.emplace_back(s.org, ForgetSite{s.server, s.id});
  }
  return out;
}

Result<Receipt<ForgetSite>> SiteService::forget(Authorized<ForgetSite>&& permit) {
  const ForgetSite action = permit.action();
  const Instant now = clock_.now();
  CAIP_TRY(spent, std::move(permit).spend(now));
  auto tx = db_.begin_write();
  CAIP_TRY(site, rows::find(tx, action.site));
  if (!site || site->server != action.server) return fail(Code::conflict, "there is no such site");
  CAIP_TRY(there, has_server(tx, *site));
  if (there && !is_over(*site, now)) return fail(Code::conflict, "the site is not due to be forgotten");
  CAIP_CHECKED(rows::remove(tx, site->id));
  const std::string what = there ? " is gone for good: its files, its user and its configuration were to be removed by its server on " + site->ends->str()
                                 : " is forgotten with its server, where it goes on as it is";
  CAIP_CHECKED(outbox::raise(tx, {.kind = EventKind::site_deleted, .org = site->org, .subject = site->name.str() + what, .link = site->id.str()}, now));
  return ledger_.commit(std::move(tx), std::move(spent), {.detail = {{"name", site->name.str()}, {"with_server", !there}}});
}

Result<void> SiteService::end_of(storage::WriteTx& tx, const OrgId& org) { return rows::end_of(tx, org); }

}  // namespace caip::sites
