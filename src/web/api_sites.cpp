// Sites: which there are, and orders that make, change, delete and restore them.
#include "crypto/random.h"
#include "permits.h"
#include "servers/order_service.h"
#include "sites/site_service.h"

namespace caip::web {
namespace {

http::Response accepted(const servers::Operation& operation) {
  http::Response r = json_reply(202, servers::view(operation));
  r.headers.emplace_back("Location", "/api/v1/operations/" + operation.id.str());
  return r;
}

template <Action A>
Reply ordered(const Rooms& rooms, const Session& session, A action) {
  CAIP_TRY(permit, permit_for(rooms, session, action));
  CAIP_TRY(operation, on_record(rooms, session, AnyAction{std::move(action)}, rooms.orders.issue(std::move(permit))));
  return accepted(operation);
}

Result<std::vector<DomainName>> domains_in(const std::vector<std::string>& texts) {
  std::vector<DomainName> out;
  for (const std::string& one : texts) {
    CAIP_TRY(name, DomainName::parse(one));
    out.push_back(std::move(name));
  }
  return out;
}

// `A` is what is on the record when there is no such site for them.
template <class Make>
Result<sites::Site> site_of(const Rooms& rooms, const Call& call, const Make& tried) {
  CAIP_TRY(id, call.id<SiteId>());
  return on_record(rooms, *call.session, AnyAction{tried(id)}, rooms.sites.get(*call.session, id));
}
// A server's id that is nobody's: the site's own is not known then.
const ServerId kNoServer{IdBytes{}};

Reply list(const Rooms& rooms, Call& call) {
  CAIP_TRY(ask, call.page());
  CAIP_TRY(all, rooms.sites.list(*call.session));
  if (const auto server = call.query_text("server")) std::erase_if(all, [&](const sites::Site& s) { return s.server.str() != *server; });
  const auto place = [](const sites::Site& s) { return Place{0, s.name.str()}; };
  return list_reply(call, page_of(std::move(all), ask, place), place, [](const sites::Site& s) { return sites::view(s); });
}

Reply look(const Rooms& rooms, Call& call) {
  CAIP_TRY(id, call.id<SiteId>());
  CAIP_TRY(site, rooms.sites.get(*call.session, id));
  return json_reply(200, sites::view(site));
}

Reply create(const Rooms& rooms, Call& call) {
  Members m(call.body);
  CAIP_TRY(server_text, m.string("server_id", 64));
  CAIP_TRY(name_text, m.string("name", 63));
  CAIP_TRY(kind_text, m.string("kind", 16));
  CAIP_TRY(texts, m.strings("domains", kMostDomains, 253));
  CAIP_TRY(port, m.optional_integer("port", kLeastSitePort, kMostSitePort));
  CAIP_TRY(redirect, m.optional_boolean("redirect"));
  CAIP_CHECKED(m.finish());
  const auto server = ServerId::parse(server_text);
  if (!server) return fail(Code::not_found, "no such server");
  CAIP_TRY(name, SiteName::parse(name_text));
  CAIP_TRY(kind, parse_site_kind(kind_text));
  CAIP_TRY(domains, domains_in(texts));
  CAIP_TRY(spec, SiteSpec::of(kind, std::move(domains), port, redirect.value_or(false)));
  return ordered(rooms, *call.session, CreateSite{*server, crypto::random_id<SiteId>(), std::move(name), std::move(spec)});
}

// What they would change is not known without the site: that they looked for it is on the record.
Reply change(const Rooms& rooms, Call& call) {
  CAIP_TRY(site, site_of(rooms, call, [](const SiteId& id) { return CheckSite{kNoServer, id}; }));
  Members m(call.body);
  std::vector<DomainName> domains = site.spec.domains();
  if (call.body.contains("domains")) {
    CAIP_TRY(texts, m.strings("domains", kMostDomains, 253));
    CAIP_TRY(given, domains_in(texts));
    domains = std::move(given);
  }
  CAIP_TRY(port, m.optional_integer("port", kLeastSitePort, kMostSitePort));
  CAIP_TRY(redirect, m.optional_boolean("redirect"));
  CAIP_CHECKED(m.finish());
  const bool leads = redirect.value_or(site.spec.redirect() && domains.size() > 1);
  CAIP_TRY(spec, SiteSpec::of(site.spec.kind(), std::move(domains), port ? port : site.spec.port(), leads));
  return ordered(rooms, *call.session, ChangeSite{site.server, site.id, std::move(spec)});
}

// What goes, what stays and when it becomes final, from facts.
json::object deletion_of(const sites::Site& s) {
  return {{"name", s.name.str()}, {"ends_at", s.ends ? json::value(s.ends->str()) : json::value(nullptr)}, {"hours", kSiteGraceHours}, {"least_hours", kLeastGraceHours},
          {"most_hours", kMostGraceHours}, {"domains", sites::view(s)["domains"]}, {"files", s.spec.kind() == SiteKind::static_files}};
}

Reply preview(const Rooms& rooms, Call& call) {
  CAIP_TRY(id, call.id<SiteId>());
  CAIP_TRY(site, rooms.sites.get(*call.session, id));
  return json_reply(200, deletion_of(site));
}

Reply remove(const Rooms& rooms, Call& call) {
  Members m(call.body);
  CAIP_TRY(typed, m.string("name", 63));
  CAIP_TRY(hours, m.optional_integer("hours", kLeastGraceHours, kMostGraceHours));
  CAIP_CHECKED(m.finish());
  const std::int64_t keep = hours.value_or(kSiteGraceHours);
  CAIP_TRY(site, site_of(rooms, call, [&](const SiteId& id) { return DeleteSite{kNoServer, id, keep}; }));
  const DeleteSite action{site.server, site.id, keep};
  CAIP_TRY(permit, permit_for(rooms, *call.session, action));
  if (typed != site.name.str()) {
    const Error no{Code::invalid, "this is not the site's name; type it as it is"};
    CAIP_CHECKED(rooms.refuse(Denied{action, call.session->principal(), no.code, no.detail}));
    return std::unexpected(no);
  }
  CAIP_TRY(operation, on_record(rooms, *call.session, AnyAction{action}, rooms.orders.issue(std::move(permit))));
  return accepted(operation);
}

Reply restore(const Rooms& rooms, Call& call) {
  CAIP_TRY(site, site_of(rooms, call, [](const SiteId& id) { return RestoreSite{kNoServer, id}; }));
  return ordered(rooms, *call.session, RestoreSite{site.server, site.id});
}

Reply check(const Rooms& rooms, Call& call) {
  CAIP_TRY(site, site_of(rooms, call, [](const SiteId& id) { return CheckSite{kNoServer, id}; }));
  return ordered(rooms, *call.session, CheckSite{site.server, site.id});
}

}  // namespace

void add_site_routes(Router& router, const Rooms& rooms) {
  constexpr auto kAll = "/api/v1/sites", kOne = "/api/v1/sites/{id}", kDeletion = "/api/v1/sites/{id}/deletion";
  router.add({.method = "GET", .path = kAll, .operation = "listSites", .summary = "The sites, by name",
              .permission = Permission::site_view, .handler = [&rooms](Call& c) { return list(rooms, c); }, .query = {{"server", "string", false}}, .list = true, .answer = "Site"});
  router.add({.method = "POST", .path = kAll, .operation = "createSite", .summary = "Make a site behind nginx on a server: files of a folder (static), or what listens on a port of its loopback address (proxy)",
              .permission = Permission::site_manage, .handler = [&rooms](Call& c) { return create(rooms, c); },
              .body = {{"server_id", "string"}, {"name", "string"}, {"kind", "string"}, {"domains", "array"}, {"port", "integer", false}, {"redirect", "boolean", false}},
              .idempotency_key = true, .success = 202, .answer = "Operation"});
  router.add({.method = "GET", .path = kOne, .operation = "getSite", .summary = "One site",
              .permission = Permission::site_view, .handler = [&rooms](Call& c) { return look(rooms, c); }, .answer = "Site"});
  router.add({.method = "PATCH", .path = kOne, .operation = "changeSite", .summary = "Change its domains, its port, or whether further domains lead to the first; what is not given stays",
              .permission = Permission::site_manage, .handler = [&rooms](Call& c) { return change(rooms, c); },
              .body = {{"domains", "array", false}, {"port", "integer", false}, {"redirect", "boolean", false}}, .success = 202, .answer = "Operation"});
  router.add({.method = "GET", .path = kDeletion, .operation = "getSiteDeletion", .summary = "What deleting the site would be, and the date on which it is gone for good if one is set",
              .permission = Permission::site_view, .handler = [&rooms](Call& c) { return preview(rooms, c); }, .answer = "SiteDeletion"});
  router.add({.method = "POST", .path = kDeletion, .operation = "deleteSite", .summary = "Take the site out of service now and remove it after so many hours (step-up); until then it can be restored",
              .permission = Permission::site_delete, .handler = [&rooms](Call& c) { return remove(rooms, c); },
              .body = {{"name", "string"}, {"hours", "integer", false}}, .idempotency_key = true, .success = 202, .answer = "Operation"});
  router.add({.method = "DELETE", .path = kDeletion, .operation = "restoreSite", .summary = "Bring a deleted site back, as it was",
              .permission = Permission::site_delete, .handler = [&rooms](Call& c) { return restore(rooms, c); }, .success = 202, .answer = "Operation"});
  router.add({.method = "POST", .path = "/api/v1/sites/{id}/checks", .operation = "checkSite", .summary = "Ask its server what it has of the site, and whether it answers",
              .permission = Permission::site_view, .handler = [&rooms](Call& c) { return check(rooms, c); }, .idempotency_key = true, .success = 202, .answer = "Operation"});
}

}  // namespace caip::web
