// agent/site_records.h: what this server knows of its sites, one file each, and the web server's files made from it.
#pragma once
#include <map>
#include <string>

#include "agent/sites.h"
#include "site_config.h"

namespace caip::agent {

using SiteMap = std::map<SiteId, Site>;

class SiteRecords {
 public:
  explicit SiteRecords(std::string folder) : folder_(std::move(folder)) {}
  Result<SiteMap> all() const;  // a record that cannot be read is left out, and said in the log
  Result<void> put(const Site&) const;
  Result<void> drop(const SiteId&) const;

 private:
  std::string file_of(const SiteId&) const;
  std::string folder_;
};

class SiteConfigs {
 public:
  explicit SiteConfigs(std::string folder) : folder_(std::move(folder)) {}
  std::optional<std::string> read(const SiteId&) const;
  Result<void> write(const SiteId&, const std::string& text) const;
  Result<void> remove(const SiteId&) const;
  // All of the folder, with `text` for this site (nothing: without it), in another one.
  Result<void> stage(const std::string& into, const SiteId&, const std::optional<std::string>& text) const;

 private:
  std::string folder_;
};

}  // namespace caip::agent
