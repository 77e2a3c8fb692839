#include "model/site.h"

#include <algorithm>
#include <set>

namespace caip {

std::string_view text(SiteKind kind) noexcept { return kind == SiteKind::proxy ? "proxy" : "static"; }

Result<SiteKind> parse_site_kind(std::string_view name) {
  for (const SiteKind k : {SiteKind::static_files, SiteKind::proxy})
    if (text(k) == name) return k;
  return fail(Code::invalid, "a site is static or proxy");
}

Result<SiteSpec> SiteSpec::of(SiteKind kind, std::vector<DomainName> domains, std::optional<std::int64_t> port, bool redirect) {
  if (domains.empty() || domains.size() > kMostDomains) return fail(Code::invalid, "a site has 1 to 20 domains");
  if (std::set(domains.begin(), domains.end()).size() != domains.size()) return fail(Code::invalid, "a domain stands twice");
  if ((kind == SiteKind::proxy) != port.has_value()) return fail(Code::invalid, "a proxy has a port, and nothing else has one");
  if (port && (*port < kLeastSitePort || *port > kMostSitePort)) return fail(Code::invalid, "a port is from 1024 to 65535");
  if (redirect && domains.size() < 2) return fail(Code::invalid, "there is no further domain that could lead to the first");
  return SiteSpec(kind, std::move(domains), port, redirect);
}

Result<SiteSpec> SiteSpec::read(Members& m) {
  CAIP_TRY(kind_text, m.string("kind", 16));
  CAIP_TRY(texts, m.strings("domains", kMostDomains, 253));
  CAIP_TRY(port, m.optional_integer("port", kLeastSitePort, kMostSitePort));
  CAIP_TRY(redirect, m.boolean("redirect"));
  CAIP_TRY(kind, parse_site_kind(kind_text));
  std::vector<DomainName> domains;
  for (const std::string& one : texts) {
    CAIP_TRY(name, DomainName::parse(one));
    domains.push_back(std::move(name));
  }
  return of(kind, std::move(domains), port, redirect);
}

void SiteSpec::write(json::object& out) const {
  json::array names;
  for (const DomainName& d : domains_) names.emplace_back(d.str());
  out["kind"] = text(kind_);
  out["domains"] = std::move(names);
  out["redirect"] = redirect_;
  if (port_) out["port"] = *port_;
}

}  // namespace caip
