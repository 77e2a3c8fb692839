// agent/site_files.h: a site's folder and its system user. Everything below a site's public folder is its user's, who may plant
// there what they like: nothing here follows a link, crosses into another file system or goes by a path of theirs.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "agent/env_files.h"
#include "base/result.h"
#include "fd.h"
#include "model/ids.h"

namespace caip::agent {

inline constexpr const char* kSitesFolder = "/srv/caip-sites";

// Accounts, by useradd and userdel, with fixed arguments and no environment. In tests, somebody else.
class SiteUsers {
 public:
  virtual ~SiteUsers() = default;
  virtual Result<Owner> make(const SiteId&) = 0;  // also where it is there already
  virtual Result<void> remove(const SiteId&) = 0;  // also where it is not there
  virtual Result<gid_t> web_group() = 0;           // of the web server's workers
};
std::unique_ptr<SiteUsers> make_site_users(std::string home_folder);

struct Used {
  std::uint64_t bytes = 0;
  bool whole = true;  // or there is more than is counted
};

class SiteFiles {
 public:
  explicit SiteFiles(std::string folder) : folder_(std::move(folder)) {}
  const std::string& folder() const { return folder_; }
  // Its folder, root's own, and `public` in it, the user's, for the web server to read. first: a page to begin with.
  Result<void> make(const SiteId&, Owner, gid_t web, bool first) const;
  bool there(const SiteId&) const;             // something of that name, whatever it is
  Result<void> open_up(const SiteId&) const;   // for the web server and its user
  Result<void> shut(const SiteId&) const;      // for nobody but root
  Result<void> remove(const SiteId&) const;    // with all that is in it; nothing there: done
  Result<Used> used(const SiteId&) const;

 private:
  Result<Fd> base() const;
  std::string folder_;
};

}  // namespace caip::agent
