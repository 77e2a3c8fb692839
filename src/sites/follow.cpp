// What orders do to rows: one function for each verb's beginning, one for its end.
#include <algorithm>

#include "outbox/outbox.h"
#include "rows.h"
#include "sites/site_service.h"

namespace caip::sites {
namespace {

using servers::Operation;
using servers::OperationStatus;

constexpr Duration kSlack = std::chrono::hours(1);  // between a server's clock and ours

std::set<DomainName> domains_of(const Site& s) {
  std::set<DomainName> out(s.spec.domains().begin(), s.spec.domains().end());
  if (s.wanted) out.insert(s.wanted->domains().begin(), s.wanted->domains().end());
  return out;
}

// The site an order is about, as its organisation and its server have it.
template <class A>
Result<Site> site_of(storage::WriteTx& tx, const Operation& o, const A& a) {
  CAIP_TRY(found, rows::find(tx, a.site));
  if (!found || found->org != o.org || found->server != a.server) return fail(Code::conflict, "there is no such site on this server");
  return *std::move(found);
}

// Until it has ended, no other order about the site begins.
Result<void> hold(storage::WriteTx& tx, Site site, const Operation& o) {
  if (site.operation) return fail(Code::conflict, "another order about this site has not ended yet (" + site.operation->str() + ")");
  site.operation = o.id;
  site.doing = name_of(widen(o.action));
  site.changed = o.created_at;
  CAIP_CHECKED(rows::set_domains(tx, site, domains_of(site)));
  return rows::update(tx, site);
}

Result<void> begin(storage::WriteTx& tx, const Operation& o, const CreateSite& a) {
  Site site{.id = a.site, .org = o.org, .server = a.server, .name = a.name, .spec = a.spec, .wanted = {}, .state = State::fresh, .operation = {}, .doing = {}, .ends = {},
            .created = o.created_at, .changed = o.created_at};
  CAIP_TRY(there, rows::find(tx, a.site));
  if (there) return fail(Code::conflict, "this site has been made already");
  CAIP_TRY(taken, rows::name_taken(tx, o.org, a.name));
  if (taken) return fail(Code::conflict, "there is a site of this name");
  CAIP_TRY(count, rows::count(tx, o.org));
  if (count >= kMostSites) return fail(Code::conflict, "an organisation has 10,000 sites at most");
  CAIP_CHECKED(rows::insert(tx, site));
  return hold(tx, std::move(site), o);
}

Result<void> begin(storage::WriteTx& tx, const Operation& o, const ChangeSite& a) {
  CAIP_TRY(site, site_of(tx, o, a));
  if (site.state != State::live && site.state != State::unknown) return fail(Code::conflict, "the site is deleted; restore it first");
  if (site.spec.kind() != a.spec.kind()) return fail(Code::conflict, "what kind of site it is does not change");
  site.wanted = a.spec;
  return hold(tx, std::move(site), o);
}

Result<void> begin(storage::WriteTx& tx, const Operation& o, const DeleteSite& a) {
  CAIP_TRY(site, site_of(tx, o, a));
  if (site.state == State::deleted) return fail(Code::conflict, "the site is deleted already");
  return hold(tx, std::move(site), o);
}

Result<void> begin(storage::WriteTx& tx, const Operation& o, const RestoreSite& a) {
  CAIP_TRY(site, site_of(tx, o, a));
  if (site.state != State::deleted && site.state != State::unknown) return fail(Code::conflict, "the site is not deleted");
  return hold(tx, std::move(site), o);
}

Result<void> begin(storage::WriteTx& tx, const Operation& o, const CheckSite& a) {
  CAIP_TRY(site, site_of(tx, o, a));
  static_cast<void>(site);
  return {};
}

template <class A>
Result<void> begin(storage::WriteTx&, const Operation&, const A&) { return {}; }  // not about a site

// --- and what came of it --------------------------------------------------------------------

struct Said {  // by the server
  bool exists = false;
  std::optional<Instant> ends;
  std::optional<SiteSpec> spec;
};

std::optional<Said> said_of(const Operation& o) {
  auto result = parse_object(o.result.empty() ? "{}" : o.result);
  const json::value* site = result ? result->if_contains("site") : nullptr;
  if (!site || !site->is_object()) return std::nullopt;
  const json::object& s = site->get_object();
  Said out;
  const json::value *exists = s.if_contains("exists"), *ends = s.if_contains("ends_at");
  out.exists = exists && exists->is_bool() && exists->get_bool();
  if (ends && ends->is_string())
    if (auto at = Instant::parse(ends->get_string())) out.ends = *at;
  Members m(s);
  if (auto spec = out.exists ? SiteSpec::read(m) : Result<SiteSpec>(fail(Code::not_found))) out.spec = *std::move(spec);
  return out;
}

// The server's date, where it can be; else by our own clock.
Instant end_of_grace(const Operation& o, const DeleteSite& a) {
  const Instant own = *o.finished_at + std::chrono::hours(a.hours);
  const auto said = said_of(o);
  if (!said || !said->ends) return own;
  return std::clamp(*said->ends, own + -kSlack, own + kSlack);
}

Result<void> tell(storage::WriteTx& tx, const Site& s, const std::string& what, Instant now) {
  CAIP_CHECKED(outbox::raise(tx, {.kind = EventKind::site_deleted, .org = s.org, .subject = s.name.str() + what, .link = s.id.str()}, now));
  return {};
}

Result<void> keep(storage::WriteTx& tx, const Site& s) {
  CAIP_CHECKED(rows::set_domains(tx, s, domains_of(s)));
  return rows::update(tx, s);
}

Result<void> succeed(storage::WriteTx& tx, Site s, const Operation& o) {
  if (const auto* a = std::get_if<DeleteSite>(&o.action)) {
    s.state = State::deleted;
    s.ends = end_of_grace(o, *a);
    CAIP_CHECKED(tell(tx, s, " is deleted: out of service, and removed for good on " + s.ends->str() + ". Until then it can be restored", *o.finished_at));
  } else {
    if (std::holds_alternative<RestoreSite>(o.action)) CAIP_CHECKED(tell(tx, s, " is restored", *o.finished_at));
    s.state = State::live;
    s.ends.reset();
  }
  if (s.wanted) s.spec = *s.wanted;
  s.wanted.reset();
  return keep(tx, s);
}

// Nothing of it was done.
Result<void> undo(storage::WriteTx& tx, Site s) {
  if (s.state == State::fresh) return rows::remove(tx, s.id);
  if (s.state != State::unknown) s.wanted.reset();
  return keep(tx, s);
}

Result<void> doubt(storage::WriteTx& tx, Site s) {
  s.state = State::unknown;
  return keep(tx, s);
}

// What the server says it has, where we do not know; where we do, that it has none.
Result<void> learn(storage::WriteTx& tx, Site s, const Operation& o) {
  const auto said = said_of(o);
  if (!said || s.operation) return {};
  if (!said->exists && s.state == State::unknown) return rows::remove(tx, s.id);
  if (!said->exists && s.state == State::live) return doubt(tx, std::move(s));
  if (s.state != State::unknown || !said->exists || !said->spec) return {};
  s.state = said->ends ? State::deleted : State::live;
  s.ends = said->ends;
  s.spec = *said->spec;
  s.wanted.reset();
  return keep(tx, s);
}

template <class A>
constexpr bool kAboutSite = requires(const A& a) { a.site; };

}  // namespace

servers::OrderService::Follow SiteService::follow() const {
  return {.begun = [](storage::WriteTx& tx, const Operation& o) { return std::visit([&](const auto& a) { return begin(tx, o, a); }, o.action); },
          .ended = [](storage::WriteTx& tx, const Operation& o, bool certain) -> Result<void> {
            const auto id = std::visit([]<class A>(const A& a) -> std::optional<SiteId> {
              if constexpr (kAboutSite<A>) return a.site;
              else return std::nullopt;
            }, o.action);
            if (!id) return {};
            CAIP_TRY(found, rows::find(tx, *id));
            if (!found) return {};
            if (std::holds_alternative<CheckSite>(o.action)) return o.status == OperationStatus::succeeded ? learn(tx, *std::move(found), o) : Result<void>();
            if (found->operation != o.id) return {};
            found->operation.reset();
            found->doing.clear();
            found->changed = *o.finished_at;
            if (o.status == OperationStatus::succeeded) return succeed(tx, *std::move(found), o);
            return certain ? undo(tx, *std::move(found)) : doubt(tx, *std::move(found));
          }};
}

}  // namespace caip::sites
