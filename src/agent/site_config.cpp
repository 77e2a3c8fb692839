#include "site_config.h"

#include <array>

#include "base/bytes.h"
#include "base/json.h"
#include "crypto/hash.h"

namespace caip::agent {
namespace {

constexpr std::array<std::string_view, 4> kStates{"creating", "live", "deleted", "removing"};  // in the order of the enum
constexpr std::string_view kPrefix = "caip-", kSuffix = ".conf";
constexpr std::string_view kMarkPlace = "@mark@";  // no typed value has an '@'

Result<SiteState> parse_state(std::string_view text) {
  for (std::size_t i = 0; i < kStates.size(); ++i)
    if (kStates.at(i) == text) return static_cast<SiteState>(i);
  return fail(Code::malformed, "a site's record: state");
}

std::string listens(bool ipv6) { return ipv6 ? "  listen 80;\n  listen [::]:80;\n" : "  listen 80;\n"; }

std::string head(const std::string& names, bool ipv6) {
  return "server {\n" + listens(ipv6) + "  server_name " + names + ";\n  server_tokens off;\n  location = " + std::string(kMarkPlace) + " {\n    return 204;\n  }\n";
}

std::string files(const Site& site, const std::string& folder) {
  return "  root " + folder + "/" + site.id.str() + "/public;\n"
         "  index index.html;\n"
         "  disable_symlinks on from=$document_root;\n"  // whatever its user plants there leads to no other file
         "  location / {\n    try_files $uri $uri/ =404;\n  }\n"
         "  location ~ \"/\\.(?!well-known/)\" {\n    return 404;\n  }\n";
}

std::string forwards(const Site& site) {
  return "  client_max_body_size 16m;\n"
         "  location / {\n"
         "    proxy_pass http://127.0.0.1:" + std::to_string(*site.spec.port()) + ";\n"
         "    proxy_http_version 1.1;\n"
         "    proxy_connect_timeout 5s;\n"
         "    proxy_set_header Host $host;\n"
         "    proxy_set_header X-Real-IP $remote_addr;\n"
         "    proxy_set_header X-Forwarded-For $remote_addr;\n"  // what a visitor claims is not passed on
         "    proxy_set_header X-Forwarded-Proto $scheme;\n"
         "    proxy_set_header X-Forwarded-Host \"\";\n"
         "    proxy_set_header Forwarded \"\";\n"
         "    proxy_set_header Upgrade $http_upgrade;\n"
         "    proxy_set_header Connection $caip_" + site.id.str() + ";\n"
         "  }\n";
}

std::string upgrade_map(const Site& site) {
  return "map $http_upgrade $caip_" + site.id.str() + " {\n  default upgrade;\n  '' '';\n}\n";
}

std::string further(const SiteSpec& spec) {
  std::string names;
  for (std::size_t i = 1; i < spec.domains().size(); ++i) (names += i > 1 ? " " : "") += spec.domains()[i].str();
  return names;
}

std::string body(const Site& site, const std::string& folder, bool ipv6) {
  const SiteSpec& spec = site.spec;
  const std::string first = spec.domains().front().str(), others = further(spec);
  std::string out = "# Written by CloudAIPilot for the site " + site.name.str() + " (" + site.id.str() + "). What is changed here is put back.\n";
  if (spec.kind() == SiteKind::proxy) out += upgrade_map(site);
  out += head(spec.redirect() || others.empty() ? first : first + " " + others, ipv6);
  out += spec.kind() == SiteKind::proxy ? forwards(site) : files(site, folder);
  out += "}\n";
  if (spec.redirect()) out += head(others, ipv6) + "  location / {\n    return 308 $scheme://" + first + "$request_uri;\n  }\n}\n";
  return out;
}

}  // namespace

std::string encode(const Site& site) {
  json::object out{{"v", 1}, {"site", site.id.str()}, {"name", site.name.str()}, {"state", kStates.at(static_cast<std::size_t>(site.state))}, {"ends", site.ends.str()}, {"hours", site.hours}, {"kept", site.kept}};
  site.spec.write(out);
  return canonical(out);
}

Result<Site> decode_site(std::string_view text) {
  CAIP_TRY(value, parse_canonical(text));
  if (!value.is_object()) return fail(Code::malformed, "a site's record is an object");
  Members m(value.get_object());
  CAIP_CHECKED(m.integer("v", 1, 1));
  CAIP_TRY(id_text, m.string("site", 64));
  CAIP_TRY(name_text, m.string("name", 63));
  CAIP_TRY(state_text, m.string("state", 16));
  CAIP_TRY(ends_text, m.string("ends", 32));
  CAIP_TRY(hours, m.integer("hours", 0, kMostGraceHours));
  CAIP_TRY(kept, m.integer("kept", 0, std::int64_t{1} << 40));
  CAIP_TRY(spec, SiteSpec::read(m));
  CAIP_CHECKED(m.finish());
  CAIP_TRY(id, SiteId::parse(id_text));
  CAIP_TRY(name, SiteName::parse(name_text));
  CAIP_TRY(state, parse_state(state_text));
  CAIP_TRY(ends, Instant::parse(ends_text));
  Site site{id, std::move(name), std::move(spec), state, ends, hours, kept};
  if (encode(site) != text) return fail(Code::malformed, "a site's record is not as it is written");
  return site;
}

SiteConfig make_config(const Site& site, const std::string& folder, bool ipv6) {
  SiteConfig out{body(site, folder, ipv6), {}};
  const auto digest = crypto::sha256(view(out.text));
  out.mark = "/.well-known/caip-site/" + hex(digest).substr(0, 32);
  for (auto at = out.text.find(kMarkPlace); at != std::string::npos; at = out.text.find(kMarkPlace, at)) out.text.replace(at, kMarkPlace.size(), out.mark);
  return out;
}

std::string config_name(const SiteId& id) { return std::string(kPrefix) + id.str() + std::string(kSuffix); }

}  // namespace caip::agent
