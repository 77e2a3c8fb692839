// model/site.h: what a site is, in typed values. A web server's configuration is made from them on the server; no text of
// anybody's is ever pasted into one.
#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "model/names.h"

namespace caip {

enum class SiteKind : std::uint8_t {
  static_files,  // "static": what lies in its folder
  proxy,         // what listens on a port of the server's own loopback address
};
std::string_view text(SiteKind) noexcept;
Result<SiteKind> parse_site_kind(std::string_view);

inline constexpr std::size_t kMostDomains = 20;      // of one site
inline constexpr std::int64_t kLeastSitePort = 1024;  // below are the machine's own services
inline constexpr std::int64_t kMostSitePort = 65535;
// How long a deleted site is kept whole on its server.
inline constexpr std::int64_t kLeastGraceHours = 1;
inline constexpr std::int64_t kMostGraceHours = 30 * 24;
inline constexpr std::int64_t kSiteGraceHours = 7 * 24;

// Valid once it exists: 1 to 20 domains, none twice, the first of them the site's own; a port where it is a proxy and nowhere
// else; further domains lead to the first (redirect) only where there are further ones.
class SiteSpec final {
 public:
  static Result<SiteSpec> of(SiteKind, std::vector<DomainName>, std::optional<std::int64_t> port, bool redirect);
  static Result<SiteSpec> read(Members&);  // "kind", "domains", "port", "redirect"
  void write(json::object&) const;
  SiteKind kind() const { return kind_; }
  const std::vector<DomainName>& domains() const { return domains_; }
  std::optional<std::int64_t> port() const { return port_; }
  bool redirect() const { return redirect_; }
  bool operator==(const SiteSpec&) const = default;

 private:
  SiteSpec(SiteKind kind, std::vector<DomainName> domains, std::optional<std::int64_t> port, bool redirect)
      : kind_(kind), domains_(std::move(domains)), port_(port), redirect_(redirect) {}
  SiteKind kind_;
  std::vector<DomainName> domains_;
  std::optional<std::int64_t> port_;
  bool redirect_;
};

}  // namespace caip
