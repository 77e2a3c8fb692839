// agent/site_config.h: a site as this server has it, its record on disk, and the web server's configuration that is made of it.
// Pure: what goes in are typed values (model/site.h), so nothing that comes out has a meaning that nobody gave it.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "model/ids.h"
#include "model/site.h"

namespace caip::agent {

enum class SiteState : std::uint8_t {
  creating,  // not whole yet: what a crash leaves of it is taken away again
  live,
  deleted,   // out of service, whole, until `ends`
  removing,  // that has come: what is left of it goes
};

struct Site {
  SiteId id;
  SiteName name;
  SiteSpec spec;
  SiteState state = SiteState::creating;
  Instant ends = {};         // of a deleted one
  std::int64_t hours = 0;    // that it was to be kept,
  std::int64_t kept = 0;     // and seconds since in which this machine was seen to run: its clock may jump
};

std::string encode(const Site&);                 // canonical JSON, of one record file
Result<Site> decode_site(std::string_view text);  // nothing but what encode() writes

struct SiteConfig {
  std::string text;
  std::string mark;  // a path that this very configuration answers with 204: shows that it, and no other, is in force for a domain
};
// folder: where the sites' files are; ipv6: whether this machine has it, for a web server that listens where it cannot does not start.
SiteConfig make_config(const Site&, const std::string& folder, bool ipv6);
std::string config_name(const SiteId&);                          // "caip-site_….conf"

}  // namespace caip::agent
