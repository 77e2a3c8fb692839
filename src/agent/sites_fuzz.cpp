// Domains and sites from anywhere: what is taken makes a configuration in which nothing has a meaning that is not ours.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <sstream>

#include "base/json.h"
#include "site_config.h"

namespace {

using namespace caip;

bool plain(std::string_view names) {
  return std::ranges::all_of(names, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == ' '; });
}

void check(const SiteSpec& spec) {
  const agent::Site site{SiteId(IdBytes{1}), SiteName::parse("site").value(), spec, agent::SiteState::live, {}};
  const auto config = agent::make_config(site, "/srv/caip-sites", true);
  std::istringstream lines(config.text);
  std::string line;
  int depth = 0, blocks = 0;
  while (std::getline(lines, line)) {
    if (line.starts_with("#")) continue;
    if (line.empty() || !std::string_view("{};").contains(line.back())) std::abort();
    if (line == "server {") ++blocks;
    if (line.back() == '{') ++depth;
    if (line.back() == '}') --depth;
    if (line.starts_with("  server_name ") && !plain(std::string_view(line).substr(14, line.size() - 15))) std::abort();
  }
  if (depth != 0 || blocks != (spec.redirect() ? 2 : 1)) std::abort();
  if (!agent::decode_site(agent::encode(site))) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  if (const auto domain = DomainName::parse(text))
    if (auto spec = SiteSpec::of(SiteKind::static_files, {*domain}, std::nullopt, false)) check(*spec);
  if (const auto site = agent::decode_site(text))
    if (agent::encode(*site) != text) std::abort();
  const auto value = parse_json(text);
  if (!value || !value->is_object()) return 0;
  Members m(value->get_object());
  if (const auto spec = SiteSpec::read(m)) check(*spec);
  return 0;
}
